"""All about one run: what holds, its numbers, its settings, what people wrote on it, its log."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medpriv_core.exports.sharing import shared_run
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.coverage import SHORT, WARNING, is_withheld, left_out_of
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.privacy.verdict import run_question, run_verdict
from medpriv_core.records.epoch import COLUMNS, EpochRow
from medpriv_core.results.guarantee import picture_guarantee
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.service import Run
from medpriv_core.runs.spent_record import with_bond
from medpriv_core.shown_text import for_cell, for_markdown
from medpriv_core.spec import SETTINGS
from pages.parts import cached
from pages.parts.evaluation_view import draw_evaluation
from pages.parts.exposure_view import draw_exposure, meaning_of_images, meaning_of_training
from pages.parts.groups_view import draw_groups
from pages.parts.guarantee import draw_confirmed, draw_green_lights, draw_lights, draw_verdict
from pages.parts.metric_columns import column_formats, numbers_of
from pages.parts.protection import draw_local_dp
from pages.parts.risk.link import draw_risk_link
from pages.parts.runs.label_form import draw_labels
from pages.parts.tabs import open_tab
from pages.parts.take_away_runs import draw_take_away
from pages.parts.words import in_words, why_failed

MOST_ROWS = 100


def draw_details(run: Run, known_tags: list[str]) -> None:
    """The tabs; only the open one is computed."""
    drawings: dict[str, tuple[str, Callable[[], None]]] = {
        "guarantee": ("Guarantee", lambda: draw_guarantee(run)),
        "numbers": ("Numbers", lambda: draw_epochs(run)),
        "evaluation": ("Evaluation", lambda: draw_evaluation(cached.home(), run)),
        "groups": ("By group", lambda: draw_groups(cached.home(), run)),
        "settings": ("Settings", lambda: draw_settings(run)),
        "labels": ("Name, tags, notes", lambda: draw_labels(run, known_tags)),
        "take": ("Export", lambda: draw_export(run)),
        "log": ("Log", lambda: draw_log(run)),
    }
    titles = {name: title for name, (title, _) in drawings.items()}
    name, place = open_tab(titles, key="runs_details", parameter="about")
    with place:
        drawings[name][1]()


def draw_export(run: Run) -> None:
    """What can be taken away of a run, and the way to the statement that goes with it."""
    draw_take_away([run], key=f"take_{run.id}")
    draw_risk_link("Statement for a data-protection officer", of="run", run=run.id, about_risk="statement")


def draw_log(run: Run) -> None:
    """What the worker printed last."""
    st.code(service.read_log(cached.home(), run.id) or "Nothing yet.", language=None)


def draw_guarantee(run: Run) -> None:
    """What holds for the network as it is now, and why, by what the run recorded about itself."""
    if run.spec is None:
        st.caption("Without its settings, nothing can be said about this run.")
        return
    draw_risk_link(of="run", run=run.id)
    if run.spec.method == "none":
        st.markdown("**No protection.** The network may remember single patients; nothing bounds what it gives away.")
    if run.spec.method == "local_dp":
        draw_local_dp(run.spec, run.setup.patient_count)
        draw_exposure(meaning_of_images(picture_guarantee(run.spec)), key=f"exposure_{run.id}")
    if run.spec.method != "dp_sgd":
        return
    spent = with_bond(run.spent, RunDirectory(cached.home().runs / run.id)) if run.ended else run.spent
    asked = run_question(run.spec, setup=run.setup, spent=spent)
    place = st.empty()  # what is drawn again takes the place of what was there

    def draw() -> None:
        with place.container():
            draw_what_holds(run, spent)

    draw_confirmed(asked, draw, recorded=run.setup.second_accountant)


def draw_what_holds(run: Run, spent: Spent | None) -> None:
    """Of a DP-SGD run: its epsilon in full, where it was stopped, and the lights."""
    assert run.spec is not None
    verdict = run_verdict(run.spec, setup=run.setup, spent=spent)
    if verdict is not None:
        draw_verdict(verdict, prefix="Spent: " if run.ended else "Spent so far: ")
        draw_exposure(meaning_of_training(verdict), key=f"exposure_{run.id}")
        st.caption("The curves themselves are computed without noise and are for your eyes: ε does not cover them.")
    elif spent is not None and spent.recorded and not spent.steps:
        st.caption("No step was taken yet, so nothing is spent.")
    elif not run.kept_nothing:
        st.warning("This run did not record enough to say which ε holds.", icon=":material/warning:")
    else:
        st.caption("Nothing of it was kept yet, so nothing is spent.")
    if run.ended and spent is not None and spent.place is not None:
        st.markdown(for_markdown(spent.place))
    if checks := check_run(run.spec, setup=run.setup, spent=spent, imported=run.imported):
        draw_lights(checks)
        draw_green_lights(checks, key=f"lights_{run.id}")


def draw_epochs(run: Run) -> None:
    """The numbers of the curves, epoch by epoch; of many epochs, some.

    A table can be copied and saved by its own buttons, so of a private run it holds at first what exports hold.
    """
    if not run.epochs:
        st.caption("No epoch yet.")
        return
    if is_withheld(run.spec):
        if any(left_out_of(row) for row in run.epochs):
            too = st.toggle("Figures of the training images too", key=f"numbers_too_{run.id}")
            (st.warning if too else st.caption)(WARNING if too else SHORT)
            run = shared_run(run, with_training_figures=too)
        elif run.imported:
            st.caption("The figures of the training images are not here: the export of this run left them out.")
    columns = [column for column in COLUMNS.values() if any(column.of(row) is not None for row in run.epochs)]
    private, timed = any(map(epsilon_of, run.epochs)), any(row.images_per_s is not None for row in run.epochs)
    every = -(-len(run.epochs) // MOST_ROWS)
    shown = [row for row in run.epochs[:-1] if row.epoch % every == 0] + run.epochs[-1:]
    if every > 1:
        st.caption(f"One epoch in {every}, and the last one; all are in metrics.jsonl of the run's folder.")
    st.dataframe(
        [
            {"epoch": row.epoch}
            | numbers_of(row, columns)
            | ({"ε so far": epsilon_of(row)} if private else {})
            | ({"images a second": row.images_per_s} if timed else {})
            for row in reversed(shown)
        ],
        hide_index=True,
        column_config=column_formats(columns) | {"images a second": st.column_config.NumberColumn(format="%.0f")},
    )


def draw_settings(run: Run) -> None:
    """Every setting that matters in this run, called as in the form."""
    if run.spec is None:
        st.caption(why_failed(run))
        return
    values = vars(run.spec) | {"sampling": run.spec.sampling_scheme}
    rows = [
        {"setting": setting.label, "value": for_cell(in_words(name, values[name]))}
        for name, setting in SETTINGS.items()
        if values[name] is not None and setting.matters(values)
    ]
    st.dataframe(rows, hide_index=True, height="content")


def epsilon_of(row: EpochRow) -> str:
    """Epsilon after an epoch with its delta, rounded up; empty where the method has none."""
    if row.epsilon is None or row.delta is None:
        return ""
    return f"{format_epsilon(row.epsilon)} (δ = {format_delta(row.delta)})"
