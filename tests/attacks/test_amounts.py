"""How much noise is enough: amounts tried until nothing is found."""

from __future__ import annotations

import numpy as np

from medpriv_core.attacks.amounts import LOST_TWICE, try_amounts
from medpriv_core.mechanisms.additive import LaplacePerPixel


def gallery(count: int = 20, side: int = 16) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, side, side, 1), dtype=np.uint8)


def test_little_noise_hides_nothing_and_trials_end_where_nobody_is_found_any_more() -> None:
    pictures = gallery()
    betas = (0.1, 1.0, 2000.0, 4000.0, 8000.0, 9000.0)

    points = list(try_amounts(pictures[0], pictures, LaplacePerPixel(1.0), betas=betas, draws=40))

    assert points[0].success.rate == 1
    assert points[0].seen is not None
    assert points[0].seen > 0.8
    lost = [point.success.interval[0] <= point.success.chance for point in points]
    assert lost[-LOST_TWICE:] == [True] * LOST_TWICE
    assert len(points) < len(betas)
    assert [point.guarantee.epsilon_image for point in points] == sorted(
        (point.guarantee.epsilon_image for point in points), reverse=True
    )


def test_the_gallery_is_made_smaller_for_the_trials() -> None:
    pictures = gallery(side=32)

    (small,) = try_amounts(pictures[0], pictures, LaplacePerPixel(1.0), betas=(6.0,), side=8, draws=60)
    (large,) = try_amounts(pictures[0], pictures, LaplacePerPixel(1.0), betas=(6.0,), side=32, draws=60)

    assert small.success.rate < large.success.rate
