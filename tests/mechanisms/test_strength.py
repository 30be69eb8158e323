"""The beta that a wanted epsilon of the whole picture needs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import own_parameters, picture_noise
from medpriv_core.mechanisms.strength import with_image_epsilon
from medpriv_core.privacy.image_cells import Shape


def beta_for(name: str, *, epsilon: float, shape: Shape, delta: float = 1e-5) -> float:
    return with_image_epsilon(picture_noise(name, beta=1.0), epsilon=epsilon, shape=shape, delta=delta).beta


@pytest.mark.parametrize(
    ("side", "epsilon", "beta"),
    [
        (28, 1, 104.3),
        (28, 8, 16.64),
        (28, 100, 2.48),
        (64, 1, 238.6),
        (64, 8, 38.25),
        (64, 100, 5.89),
        (256, 1, 954.9),
        (256, 8, 153.5),
        (256, 100, 24.07),
    ],
)
def test_the_published_table(side: int, epsilon: float, beta: float) -> None:
    for name in ("laplace_per_pixel", "discrete_laplace"):
        found = beta_for(name, epsilon=epsilon, shape=(side, side, 1), delta=1e-5)
        assert found == pytest.approx(beta, rel=0.005)


@pytest.mark.parametrize(("epsilon", "deviation"), [(1, 955.0), (8, 153.7), (100, 24.24)])
def test_the_published_gaussian_deviations(epsilon: float, deviation: float) -> None:
    found = beta_for("gaussian", epsilon=epsilon, shape=(256, 256, 1), delta=1e-5)
    assert found == pytest.approx(deviation, rel=0.002)


@pytest.mark.parametrize("name", ["laplace_per_pixel", "gaussian", "discrete_laplace", "dp_pix"])
@pytest.mark.parametrize("epsilon", [0.3, 7.7, 1234.5])
def test_the_answer_keeps_what_was_asked_for_and_wastes_little(name: str, epsilon: float) -> None:
    settings: dict[str, Any] = {"shape": (100, 80, 3), "delta": 1e-6, "copies": 2}
    own = own_parameters(name, {"block": 4, "changed_pixels": 9})
    noise = with_image_epsilon(picture_noise(name, beta=1.0, **own), epsilon=epsilon, **settings)
    spent = noise.guarantee(**settings).epsilon_image
    assert epsilon * 0.995 <= spent <= epsilon
    assert float(f"{noise.beta:.4g}") == noise.beta
    assert own_parameters(name, noise.to_dict()) == own


def test_no_answer_exceeds_what_was_asked_for_by_the_last_digit() -> None:
    for epsilon in np.geomspace(1, 1e4, 40):
        beta = beta_for("laplace_per_pixel", epsilon=float(epsilon), shape=(64, 64, 1))
        assert picture_noise("laplace_per_pixel", beta=beta).guarantee((64, 64, 1)).epsilon_image <= epsilon


@pytest.mark.parametrize(
    ("name", "epsilon", "message"),
    [
        ("gaussian", 0.0, "must be above 0 and finite, but is 0"),
        ("gaussian", -1.0, "must be above 0"),
        ("gaussian", math.nan, "must be above 0"),
        ("gaussian", math.inf, "must be above 0"),
        ("laplace_per_pixel", 1e-6, "more noise than beta 10000, the most allowed"),
        ("laplace_per_pixel", 1e12, "Already the least noise allowed, beta 0.001"),
        ("laplace_per_image", 1.0, "no finite epsilon, whatever beta is"),
    ],
)
def test_what_no_beta_can_do_is_said(name: str, epsilon: float, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        beta_for(name, epsilon=epsilon, shape=(64, 64, 1))
