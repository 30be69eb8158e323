"""The variance of clamped noise against integrals and sums that know nothing of the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.mechanisms.picture_noise import PictureNoise
from tests.mechanisms.any_noise import any_noise

LEVELS = np.array([0, 1, 40, 128, 200, 255]) / 255


def integrated(law: scipy.stats.rv_continuous, scale: float, level: float) -> float:
    """E y² - (E y)² of y = clip(level + noise, 0, 1): by the integrals of 2 t P(y > t) and of P(y > t)."""
    edges = sorted({level, *np.clip(level + scale * np.array([-30, -6, -2, 2, 6, 30]), 0, 1)})
    cut = {"points": [edge for edge in edges if 0 < edge < 1], "limit": 400, "epsabs": 1e-12}
    square, _ = scipy.integrate.quad(lambda t: 2 * t * law.sf((t - level) / scale), 0, 1, **cut)
    mean, _ = scipy.integrate.quad(lambda t: law.sf((t - level) / scale), 0, 1, **cut)
    return square - mean**2


@pytest.mark.parametrize("beta", [0.02, 0.5, 1.0, 4.0, 64.0])
@pytest.mark.parametrize("name", ["laplace_per_pixel", "gaussian", "dp_pix"])
def test_of_continuous_noise_it_is_the_integral(name: str, beta: float) -> None:
    noise = any_noise(name, beta=beta, block=4)
    law = scipy.stats.norm if name == "gaussian" else scipy.stats.laplace
    scale = noise.scale if isinstance(noise, DpPix) else beta

    found = noise.clamped_variance(LEVELS)

    assert found == pytest.approx([integrated(law, scale, level) for level in LEVELS], rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("beta", [0.002, 0.02, 0.5, 4.0])
def test_of_discrete_noise_it_is_the_sum(beta: float) -> None:
    law = scipy.stats.dlaplace(1 / (255 * beta))
    expected = []
    for grey in (LEVELS * 255).round().astype(int):
        values = np.clip(grey + np.arange(-40_000, 40_001), 0, 255) / 255
        chances = law.pmf(np.arange(-40_000, 40_001))
        expected.append(chances @ values**2 - (chances @ values) ** 2)

    assert picture_noise("discrete_laplace", beta=beta).clamped_variance(LEVELS) == pytest.approx(
        expected, rel=1e-6, abs=1e-12
    )


@pytest.mark.parametrize("name", list(MECHANISMS))
@pytest.mark.parametrize("beta", [1e-3, 0.3, 2.0, 1e4])
def test_the_bound_of_a_mechanism_that_does_not_say_it_is_never_below(name: str, beta: float) -> None:
    noise = any_noise(name, beta=beta, block=4)

    exact, bound = noise.clamped_variance(LEVELS), PictureNoise.clamped_variance(noise, LEVELS)

    if name == "laplace_per_image":
        assert exact is bound is None
    else:
        assert (exact >= 0).all()
        assert (exact <= bound * (1 + 1e-9) + 1e-9).all()
