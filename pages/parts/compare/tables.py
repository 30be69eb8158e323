"""The numbers under each chart, and the same ones as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.exports.comparison_table import export_rows, to_csv
from medpriv_core.figures.comparison import NO_TRAINING_ACCURACY, Chart
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.records.epoch import COMPARED, LISTED, Column
from medpriv_core.results.groups import Estimate, Group
from medpriv_core.results.result import SOURCE_TITLES, Protocol
from medpriv_core.shown_text import for_cell
from pages.parts.charts import file_name_of
from pages.parts.metric_columns import column_formats


def draw_table(groups: Sequence[Group], *, key: str, name: str, protocol: Protocol = "last_epoch") -> None:
    """One line a group under a chart, and a button that takes all numbers of each run away."""
    there = [column for column in LISTED.values() if any(column.of(group.first.final) is not None for group in groups)]
    with st.expander("The same numbers as a table"):
        st.dataframe(
            [_line(group, protocol, there) for group in groups],
            hide_index=True,
            key=f"table_{key}",
            column_config=column_formats(there),
        )
        st.download_button(
            "All numbers as CSV",
            to_csv(export_rows(groups, protocol)),
            f"{file_name_of(name)}.csv",
            "text/csv",
            key=f"csv_{key}",
            icon=":material/download:",
        )


def _line(group: Group, protocol: Protocol, columns: Sequence[Column]) -> dict[str, Any]:
    line: dict[str, Any] = {"runs on screen": for_cell(group.label), "dataset": dataset_info(group.first.dataset).title}
    for column in columns:
        found = group.estimate(column.name, protocol)
        if found is not None:
            line[column.title] = column.metric.in_table(found.mean)
        if column.name in COMPARED and protocol == "last_epoch":
            line[f"{column.title}, 95% interval"] = interval(found, percent=column.metric.share) if found else ""
    first = group.first
    return line | {
        "ε that holds": "not established" if not first.guarantee.established else format_epsilon(group.epsilon),
        "what holds": first.guarantee.statement,
        "differs from others in": for_cell(group.details),
        "seeds": ", ".join(str(result.seed) for result in group.results) if first.seed is not None else "not recorded",
        "source": SOURCE_TITLES[first.source],
        "how": first.protocol,
    }


def interval(found: Estimate, *, percent: bool) -> str:
    """ "86.1 to 90.2 (t, 3 runs)"; empty where there is none."""
    if found.kind == "none":
        return ""
    kind = f"t, {found.runs} runs" if found.kind == "seeds" else "other images, 1 run"
    if percent:
        return f"{100 * found.low:.1f} to {100 * found.high:.1f}% ({kind})"
    return f"{found.low:.3f} to {found.high:.3f} ({kind})"


def say_what_is_left_out(chart: Chart) -> None:
    """Why a chart that would show training images shows none of some runs."""
    if NO_TRAINING_ACCURACY in chart.caption:
        st.caption(f"{NO_TRAINING_ACCURACY} The runs page shows it to you.")
