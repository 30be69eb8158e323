"""How each method looks in every chart: colour, marker and name, never colour alone.

The three colours are of Okabe and Ito's colour-blind-safe set and keep a contrast of 3:1 on white and
on the dark theme.
"""

from __future__ import annotations

from dataclasses import dataclass

from medpriv_core.spec import Method


@dataclass(frozen=True)
class MethodStyle:
    """Looks of one method; ``marker`` is a plotly symbol."""

    title: str
    colour: str
    marker: str


METHOD_STYLES: dict[Method, MethodStyle] = {
    "none": MethodStyle("No privacy", "#009E73", "circle"),
    "local_dp": MethodStyle("Local-DP", "#D55E00", "square"),
    "dp_sgd": MethodStyle("DP-SGD", "#0072B2", "diamond"),
}
TRAIN_DASH = "dash"
TEST_DASH = "solid"
NOISED_TEST_DASH = "dot"
REFERENCE_COLOUR = "#8A8F94"
