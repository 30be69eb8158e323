"""Words in charts: no marker, line or other word is printed over them where there is a free place."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpriv_core.figures.placing import Box, Plot, around, spread


def test_a_word_moves_to_where_nothing_stands() -> None:
    plot = Plot(400, 200)
    plot.take(around(100, 100), around(130, 100))

    assert plot.place("a name", 100, 100) == "middle left"
    assert plot.place("another", 100, 100) == "top center"


def test_a_word_stays_within_the_plot() -> None:
    assert Plot(400, 200).place("a rather long name", 390, 100) == "middle left"
    assert Plot(400, 200).place("a rather long name", 5, 100) == "middle right"


def test_the_words_of_a_line_stand_where_no_point_is() -> None:
    plot = Plot(600, 200)
    plot.take(around(30, 108))
    assert plot.beside_line("the best", 100, above=[True]) == ("right", True)

    plot = Plot(600, 200)
    plot.take(Box(0, 102, 600, 120))
    assert plot.beside_line("the best", 100) == ("left", False)


@given(st.lists(st.floats(0, 300), max_size=12), st.floats(1, 30))
def test_spread_places_are_apart_and_in_order(places: list[float], apart: float) -> None:
    moved = spread(places, apart)

    ordered = [moved[one] for one in sorted(range(len(places)), key=places.__getitem__)]
    assert all(after - before >= apart - 1e-6 for before, after in itertools.pairwise(ordered))
    # As little as it takes: their middle stays where it was.
    assert sum(moved) == pytest.approx(sum(places), abs=1e-6)
