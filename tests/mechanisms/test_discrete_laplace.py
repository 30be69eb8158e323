"""Exact noise on grey levels, by OpenDP."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from medpriv_core.mechanisms import sources
from medpriv_core.mechanisms.discrete_laplace import DiscreteLaplace
from medpriv_core.mechanisms.laplace import clamp, to_bytes, to_unit
from medpriv_core.mechanisms.sources import SeededNoise
from medpriv_core.progress import Cancelled


def released_levels(picture: np.ndarray, *, beta: float) -> np.ndarray:
    return DiscreteLaplace(beta).release(to_unit(picture), np.random.default_rng(0)) * 255.0


def test_released_values_are_whole_grey_levels() -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    levels = released_levels(picture, beta=1.0)
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
    rounded = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    assert np.array_equal(to_bytes(clamp((levels / 255).astype(np.float32))), rounded)


def test_noise_follows_the_discrete_law() -> None:
    beta = 0.01
    picture = np.full((100, 100, 1), 100, dtype=np.uint8)
    noise = np.rint(released_levels(picture, beta=beta) - 100).astype(int).ravel()
    support = np.arange(-8, 9)
    law = scipy.stats.dlaplace(1 / (255 * beta))
    counts = np.array([(noise == value).sum() for value in support[1:-1]])
    observed = np.concatenate([[(noise <= -8).sum()], counts, [(noise >= 8).sum()]])
    expected = np.concatenate([[law.cdf(-8)], law.pmf(support[1:-1]), [law.sf(7)]]) * noise.size
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-7


def test_the_published_variance() -> None:
    assert (DiscreteLaplace(1.0).noise_deviation * 255) ** 2 == pytest.approx(130_049.83, abs=0.01)


def test_no_seed_repeats_the_noise() -> None:
    picture = np.full((16, 16, 1), 100, dtype=np.uint8)
    assert not np.array_equal(released_levels(picture, beta=1.0), released_levels(picture, beta=1.0))


@pytest.mark.parametrize("level", [0, 3, 200, 255])
@pytest.mark.parametrize("beta", [0.001, 0.02, 1.0])
def test_the_mean_curve_is_that_of_the_discrete_law(level: int, beta: float) -> None:
    noise = np.arange(-20_000, 20_001)
    weights = scipy.stats.dlaplace(1 / (255 * beta)).pmf(noise)
    exact = float((weights * np.clip(level + noise, 0, 255)).sum()) / 255
    assert DiscreteLaplace(beta).clamped_mean(np.array([level / 255]))[0] == pytest.approx(exact, abs=1e-9)


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many values each call of the sampler drew, which stands for OpenDP's and counts from 0 up."""
    drawn: list[int] = []

    def add_noise(zeros: np.ndarray) -> list[int]:
        drawn.append(len(zeros))
        return list(range(sum(drawn) - len(zeros), sum(drawn)))

    monkeypatch.setattr(sources, "_exact_sampler", lambda scale: add_noise)
    monkeypatch.setattr(sources, "PIECE", 100)
    return drawn


def test_a_large_picture_is_noised_in_pieces_that_tell_how_far_it_is(pieces: list[int]) -> None:
    said: list[tuple[str, int, int]] = []
    noise = SeededNoise(np.random.default_rng(0), lambda *how_far: said.append(how_far))
    values = noise.discrete_laplace(255.0, (5, 50, 1))
    assert np.array_equal(values.ravel(), np.arange(250))
    assert pieces == [100, 100, 50]
    assert said == [("Drawing exact noise", 100, 250), ("Drawing exact noise", 200, 250)]


def test_it_can_be_stopped_between_two_pieces(pieces: list[int]) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        DiscreteLaplace(1.0).release(np.zeros((20, 20, 1)), np.random.default_rng(0), progress=stop)
    assert pieces == [100]


def test_of_a_small_picture_nothing_is_told(pieces: list[int]) -> None:
    def refuse(phase: str, done: int, total: int) -> None:
        raise AssertionError

    DiscreteLaplace(1.0).release(np.zeros((10, 10, 1)), np.random.default_rng(0), progress=refuse)
