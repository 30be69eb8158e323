"""What can be done with one run: resume, extend, copy, order in the queue, delete."""

from __future__ import annotations

import streamlit as st

from medpriv_core.errors import MedprivError
from medpriv_core.progress import format_duration
from medpriv_core.runs import service
from medpriv_core.runs.service import Extension, Run
from medpriv_core.runs.store import Place
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import BOUNDS
from pages.parts import cached
from pages.parts.run_presets import apply_copy
from pages.parts.runs.actions import act, delete
from pages.parts.words import sentence

MORE_EPOCHS = 10
PLACES: dict[str, Place] = {"Next in the queue": "first", "One place up": "up", "One place down": "down"}


def draw_control(run: Run) -> None:
    """The buttons that the state of the run allows."""
    row = st.container(horizontal=True, vertical_alignment="center", key="runs_control")
    if run.resumable:
        row.button(
            "Resume",
            icon=":material/resume:",
            key="resume",
            type="primary",
            on_click=act,
            args=("Queued again; it goes on from its checkpoint.", lambda: service.resume(cached.home(), run.id)),
        )
    if run.extendable and run.epochs_done < BOUNDS["epochs"][1]:
        extend = row.popover("Extend", icon=":material/more_time:", key=f"extend_{run.id}", on_change="rerun")
        if extend.open:
            with extend:
                draw_extension(run)
    if run.state == "queued":
        row.button(
            "Take off the queue",
            icon=":material/stop:",
            key="stop",
            on_click=act,
            args=("It will not start; you can resume it later.", lambda: service.cancel(cached.home(), run.id)),
        )
        row.menu_button(
            f"Place {run.place}",
            list(PLACES),
            key=f"place_{run.id}",
            icon=":material/swap_vert:",
            on_click=move,
            args=(run.id,),
        )
    if run.spec is not None and row.button(
        "Copy and change",
        icon=":material/content_copy:",
        key="duplicate",
        help="Opens the train page with the settings of this run.",
    ):
        apply_copy(run.name, run.spec)
        st.switch_page("train.py")
    if run.ended:
        row.button("Remove", icon=":material/delete:", key="delete", on_click=delete, args=([run.id],))


def move(run_id: str) -> None:
    """Give a waiting run the place that was chosen."""
    chosen = st.session_state[f"place_{run_id}"]
    act(f"{chosen}.", lambda: service.move(cached.home(), run_id, PLACES[chosen]))


def draw_extension(run: Run) -> None:
    """How many epochs more, and what they cost in privacy and time, before the click."""
    assert run.spec is not None
    highest = int(BOUNDS["epochs"][1])
    epochs = st.number_input(
        "Epochs in all",
        run.epochs_done + 1,
        highest,
        min(highest, max(run.epochs_done, run.spec.epochs) + MORE_EPOCHS),
        key=f"extend_epochs_{run.id}",
    )
    try:
        extension = service.extension(cached.home(), run.id, epochs=epochs)
    except MedprivError as error:
        st.warning(sentence(error), icon=":material/block:")
        return
    st.markdown(extension_words(extension))
    st.button(
        f"Extend to {epochs} epochs",
        type="primary",
        icon=":material/more_time:",
        key=f"extend_now_{run.id}",
        on_click=act,
        args=(
            f"Queued; it goes on to {epochs} epochs.",
            lambda: service.extend(cached.home(), run.id, epochs=epochs),
        ),
    )


def extension_words(extension: Extension) -> str:
    """What more epochs cost, as markdown: epsilon now and then, with all it depends on, and the time."""
    lines = []
    if extension.epsilon_before is not None and extension.epsilon_after is not None:
        for when, epsilon in (("Now", extension.epsilon_before), ("Then", extension.epsilon_after)):
            lines.append(f"**{when}: {extension.in_full(epsilon)}**")
    if extension.seconds is not None:
        lines.append(f"Time: about {format_duration(extension.seconds)}, going by its epochs so far.")
    return "  \n".join([*lines, *map(for_markdown, extension.remarks)])
