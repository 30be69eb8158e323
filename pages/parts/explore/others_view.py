"""What other patients' images tell about the noised one: what was learned from them, and the way to learn."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from medpriv_core.attacks.prior import Prior
from medpriv_core.priors.learning import learned_statement, prior_job, prior_place, side_to_learn, start_learning
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.explore.gallery_choice import dataset_of_others
from pages.parts.explore.scene import Scene
from pages.parts.messages import explain_errors

REFRESH_S = 0.5


@dataclass(frozen=True, eq=False)
class Others:
    """What there is to know from other patients' images.

    key    tells it from what is learned later
    prior  None where nobody has learned yet, or it would be of no use
    words  whose images were learned from; empty where none were
    why    why it is of no use, in a sentence; empty where it is
    name   the dataset to learn from, and ``side`` the size
    """

    key: tuple[object, ...] = ()
    prior: Prior | None = None
    words: str = ""
    why: str = ""
    name: str = ""
    side: int = 0


def others_of(scene: Scene) -> Others:
    """What was learned from others than the patient of this picture."""
    name = dataset_of_others(scene)
    if name is None:
        return Others(why="Learning from other patients needs their images: add a dataset on the page Datasets.")
    entry = cached.available_datasets()[name]
    height, width, channels = scene.picture.shape
    side = side_to_learn(entry, (height, width, channels), scene.yours.noise)
    if isinstance(side, str):
        return Others(why=side)
    place, halves = prior_place(cached.home(), name, side), cached.halves(name, cached.identity(entry))
    own = scene.chosen.dataset is None or scene.chosen.dataset.info.name != name
    half = halves.to_learn_from(None if own else scene.chosen.index)
    prior = cached.learned(place, half)
    if prior is None:
        return Others(name=name, side=side)
    words = learned_statement(prior.images, halves, entry, own=own)
    return Others((str(place.folder), place.stamp, half), prior, words, name=name, side=side)


def draw_others(others: Others) -> None:
    """Whose images were learned from; or a button to do so, its progress, and why it failed."""
    if others.why:
        st.caption(for_markdown(others.why))
        return
    if others.prior is not None:
        st.caption(
            f":material/groups: {for_markdown(others.words)} The attempt is made of {others.side} × {others.side} "
            "values and enlarged, so nothing finer comes back."
        )
        return
    status = prior_job(cached.home(), others.name, others.side).status()
    running = status is not None and status.state == "running"
    st.button(
        "Learn from other patients",
        key="learn",
        icon=":material/groups:",
        disabled=running,
        on_click=_learn,
        args=(others.name, others.side),
        help="An attacker who has images of other patients undoes more of the noise than any filter. medpriv learns "
        "their average and what varies together, once for a dataset: some 20 seconds for 5,000 X-rays. It stays in "
        "your data home and is never exported.",
    )
    if running:
        st.fragment(run_every=REFRESH_S)(_draw_progress)(others.name, others.side)
    elif status is not None and status.state in ("failed", "cancelled"):
        show = st.error if status.state == "failed" else st.info
        show(for_markdown(status.message or "Learning was stopped."))


def _learn(name: str, side: int) -> None:
    with explain_errors():
        start_learning(cached.home(), name, side)


def _draw_progress(name: str, side: int) -> None:
    """How far it is; the page is drawn anew when it has ended."""
    with explain_errors():
        job = prior_job(cached.home(), name, side)
        status = job.status()
        if status is None or status.state != "running":
            st.rerun()
        share = min(1.0, status.done / status.total) if status.total else 0.0
        row = st.container(horizontal=True, vertical_alignment="center", gap="small")
        row.progress(share, for_markdown(f"{status.phase}: {status.done:,} of {status.total:,}"), width=420)
        if row.button("Stop", key="stop_learning", icon=":material/stop:"):
            job.stop()
