"""The table of runs: one line a run or a group of seeds, in the columns that tell them apart, against a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from medpriv_core.datasets.registry import dataset_title
from medpriv_core.records.epoch import COMPARED
from medpriv_core.runs.naming import named_after
from medpriv_core.runs.service import RunSummary
from medpriv_core.runs.table_view import (
    MOST_SETTINGS,
    GroupBy,
    TableView,
    by_seed,
    differences,
    differing_settings,
    keep_view,
    mean_lines,
    read_view,
    telling_columns,
)
from medpriv_core.shown_text import for_cell, for_markdown
from medpriv_core.spec import SETTINGS
from medpriv_core.sweeps.files import read_sweeps
from medpriv_core.sweeps.titles import shown_title
from pages.parts import cached
from pages.parts.metric_columns import column_formats
from pages.parts.runs.states import distinct_names
from pages.parts.words import in_words

GROUP_TITLES: dict[GroupBy, str] = {"none": "Nothing", "seed": "Seed", "sweep": "Sweep"}
UNLESS_EQUAL = ("dataset", "method", "of")
NAME, SEEDS, SWEEP = "run", "seeds", "sweep"
CHANGE = ", Δ"
# What ``describe`` has of each run, whether it is shown or not.
ALL = ("state", "dataset", "method", "epochs", "of", *(column.title for column in COMPARED.values()), "β", "ε", "tags")
Line = dict[str, Any]


def draw_view(place: st.delta_generator.DeltaGenerator, runs: Sequence[RunSummary], titles: Sequence[str]) -> TableView:
    """The button that says how the table is looked at, which is remembered; ``titles`` are the usual columns."""
    view = read_view(cached.home())
    settings = [SETTINGS[name].label for name in SETTINGS]
    offered = list(dict.fromkeys([*titles, *(view.columns or ()), *ALL, *settings]))
    names = distinct_names(runs)
    with place.popover("Columns, groups", icon=":material/view_column:", key="runs_view"):
        group = st.segmented_control(
            "Group by",
            list(GROUP_TITLES),
            default=view.group,
            required=True,
            format_func=GROUP_TITLES.__getitem__,
            key="runs_group",
            help="**Seed**: one line for runs that differ in nothing else, with the means of their figures. **Sweep**: "
            "the runs of a sweep stand together.",
        )
        baseline = st.selectbox(
            "Baseline",
            list(names),
            list(names).index(view.baseline) if view.baseline in names else None,
            format_func=lambda run_id: names.get(run_id, run_id),
            key=f"runs_baseline_{hash(tuple(names))}",
            placeholder="None",
            help="It stands first, and the others have their difference to it beside each figure.",
        )
        columns = st.multiselect(
            "Columns",
            [title for title in offered if title != NAME],
            [title for title in (titles if view.columns is None else view.columns) if title != NAME],
            # The usual ones change with the runs; what was chosen stays.
            key=f"runs_columns_{hash(tuple(titles)) if view.columns is None else 'chosen'}",
        )
        usual = [title for title in titles if title != NAME]
        chosen = None if columns == usual and view.columns is None else tuple(columns)
        # One that the filters hide stays.
        now = TableView(chosen, group or "none", baseline or (None if view.baseline in names else view.baseline))
        if view.columns is not None:
            st.button("The usual columns", key="runs_columns_usual", type="tertiary", on_click=_forget_columns)
    if now != view:
        keep_view(cached.home(), now)
    return now


def _forget_columns() -> None:
    keep_view(cached.home(), replace(read_view(cached.home()), columns=None))


def with_settings(lines: Sequence[Line], runs: Sequence[RunSummary], columns: Sequence[str]) -> list[Line]:
    """The lines with those of ``columns`` that are settings, called as in the form."""
    names = [name for name, setting in SETTINGS.items() if setting.label in columns]
    return [
        line | {SETTINGS[name].label: for_cell(in_words(name, getattr(run.spec, name))) for name in names}
        if run.spec is not None
        else line
        for line, run in zip(lines, runs, strict=True)
    ]


def usual_columns(lines: Sequence[Line], runs: Sequence[RunSummary]) -> list[str]:
    """The columns where nobody chose any: those that tell the lines apart, the settings that differ behind them."""
    settings = differing_settings(runs)[:MOST_SETTINGS]
    return [*telling_columns(lines, unless_equal=UNLESS_EQUAL), *(SETTINGS[name].label for name in settings)]


def same_dataset(runs: Sequence[RunSummary]) -> str | None:
    """The one dataset of several runs; None where there are others."""
    found = {run.spec.dataset if run.spec else None for run in runs}
    return next(iter(found)) if len(runs) > 1 and len(found) == 1 else None


def short_names(lines: Sequence[Line], dataset: str | None) -> list[Line]:
    """The lines with names that do not begin with the dataset that all share."""
    if dataset is None:
        return list(lines)
    beginning = for_cell(named_after(dataset))
    return [line | {NAME: _without(beginning, str(line[NAME]))} for line in lines]


def _without(beginning: str, name: str) -> str:
    rest = name.removeprefix(beginning)
    return name if rest in (name, "") else f"{rest[0].upper()}{rest[1:]}"


def dataset_words(dataset: str) -> str:
    """What is said once, and not in each line."""
    return f"All on {for_markdown(dataset_title(dataset))}."


def grouped(
    lines: Sequence[Line], runs: Sequence[RunSummary], view: TableView
) -> tuple[list[Line], list[tuple[RunSummary, ...]]]:
    """The lines of the table, and the runs that each stands for; the baseline first."""
    line_of = {run.id: line for run, line in zip(runs, lines, strict=True)}
    members: list[tuple[RunSummary, ...]] = [(run,) for run in runs]
    shown = [dict(line) for line in lines]
    if view.group == "seed":
        members = by_seed(runs)
        means = [column.title for column in COMPARED.values()]
        shown = [mean_lines([line_of[run.id] for run in group], means) | {SEEDS: _seeds(group)} for group in members]
    elif view.group == "sweep":
        sweeps = _sweeps_of(runs)
        order = sorted(range(len(runs)), key=lambda place: sweeps.get(runs[place].id, (1, ""))[0])
        members = [(runs[place],) for place in order]
        shown = [shown[place] | {SWEEP: sweeps.get(runs[place].id, (0, ""))[1]} for place in order]
    first = next((place for place, group in enumerate(members) if view.baseline in {run.id for run in group}), None)
    if first is not None:
        members.insert(0, members.pop(first))
        shown.insert(0, shown.pop(first))
        titles = [column.title for column in COMPARED.values()]
        changes = differences(shown, shown[0], titles)
        changes[0] = dict.fromkeys(titles)
        shown = [
            line | {f"{t}{CHANGE}": v for t, v in change.items()} for line, change in zip(shown, changes, strict=True)
        ]
        shown[0][NAME] = f"baseline: {shown[0][NAME]}"
    return shown, members


def in_columns(lines: Sequence[Line], columns: Sequence[str]) -> list[Line]:
    """The lines with the name, what they are grouped by, these columns, and beside each its difference."""
    order = [SWEEP, NAME, SEEDS]
    for title in columns:
        order += [title, f"{title}{CHANGE}"]
    return [{title: line[title] for title in order if title in line} for line in lines]


def formats() -> Mapping[str, Any]:
    """How differences are written."""
    found = {}
    for column in COMPARED.values():
        found[f"{column.title}{CHANGE}"] = st.column_config.NumberColumn(
            format="%+.1f" if column.metric.share else "%+.3f", help="Difference to the baseline"
        )
    return column_formats(COMPARED.values()) | found


def _seeds(group: Sequence[RunSummary]) -> str:
    return ", ".join(str(seed) for seed in sorted({run.spec.seed for run in group if run.spec is not None}))


def _sweeps_of(runs: Sequence[RunSummary]) -> dict[str, tuple[int, str]]:
    """For each run of a sweep the place of its newest one, and what that is called."""
    wanted = {run.id for run in runs}
    found: dict[str, tuple[int, str]] = {}
    sweeps, _ = read_sweeps(cached.home())
    for place, sweep in enumerate(sweeps):
        for member in sweep.runs:
            if member.run_id in wanted:
                found.setdefault(str(member.run_id), (place - len(sweeps), for_cell(shown_title(sweep.title))))
    return found
