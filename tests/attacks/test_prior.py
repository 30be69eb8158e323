"""The linear prior against the formula written out, against filters, and on images that teach nothing."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from medpriv_core.attacks import prior as prior_module
from medpriv_core.attacks.filters import smoothers
from medpriv_core.attacks.prior import Line, Prior, estimate, learn, line_of
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import MECHANISMS
from medpriv_core.mechanisms.laplace import to_bytes
from medpriv_core.mechanisms.sources import SeededNoise
from tests.mechanisms.any_noise import any_noise


def fields(count: int, side: int, *, channels: int = 1, width: float = 2.0, seed: int = 0) -> np.ndarray:
    """Images from a smooth Gaussian field about a bright middle, uint8 (count, side, side, channels)."""
    rng = np.random.default_rng(seed)
    rough = rng.normal(size=(count, side, side, channels))
    smooth = scipy.ndimage.gaussian_filter(rough, sigma=(0, width, width, 0), mode="wrap")
    rows = np.linspace(-1, 1, side)
    middle = 0.55 - 0.2 * (rows[:, None] ** 2 + rows**2)[None, :, :, None] / 2
    return to_bytes(middle + 0.1 * smooth / smooth.std())


def written_out(
    images: np.ndarray, values: np.ndarray, line: Line, *, most: int = prior_module.DIRECTIONS
) -> np.ndarray:
    """x̂ = m + g S (g² S + v)⁻¹ (y - a - g m), with the covariance of all images and their mirror images as it is."""
    both = np.concatenate([images, images[:, :, ::-1]]).reshape(2 * len(images), -1) / 255
    mean, covariance = both.mean(axis=0), np.cov(both.T, bias=True)
    variances, vectors = np.linalg.eigh(covariance)
    kept = np.argsort(-variances)[: min(most, len(images))]
    rest = (variances.sum() - variances[kept].sum()) / max(1, len(variances) - len(kept))
    held = vectors[:, kept] @ np.diag(variances[kept] - rest) @ vectors[:, kept].T + rest * np.eye(len(mean))
    surprise = values.reshape(-1) - line.intercept - line.slope * mean
    weights = np.linalg.solve(line.slope**2 * held + line.variance * np.eye(len(mean)), surprise)
    return (mean + line.slope * held @ weights).reshape(values.shape)


@pytest.mark.parametrize(
    ("count", "side", "channels"),
    [(90, 6, 1), (90, 5, 1), (12, 6, 1), (12, 7, 3), (60, 4, 3), (9, 9, 1)],
)
@pytest.mark.parametrize("line", [Line(0.0, 1.0, 0.01), Line(0.3, 0.4, 0.18), Line(0.45, 0.1, 4.0)])
def test_the_estimate_is_the_formula_written_out(count: int, side: int, channels: int, line: Line) -> None:
    """More images than values and fewer, even and odd sides, grey and colour, all directions and some."""
    images = np.random.default_rng(1).integers(0, 256, (count, side, side, channels)).astype(np.uint8)
    values = np.random.default_rng(2).normal(0.5, 0.3, (side, side, channels))

    found = estimate(learn(images), values, line)

    np.testing.assert_allclose(found, written_out(images, values, line), atol=2e-5)


def test_the_largest_directions_are_kept_and_the_rest_of_the_variance_is_spread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prior_module, "DIRECTIONS", 7)
    images, line = fields(80, 8), Line(0.0, 1.0, 0.003)
    values = np.random.default_rng(2).normal(0.5, 0.1, (8, 8, 1))

    prior = learn(images)

    assert prior.directions.shape == (7, 64)
    both = np.concatenate([images, images[:, :, ::-1]]).reshape(160, -1) / 255
    assert prior.variances.sum() + 57 * prior.rest == pytest.approx(both.var(axis=0).sum(), rel=1e-5)
    np.testing.assert_allclose(prior.directions @ prior.directions.T, np.eye(7), atol=1e-5)
    np.testing.assert_allclose(estimate(prior, values, line), written_out(images, values, line, most=7), atol=2e-5)


def test_no_filter_does_better_on_images_of_a_known_field() -> None:
    """Monte Carlo: the error is the least that a linear estimate can have, and below that of every filter."""
    side, deviation = 16, 0.2
    prior, attacked = learn(fields(3000, side)), fields(200, side, seed=9)
    clean = attacked / 255
    noisy = clean + np.random.default_rng(3).normal(0, deviation, clean.shape)

    found = np.stack([estimate(prior, one, Line(0, 1, deviation**2)) for one in noisy])
    errors = {"prior": np.mean((found - clean) ** 2)}
    for smoother in smoothers((side, side), noise_deviation=deviation, pixels_per_sample=1):
        found = np.stack([smoother.smooth(one.astype(np.float32)) for one in noisy])
        errors[smoother.name] = np.mean((found - clean) ** 2)

    covariance = np.cov(fields(3000, side).reshape(3000, -1).T / 255)
    gain = np.linalg.solve(covariance + deviation**2 * np.eye(side**2), covariance)
    assert errors["prior"] == pytest.approx(np.trace(covariance - covariance @ gain) / side**2, rel=0.05)
    assert min(errors, key=errors.__getitem__) == "prior"
    assert errors["prior"] < 0.8 * sorted(errors.values())[1]


def test_an_image_and_its_mirror_image_teach_the_same() -> None:
    images, values = fields(40, 8), fields(1, 8, seed=5)[0] / 255
    line = Line(0.2, 0.6, 0.1)

    as_is, mirrored = learn(images), learn(images[:, :, ::-1])

    np.testing.assert_allclose(as_is.mean, as_is.mean[:, ::-1], atol=1e-6)
    np.testing.assert_allclose(estimate(as_is, values, line), estimate(mirrored, values, line), atol=1e-5)
    turned = estimate(as_is, values[:, ::-1], line)[:, ::-1]
    np.testing.assert_allclose(turned, estimate(as_is, values, line), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in MECHANISMS if name != "laplace_per_image"])
@pytest.mark.parametrize("beta", [0.05, 0.5, 4.0])
def test_the_line_is_that_of_least_squares_through_noised_values(name: str, beta: float) -> None:
    """Against a line fitted to 400,000 noised values of images whose grey levels are those of the histogram."""
    rng = np.random.default_rng(0)
    noise = any_noise(name, beta=beta, block=2)
    grey = rng.choice(256, (100_000,), p=(shares := np.bincount(fields(20, 16).ravel(), minlength=256) / 5120))
    picture = np.repeat(np.repeat(grey.reshape(250, 400, 1), 2, axis=0), 2, axis=1) / 255
    values, cell = noise.independent_values(np.clip(noise.noised(picture, SeededNoise(rng)), 0, 1))
    levels = picture[:: 2 if cell > 1 else 1, :: 2 if cell > 1 else 1].ravel()

    slope, intercept = np.polyfit(levels, values.ravel(), 1)
    left = np.var(values.ravel() - intercept - slope * levels)

    line = line_of(noise, shares)
    tolerance = 5 * np.sqrt(left / len(levels)) / levels.std()
    assert line.slope == pytest.approx(slope, abs=tolerance)
    assert line.intercept == pytest.approx(intercept, abs=tolerance)
    assert line.variance == pytest.approx(left, rel=0.03)
    missed = line_of(noise, shares, share=0.0).variance
    assert line_of(noise, shares, share=0.25).variance == pytest.approx((line.variance + 3 * missed) / 4)


def test_noise_that_neighbours_share_has_no_line() -> None:
    assert line_of(any_noise("laplace_per_image", beta=1.0, block=2), np.full(256, 1 / 256)) is None


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 4),
    side=st.integers(1, 6),
    channels=st.sampled_from([1, 3]),
    grey=st.one_of(st.none(), st.integers(0, 255)),
    variance=st.sampled_from([0.0, 1e-6, 0.2, 9.0]),
)
def test_few_images_or_even_ones_give_an_estimate_too(
    count: int, side: int, channels: int, grey: int | None, variance: float
) -> None:
    shape = (count, side, side, channels)
    images = np.random.default_rng(0).integers(0, 256, shape) if grey is None else np.full(shape, grey)

    prior = learn(images.astype(np.uint8))
    found = estimate(prior, np.full(shape[1:], 0.5), Line(0.1, 0.5, variance))

    assert np.isfinite(found).all()
    assert prior.images == count
    assert prior.rest >= 0
    assert (prior.variances > 0).all()
    if grey is not None:  # nothing varies, so nothing is believed but the average
        np.testing.assert_allclose(found, grey / 255, atol=1e-5)


def test_images_of_one_grey_level_still_have_the_slope_of_the_curve() -> None:
    prior: Prior = learn(np.full((20, 8, 8, 1), 128, np.uint8))
    line = line_of(any_noise("gaussian", beta=0.01, block=2), prior.histogram)
    assert line.slope == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, 8, 8, 1), np.uint8),
        np.zeros((3, 8, 9, 1), np.uint8),
        np.zeros((3, 8, 8, 1)),
        np.zeros((8, 8, 1), np.uint8),
    ],
)
def test_what_cannot_be_learned_from_is_refused(images: np.ndarray) -> None:
    with pytest.raises(SettingError, match="one square image or more"):
        learn(images)
