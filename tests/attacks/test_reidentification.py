from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import pytest
import scipy
from PIL import Image
from skimage import data, transform

from medpriv_core.attacks.reidentification import (
    SuccessRate,
    identify,
    shrink_gallery,
    success_curves,
    success_rate,
)
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.laplace import to_bytes, to_unit
from medpriv_core.mechanisms.sources import CountedNoise
from tests.mechanisms.any_noise import any_noise


@functools.cache
def faces() -> np.ndarray:
    """The hundred faces of 25 x 25 pixels that come with scikit-image, uint8 (100, 25, 25, 1)."""
    return to_bytes(data.lfw_subset()[:100])[..., None]


def flats(*levels: int, side: int = 1) -> np.ndarray:
    """Pictures of one grey level each, uint8 (N, side, side, 1)."""
    return np.stack([np.full((side, side, 1), level, np.uint8) for level in levels])


def contains(success: SuccessRate, probability: float) -> bool:
    """Whether the probability explains the count (two-sided, one in ten thousand)."""
    return scipy.stats.binomtest(success.found, success.draws, probability).pvalue > 1e-4


def test_two_pixels_are_told_apart_as_often_as_the_noise_stays_below_half_their_distance() -> None:
    distance, beta = 204 / 255, 0.5
    laplace = 1 - 0.5 * math.exp(-distance / (2 * beta))

    for name in ("laplace_per_pixel", "discrete_laplace"):
        assert contains(success_rate(flats(0, 204), picture_noise(name, beta=beta), draws=4000), laplace)
    gaussian = success_rate(flats(0, 204), picture_noise("gaussian", beta=beta), draws=4000)
    assert contains(gaussian, scipy.stats.norm.cdf(distance / (2 * beta)))


def test_gaussian_noise_on_many_pixels_depends_on_the_distance_of_the_pictures_alone() -> None:
    pair = np.random.default_rng(0).integers(100, 110, (2, 12, 15, 3)).astype(np.uint8)
    distance = np.linalg.norm((pair[0].astype(float) - pair[1]) / 255)

    success = success_rate(pair, picture_noise("gaussian", beta=0.4), draws=3000)

    assert contains(success, scipy.stats.norm.cdf(distance / 0.8))


def test_cells_of_a_pixelised_picture_have_less_noise() -> None:
    mechanism = picture_noise("dp_pix", beta=1.0, block=8, changed_pixels=16)  # scale 1/4 on one cell

    success = success_rate(flats(0, 102, side=8), mechanism, draws=4000)

    assert contains(success, 1 - 0.5 * math.exp(-0.4 / (2 * 0.25)))


def test_one_number_for_the_whole_picture_leaves_flat_pictures_to_the_size_of_the_shift() -> None:
    # Shifts of flat pictures of 0.2 and 0.6 fit both, visible or saturated; the smaller shift is taken.
    success = success_rate(flats(51, 153, side=4), picture_noise("laplace_per_image", beta=0.3), draws=4000)

    assert contains(success, 1 - 0.5 * math.exp(-0.2 / 0.3))


def test_one_number_for_the_whole_picture_finds_the_patient_unless_all_is_black_or_white() -> None:
    gallery = faces()[:50]
    mechanism = picture_noise("laplace_per_image", beta=2.0)
    rng = np.random.default_rng(0)
    for target in range(50):
        released = mechanism.release(to_unit(gallery[target]), rng)
        result = identify(released, gallery, target, mechanism)
        if np.any((released > 0) & (released < 1)):
            assert (result.rank, result.equals) == (1, 0)
            assert result.order[0] == target
            # Rounded to 8 bits and clamped, as the authors published it: no difference.
            assert identify(to_unit(to_bytes(released)), gallery, target, mechanism).rank == 1

    saturated = identify(np.full_like(released, -5), gallery, 7, mechanism)
    brightest = to_unit(gallery).reshape(50, -1).max(axis=1)
    assert saturated.rank == 1 + np.sum(brightest < brightest[7])
    assert saturated.equals == np.sum(brightest == brightest[7]) - 1
    mixed = identify(np.where(to_unit(gallery[7]) > 0.5, 3, -3).astype(np.float32), gallery, 7, mechanism)
    assert mixed.equals == 49  # impossible for all of them


@pytest.mark.parametrize(("beta", "published"), [(1.0, 0.86), (2.0, 0.34), (4.0, 0.094), (8.0, 0.035), (16.0, 0.025)])
def test_the_published_rates_for_a_hundred_faces_come_out_again(beta: float, published: float) -> None:
    success = success_rate(faces(), picture_noise("laplace_per_pixel", beta=beta), draws=600)

    assert contains(success, published)
    assert success.chance == 0.01


def test_the_same_faces_with_more_pixels_are_found_more_often() -> None:
    large = np.stack([to_bytes(transform.resize(face, (100, 100), order=1)) for face in faces() / 255])

    success = success_rate(large, picture_noise("laplace_per_pixel", beta=4.0), draws=100)

    assert contains(success, 0.78)


def test_rates_fall_with_noise_and_rise_with_pixels() -> None:
    points = list(
        success_curves(
            faces(),
            picture_noise("laplace_per_pixel", beta=1.0),
            betas=(0.5, 2.0, 1e4),
            sides=(8, 25, 60),
            draws=200,
        )
    )

    # 60 pixels would only enlarge the pictures, which are 25 wide.
    assert [(point.beta, point.shape) for point in points] == [
        (beta, shape) for shape in ((8, 8), (25, 25)) for beta in (0.5, 2.0, 1e4)
    ]
    small, large = ([point.success.rate for point in points[part : part + 3]] for part in (0, 3))
    assert large[0] > large[1] + 0.1 > large[2] + 0.2
    assert large[1] > small[1] + 0.1
    assert all(contains(point.success, 0.01) for point in points[2::3])


@pytest.mark.parametrize("name", list(MECHANISMS))
def test_hopeless_noise_leaves_chance_and_little_noise_certainty_whatever_the_mechanism(name: str) -> None:
    gallery = faces()[:20, :16, :24]

    hopeless = success_rate(gallery, any_noise(name, beta=1e4, block=4), draws=400)
    certain = success_rate(gallery, any_noise(name, beta=0.02, block=4), draws=40)

    assert contains(hopeless, 1 / 20)
    assert certain.rate == 1


@pytest.mark.parametrize("name", ["laplace_per_pixel", "discrete_laplace", "dp_pix"])
def test_clamping_changes_no_likelihood_ratio_of_laplace_noise(name: str) -> None:
    mechanism = any_noise(name, beta=1.0, block=5)
    unit = to_unit(faces()[:10])
    releases = np.stack([mechanism.noised(unit[0], CountedNoise(np.random.default_rng(seed))) for seed in range(3)])

    free = mechanism.log_likelihoods(releases, unit)
    clamped = mechanism.log_likelihoods(np.clip(releases, 0, 1), unit)

    np.testing.assert_allclose(clamped - clamped[:, :1], free - free[:, :1], atol=1e-3)


def test_likelihoods_are_those_of_the_densities() -> None:
    unit = to_unit(faces()[:5])
    release = unit[2] + np.random.default_rng(0).normal(0, 0.7, unit[2].shape).astype(np.float32)

    for name, density in (("laplace_per_pixel", scipy.stats.laplace), ("gaussian", scipy.stats.norm)):
        found = picture_noise(name, beta=0.7).log_likelihoods(release[None], unit)[0]
        expected = np.array([density.logpdf(release - picture, scale=0.7).sum() for picture in unit])

        np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-3)


def test_likelihoods_of_pixelised_pictures_are_those_of_the_cells() -> None:
    unit = to_unit(faces()[:5])
    mechanism = picture_noise("dp_pix", beta=0.5, block=5, changed_pixels=10)
    release = mechanism.release(unit[2], np.random.default_rng(0))

    found = mechanism.log_likelihoods(release[None], unit)[0]

    means = unit.reshape(5, 5, 5, 5, 5).mean(axis=(2, 4))
    expected = scipy.stats.laplace.logpdf(release[::5, ::5, 0] - means, scale=10 * 0.5 / 25).sum(axis=(1, 2))
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-3)


def test_simulated_discrete_noise_has_the_law_of_the_exact_sampler() -> None:
    mechanism = picture_noise("discrete_laplace", beta=0.01)  # 2.55 grey levels
    picture = np.full((100, 100, 1), 0.4, np.float32)

    noise = np.rint(mechanism.noised(picture, CountedNoise(np.random.default_rng(0))) * 255 - 102).astype(int)

    values = np.arange(-6, 7)
    law = scipy.stats.dlaplace(1 / 2.55)
    expected = 10_000 * np.append(law.pmf(values), 1 - law.pmf(values).sum())
    counts = np.array([np.sum(noise == value) for value in values])
    counts = np.append(counts, 10_000 - counts.sum())
    assert scipy.stats.chisquare(counts, expected).pvalue > 1e-4


def test_of_two_equal_pictures_half_are_found() -> None:
    twins = np.concatenate([faces()[:3], faces()[:3]])

    success = success_rate(twins, picture_noise("laplace_per_pixel", beta=0.05), draws=1200)
    single = identify(to_unit(twins[1]), twins, 1, picture_noise("laplace_per_pixel", beta=0.05))

    assert contains(success, 0.5)
    assert (single.rank, single.equals) == (1, 1)


def test_the_rank_counts_the_pictures_that_are_likelier() -> None:
    gallery = flats(0, 51, 102, 255, side=4)

    result = identify(np.full((4, 4, 1), 0.2, np.float32), gallery, 3, picture_noise("gaussian", beta=1.0))

    assert result.order.tolist() == [1, 0, 2, 3] or result.order.tolist() == [1, 2, 0, 3]
    assert result.rank == 4


def test_a_seed_repeats_its_result() -> None:
    mechanism = picture_noise("laplace_per_pixel", beta=2.0)

    assert success_rate(faces(), mechanism, seed=3) == success_rate(faces(), mechanism, seed=3)
    rates = {success_rate(faces(), mechanism, seed=seed).found for seed in range(6)}
    assert len(rates) > 1


def test_the_interval_of_a_rate_is_wilsons() -> None:
    reference = scipy.stats.binomtest(37, 100).proportion_ci(method="wilson")

    assert SuccessRate(37, 100, chance=0.01).interval == pytest.approx((reference.low, reference.high))


@pytest.mark.parametrize("channels", [1, 3])
def test_smaller_galleries_are_means_of_areas(channels: int) -> None:
    gallery = np.random.default_rng(0).integers(0, 256, (3, 40, 20, channels)).astype(np.uint8)

    smaller = shrink_gallery(gallery, 10)

    assert smaller.shape == (3, 10, 5, channels)
    blocks = gallery.reshape(3, 10, 4, 5, 4, channels).mean(axis=(2, 4))
    np.testing.assert_allclose(smaller, blocks, atol=1)
    assert shrink_gallery(gallery, 64) is gallery


def test_impossible_galleries_are_refused_with_a_reason() -> None:
    mechanism = picture_noise("laplace_per_pixel", beta=1.0)
    with pytest.raises(SettingError, match="at least two"):
        success_rate(faces()[:1], mechanism)
    with pytest.raises(SettingError, match="one size"):
        success_rate(faces()[..., 0], mechanism)
    with pytest.raises(SettingError, match="draw"):
        success_rate(faces(), mechanism, draws=0)
    with pytest.raises(SettingError, match="shape"):
        identify(np.zeros((3, 3, 1)), faces(), 0, mechanism)
    with pytest.raises(SettingError, match="pixel"):
        shrink_gallery(faces(), 0)


@pytest.mark.real_data
def test_chest_radiographs_are_found_the_more_surely_the_larger_they_are(shared_data: Path) -> None:
    files = sorted((shared_data / "chest_xray" / "train" / "NORMAL").glob("*.jpeg"))[:60]
    gallery = np.stack([np.asarray(Image.open(file).convert("L"))[:, :, None] for file in files])
    curve = success_curves(
        gallery, picture_noise("laplace_per_pixel", beta=1.0), betas=(2.0,), sides=(16, 64), draws=120
    )

    small, large = (point.success for point in curve)

    assert large.interval[0] > small.interval[1]
    hopeless = success_rate(shrink_gallery(gallery, 64), picture_noise("laplace_per_pixel", beta=1e4), draws=120)
    assert contains(hopeless, hopeless.chance)


@pytest.mark.real_data
def test_small_radiographs_are_found_in_spite_of_noise(shared_data: Path) -> None:
    with np.load(shared_data / "pneumoniamnist.npz") as arrays:
        gallery = arrays["test_images"][:100, :, :, None]

    little, much, hopeless = (
        success_rate(gallery, picture_noise("laplace_per_pixel", beta=beta), draws=400) for beta in (1.0, 4.0, 1e4)
    )

    assert little.rate > 0.4
    assert little.interval[0] > much.interval[1]
    assert much.interval[0] > much.chance
    assert contains(hopeless, hopeless.chance)
