from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from medpriv_core.attacks.samples import LARGEST_SIDE, MeanInversion, expand, read_samples, shrink
from medpriv_core.attacks.undo import Attempt, attackers_choice, best_in_hindsight, undo
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.laplace import to_bytes, to_unit
from tests.attacks.pictures import bars, coloured_retina, retina, retina_unit, synthetic_chest
from tests.mechanisms.any_noise import any_noise

NOISE_FOR_EACH_VALUE = [name for name in MECHANISMS if name != "laplace_per_image"]


def attempts_on(picture: np.ndarray, name: str, beta: float, *, seed: int = 0) -> dict[str, Attempt]:
    mechanism = any_noise(name, beta=beta, block=min(8, *picture.shape[:2]))
    released = mechanism.release(to_unit(picture), np.random.default_rng(seed))
    return {attempt.name: attempt for attempt in undo(picture, released, mechanism)}


@pytest.fixture(scope="module")
def retina_attempts() -> dict[float, dict[str, Attempt]]:
    """Attempts on the retina, with noise from one generator for beta = 1, 2, 4 in turn, as the table was made."""
    rng = np.random.default_rng(0)
    found = {}
    for beta in (1.0, 2.0, 4.0):
        released = (retina_unit() + rng.laplace(0, beta, (256, 256)))[:, :, None]
        attempts = undo(retina(), released, picture_noise("laplace_per_pixel", beta=beta))
        found[beta] = {attempt.name: attempt for attempt in attempts}
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("as_released", {1: (6.95, 0.008, 0.17), 2: (6.01, 0.005, 0.09), 4: (5.52, 0.004, 0.05)}),
        ("gaussian_4", {1: (21.3, 0.52, 0.90), 2: (16.4, 0.31, 0.71), 4: (12.0, 0.16, 0.47)}),
        ("gaussian_8", {1: (23.2, 0.67, 0.93), 2: (20.4, 0.61, 0.86), 4: (16.8, 0.48, 0.71)}),
        ("total_variation_4", {1: (22.6, 0.55, 0.92), 2: (18.4, 0.36, 0.80), 4: (13.8, 0.20, 0.56)}),
    ],
)
def test_the_published_table_of_the_retina_comes_out_again(
    retina_attempts: dict[float, dict[str, Attempt]], name: str, expected: dict[int, tuple[float, float, float]]
) -> None:
    """The picture is ``skimage.transform.resize(rgb2gray(retina()), anti_aliasing=True)``."""
    for beta, (psnr_db, ssim, correlation) in expected.items():
        found = retina_attempts[beta][name].likeness

        assert found.psnr_db == pytest.approx(psnr_db, abs=0.5)
        assert found.ssim == pytest.approx(ssim, abs=0.03)
        assert found.correlation == pytest.approx(correlation, abs=0.03)


def test_the_privacy_score_is_far_from_what_the_noised_picture_looks_like(
    retina_attempts: dict[float, dict[str, Attempt]],
) -> None:
    for attempts in retina_attempts.values():
        best = best_in_hindsight(attempts.values())

        assert attempts["as_released"].likeness.ssim < 0.01
        assert best.likeness.ssim > 0.6
        assert best.likeness.ssim == max(attempt.likeness.ssim for attempt in attempts.values())


def test_the_median_is_right_without_inversion(retina_attempts: dict[float, dict[str, Attempt]]) -> None:
    # Inverting the mean curve on top gives 13.9 dB.
    assert retina_attempts[1.0]["median"].likeness.psnr_db > 21


@pytest.mark.parametrize("beta", [0.02, 0.3, 16.0])
@pytest.mark.parametrize("name", ["laplace_per_pixel", "gaussian"])
def test_an_attacker_without_the_original_chooses_nearly_the_best(name: str, beta: float) -> None:
    """Nearly: at beta = 0.3 filters of least squared error differ from those of best SSIM."""
    for picture in (retina()[::2, ::2], coloured_retina(), synthetic_chest(), bars(120, 90, 1)):
        attempts = attempts_on(picture, name, beta)
        best, chosen = best_in_hindsight(attempts.values()), attackers_choice(attempts.values())

        assert chosen.likeness.ssim > best.likeness.ssim - 0.13
        assert chosen.likeness.psnr_db > best.likeness.psnr_db - 0.8


def test_the_attackers_choice_does_not_look_at_the_original() -> None:
    mechanism = picture_noise("laplace_per_pixel", beta=1.0)
    released = mechanism.release(to_unit(coloured_retina()), np.random.default_rng(0))

    with_it = list(undo(coloured_retina(), released, mechanism))
    with_another = list(undo(255 - coloured_retina(), released, mechanism))

    assert [attempt.risk for attempt in with_it] == [attempt.risk for attempt in with_another]
    assert attackers_choice(with_it).name == attackers_choice(with_another).name
    assert best_in_hindsight(with_it).likeness.ssim > best_in_hindsight(with_another).likeness.ssim + 0.1


def test_the_attackers_estimate_of_an_error_is_the_true_error() -> None:
    """Far from black and white nothing is clamped, so errors of levels and errors of means are the same."""
    clean = 0.4 + 0.2 * retina_unit()[:, :, None]
    mechanism = picture_noise("gaussian", beta=0.08)
    released = clean + np.random.default_rng(0).normal(0, 0.08, clean.shape)

    attempts = {attempt.name: attempt for attempt in undo(to_bytes(clean), released, mechanism)}

    for name in ("as_released", "gaussian_2", "gaussian_8", "blocks_8", "spectrum", "total_variation_1"):
        true_error = np.mean((attempts[name].picture / 255 - clean) ** 2)
        assert attempts[name].risk.error == pytest.approx(true_error, rel=0.05, abs=2e-5), name
    assert attempts["median"].risk is None


def test_little_noise_is_best_left_alone_and_the_attacker_knows() -> None:
    checkered = (np.indices((64, 64)).sum(axis=0)[:, :, None] % 2 * 100 + 78).astype(np.uint8)

    attempts = attempts_on(checkered, "laplace_per_pixel", 0.01)

    assert attackers_choice(attempts.values()).likeness.ssim > 0.98


@pytest.mark.parametrize("name", NOISE_FOR_EACH_VALUE)
@pytest.mark.parametrize("shape", [(16, 16, 1), (16, 5, 3), (37, 64, 3), (1, 16, 1)])
def test_every_mechanism_and_shape_gives_all_attempts(name: str, shape: tuple[int, int, int]) -> None:
    picture = bars(*shape)

    attempts = attempts_on(picture, name, 0.5)

    assert len(attempts) == 14
    for attempt in attempts.values():
        assert attempt.picture.shape == shape
        assert attempt.picture.dtype == np.uint8
    assert attackers_choice(attempts.values()) in attempts.values()
    assert best_in_hindsight(attempts.values()) in attempts.values()


@pytest.mark.parametrize("name", list(MECHANISMS))
def test_a_picture_of_one_colour_is_no_difficulty(name: str) -> None:
    attempts = attempts_on(np.full((32, 32, 1), 200, np.uint8), name, 0.5)

    for attempt in attempts.values():
        assert attempt.likeness.correlation is None
    if name != "laplace_per_image":
        assert attackers_choice(attempts.values()).likeness.psnr_db > 15


@pytest.mark.parametrize("name", list(MECHANISMS))
@pytest.mark.parametrize("beta", [1e-3, 1e4])
def test_extreme_noise_gives_pictures_too(name: str, beta: float) -> None:
    picture = coloured_retina()

    best = best_in_hindsight(attempts_on(picture, name, beta).values())

    if beta < 1 and name != "dp_pix":
        assert best.likeness.ssim > 0.95
    if beta > 1:
        # Some of the noise is exact and so has no seed: a few broad patches may resemble the picture by chance,
        # but they never come near a guess of one flat colour.
        unit = picture / 255
        flat_colour_db = -10 * np.log10(np.mean((unit - unit.mean((0, 1))) ** 2))
        assert best.likeness.psnr_db < flat_colour_db


def shifted(picture: np.ndarray, shift: float) -> dict[str, Attempt]:
    mechanism = picture_noise("laplace_per_image", beta=1.0)
    return {attempt.name: attempt for attempt in undo(picture, to_unit(picture) + np.float32(shift), mechanism)}


@pytest.mark.parametrize("shift", [-0.4, -0.1, 0.0, 0.1, 0.4])
def test_one_number_for_the_whole_picture_is_guessed_from_black_and_white(shift: float) -> None:
    full_range = np.linspace(0, 255, 64 * 64).reshape(64, 64, 1).astype(np.uint8)

    attempts = shifted(full_range, shift)
    chosen = attackers_choice(attempts.values())

    visible = (to_unit(full_range) + shift > 0) & (to_unit(full_range) + shift < 1)
    assert chosen.name == "shift"
    np.testing.assert_allclose(chosen.picture[visible], full_range[visible], atol=1)
    assert set(attempts) == {"as_released", "shift", "stretch"}


def test_a_shift_of_a_real_picture_is_undone_but_for_what_it_saturated() -> None:
    dark, bright = shifted(retina(), -0.2), shifted(retina(), 0.2)

    assert attackers_choice(bright.values()).likeness.correlation > 0.98
    assert best_in_hindsight(dark.values()).likeness.correlation > 0.8


def test_a_picture_shifted_to_one_colour_is_gone() -> None:
    attempts = shifted(retina(), 3.0)

    assert all(attempt.likeness.correlation is None for attempt in attempts.values())


def test_attempts_arrive_one_by_one() -> None:
    mechanism = picture_noise("laplace_per_pixel", beta=1.0)
    released = mechanism.release(to_unit(coloured_retina()), np.random.default_rng(0))

    attempts = undo(coloured_retina(), released, mechanism)

    assert isinstance(attempts, Iterator)
    assert next(attempts).name == "as_released"
    np.testing.assert_array_equal(next(iter(undo(coloured_retina(), released, mechanism))).picture, to_bytes(released))


def test_a_large_picture_is_worked_on_in_a_reduced_copy_that_the_attempt_names() -> None:
    large = np.kron(retina(), np.ones((2, 4, 1))).astype(np.uint8)

    attempts = attempts_on(large, "laplace_per_pixel", 1.0)

    for attempt in attempts.values():
        assert attempt.picture.shape == (512, 1024, 1)
        assert attempt.judged_at == (128, 256)
    # Each value is the mean of 16, so the noise is a quarter, and more comes back than from 256 x 256 pixels.
    assert best_in_hindsight(attempts.values()).likeness.psnr_db > 23.5


def test_samples_of_a_reduced_picture_are_means_and_expand_to_its_shape() -> None:
    picture = np.random.default_rng(0).random((2 * LARGEST_SIDE + 2, 51, 1)).astype(np.float32)

    samples = read_samples(picture, picture_noise("gaussian", beta=9.0))

    assert samples.values.shape == (214, 17, 1)
    assert (samples.pixels, samples.averaged) == (3, True)
    assert samples.values[0, 2, 0] == pytest.approx(picture[0:3, 6:9].mean(), rel=1e-5)
    # Uniform noise has a deviation of sqrt(1/12), means of nine a third of it.
    assert samples.noise_deviation == pytest.approx(np.sqrt(1 / 12) / 3, rel=0.05)
    assert expand(samples.values, picture.shape).shape == picture.shape
    slope = np.linspace(0, 1, 60)[:, None, None] * np.ones((60, 40, 1), np.float32)
    np.testing.assert_allclose(expand(shrink(slope, 3), slope.shape)[3:-3], slope[3:-3], atol=1e-5)


def test_samples_of_a_pixelised_picture_are_its_cells() -> None:
    mechanism = picture_noise("dp_pix", beta=0.01, block=8)
    picture = coloured_retina()[:90, :70]

    samples = read_samples(np.clip(mechanism.release(to_unit(picture), np.random.default_rng(0)), 0, 1), mechanism)

    assert samples.values.shape == (11, 8, 3)
    assert (samples.pixels, samples.averaged) == (8, False)
    np.testing.assert_allclose(samples.values[0, 0], picture[:8, :8].mean(axis=(0, 1)) / 255, atol=0.05)


def test_smoothing_brings_cells_of_a_pixelised_picture_nearer_to_the_original() -> None:
    attempts = attempts_on(retina(), "dp_pix", 1.0)

    best = best_in_hindsight(attempts.values())
    assert best.likeness.ssim > attempts["as_released"].likeness.ssim + 0.2
    assert attackers_choice(attempts.values()).likeness.ssim > best.likeness.ssim - 0.1


def test_the_noise_level_is_what_clamping_leaves_and_never_more_than_the_mechanisms() -> None:
    rng = np.random.default_rng(0)
    strong = np.clip(0.5 + rng.laplace(0, 4, (256, 256, 1)), 0, 1)
    weak = np.clip(bars(256, 256, 1) / 255 + rng.laplace(0, 0.01, (256, 256, 1)), 0, 1)

    found = read_samples(strong, picture_noise("laplace_per_pixel", beta=4.0)).noise_deviation
    assert found == pytest.approx(strong.std(), rel=0.02)
    assert read_samples(weak, picture_noise("laplace_per_pixel", beta=0.01)).noise_deviation <= 0.0142


@pytest.mark.parametrize("beta", [0.01, 1.0, 4.0, 1e4])
def test_the_mean_curve_is_inverted_to_a_thousandth(beta: float) -> None:
    levels = np.linspace(0, 1, 317)
    means = levels + beta / 2 * (np.exp(-levels / beta) - np.exp(-(1 - levels) / beta))
    inversion = MeanInversion(picture_noise("laplace_per_pixel", beta=beta).clamped_mean)

    np.testing.assert_allclose(inversion.level(means), levels, atol=1e-3)
    assert inversion.level(np.array([-1.0, 2.0])).tolist() == [0, 1]


def test_what_cannot_be_compared_is_refused_before_any_work() -> None:
    mechanism = picture_noise("laplace_per_pixel", beta=1.0)
    with pytest.raises(SettingError, match="same height and width"):
        undo(retina(), np.zeros((16, 16, 1)), mechanism)
    with pytest.raises(SettingError, match="8 bits"):
        undo(retina(), np.full((256, 256, 1), np.nan), mechanism)
    with pytest.raises(SettingError, match="8 bits"):
        undo(retina() / 255, np.zeros((256, 256, 1)), mechanism)
    with pytest.raises(SettingError, match="no attempt"):
        attackers_choice([])
