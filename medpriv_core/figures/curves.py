"""A run over its epochs, as in Figure 3 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from medpriv_core.palette import METHOD_STYLES, NOISED_TEST_DASH, REFERENCE_COLOUR, TEST_DASH, TRAIN_DASH
from medpriv_core.spec import Method

# column of metrics.jsonl -> name in the legend, dash
CURVES: dict[str, tuple[str, str]] = {
    "train_accuracy": ("train", TRAIN_DASH),
    "test_accuracy": ("test", TEST_DASH),
    "test_noised_accuracy": ("test, noised images", NOISED_TEST_DASH),
}

# Of a curve; the markers of a thousand epochs would hide their own line.
MOST_MARKERS = 50


def accuracy_figure(
    epochs: Sequence[dict[str, Any]],
    *,
    method: Method,
    total_epochs: int,
    majority_rate: float | None,
    epoch_title: str = "epoch",
) -> go.Figure:
    """Accuracy against epoch, as in Figure 3 of the paper.

    ``epochs`` are rows of metrics.jsonl; ``majority_rate`` is the accuracy of always naming the most
    frequent class of the test set (0 to 1), drawn as the line to beat; ``epoch_title`` is written below the axis.
    """
    style = METHOD_STYLES[method]
    figure = go.Figure()
    for column, (title, dash) in CURVES.items():
        points = [(row["epoch"], row[column]) for row in epochs if row.get(column) is not None]
        if not points:
            continue
        figure.add_scatter(
            x=[epoch for epoch, _ in points],
            y=[accuracy for _, accuracy in points],
            name=title,
            mode="lines+markers",
            line={"color": style.colour, "dash": dash, "width": 2},
            marker={
                "symbol": style.marker if column != "train_accuracy" else f"{style.marker}-open",
                "size": 7,
                "maxdisplayed": MOST_MARKERS,
            },
            hovertemplate=f"epoch %{{x}}: %{{y:.1%}}<extra>{title}</extra>",
        )
    if majority_rate is not None:
        figure.add_hline(
            y=majority_rate,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": f"always the most frequent class: {majority_rate:.1%}", "font": {"size": 12}},
            annotation_position="bottom right",
        )
    lowest = min([row[column] for row in epochs for column in CURVES if row.get(column) is not None], default=0.5)
    floor = min(lowest, majority_rate if majority_rate is not None else lowest)
    figure.update_layout(
        height=420,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.08, "x": 0},
        hovermode="x unified",
        # The axes span the whole run from the start: curves grow, they do not jump.
        xaxis={
            "title": epoch_title,
            "range": [0.5, max(total_epochs, 2) + 0.5],
            "dtick": max(1, round(total_epochs / 10)),
        },
        yaxis={"title": "accuracy", "range": [max(0.0, floor - 0.08), 1.02], "tickformat": ".0%"},
    )
    return figure
