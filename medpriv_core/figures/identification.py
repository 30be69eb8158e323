"""How often the patient behind a noised picture is found."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from medpriv_core.attacks.reidentification import CurvePoint
from medpriv_core.figures import keys
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR

# The same three looks for the sizes of pictures, smallest first.
YOURS_COLOUR = "#CC79A7"
_SIZE_LOOKS = tuple(zip(METHOD_STYLES.values(), ("solid", "dash", "dot"), strict=True))


def identification_figure(points: Sequence[CurvePoint], yours: CurvePoint | None = None) -> go.Figure:
    """How often the patient is found, against the amount of noise, a line for each size of the pictures.

    ``points`` of at most three sizes, with 95 % intervals as bars; ``yours``: one more, at an amount of its own.
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
    if yours is not None:
        height, width = yours.shape
        figure.add_scatter(
            x=[yours.beta],
            y=[yours.success.rate],
            name=f"yours, {width} × {height} pixels",
            mode="markers",
            marker={"symbol": "star", "size": 15, "color": YOURS_COLOUR, "line": {"width": 1, "color": "#FFFFFF"}},
            hovertemplate=f"yours, β = %{{x:g}}: found in %{{y:.0%}} of the trials<extra>{width} × {height}</extra>",
        )
    if points:
        figure.add_trace(keys.interval_bars())
        chance = points[0].success.chance
        figure.add_hline(
            y=chance,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": f"guessing: {chance:.1%}", "font": {"size": 12}},
            annotation_position="top left",  # where little noise is, everybody is found and no mark stands there
        )
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.1, "x": 0},
        xaxis={"title": "amount of noise (β)", "type": "log", "tickvals": sorted({point.beta for point in points})},
        yaxis={"title": "the patient is found", "range": [-0.03, 1.05], "tickformat": ".0%"},
    )
    return figure
