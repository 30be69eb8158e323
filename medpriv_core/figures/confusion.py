"""Who was taken for what: the confusion matrix as a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from medpriv_core.shown_text import for_chart

# From none to all images of a class. Plotly writes dark on light cells and white on dark ones, and neither can be read
# on those in between, so the scale leaves them out: dark cells hold more than half of their row.
SCALE = ((0.0, "#EEF4F8"), (0.5, "#A8CDE4"), (0.5, "#2F78A8"), (1.0, "#003F66"))
LEAST_HEIGHT, ROW_HEIGHT = 280, 56


def confusion_figure(matrix: np.ndarray, names: Sequence[str]) -> go.Figure:
    """A row for each true class, a column for what the network called it; counts, and their share of the row.

    ``matrix`` int64 (classes, classes), ``names`` in the order of the classes. Colour tells the share.
    """
    wholes = matrix.sum(1, keepdims=True)
    shares = matrix / np.maximum(wholes, 1)
    texts = [
        [f"{count:,}<br>{share:.0%}" if whole else "0" for count, share in zip(counts, row, strict=True)]
        for counts, row, whole in zip(matrix.tolist(), shares.tolist(), wholes[:, 0].tolist(), strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=list(map(for_chart, names)),
            y=list(map(for_chart, names)),
            text=texts,
            texttemplate="%{text}",
            textfont={"size": 14},
            hovertemplate="is %{y}, was called %{x}: %{text}<extra></extra>",
            zmin=0,
            zmax=1,
            colorscale=SCALE,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_layout(
        height=max(LEAST_HEIGHT, 90 + ROW_HEIGHT * len(names)),
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        xaxis={"title": "called by the network", "type": "category", "showgrid": False},
        yaxis={"title": "true class", "type": "category", "autorange": "reversed", "showgrid": False},
    )
    return figure


def confusion_alt(matrix: np.ndarray, names: Sequence[str]) -> str:
    """The map in words, for those who cannot see it.

    >>> confusion_alt(np.array([[8, 2], [1, 4]]), ["normal", "ill"])[:85]
    'Confusion matrix of 15 images. Of 10 images of normal: 8 called normal, 2 called ill.'
    """
    rows = [
        f"Of {sum(counts):,} images of {name}: "
        + ", ".join(f"{count:,} called {other}" for other, count in zip(names, counts, strict=True))
        for name, counts in zip(names, matrix.tolist(), strict=True)
    ]
    return f"Confusion matrix of {int(matrix.sum()):,} images. " + ". ".join(rows) + "."
