"""How far networks that differ by their seed agree, and what is left if one keeps only what they agree on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from medpriv_core.evaluation.multiplicity import AbstentionPoint, Multiplicity
from medpriv_core.figures import keys
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.spec import Method


def abstention_figure(points: Sequence[AbstentionPoint], *, networks: int, method: Method) -> go.Figure:
    """How often the majority is right against the share of images that get an answer; 95 % intervals as bars."""
    style = METHOD_STYLES[method]
    shown = [(point, point.accuracy, point.interval) for point in points]
    known = [(point, accuracy, interval) for point, accuracy, interval in shown if accuracy is not None and interval]
    figure = go.Figure(
        go.Scatter(
            x=[point.coverage for point, _, _ in known],
            y=[accuracy for _, accuracy, _ in known],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [interval.high - accuracy for _, accuracy, interval in known],
                "arrayminus": [accuracy - interval.low for _, accuracy, interval in known],
                "thickness": 1,
            },
            mode="lines+markers+text",
            line={"color": style.colour, "width": 2},
            marker={"symbol": style.marker, "size": 9},
            text=[f"{point.agreeing} of {networks}" for point, _, _ in known],
            textposition="top left",
            hovertemplate="%{text} agree: %{x:.1%} of the images answered, %{y:.1%} of these right<extra></extra>",
            cliponaxis=False,
            name=f"so many of {networks} networks agree",
        )
    )
    figure.add_trace(keys.interval_bars())
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 20, "t": 20, "b": 10},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        xaxis={
            "title": "images that get an answer (coverage)",
            "tickformat": ".0%",
            "range": [min((point.coverage for point, _, _ in known), default=0.0) - 0.05, 1.02],
        },
        yaxis={"title": "right among them", "tickformat": ".0%"},
    )
    return figure


def abstention_alt(points: Sequence[AbstentionPoint], *, networks: int) -> str:
    """The curve in words, for those who cannot see it."""
    said = [
        f"if {point.agreeing} of {networks} must agree, {point.coverage:.1%} of the images get an answer"
        + ("" if point.accuracy is None else f" and {point.accuracy:.1%} of these are right")
        for point in points
    ]
    return f"Accuracy against coverage: {'; '.join(said)}."


def consensus_figure(found: Multiplicity, *, method: Method) -> go.Figure:
    """How many images have how many networks behind the most frequent answer."""
    counts = consensus_counts(found)
    figure = go.Figure(
        go.Bar(
            x=[f"{agreeing} of {found.networks}" for agreeing in counts],
            y=list(counts.values()),
            marker={"color": METHOD_STYLES[method].colour},
            text=[f"{count:,}" for count in counts.values()],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x} networks agree on %{y:,} images<extra></extra>",
        )
    )
    figure.update_layout(
        height=300,
        bargap=0.3,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        xaxis={"title": "networks that agree", "type": "category"},
        yaxis={"title": "images", "rangemode": "tozero"},
    )
    return figure


def consensus_alt(found: Multiplicity) -> str:
    """The bars in words, for those who cannot see them."""
    said = [
        f"{agreeing} of {found.networks} on {count:,} images" for agreeing, count in consensus_counts(found).items()
    ]
    return f"How many networks agree: {'; '.join(said)}."


def consensus_counts(found: Multiplicity) -> dict[int, int]:
    """Images by the number of networks that agree on the most frequent answer, from the least that occurs to all."""
    agreeing = np.rint(found.consensus * found.networks).astype(np.int64)
    counts = np.bincount(agreeing, minlength=found.networks + 1)
    return {number: int(counts[number]) for number in range(int(agreeing.min()), found.networks + 1)}
