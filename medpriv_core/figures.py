"""Charts of runs and pictures. Built from stored or shown values only, so that nothing moves unless the data did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from medpriv_core.attacks.reidentification import CurvePoint
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

LEVELS = 256  # of an 8-bit value, from black to white
HISTOGRAM_BINS = 64
LEVELS_PER_BIN = LEVELS // HISTOGRAM_BINS


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


def histogram_figure(original: np.ndarray, noised: np.ndarray) -> go.Figure:
    """How often each brightness occurs, before and after the noise.

    Both pictures are uint8 of any shape; colour channels are counted together. 64 bins of 4 levels each.
    """
    figure = go.Figure()
    styles = (
        ("original", original, METHOD_STYLES["none"].colour, "solid"),
        ("noised", noised, METHOD_STYLES["local_dp"].colour, "dash"),
    )
    edges = np.arange(HISTOGRAM_BINS + 1) * LEVELS_PER_BIN
    for title, picture, colour, dash in styles:
        shares = _level_counts(picture).reshape(HISTOGRAM_BINS, LEVELS_PER_BIN).sum(axis=1) / picture.size
        # The last value again, so that the last bin is drawn as broad as the others.
        figure.add_scatter(
            x=edges,
            y=np.append(shares, shares[-1]),
            name=title,
            mode="lines",
            line={"color": colour, "dash": dash, "width": 2, "shape": "hv"},
            customdata=np.append(edges[:-1], edges[-2])[:, None] + [0, LEVELS_PER_BIN - 1],
            hovertemplate=f"%{{y:.1%}} from %{{customdata[0]}} to %{{customdata[1]}}<extra>{title}</extra>",
        )
    figure.update_layout(
        height=300,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.1, "x": 0},
        xaxis={
            "title": "brightness (0 = black, 255 = white)",
            "range": [-LEVELS_PER_BIN, LEVELS + LEVELS_PER_BIN],
            "tickvals": [0, 64, 128, 192, 255],
        },
        yaxis={"title": "share of values", "rangemode": "tozero", "tickformat": ".0%"},
    )
    return figure


def histogram_alt(original: np.ndarray, noised: np.ndarray) -> str:
    """The histogram in words, for those who cannot see it: where the values lie, how many are black or white."""
    scale = "Histogram of brightness from 0 (black) to 255 (white)."
    return f"{scale} {_spread('Original', original)} {_spread('Noised', noised)}"


def _spread(title: str, picture: np.ndarray) -> str:
    counts = _level_counts(picture)
    low, middle, high = (int(np.searchsorted(counts.cumsum(), share * picture.size)) for share in (0.25, 0.5, 0.75))
    return (
        f"{title}: median {middle}, the middle half of the values from {low} to {high}; "
        f"{counts[0] / picture.size:.1%} pure black, {counts[-1] / picture.size:.1%} pure white."
    )


def _level_counts(picture: np.ndarray) -> np.ndarray:
    return np.bincount(picture.ravel(), minlength=LEVELS)


# The same three looks for the sizes of pictures, smallest first.
_SIZE_LOOKS = tuple(zip(METHOD_STYLES.values(), ("solid", "dash", "dot"), strict=True))


def identification_figure(points: Sequence[CurvePoint]) -> go.Figure:
    """How often the patient is found, against the amount of noise, a line for each size of the pictures.

    ``points`` of at most three sizes, with 95 % intervals as bars.
    """
    figure = go.Figure()
    shapes = list(dict.fromkeys(point.shape for point in points))
    for shape, (style, dash) in zip(shapes, _SIZE_LOOKS, strict=False):
        of_shape = [point for point in points if point.shape == shape]
        rates = [point.success.rate for point in of_shape]
        title = f"{shape[1]} × {shape[0]} pixels"
        figure.add_scatter(
            x=[point.beta for point in of_shape],
            y=rates,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [p.success.interval[1] - p.success.rate for p in of_shape],
                "arrayminus": [p.success.rate - p.success.interval[0] for p in of_shape],
                "thickness": 1,
            },
            name=title,
            mode="lines+markers",
            line={"color": style.colour, "dash": dash, "width": 2},
            marker={"symbol": style.marker, "size": 8},
            hovertemplate=f"β = %{{x:g}}: found in %{{y:.0%}} of the trials<extra>{title}</extra>",
        )
    if points:
        chance = points[0].success.chance
        figure.add_hline(
            y=chance,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": f"guessing: {chance:.1%}", "font": {"size": 12}},
            annotation_position="top right",
        )
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.1, "x": 0},
        xaxis={"title": "amount of noise (β)", "type": "log", "tickvals": sorted({point.beta for point in points})},
        yaxis={"title": "the patient is found", "range": [-0.03, 1.05], "tickformat": ".0%"},
    )
    return figure
