"""How good one run's network is for groups in the data, and what privacy costs each group."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medpriv_core.errors import RunError
from medpriv_core.figures.by_group import group_dots, group_dots_alt
from medpriv_core.home import DataHome
from medpriv_core.results.class_costs import class_costs
from medpriv_core.results.group_figures import FIGURES, PARITY_WORDS, SEEDS, WHAT_GROUPS, GroupTable, group_tables
from medpriv_core.runs import service
from medpriv_core.runs.summary import RunSummary
from medpriv_core.shown_text import for_cell, for_markdown
from pages.parts.charts import draw_chart
from pages.parts.evaluation_view import CHART_WIDTH
from pages.parts.messages import explain_errors
from pages.parts.words import sentence

NO_OTHER = (
    "What privacy costs each group is shown once the same run without privacy has finished on the same images: all "
    "settings alike but those of privacy."
)


def draw_groups(home: DataHome, run: RunSummary) -> None:
    """A table and dots for each column of groups; a sentence where nothing is known of groups."""
    with explain_errors():
        runs = service.list_runs(home)
        _draw_classes(home, run, runs)
        try:
            with st.spinner("Drawing patients again and again, for the intervals…"):
                tables = group_tables(home, run, runs)
        except RunError as error:  # nothing went wrong: nothing is known
            st.info(sentence(error), icon=":material/group_off:")
            return
        st.caption(WHAT_GROUPS)
        for place, table in enumerate(tables):
            _draw_table(run, table, key=f"groups_{run.id}_{place}")
        st.caption(f"{PARITY_WORDS} {SEEDS}" if any(table.other for table in tables) else PARITY_WORDS)


def _draw_classes(home: DataHome, run: RunSummary, runs: Sequence[RunSummary]) -> None:
    """What privacy costs each of five or more classes."""
    costs = class_costs(home, run, runs)
    if costs is None:
        return
    st.markdown(f"**By class** (AUROC against all others; beside {for_markdown(costs.other)})")
    # A table and no data frame, which can be downloaded: counts of training images stay on the screen.
    st.table(
        [
            {heading: for_markdown(words) for heading, words in row.items()}
            for row in costs.rows(with_training_images=True)
        ]
    )
    st.caption(for_markdown(costs.sentence))


def _draw_table(run: RunSummary, table: GroupTable, *, key: str) -> None:
    assert run.spec is not None
    st.markdown(f"**By {for_markdown(table.column)}** ({table.intervals})")
    if table.lines:
        st.dataframe(_cells(table.rows()), hide_index=True)
        areas = any("auroc" in line.figures and line.figures["auroc"].value is not None for line in table.lines)
        _draw_dots(run, table, "auroc" if areas else "accuracy", key=key, difference=False)
    if table.why_left_out is not None:
        st.caption(table.why_left_out)
    if any(line.against_all for line in table.lines):
        st.caption(
            "The AUROC of a group that has images of one class only is against all test images of the other class."
        )
    if table.other is None:
        if run.spec.method != "none":
            st.caption(NO_OTHER)
        return
    st.markdown(f"This network less {for_markdown(table.other)}, which is the same without privacy")
    st.dataframe(_cells(table.cost_rows()), hide_index=True)
    _draw_dots(run, table, "accuracy", key=f"{key}_less", difference=True)


def _draw_dots(run: RunSummary, table: GroupTable, name: str, *, key: str, difference: bool) -> None:
    assert run.spec is not None
    figures = [(line.group, (line.less if difference else line.figures)[name]) for line in table.lines]
    if all(figure.value is None for _, figure in figures):
        return
    title = f"{FIGURES[name]}, private less not private" if difference else FIGURES[name]
    with st.container(width=CHART_WIDTH):
        draw_chart(
            group_dots(figures, title=title, method=run.spec.method, difference=difference, share=name != "auroc"),
            key=key,
            name=f"By {table.column}, {run.name}",
            alt=group_dots_alt(figures, title=title),
            caption=[f"{run.name}, {table.intervals}"],
        )


def _cells(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{heading: for_cell(words) for heading, words in row.items()} for row in rows]
