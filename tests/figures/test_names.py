"""Names in charts: what others wrote is no HTML of Plotly's, on screen and exported."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from medpriv_core.evaluation.thresholds import at_threshold, roc_curve
from medpriv_core.exports.chart_styles import plain_text
from medpriv_core.exports.charts import to_svg
from medpriv_core.figures.confusion import confusion_figure
from medpriv_core.figures.curves import RunCurves
from medpriv_core.figures.dashboard import View, dashboard_figure
from medpriv_core.figures.epochs import epochs_figure
from medpriv_core.figures.frontier import frontier_figure
from medpriv_core.figures.mechanisms import mechanisms_figure
from medpriv_core.figures.roc import roc_figure
from medpriv_core.records.setup import Setup
from medpriv_core.results.groups import Group, group_results
from medpriv_core.results.labels import labelled
from medpriv_core.shown_text import for_picture, for_terminal
from tests.exports.chart_samples import LABELS, ROWS, VALUES, groups
from tests.hostile_text import ALL, HTML
from tests.results.chosen_results import PRIVATE, result

OURS = re.compile("<br>|<extra>|</extra>")


def named_groups(name: str) -> list[Group]:
    """The authors' and one of one's own, whose name stands at its point."""
    own = labelled(group_results([result(PRIVATE)]))
    named = [replace(group, label=f"{name}{number}") for number, group in enumerate(groups())]
    return [*named, *(replace(group, label=f"{name}own", name=name) for group in own)]


def dashboard(name: str) -> go.Figure:
    setups = (Setup(majority_rate=rate, classes=("a", "b")) for rate in (0.6, 0.7))
    runs = [RunCurves(str(place), name, "none", name, 30, ROWS, setup=setup) for place, setup in enumerate(setups)]
    return dashboard_figure(runs, View())


def roc(name: str) -> go.Figure:
    chosen = at_threshold(VALUES, LABELS, threshold=0.5)
    return roc_figure(roc_curve(VALUES, LABELS), chosen, positive=name, method="none")


NAMED: dict[str, Callable[[str], go.Figure]] = {
    "dashboard": dashboard,
    "epochs": lambda name: epochs_figure(named_groups(name), majority_rate=0.6),
    "mechanisms": lambda name: mechanisms_figure(
        named_groups(name), protocol="last_epoch", majority_rate=0.6, title=name
    ),
    "frontier": lambda name: frontier_figure(named_groups(name), "test_accuracy"),
    "confusion": lambda name: confusion_figure(np.array([[3, 1], [0, 4]]), [name, "other"]),
    "roc": roc,
}


def strings_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings_of(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from strings_of(part)


@pytest.mark.parametrize("chart", NAMED)
def test_a_name_adds_no_tag_to_a_chart(chart: str) -> None:
    for name in HTML:
        found = list(strings_of(NAMED[chart](name).to_plotly_json()))
        assert not any("<" in OURS.sub("", text) for text in found)
        # What Plotly fills in on hover is our own.
        filled = re.findall(r"%\{(\w+)", " ".join(found))
        assert set(filled) <= {"x", "y", "customdata", "text"}
        assert any(for_terminal(name)[:5] in html.unescape(OURS.sub(" ", text)).replace("\u2060", "") for text in found)


@pytest.mark.parametrize("chart", NAMED)
def test_the_export_of_a_chart_draws_the_name(chart: str) -> None:
    drawn = to_svg(NAMED[chart](f"{HTML[0]} $x^{{$ _a"), title=HTML[0], caption=[HTML[1]])
    assert b"</svg>" in drawn
    assert not re.search(rb"<(a|b|img|script)[ >]", drawn)


def test_exports_read_the_name_as_it_was() -> None:
    for name in ALL:
        (trace,) = (trace for trace in dashboard(name).data[:1])
        drawn = plain_text(trace.name).replace("\u2060", "")
        assert drawn == for_picture(f"{for_terminal(name)} (training)").replace("\u2060", ""), ascii(name)
