"""All about one run: what holds, its numbers, its settings, what people wrote on it, its log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from medpriv_core.exports.sharing import shared_run
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.coverage import SHORT, WARNING, is_withheld, left_out_of
from medpriv_core.privacy.second_accountant import SECOND
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.privacy.verdict import run_question, run_verdict
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory, epsilon_spent
from medpriv_core.runs.service import Run
from medpriv_core.runs.spent_record import with_bond
from medpriv_core.shown_text import for_cell, for_markdown
from medpriv_core.spec import SETTINGS
from pages.parts import cached
from pages.parts.evaluation_view import draw_evaluation
from pages.parts.guarantee import draw_confirmed, draw_green_lights, draw_lights, draw_verdict
from pages.parts.protection import draw_local_dp
from pages.parts.runs.label_form import draw_labels
from pages.parts.tabs import open_tab
from pages.parts.take_away_runs import draw_take_away
from pages.parts.words import in_words, why_failed

MOST_ROWS = 100
COLUMNS = {
    "epoch": "epoch",
    "train_accuracy": "train accuracy",
    "test_accuracy": "test accuracy",
    "test_balanced_accuracy": "test balanced accuracy",
    "test_auroc": "test AUROC",
    "test_calibration_error": "test calibration error",
    "test_kappa": "test kappa",
    "test_noised_accuracy": "test accuracy, noised images",
    "train_loss": "train loss",
    "test_loss": "test loss",
    "epsilon": "ε so far",
    "images_per_s": "images a second",
}
IN_PERCENT = ("accuracy", "calibration_error")


def draw_details(run: Run, known_tags: list[str]) -> None:
    """The tabs; only the open one is computed."""
    drawings: dict[str, tuple[str, Callable[[], None]]] = {
        "guarantee": ("Guarantee", lambda: draw_guarantee(run)),
        "numbers": ("Numbers", lambda: draw_epochs(run)),
        "evaluation": ("Evaluation", lambda: draw_evaluation(cached.home(), run)),
        "settings": ("Settings", lambda: draw_settings(run)),
        "labels": ("Name, tags, notes", lambda: draw_labels(run, known_tags)),
        "take": ("Take away", lambda: draw_take_away([run], key=f"take_{run.id}")),
        "log": ("Log", lambda: draw_log(run)),
    }
    titles = {name: title for name, (title, _) in drawings.items()}
    name, place = open_tab(titles, key="runs_details", parameter="about")
    with place:
        drawings[name][1]()


def draw_log(run: Run) -> None:
    """What the worker printed last."""
    st.code(service.read_log(cached.home(), run.id) or "Nothing yet.", language=None)


def draw_guarantee(run: Run) -> None:
    """What holds for the network as it is now, and why, by what the run recorded about itself."""
    if run.spec is None:
        st.caption("Without its settings, nothing can be said about this run.")
        return
    if run.spec.method == "none":
        st.markdown("**No protection.** The network may remember single patients; nothing bounds what it gives away.")
    if run.spec.method == "local_dp":
        draw_local_dp(run.spec)
    if run.spec.method != "dp_sgd":
        return
    spent = with_bond(run.spent, RunDirectory(cached.home().runs / run.id)) if run.ended else run.spent
    asked = run_question(run.spec, setup=run.setup, spent=spent)
    draw_confirmed(asked, lambda: draw_what_holds(run, spent), recorded=run.setup.get(SECOND))


def draw_what_holds(run: Run, spent: Spent | None) -> None:
    """Of a DP-SGD run: its epsilon in full, where it was stopped, and the lights."""
    assert run.spec is not None
    verdict = run_verdict(run.spec, setup=run.setup, spent=spent)
    if verdict is not None:
        draw_verdict(verdict, prefix="Spent: " if run.ended else "Spent so far: ")
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
    columns = {name: title for name, title in COLUMNS.items() if any(name in row for row in run.epochs)}
    every = -(-len(run.epochs) // MOST_ROWS)
    shown = [row for row in run.epochs[:-1] if row["epoch"] % every == 0] + run.epochs[-1:]
    if every > 1:
        st.caption(f"One epoch in {every}, and the last one; all are in metrics.jsonl of the run's folder.")
    st.dataframe(
        [
            {title: epsilon_of(row) if name == "epsilon" else number(row, name) for name, title in columns.items()}
            for row in reversed(shown)
        ],
        hide_index=True,
        column_config={
            title: st.column_config.NumberColumn(format=number_format(name))
            for name, title in columns.items()
            if name not in ("epoch", "epsilon")
        },
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


def number(epoch: dict[str, Any], name: str) -> float | None:
    """One number of an epoch, shares in percent."""
    value = epoch.get(name)
    return 100 * value if value is not None and name.endswith(IN_PERCENT) else value


def number_format(name: str) -> str:
    """How such numbers are written."""
    return "%.1f %%" if name.endswith(IN_PERCENT) else "%.0f" if name == "images_per_s" else "%.4g"


def epsilon_of(epoch: dict[str, Any]) -> str:
    """Epsilon after an epoch with its delta, rounded up; empty where the method has none."""
    epsilon = epsilon_spent(epoch)
    return "" if epsilon is None else f"{format_epsilon(epsilon)} (δ = {format_delta(epoch['delta'])})"
