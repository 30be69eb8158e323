"""Epsilon of a noised picture, by mechanism, against published values, OpenDP and Google's accountant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_epsilon import ImageGuarantee

GREY = (28, 28, 1)


def guarantee_of(
    name: str, *, beta: float, shape: Shape, delta: float = 1e-5, copies: int = 1, **own: int
) -> ImageGuarantee:
    return picture_noise(name, beta=beta, **own).guarantee(shape, delta=delta, copies=copies)


@pytest.mark.parametrize(
    ("side", "beta", "pure", "pld"),
    # PLD on a fine grid (interval at most theta/50), computed apart from this code.
    [
        (28, 1, 784, 382.30),
        (28, 2, 392, 136.20),
        (28, 4, 196, 50.13),
        (64, 1, 4096, 1726.2),
        (64, 2, 2048, 558.7),
        (64, 4, 1024, 182.1),
        (256, 1, 65_536, 24_993),
        (256, 2, 32_768, 7_477),
        (256, 4, 16_384, 2_148),
    ],
)
def test_laplace_noise_has_the_published_epsilons(side: int, beta: float, pure: float, pld: float) -> None:
    guarantee = guarantee_of("laplace_per_pixel", beta=beta, shape=(side, side, 1))
    assert (guarantee.unit, guarantee.unit_epsilon, guarantee.unit_delta) == ("one pixel", 1 / beta, 0)
    assert guarantee.epsilon_image_pure == pure
    assert guarantee.epsilon_image == pytest.approx(pld, rel=1e-3)
    assert not guarantee.exact


def test_in_colour_every_value_counts() -> None:
    guarantee = guarantee_of("laplace_per_pixel", beta=1.0, shape=(256, 256, 3))
    assert (guarantee.values, guarantee.epsilon_image_pure) == (196_608, 196_608)
    assert guarantee.epsilon_image == pytest.approx(73_860, rel=1e-3)
    assert guarantee.unit == "one colour value"


def test_privacy_loss_of_random_noise_stays_within_the_guarantee() -> None:
    # The hockey-stick divergence at the claimed epsilon, by simulation of black against white.
    beta, delta = 2.0, 1e-2
    claimed = guarantee_of("laplace_per_pixel", beta=beta, shape=(10, 10, 1), delta=delta).epsilon_image
    noise = np.random.default_rng(0).laplace(0, beta, (50_000, 100))
    loss = ((np.abs(noise - 1) - np.abs(noise)) / beta).sum(axis=1)
    assert np.maximum(0, 1 - np.exp(claimed - loss)).mean() == pytest.approx(delta, rel=0.12)


def test_one_number_for_the_picture_has_no_finite_epsilon() -> None:
    guarantee = guarantee_of("laplace_per_image", beta=1000.0, shape=(1, 2, 1))
    assert math.isinf(guarantee.unit_epsilon)
    assert math.isinf(guarantee.epsilon_image_pure)
    assert math.isinf(guarantee.epsilon_image)
    # For a single value it is the same as noise for each pixel.
    assert guarantee_of("laplace_per_image", beta=2.0, shape=(1, 1, 1)).epsilon_image_pure == 0.5


@pytest.mark.parametrize(("beta", "epsilon"), [(955.0, 1.0), (153.7, 8.0), (24.24, 100.0)])
def test_gaussian_noise_needs_about_beta_as_standard_deviation(beta: float, epsilon: float) -> None:
    guarantee = guarantee_of("gaussian", beta=beta, shape=(256, 256, 1))
    assert guarantee.epsilon_image == pytest.approx(epsilon, rel=1e-3)
    assert guarantee.exact
    assert math.isinf(guarantee.epsilon_image_pure)


def test_gaussian_noise_has_no_epsilon_without_delta_even_for_one_pixel() -> None:
    guarantee = guarantee_of("gaussian", beta=1.0, shape=GREY, delta=1e-5)
    assert guarantee.unit_epsilon == pytest.approx(4.37718, rel=1e-5)
    assert guarantee.unit_delta == 1e-5


@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0, 4.0, 100.0])
def test_discrete_noise_has_the_epsilon_that_opendp_says(beta: float) -> None:
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_laplace
    from opendp.metrics import l1_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    domain = vector_domain(atom_domain(T="i32"))
    measurement = make_laplace(domain, l1_distance(T="i32"), scale=255 * beta)
    guarantee = guarantee_of("discrete_laplace", beta=beta, shape=GREY)
    assert guarantee.unit_epsilon == pytest.approx(measurement.map(255), rel=1e-12)
    assert guarantee.epsilon_image_pure == pytest.approx(measurement.map(255 * 784), rel=1e-12)


@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0, 4.0])
def test_discrete_noise_at_delta_is_bounded_from_above_and_tightly(beta: float) -> None:
    # All losses of one value, and by a Fourier transform those of 784: they lie on a lattice, so nothing is rounded.
    scale, copies, size = 255 * beta, 784, 1 << 18
    decay = math.exp(-1 / scale)
    draws = (1 - decay) / (1 + decay) * decay ** np.arange(256.0)
    # Loss (255 - 2k) / scale for noise k; all noise below 0 has the largest, all above 255 the smallest.
    draws[0], draws[255] = 1 / (1 + decay), decay**255 / (1 + decay)
    padded = np.zeros(size)
    padded[:256] = draws
    total = np.fft.irfft(np.fft.rfft(padded) ** copies, size)
    losses = (255 * copies - 2 * np.arange(size)) / scale

    epsilon = guarantee_of("discrete_laplace", beta=beta, shape=GREY).epsilon_image
    assert (total * -np.expm1(np.minimum(0, epsilon - losses))).sum() <= 1e-5
    lower = epsilon * 0.999
    assert (total * -np.expm1(np.minimum(0, lower - losses))).sum() > 1e-5


def test_a_single_discrete_draw_is_never_below_its_exact_delta() -> None:
    beta, delta = 0.02, 1e-3
    epsilon = guarantee_of("discrete_laplace", beta=beta, shape=(1, 1, 1), delta=delta).epsilon_image
    levels = np.arange(-2000, 2256)
    decay = math.exp(-1 / (255 * beta))
    black = (1 - decay) / (1 + decay) * decay ** np.abs(levels)
    white = (1 - decay) / (1 + decay) * decay ** np.abs(levels - 255)
    excess = np.maximum(0, black - math.exp(epsilon) * white).sum()
    assert excess <= delta
    assert epsilon >= guarantee_of("laplace_per_pixel", beta=beta, shape=(1, 1, 1), delta=delta).epsilon_image


def test_dp_pix_protects_some_pixels_and_the_picture_less() -> None:
    guarantee = guarantee_of("dp_pix", beta=2.0, shape=(256, 256, 1), block=16, changed_pixels=16)
    assert (guarantee.unit, guarantee.unit_epsilon) == ("up to 16 pixels", 0.5)
    assert (guarantee.values, guarantee.epsilon_image_pure) == (256, 2048)
    # 256 means, each with the loss 256 / (16 * 2).
    alone = guarantee_of("laplace_per_pixel", beta=1 / 8, shape=(16, 16, 1))
    assert guarantee.epsilon_image == alone.epsilon_image


def test_dp_pix_counts_cells_that_fit() -> None:
    assert guarantee_of("dp_pix", beta=1.0, shape=(100, 64, 3), block=16).values == 6 * 4 * 3
    with pytest.raises(SettingError, match=r"A cell of 32 x 32 .* of 300 x 20; .* at most 20"):
        guarantee_of("dp_pix", beta=1.0, shape=(20, 300, 1), block=32)


def test_dp_pix_of_more_pixels_than_there_are_protects_the_picture() -> None:
    guarantee = guarantee_of("dp_pix", beta=1.0, shape=(16, 16, 1), block=16, changed_pixels=1024)
    assert guarantee.unit_epsilon == guarantee.epsilon_image_pure == 0.25


@pytest.mark.parametrize("name", ["laplace_per_pixel", "discrete_laplace", "dp_pix"])
def test_copies_add_up_for_laplace_noise(name: str) -> None:
    one, four = (guarantee_of(name, beta=2.0, shape=(16, 16, 1), copies=copies) for copies in (1, 4))
    assert four.epsilon_image_pure == 4 * one.epsilon_image_pure
    assert four.unit_epsilon == 4 * one.unit_epsilon
    larger = guarantee_of(name, beta=2.0, shape=(32, 32, 1))
    assert four.epsilon_image == larger.epsilon_image
    assert four.values == one.values


def test_copies_with_gaussian_noise_are_less_noise() -> None:
    four = guarantee_of("gaussian", beta=2.0, shape=GREY, copies=4)
    stronger = guarantee_of("gaussian", beta=1.0, shape=GREY)
    assert four.epsilon_image == pytest.approx(stronger.epsilon_image)
    assert four.unit_epsilon == pytest.approx(stronger.unit_epsilon)


@pytest.mark.parametrize("name", MECHANISMS)
@settings(max_examples=5)
@given(
    beta=st.floats(-3, 4).map(lambda exponent: 10**exponent),
    shape=st.tuples(st.integers(16, 1024), st.integers(16, 1024), st.sampled_from([1, 3])),
)
@example(beta=0.001, shape=(1024, 1024, 3))
@example(beta=10_000.0, shape=(16, 16, 1))
def test_no_setting_is_without_an_answer(name: str, beta: float, shape: tuple[int, int, int]) -> None:
    guarantee = guarantee_of(name, beta=beta, shape=shape)
    assert 0 <= guarantee.epsilon_image <= guarantee.epsilon_image_pure


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": 0.0}, "beta must be"),
        ({"beta": math.nan}, "beta must be"),
        ({"shape": (0, 4, 1)}, "no pixels"),
        ({"delta": 0.0}, "delta must be"),
        ({"copies": 0}, "copies must be between 1 and 10000, but is 0"),
        ({"name": "dp_pix", "block": 0}, "block must be between 1 and 512, but is 0"),
        ({"name": "dp_pix", "changed_pixels": 0}, "changed_pixels must be"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"name": "laplace_per_pixel", "beta": 1.0, "shape": GREY}
    with pytest.raises(SettingError, match=message):
        guarantee_of(**(usual | settings))


def test_a_finding_costs_its_area_times_its_contrast() -> None:
    laplace = picture_noise("laplace_per_pixel", beta=4.0)
    assert laplace.finding_epsilon(area_pixels=100, contrast=0.3) == 7.5
    assert laplace.finding_epsilon(area_pixels=100, contrast=0.3, channels=3) == 22.5
    assert picture_noise("discrete_laplace", beta=4.0).finding_epsilon(area_pixels=100, contrast=0.3) == 7.5


@pytest.mark.parametrize("name", ["laplace_per_image", "gaussian", "dp_pix"])
def test_other_mechanisms_do_not_measure_a_finding_by_area_times_contrast(name: str) -> None:
    assert picture_noise(name, beta=4.0).finding_epsilon(area_pixels=100, contrast=0.3) is None


@pytest.mark.parametrize(
    ("area", "contrast", "message"),
    [(0, 0.3, "area"), (math.inf, 0.3, "area"), (9, 0.0, "contrast"), (9, 1.1, "at most 1")],
)
def test_impossible_findings_are_refused(area: float, contrast: float, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        picture_noise("laplace_per_pixel", beta=1.0).finding_statement(area_pixels=area, contrast=contrast)
