"""Whatever a chart draws has its key in the legend, on screen and in the file that is taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import pytest

from medpriv_core.exports.charts import to_svg
from medpriv_core.figures.epochs import epochs_figure
from medpriv_core.figures.frontier import frontier_figure
from medpriv_core.figures.mechanisms import mechanisms_figure
from medpriv_core.results.groups import Group, group_results
from medpriv_core.results.labels import labelled
from medpriv_core.results.reference import FOLDER, read_reference
from tests.exports.chart_samples import SAMPLES


def shipped(trainable: str = "head") -> list[Group]:
    """Groups of three seeds, with bands and bars."""
    results = read_reference(FOLDER / "chest_xray.json.gz").results
    return labelled(group_results(result for result in results if result.trainable == trainable))


CHARTS: dict[str, Callable[[], go.Figure]] = SAMPLES | {
    "epochs over seeds": lambda: epochs_figure(shipped(), majority_rate=0.625),
    "frontier over seeds": lambda: frontier_figure(shipped("all"), "test_auroc"),
    "mechanisms over seeds": lambda: mechanisms_figure(
        {"Chest X-rays": shipped()}, protocol="last_epoch", majority_rates={"Chest X-rays": 0.625}
    ),
}


def legend(figure: go.Figure) -> list[Any]:
    """The traces that stand in the legend."""
    alone = len(figure.data) == 1 and not figure.data[0].showlegend
    if figure.layout.showlegend is False or (alone and figure.layout.showlegend is None):
        return []
    return [trace for trace in figure.data if trace.showlegend is not False and trace.name]


def without_key(figure: go.Figure) -> list[str]:
    """What is drawn and said nowhere in the legend."""
    entries = legend(figure)
    names = " ".join(trace.name for trace in entries)
    shown = {trace.marker.symbol for trace in entries if isinstance(getattr(trace.marker, "symbol", None), str)}
    missing = []
    for trace in figure.data:
        if trace.type == "scatter":
            bars = [error for error in (trace.error_x, trace.error_y) if error.array is not None]
            if (bars or trace.fill == "toself") and "95% interval" not in names:
                missing.append("an interval")
            symbols = trace.marker.symbol if "markers" in (trace.mode or "") else None
            for symbol in [symbols] if isinstance(symbols, str) else symbols or []:
                # A mark of one kind for a whole trace is explained by any that is as hollow or filled.
                alike = isinstance(symbols, str) and symbol.endswith("-open") in {
                    one.endswith("-open") for one in shown
                }
                if symbol not in shown and not alike:
                    missing.append(symbol)
    looks = [
        (trace.line.color or trace.marker.color, trace.line.dash, trace.marker.symbol)
        for trace in entries
        if trace.type == "scatter" and "text" not in (trace.mode or "")
    ]
    return missing + [f"two entries that look alike: {look}" for look in set(looks) if looks.count(look) > 1]


@pytest.mark.parametrize("name", CHARTS)
def test_everything_drawn_has_a_key(name: str) -> None:
    assert without_key(CHARTS[name]()) == []


def test_a_chart_without_its_keys_is_noticed() -> None:
    figure = CHARTS["mechanisms over seeds"]()
    figure.layout.showlegend = False
    assert "an interval" in without_key(figure)
    assert any(symbol.endswith("-open") for symbol in without_key(figure))

    dashboard = SAMPLES["dashboard_figure"]()
    dashboard.data = [trace for trace in dashboard.data if trace.name != "best epoch on the test images"]
    assert "star" in without_key(dashboard)

    epochs = CHARTS["epochs over seeds"]()
    epochs.add_scatter(x=[1], y=[1], name="again", line=epochs.data[-2].line, marker=epochs.data[-2].marker)
    assert without_key(epochs) != []


def test_the_picture_that_is_taken_away_has_the_key_of_filled_and_hollow() -> None:
    """Letters are outlines in the SVG, so the key is found by what it adds to the picture of a chart without it."""
    figure = CHARTS["mechanisms over seeds"]()
    bare = go.Figure(figure)
    bare.layout.showlegend = False

    with_key, without = (to_svg(chart, title="Figure 4").count(b"<use ") for chart in (figure, bare))

    words = "test images (bar: 95% interval) training images always the most frequent class"
    assert with_key - without >= len(words.replace(" ", ""))
