"""Charts: that they show the numbers they were given, and can be told apart without colour."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.figures.histogram import histogram_alt, histogram_figure


@pytest.mark.parametrize("shape", [(40, 30, 1), (20, 20, 3)])
def test_the_histogram_counts_like_numpy(shape: tuple[int, ...]) -> None:
    original, noised = (np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8) for seed in (0, 1))
    figure = histogram_figure(original, noised)

    assert len(figure.data) == 2
    for trace, picture in zip(figure.data, (original, noised), strict=True):
        counts, edges = np.histogram(picture, bins=64, range=(0, 256))
        assert np.allclose(trace.y[:-1], counts / picture.size)
        assert np.array_equal(trace.x, edges)
        assert trace.y[-1] == trace.y[-2]


def test_black_and_white_lie_in_the_outermost_bins() -> None:
    black, white = np.zeros((8, 8, 1), np.uint8), np.full((8, 8, 1), 255, np.uint8)
    before, after = histogram_figure(black, white).data

    assert before.y[0] == 1
    assert after.y[63] == 1
    assert sum(before.y) == 1
    assert before.customdata.tolist()[0] == [0, 3]
    assert after.customdata.tolist()[63] == [252, 255]


def test_the_two_curves_differ_in_more_than_colour() -> None:
    before, after = histogram_figure(np.zeros((8, 8, 1), np.uint8), np.zeros((8, 8, 1), np.uint8)).data

    assert before.line.dash != after.line.dash
    assert before.line.color != after.line.color
    assert before.name != after.name


def test_the_words_say_where_the_values_lie() -> None:
    original = np.arange(100, dtype=np.uint8).reshape(10, 10, 1)
    noised = np.array([0, 0, 0, 255] * 25, np.uint8).reshape(10, 10, 1)

    assert histogram_alt(original, noised) == (
        "Histogram of brightness from 0 (black) to 255 (white). "
        "Original: median 49, the middle half of the values from 24 to 74; 1.0% pure black, 0.0% pure white. "
        "Noised: median 0, the middle half of the values from 0 to 0; 75.0% pure black, 25.0% pure white."
    )
