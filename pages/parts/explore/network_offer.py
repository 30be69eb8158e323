"""No network yet for these images: train one from here, or go where there are images to train on."""

from __future__ import annotations

import streamlit as st

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.errors import MedprivError
from medpriv_core.extras import why_missing
from medpriv_core.progress import format_duration
from medpriv_core.runs import service
from medpriv_core.runs.estimate import estimate_time
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.explore.scene import Scene
from pages.parts.run_presets import quick_spec
from pages.parts.runs.watchers import refresh_s
from pages.parts.words import sentence

BUILT_IN = "synthetic_chest"


def draw_without_network(scene: Scene) -> None:
    """Why there is no network to ask, and what can be done about it."""
    entry = scene.chosen.dataset
    if entry is None:
        st.info(
            "No network has been trained that could be asked about an image of your own.",
            icon=":material/model_training:",
        )
    elif entry.info.trainable:
        st.info("No network has been trained for these images yet.", icon=":material/model_training:")
    else:
        st.info(
            "This is a single image, and no network can be trained on it. Choose a dataset of many.",
            icon=":material/model_training:",
        )
    draw_ways_to_train(scene)


def draw_ways_to_train(scene: Scene) -> None:
    """A button that trains one where there are images for it; else the ways to such images."""
    entry = scene.chosen.dataset
    if entry is not None and entry.info.trainable:
        st.fragment(run_every=refresh_s() if _at_work(entry) else None)(_draw_training)(entry)
        return
    row = st.container(horizontal=True)
    if entry is not None:
        title = cached.available_datasets()[BUILT_IN].info.title
        row.button(f"Show {title}", key="show_built_in", icon=":material/photo_library:", on_click=_show_built_in)
    else:
        real = [one for one in cached.available_datasets().values() if one.info.trainable and not one.info.synthetic]
        for one in real[:2]:
            with row.container(width="content"):
                st.fragment(run_every=refresh_s() if _at_work(one) else None)(_draw_training)(one)
    row.page_link("datasets.py", label="Add a dataset", icon=":material/photo_library:")


def _show_built_in() -> None:
    st.session_state["dataset"] = BUILT_IN


def _at_work(entry: DatasetEntry) -> str | None:
    """The id of a run on these images that has not ended; None where there is none."""
    lines = service.list_lines(cached.home())
    return next((line.id for line in lines if line.dataset == entry.info.name and not line.ended), None)


def _draw_training(entry: DatasetEntry) -> None:
    """The button; while a network is trained, that it is, until it can be asked."""
    run_id = _at_work(entry)
    name = entry.info.name
    waited = st.session_state.get("diagnosis_waits_for")
    if run_id is None and waited == name:
        del st.session_state["diagnosis_waits_for"]
        st.rerun()  # it has ended, and can be asked if all went well
    if run_id is not None:
        st.session_state["diagnosis_waits_for"] = name
        row = st.container(horizontal=True, vertical_alignment="center")
        row.markdown(
            ":material/hourglass_top: A network for these images is being trained. It is asked as soon as it is done."
        )
        if row.button("Watch it", key=f"watch_{name}", icon=":material/monitoring:"):
            st.switch_page("runs.py", query_params={"run": run_id})
        return
    if untrainable := why_missing("train"):
        st.warning(for_markdown(untrainable), icon=":material/extension_off:")
    try:
        spec = quick_spec(name)
        time = estimate_time(
            cached.home(), spec, train_size=entry.train or 0, test_size=entry.test or 0, patients=entry.patients
        )
        if st.button(
            f"Train one on {for_markdown(entry.info.title)}, about {format_duration(time.seconds)}",
            key=f"train_for_{name}",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(untrainable),
        ):
            service.submit(cached.home(), spec)
            st.rerun()
    except MedprivError as error:
        st.error(sentence(error), icon=":material/error:")
