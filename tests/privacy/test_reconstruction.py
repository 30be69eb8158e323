"""The bound of an attacker without prior knowledge, against published values, simulation and other formulas."""

from __future__ import annotations

import math

import dp_accounting
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.reconstruction import (
    ReconstructionBound,
    corridor,
    full_batch_epsilon,
    noise_multiplier_for_epsilon,
    noise_multiplier_for_error,
    noise_multiplier_for_psnr,
)
from medpriv_core.privacy.steps import Steps

DELTA = 1e-5


@pytest.mark.parametrize(
    ("sigma", "size", "norm", "error", "psnr"),
    [(0.01, 784, 14.0, 0.0196, 17.083), (1.0, 784, 14.0, 196.0, -22.917), (0.1, 3072, 1.01, 0.010201, 19.915)],
)
def test_published_errors(sigma: float, size: int, norm: float, error: float, psnr: float) -> None:
    bound = ReconstructionBound(sigma, size, norm)
    assert bound.mean_squared_error == pytest.approx(error, rel=1e-9)
    assert bound.psnr_db == pytest.approx(psnr, abs=6e-4)


def test_published_probabilities() -> None:
    assert ReconstructionBound(0.007, 784, 14.0).probability_of_psnr(20) == pytest.approx(0.79452, abs=5e-6)
    small, large = ReconstructionBound(0.1, 784, 14.0), ReconstructionBound(0.1, 3072, 1.01)
    assert small.probability_of_error(0.97 * small.mean_squared_error) == pytest.approx(0.27990, abs=5e-6)
    assert large.probability_of_error(0.97 * large.mean_squared_error) == pytest.approx(0.11916, abs=5e-6)


@pytest.mark.parametrize(
    ("sigma", "once", "fifty", "correlation"),
    [(1, -22.9, -5.9, 0.0357), (2, -28.9, -12.0, 0.0179), (4, -35.0, -18.0, 0.0089)],
)
def test_usual_noise_multipliers_on_small_images(sigma: float, once: float, fifty: float, correlation: float) -> None:
    bound = ReconstructionBound(sigma, 784, 14.0)
    assert bound.psnr_db == pytest.approx(once, abs=0.06)
    assert ReconstructionBound(sigma, 784, 14.0, participations=50).psnr_db == pytest.approx(fifty, abs=0.06)
    assert bound.most_correlation == pytest.approx(correlation, abs=6e-5)


@pytest.mark.parametrize(
    ("side", "thresholds"),
    [
        (28, {10: (0.0226, 1168), 20: (0.00714, 10_400), 30: (0.00226, 99_900)}),
        (64, {10: (0.00988, 5551), 20: (0.00313, 52_560), 30: (0.00099, 516_300)}),
        (224, {10: (0.00282, 64_230), 20: (0.00089, 632_000), 30: (0.00028, 6.29e6)}),
    ],
)
def test_epsilon_at_which_an_image_comes_back(side: int, thresholds: dict[int, tuple[float, float]]) -> None:
    for psnr_db, (sigma, epsilon) in thresholds.items():
        found = noise_multiplier_for_psnr(psnr_db, size=side * side, norm=side / 2)
        assert found == pytest.approx(sigma, rel=0.02)
        assert full_batch_epsilon(found, delta=DELTA) == pytest.approx(epsilon, rel=0.002)


def test_a_simulated_attacker_is_as_good_as_the_bound() -> None:
    rng = np.random.default_rng(3)
    image = rng.uniform(0, 1, 60)
    norm, sigma, draws = float(np.linalg.norm(image)), 0.05, 20_000
    bound = ReconstructionBound(sigma, image.size, norm)
    rebuilt = image + rng.normal(0, sigma * norm, (draws, image.size))
    errors = np.mean((rebuilt - image) ** 2, axis=1)
    psnr = -10 * np.log10(errors)
    assert errors.mean() == pytest.approx(bound.mean_squared_error, rel=4 / math.sqrt(draws))
    assert psnr.mean() == pytest.approx(bound.psnr_db, abs=4 * psnr.std() / math.sqrt(draws))
    for quantile in (0.1, 0.5, 0.9):
        assert bound.probability_of_error(float(np.quantile(errors, quantile))) == pytest.approx(quantile, abs=0.015)
        assert bound.probability_of_psnr(float(np.quantile(psnr, quantile))) == pytest.approx(1 - quantile, abs=0.015)
    # Of one image of many values the correlation hardly varies.
    image = rng.uniform(0, 1, 40_000)
    norm = float(np.linalg.norm(image))
    rebuilt = image + rng.normal(0, 0.004 * norm, image.size)
    bound = ReconstructionBound(0.004, image.size, norm)
    assert np.corrcoef(image, rebuilt)[0, 1] == pytest.approx(bound.correlation(float(image.std())), abs=0.01)


@given(
    sigma=st.floats(1e-9, 1e6),
    size=st.integers(1, 10**7),
    rms=st.floats(1e-6, 10),
    participations=st.integers(1, 10**6),
    at=st.floats(-500, 500),
)
def test_every_figure_is_finite_and_in_its_range(
    sigma: float, size: int, rms: float, participations: int, at: float
) -> None:
    bound = ReconstructionBound(sigma, size, rms * math.sqrt(size), participations=participations)
    assert math.isfinite(bound.psnr_db)
    assert 0 < bound.most_correlation <= 1
    for share in (0.0, 0.3, 1.0):
        assert 0 <= bound.correlation(share * rms) <= bound.most_correlation * (1 + 1e-9)
    # Another parametrisation of the same law, by another routine.
    error = 10 ** (-at / 10)
    law = stats.chi2(size)
    assert bound.probability_of_psnr(at) == pytest.approx(
        law.cdf(size * (math.sqrt(error) / bound.noise_deviation) ** 2), abs=1e-9
    )


@given(psnr_db=st.floats(-60, 120), side=st.integers(1, 1000), participations=st.integers(1, 1000))
def test_noise_for_a_psnr_is_the_inverse(psnr_db: float, side: int, participations: int) -> None:
    size, norm = side * side, side / 2
    sigma = noise_multiplier_for_psnr(psnr_db, size=size, norm=norm, participations=participations)
    assert ReconstructionBound(sigma, size, norm, participations=participations).psnr_db == pytest.approx(psnr_db)


@pytest.mark.parametrize("probability", [0.001, 0.5, 0.999])
@pytest.mark.parametrize("size", [1, 784, 150_528])
def test_noise_for_an_error_is_the_inverse(probability: float, size: int) -> None:
    sigma = noise_multiplier_for_error(0.01, probability, size=size, norm=3.0, participations=4)
    bound = ReconstructionBound(sigma, size, 3.0, participations=4)
    assert bound.probability_of_error(0.01) == pytest.approx(probability, rel=1e-6)


def test_the_series_for_large_inputs_joins_the_exact_formula() -> None:
    below, above = (ReconstructionBound(0.1, size, 1.0).psnr_db for size in (10**6, 10**6 + 1))
    assert below == pytest.approx(above, abs=1e-8)


def test_without_noise_the_image_comes_back() -> None:
    bound = ReconstructionBound(0.0, 784, 14.0)
    assert bound.mean_squared_error == 0
    assert bound.psnr_db == math.inf
    assert bound.most_correlation == bound.correlation(0.3) == 1
    assert bound.probability_of_psnr(300) == bound.probability_of_error(0) == 1
    assert bound.correlation(0) == 0
    assert bound.probability_of_error(-1) == 0


def test_epsilon_agrees_with_other_accountants() -> None:
    for sigma, steps in ((0.5, 1), (1.0, 1), (4.0, 50)):
        mine = full_batch_epsilon(sigma, delta=DELTA, participations=steps)
        theirs = composed_epsilon([Steps(noise_multiplier=sigma, sample_rate=1.0, count=steps)], delta=DELTA)
        assert mine == pytest.approx(theirs, rel=2e-3)
        assert mine == pytest.approx(dp_accounting.get_epsilon_gaussian(sigma / math.sqrt(steps), DELTA), rel=1e-6)


@pytest.mark.parametrize("delta", [1e-10, 1e-5, 1e-2])
@pytest.mark.parametrize("epsilon", [0.1, 1, 8, 1e3, 1e6, 1e9])
def test_noise_for_an_epsilon_is_the_inverse(epsilon: float, delta: float) -> None:
    sigma = noise_multiplier_for_epsilon(epsilon, delta=delta, participations=3)
    found = full_batch_epsilon(sigma, delta=delta, participations=3)
    assert epsilon * (1 - 1e-9) < found <= epsilon


def test_noise_for_small_epsilons_agrees_with_the_library() -> None:
    for epsilon in (0.1, 1.0, 8.0):
        expected = dp_accounting.get_sigma_gaussian(epsilon, DELTA)
        assert noise_multiplier_for_epsilon(epsilon, delta=DELTA) == pytest.approx(expected, rel=1e-5)


def test_more_noise_moves_along_the_corridor() -> None:
    points = corridor([1e-4, 1e-2, 1.0], size=784, norm=14.0, delta=DELTA)
    assert [point.epsilon for point in points] == sorted((point.epsilon for point in points), reverse=True)
    assert [point.psnr_db for point in points] == sorted((point.psnr_db for point in points), reverse=True)
    # Epsilon and the bound both depend on sigma / sqrt K alone.
    often = corridor([1.0], size=784, norm=14.0, delta=DELTA, participations=10_000)[0]
    assert often.epsilon == pytest.approx(points[1].epsilon)
    assert often.psnr_db == pytest.approx(points[1].psnr_db)
    assert often.most_correlation == pytest.approx(points[1].most_correlation)


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise_multiplier": -1.0},
        {"noise_multiplier": math.nan},
        {"noise_multiplier": math.inf},
        {"size": 0},
        {"norm": 0.0},
        {"norm": math.nan},
        {"data_range": 0.0},
        {"participations": 0},
    ],
)
def test_what_no_image_has_is_refused(wrong: dict[str, float]) -> None:
    usual = {"noise_multiplier": 1.0, "size": 784, "norm": 14.0}
    with pytest.raises(SettingError):
        ReconstructionBound(**{**usual, **wrong})  # type: ignore[arg-type]


def test_settings_out_of_bounds_are_refused() -> None:
    with pytest.raises(SettingError, match="deviation"):
        ReconstructionBound(1.0, 784, 14.0).correlation(0.6)
    with pytest.raises(SettingError, match="probability"):
        noise_multiplier_for_error(0.1, 1.0, size=4, norm=1.0)
    with pytest.raises(SettingError, match="too small"):
        noise_multiplier_for_error(0.1, 1e-300, size=1, norm=1.0)
    with pytest.raises(SettingError, match="noise multiplier"):
        full_batch_epsilon(0.0, delta=DELTA)
    with pytest.raises(SettingError, match="delta"):
        full_batch_epsilon(1.0, delta=0.0)
    with pytest.raises(SettingError, match="ε must be"):
        noise_multiplier_for_epsilon(1e10, delta=DELTA)
