"""Datasets: which images are there, and how to add your own copy of the paper's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from medpriv_core.datasets import registry
from medpriv_core.datasets.fetching import fetch_job, last_fetch, start_fetch
from medpriv_core.datasets.medmnist import FETCHABLE
from medpriv_core.datasets.own.adding import is_own, record_of, refresh_own
from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.errors import MedprivError
from medpriv_core.progress import ProgressCallback
from medpriv_core.runs.described import remove_own_dataset
from medpriv_core.runs.on_images import WITHOUT_PRIVACY, all_runs, epsilon_on_images
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.budget_view import draw_budget
from pages.parts.messages import explain_errors
from pages.parts.own_images import draw_own
from pages.parts.words import sentence

REFRESH_S = 0.5
# Of the sets of MedMNIST, those of the paper's images have a place of their own before they are added.
SHOWN = ("pneumoniamnist", "retinamnist")

# Of the session: dataset -> the report of adding it.
ADDED = "datasets_added"


def main() -> None:
    st.title("Which images?", anchor=False)
    st.markdown(
        "The synthetic images are drawn by medpriv and are always here. Real ones stay where you keep them: medpriv "
        "remembers the place, reads them, and never changes or sends them anywhere."
    )
    draw_own()
    places = {}
    further = []
    listed = registry.list_datasets(cached.home())
    # One's own first: they are why somebody comes here again.
    listed.sort(key=lambda entry: not is_own(cached.home(), entry.info.name))
    entries = {entry.info.name: entry for entry in listed}
    for entry in entries.values():
        if is_one_of_many(entry):
            further.append(entry)
            continue
        with st.container(border=True):
            places[entry.info.name] = draw_entry(entry)
    if further:
        draw_further(further)
    draw_spent(places, entries)


def is_one_of_many(entry: DatasetEntry) -> bool:
    """Whether it is a set of MedMNIST of which there is nothing to tell: neither added nor being fetched."""
    name = entry.info.name
    if name not in FETCHABLE or name in SHOWN or entry.location:
        return False
    return last_fetch(cached.home(), name) is None


def draw_further(entries: Sequence[DatasetEntry]) -> None:
    """Sets of MedMNIST that are not added: one at a time, for there are many."""
    with st.container(border=True):
        st.markdown("**More sets of MedMNIST**")
        titles = {entry.info.name: entry.info.title for entry in entries}
        name = st.selectbox("Which set", titles, format_func=titles.__getitem__, key="further")
        draw_entry(next(entry for entry in entries if entry.info.name == name))


def draw_entry(entry: DatasetEntry) -> st.delta_generator.DeltaGenerator | None:
    """One dataset: what it is, whether it is here, and how to get it; returns the place for what was spent on it."""
    name, place = entry.info.name, None
    here = ":blue-badge[ready]" if entry.available else ":gray-badge[not added]"
    st.markdown(f"**{for_markdown(entry.info.title)}** {origin_badge(entry.info)} {here}")
    st.caption(for_markdown(entry.info.source))
    if entry.available and entry.info.trainable:
        st.markdown(describe_counts(entry))
        place = st.empty()
    if entry.problem:
        st.error(for_markdown(entry.problem), icon=":material/error:")
    if entry.changed:
        st.warning(for_markdown(entry.changed), icon=":material/sync_problem:")
        if st.button("Add it again", key=f"again_{name}", icon=":material/refresh:"):
            again = refresh_own if is_own(cached.home(), name) else registry.refresh_dataset
            add(name, lambda show: again(cached.home(), name, progress=show))
    if entry.available:
        draw_report(entry)
    if entry.location:
        st.caption(f"From {for_markdown(str(entry.location))}")
        row = st.container(horizontal=True)
        row.button("Remove", key=f"forget_{name}", on_click=forget, args=(name,), help="Your files are not touched.")
        if is_own(cached.home(), name):
            row.download_button(
                "Record (dataset.toml)",
                record_of(cached.home(), name),
                f"{name}.toml",
                key=f"record_{name}",
                icon=":material/download:",
                on_click="ignore",
                help="How these images are read, without names of files or patients: for a colleague who has them too.",
            )
    if not entry.available and not entry.location and is_own(cached.home(), name):
        st.markdown(
            f"There are runs on these images, and the images are not here. Who has them adds them above, under the "
            f"name {for_markdown(name)}."
        )
    elif entry.how_to_add and not entry.available:
        st.markdown(for_markdown(entry.how_to_add))
        if name in FETCHABLE:
            draw_fetch(name)
        draw_add(name)
    return place


def draw_spent(
    places: Mapping[str, st.delta_generator.DeltaGenerator | None], entries: Mapping[str, DatasetEntry]
) -> None:
    """What all DP-SGD networks trained here on some images give away together; last, because adding up takes time."""
    with explain_errors():
        runs = all_runs(cached.home())
        for name, place in places.items():
            if place is None:
                continue
            with place.container():
                if (together := epsilon_on_images(cached.home(), name, runs)) is not None:
                    st.caption(f"{for_markdown(together.ever_sentence)} {WITHOUT_PRIVACY}")
                draw_budget(entries[name], runs)


def draw_report(entry: DatasetEntry) -> None:
    """What adding it found; after the click with the names of some files, later without."""
    report = st.session_state.get(ADDED, {}).get(entry.info.name) or entry.report
    if report is None:
        if entry.location:
            st.caption("Added by an earlier version, which kept no report. Add it again to have one.")
        return
    if not report.sentences:
        if entry.location:
            st.caption("When it was added, every file was read, and none was there twice.")
        return
    place = st.expander("What adding it found", icon=":material/fact_check:", expanded=report is not entry.report)
    place.markdown("\n".join(f"- {for_markdown(said)}" for said in report.sentences))


def describe_counts(entry: DatasetEntry) -> str:
    """Images of each class and split."""
    parts = []
    for title, counts in (("Training", entry.train_counts), ("Test", entry.test_counts)):
        classes = zip(entry.info.classes, counts or (), strict=True)
        parts.append(f"{title}: " + ", ".join(f"{count:,} {for_markdown(label)}" for label, count in classes))
    return "  \n".join(parts)


def draw_add(name: str) -> None:
    """Add a dataset by the path of what the user has."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    ending = ".npz" if name in FETCHABLE else ".zip"
    path = row.text_input("Path on this computer", key=f"path_{name}", placeholder=f"/home/me/{name}{ending}")
    if row.button("Add", key=f"add_{name}", icon=":material/add:", disabled=not path.strip()):
        add(name, lambda show: registry.add_dataset(cached.home(), name, path, progress=show))


def add(name: str, work: Callable[[ProgressCallback], DatasetEntry]) -> None:
    """Add a dataset under a progress bar; on success the page is drawn anew."""
    bar = st.progress(0.0, "Looking at the files…")

    def show(phase: str, done: int, total: int) -> None:
        bar.progress(min(1.0, done / total) if total else 0.0, f"{for_markdown(phase)}: {done:,} of {total:,}")

    try:
        entry = work(show)
    except MedprivError as error:
        bar.empty()
        st.error(sentence(error), icon=":material/error:")
    else:
        # Names of files are for whoever added it, in this tab, and are not kept.
        st.session_state.setdefault(ADDED, {})[name] = entry.report
        st.rerun()


def forget(name: str) -> None:
    """Remove a dataset from the list."""
    st.session_state.get(ADDED, {}).pop(name, None)
    with explain_errors():
        (remove_own_dataset if is_own(cached.home(), name) else registry.remove_dataset)(cached.home(), name)


def draw_fetch(name: str) -> None:
    """Download a MedMNIST file; the download goes on if the page is closed."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    sizes, last = FETCHABLE[name], last_fetch(cached.home(), name)
    size = row.segmented_control(
        "Image size (pixels)", sizes, default=last[0] if last else sizes[0], required=True, key=f"size_{name}"
    )
    status = fetch_job(cached.home(), name, size).status()
    running = status is not None and status.state == "running"
    row.button(
        "Fetch", key=f"fetch_{name}", icon=":material/download:", disabled=running, on_click=fetch, args=(name, size)
    )
    if running:
        st.fragment(run_every=REFRESH_S)(draw_fetch_progress)(name, size)
    elif status is not None and status.state in ("failed", "cancelled"):
        show = st.error if status.state == "failed" else st.info
        show(for_markdown(status.message or "The download was stopped."))


def fetch(name: str, size: int) -> None:
    """Start the download."""
    with explain_errors():
        start_fetch(cached.home(), name, size)


def draw_fetch_progress(name: str, size: int) -> None:
    """How far the download is; the page is drawn anew when it has ended."""
    with explain_errors():
        job = fetch_job(cached.home(), name, size)
        status = job.status()
        if status is None or status.state != "running":
            st.rerun()
        share = min(1.0, status.done / status.total) if status.total else 0.0
        st.progress(share, f"Fetching: {status.done / 1e6:.1f} of {status.total / 1e6:.1f} MB")
        if st.button("Stop", key=f"stop_{name}", icon=":material/stop:"):
            job.stop()


main()
