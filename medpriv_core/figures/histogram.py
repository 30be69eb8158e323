"""How bright the values of a picture are, before and after the noise."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from medpriv_core.palette import METHOD_STYLES

LEVELS = 256  # of an 8-bit value, from black to white
HISTOGRAM_BINS = 64
LEVELS_PER_BIN = LEVELS // HISTOGRAM_BINS


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
