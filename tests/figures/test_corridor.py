"""The corridor between epsilon and a rebuilt image: what is drawn is what was computed."""

from __future__ import annotations

import pytest

from medpriv_core.figures.corridor import LEVELS, corridor_figure, corridor_in_words
from medpriv_core.privacy.reconstruction import corridor

POINTS = corridor([1e-4, 1e-2, 1.0], size=784, norm=14.0, delta=1e-5)
OWN = corridor([0.5], size=784, norm=14.0, delta=1e-5)[0]


def test_the_curve_rises_with_epsilon_whatever_the_order_of_its_points() -> None:
    (curve,) = corridor_figure(POINTS).data
    assert list(curve.x) == sorted(point.epsilon for point in POINTS)
    assert list(curve.y) == sorted(point.psnr_db for point in POINTS)
    assert curve.customdata[0][0] == 1.0


def test_ones_own_point_lies_on_the_curve_it_belongs_to() -> None:
    figure = corridor_figure(POINTS, OWN)
    (star,) = [trace for trace in figure.data if trace.name == "this setting"]
    assert (list(star.x), list(star.y)) == ([OWN.epsilon], [OWN.psnr_db])
    assert figure.layout.xaxis.range is None  # so that the axis reaches to it


def test_levels_are_named() -> None:
    figure = corridor_figure(POINTS)
    assert [label.text for label in figure.layout.annotations] == list(LEVELS.values())
    assert [line.y0 for line in figure.layout.shapes] == pytest.approx([10, 20, 30])


def test_in_words() -> None:
    assert corridor_in_words(POINTS, OWN).startswith("ε = 4.38: -22.9 dB; ")
    assert corridor_in_words(POINTS, OWN).endswith("this setting, ε = 10: -16.9 dB")
    assert "this setting" not in corridor_in_words(POINTS)
