"""Runs to take away and to bring in: zips, tables, TensorBoard events, and the upload of a run's zip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from medpriv_core.errors import MedprivError
from medpriv_core.exports.making import Make
from medpriv_core.exports.run_archive import archive_name, export_run, export_runs, files_key
from medpriv_core.exports.run_tables import epochs_csv, runs_csv
from medpriv_core.exports.tensorboard import event_file, event_file_name, event_files
from medpriv_core.home import DataHome, data_home
from medpriv_core.privacy.coverage import SHORT, WARNING, is_withheld
from medpriv_core.progress import ProgressCallback
from medpriv_core.runs import service
from medpriv_core.runs.imports import import_runs
from medpriv_core.runs.service import RunSummary
from medpriv_core.shown_text import for_markdown
from pages.parts.making_view import offer_made
from pages.parts.serving import take_bytes
from pages.parts.words import sentence

MOST_ZIPPED = 50  # they are kept in memory until the tab is closed or asks for others
# Excel takes a file without this mark for one in the old code page, and shows β as two other letters.
BYTE_ORDER_MARK = "\ufeff"


def draw_take_away(runs: Sequence[RunSummary], *, key: str = "take_away") -> None:
    """Downloads of these runs, of one or of many: nothing is made before its button is pressed."""
    if not runs:
        st.caption("Choose runs to export.")
        return
    home, one = data_home(), runs[0] if len(runs) == 1 else None
    ended = [run for run in runs if run.ended]
    figures = False
    if any(is_withheld(run.spec) for run in runs):
        figures = st.checkbox("With the training figures of private runs", key=f"{key}_training_figures")
        (st.warning if figures else st.caption)(WARNING if figures else SHORT)
    with st.container(horizontal=True):
        if ended:
            ids = [run.id for run in ended]
            offer_made(
                "Zip" if one else f"Zip of {len(ids)} runs",
                partial(_zip, home, ids, with_training_figures=figures),
                archive_name(ids[0]) if one else "medpriv-runs.zip",
                "application/zip",
                key=f"{key}_zip",
                content_key=(files_key(home, ids), *((run.name, *run.tags, run.notes) for run in ended), figures),
                help="Settings, figures, guarantee in words, charts, and the network with its model card; without "
                "anything that names this machine or an image. Can be imported on another machine.",
                disabled=len(ids) > MOST_ZIPPED,
            )
        _button(
            "Table of runs",
            lambda: BYTE_ORDER_MARK + runs_csv(runs, with_training_figures=figures),
            "medpriv-runs.csv",
            "text/csv",
            key=f"{key}_runs",
            about="CSV, one line a run: settings, last and best figures, and the ε that holds with what it depends on.",
        )
        _button(
            "Table of epochs",
            lambda: (
                BYTE_ORDER_MARK
                + epochs_csv([service.load_run(home, run.id) for run in runs], with_training_figures=figures)
            ),
            f"medpriv-epochs-{one.id}.csv" if one else "medpriv-epochs.csv",
            "text/csv",
            key=f"{key}_epochs",
            about="CSV, one line for every finished epoch.",
        )
        told = [run for run in runs if run.epochs_done]
        if one and told:
            _button(
                "TensorBoard",
                lambda: event_file(service.load_run(home, one.id), with_training_figures=figures),
                event_file_name(one),
                "application/octet-stream",
                key=f"{key}_events",
                about="The figures of every epoch as an event file. Put it into a folder and open that with "
                "TensorBoard.",
            )
        elif told:
            _button(
                f"TensorBoard of {len(told)} runs",
                lambda: event_files([service.load_run(home, run.id) for run in told], with_training_figures=figures),
                "medpriv-tensorboard.zip",
                "application/zip",
                key=f"{key}_events",
                about="A folder with an event file for each run. Unpack it and open the folder with TensorBoard.",
            )
    st.caption("The zip can be imported on another machine; the tables open in a spreadsheet.")
    if len(ended) > MOST_ZIPPED:
        st.caption(
            f"A zip made here holds at most {MOST_ZIPPED} runs: choose fewer. Where the app runs, "
            "`python -m medpriv_core export run` takes any number."
        )
    waiting = len(runs) - len(ended)
    if waiting:
        st.caption(f"{waiting} of these {len(runs)} runs have not ended yet and are in the tables only.")


def _zip(home: DataHome, ids: Sequence[str], *, with_training_figures: bool) -> Make:
    """What makes the zip of these runs, of one or of several."""

    def make(progress: ProgressCallback) -> bytes:
        if len(ids) == 1:
            return export_run(home, ids[0], with_training_figures=with_training_figures, progress=progress)
        return export_runs(home, ids, with_training_figures=with_training_figures, progress=progress)

    return make


def draw_import(*, key: str = "import_runs") -> None:
    """An upload of zips of runs, which join the list; what is refused is said with its reason."""
    home = data_home()
    number = st.session_state.setdefault(f"{key}_number", 0)
    with st.form(f"{key}_form", border=False, enter_to_submit=False):
        files = st.file_uploader(
            "Zips of runs, as medpriv exports them",
            type="zip",
            accept_multiple_files=True,
            key=(uploader := f"{key}_{number}"),
        )
        pressed = st.form_submit_button("Import", icon=":material/upload:", key=f"{key}_button")
    if pressed and files:
        said = [_import(home, file.name, take_bytes(file, uploader)) for file in files]
        # What was uploaded is not needed any more; an uploader of another name is an empty one.
        st.session_state[f"{key}_number"] = number + 1
        st.session_state[f"{key}_said"] = said
        st.rerun()
    for good, text in st.session_state.pop(f"{key}_said", []):
        (st.success if good else st.error)(text, icon=f":material/{'check_circle' if good else 'error'}:")


def _import(home: DataHome, file_name: str, content: bytes) -> tuple[bool, str]:
    try:
        imported = import_runs(home, content)
    except MedprivError as error:
        return False, f"{for_markdown(file_name)}: {sentence(error)}"
    names = for_markdown(", ".join(service.load_run(home, run_id).name for run_id in imported.ids))
    if imported.complaints:
        others = for_markdown(" ".join(imported.complaints))
        return False, f"Imported from {for_markdown(file_name)}: {names}. Not imported: {others}"
    return True, f"Imported: {names}. {'It is' if len(imported.ids) == 1 else 'They are'} in the list."


def _button(
    label: str,
    make: Callable[[], bytes | str],
    file_name: str,
    mime: str,
    *,
    key: str,
    about: str,
) -> None:
    st.download_button(
        label,
        make,
        file_name,
        mime,
        key=key,
        help=about,
        icon=":material/download:",
        on_click="ignore",
    )
