"""How each method looks in every chart: colour, marker and name, never colour alone.

The three colours are of Okabe and Ito's colour-blind-safe set and keep a contrast of 3:1 on white and
on the dark theme.
"""

from __future__ import annotations

from dataclasses import dataclass

from medpriv_core.spec import SETTINGS, Method


@dataclass(frozen=True)
class MethodStyle:
    """Looks of one method; ``marker`` is a plotly symbol, ``title`` what the form calls it."""

    title: str
    colour: str
    marker: str


_TITLES = SETTINGS["method"].choices
METHOD_STYLES: dict[Method, MethodStyle] = {
    "none": MethodStyle(_TITLES["none"].form, "#009E73", "circle"),
    "local_dp": MethodStyle(_TITLES["local_dp"].form, "#D55E00", "square"),
    "dp_sgd": MethodStyle(_TITLES["dp_sgd"].form, "#0072B2", "diamond"),
}
TRAIN_DASH = "dash"
TEST_DASH = "solid"
NOISED_TEST_DASH = "dot"
REFERENCE_COLOUR = "#8A8F94"
