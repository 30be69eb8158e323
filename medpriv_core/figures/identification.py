"""How often the patient behind a noised picture is found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.attacks.reidentification import CurvePoint
from medpriv_core.figures import keys
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR

# The same three looks for the sizes of pictures, smallest first.
_SIZE_LOOKS = tuple(zip(METHOD_STYLES.values(), ("solid", "dash", "dot"), strict=True))


def identification_figure(points: Sequence[CurvePoint], *, yours: float | None = None) -> go.Figure:
    """How often the patient is found, against the amount of noise, a line for each size of the pictures.

    ``points`` of at most three sizes, with 95 % intervals as bars. ``yours`` is the amount that was chosen: it is
    marked, and within the range also where nothing was tried near it.
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
        figure.add_trace(keys.interval_bars())
        chance = points[0].success.chance
        figure.add_hline(
            y=chance,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": f"guessing: {chance:.1%}", "font": {"size": 12}},
            annotation_position="top right",
        )
    if yours is not None:
        figure.add_vline(x=yours, line={"color": REFERENCE_COLOUR, "dash": "dot", "width": 2})
        figure.add_annotation(
            x=math.log10(yours),  # a text's place on a logarithmic axis is its logarithm
            yref="paper",
            y=1,
            text=f"yours: β = {yours:g}",
            showarrow=False,
            yanchor="bottom",
            font={"size": 12},
        )
    betas = [*(point.beta for point in points), *([] if yours is None else [yours])]
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 60, "b": 10},
        legend={"orientation": "h", "y": 1.1, "yanchor": "bottom", "x": 0},
        xaxis={
            "title": "amount of noise (β)",
            "type": "log",
            "tickvals": sorted({point.beta for point in points}),
            "range": [math.log10(min(betas)) - 0.15, math.log10(max(betas)) + 0.15] if betas else None,
        },
        yaxis={"title": "the patient is found", "range": [-0.03, 1.05], "tickformat": ".0%"},
    )
    return figure
