"""The linear prior as one more attempt: where it helps, where it does not, and what is said of it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from medpriv_core.attacks.individual import AgainstAverage, gallery_places, square_means
from medpriv_core.attacks.learned import SHARED_NOISE, TOO_SMALL, PriorAttack, learned_side
from medpriv_core.attacks.prior import Prior, estimate, learn, line_of
from medpriv_core.attacks.similarity import likeness
from medpriv_core.attacks.undo import Attempt, attackers_choice, best_in_hindsight, undo
from medpriv_core.datasets.synthetic.chest import draw_chest
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.laplace import clamp, to_bytes, to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from tests.attacks.pictures import bars, coloured_retina, retina
from tests.mechanisms.any_noise import any_noise


@functools.cache
def chests() -> np.ndarray:
    """Drawn chests, uint8 (121, 64, 64, 1)."""
    rng = np.random.default_rng(0)
    return np.stack([draw_chest(image_size=64, label=number % 2, rng=rng) for number in range(121)])[..., None]


@functools.cache
def chest_prior() -> Prior:
    """Learned from all of them but the last."""
    return learn(chests()[:-1])


def attempts_on(picture: np.ndarray, noise: PictureNoise, prior: Prior | None, *, seed: int = 0) -> dict[str, Attempt]:
    released = noise.release(to_unit(picture), np.random.default_rng(seed))
    return {attempt.name: attempt for attempt in undo(picture, released, noise, prior)}


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("name", ["laplace_per_pixel", "gaussian"])
def test_on_an_image_of_its_kind_it_beats_every_filter_and_the_attacker_takes_it(name: str, beta: float) -> None:
    attempts = attempts_on(chests()[-1], picture_noise(name, beta=beta), chest_prior())

    filters = best_in_hindsight(attempt for attempt in attempts.values() if not attempt.is_learned)
    assert list(attempts)[-1] == "prior"
    assert attempts["prior"].title == "Learned from other patients (64 × 64)"
    assert attempts["prior"].likeness.psnr_db > filters.likeness.psnr_db + 2
    assert best_in_hindsight(attempts.values()).is_learned
    assert attackers_choice(attempts.values()).is_learned
    assert attempts["prior"].individual.correlation > filters.individual.correlation + 0.1


def test_the_other_attempts_are_what_they_are_without_it() -> None:
    noise = picture_noise("laplace_per_pixel", beta=1.0)
    alone, beside = (attempts_on(chests()[-1], noise, prior) for prior in (None, chest_prior()))

    assert {*beside} - {*alone} == {"prior"}
    for name, attempt in alone.items():
        np.testing.assert_array_equal(attempt.picture, beside[name].picture)
        assert attempt.likeness == beside[name].likeness
        assert attempt.individual is None


@pytest.mark.parametrize("beta", [0.05, 0.5])
def test_of_an_image_of_another_kind_the_better_attempt_is_shown(beta: float) -> None:
    """A fundus photograph, undone with what chests have in common."""
    attempts = attempts_on(retina(), picture_noise("laplace_per_pixel", beta=beta), chest_prior())

    best = best_in_hindsight(attempts.values())
    assert not best.is_learned
    assert best.likeness.ssim > attempts["prior"].likeness.ssim
    assert not attackers_choice(attempts.values()).is_learned


def test_the_attackers_choice_does_not_look_at_the_original() -> None:
    noise = picture_noise("laplace_per_pixel", beta=1.0)
    released = noise.release(to_unit(chests()[-1]), np.random.default_rng(0))

    with_it, with_another = (
        list(undo(picture, released, noise, chest_prior())) for picture in (chests()[-1], 255 - chests()[-1])
    )

    assert [attempt.risk for attempt in with_it] == [attempt.risk for attempt in with_another]
    assert attackers_choice(with_it).name == attackers_choice(with_another).name


def test_the_attackers_estimate_of_its_error_is_the_true_error() -> None:
    """Far from black and white nothing is clamped, so errors of levels and errors of means are the same."""
    soft = to_bytes(0.4 + 0.2 * chests() / 255)
    noise = picture_noise("gaussian", beta=0.08)

    attempts = attempts_on(soft[-1], noise, learn(soft[:-1]))

    true_error = np.mean((attempts["prior"].picture / 255 - soft[-1] / 255) ** 2)
    assert attempts["prior"].risk.error == pytest.approx(true_error, abs=2.5e-4)


def test_at_64_pixels_it_is_the_linear_estimate() -> None:
    noise = picture_noise("laplace_per_pixel", beta=1.0)
    released = noise.release(to_unit(chests()[-1]), np.random.default_rng(0))

    *_, attempt = undo(chests()[-1], released, noise, chest_prior())

    line = line_of(noise, chest_prior().histogram)
    np.testing.assert_array_equal(attempt.picture, to_bytes(estimate(chest_prior(), clamp(released), line)))
    assert attempt.individual.likeness == attempt.likeness


@pytest.mark.parametrize(("shape", "averaged"), [((128, 128, 1), 4.0), ((256, 192, 1), 12.0), ((1024, 1024, 1), 256.0)])
def test_larger_images_are_averaged_down_which_divides_the_variance(
    shape: tuple[int, int, int], averaged: float
) -> None:
    """Of a flat grey image, the values at 64 × 64 lie about the line as narrowly as is said."""
    noise = picture_noise("laplace_per_pixel", beta=1.0)
    flat = learn(np.full((20, 64, 64, 1), 128, np.uint8))
    clamped = clamp(noise.release(np.full(shape, 128 / 255), np.random.default_rng(0)))

    attack = PriorAttack(flat, clamped, noise)

    values = square_means(clamped, 64)
    assert values.mean() == pytest.approx(attack._line.intercept + attack._line.slope * 128 / 255, abs=0.005)
    assert attack._line.variance == pytest.approx(values.var(), rel=0.1)
    assert attack._line.variance == pytest.approx(line_of(noise, flat.histogram).variance / averaged, rel=1e-6)


def test_a_large_image_gets_an_attempt_that_is_as_coarse_as_the_prior_and_judged_so() -> None:
    large = np.kron(chests()[-1], np.ones((4, 3, 1))).astype(np.uint8)
    stripes = np.tile(np.array([0, 60], np.uint8), (256, 96))[:, :, None]
    striped = np.clip(large.astype(int) + stripes - 30, 0, 255).astype(np.uint8)

    attempt = attempts_on(striped, picture_noise("laplace_per_pixel", beta=1.0), chest_prior())["prior"]

    assert attempt.picture.shape == striped.shape
    assert attempt.judged_at == (256, 192)
    # The stripes are finer than it can be: at full size that counts against it, at its own size nobody asks for them.
    assert attempt.likeness.psnr_db < attempt.individual.likeness.psnr_db - 3
    assert attempt.individual.square.shape == (64, 64, 1)


def test_cells_of_a_mosaic_are_what_is_learned_from() -> None:
    noise = any_noise("dp_pix", beta=0.5, block=4)
    large = np.kron(chests(), np.ones((1, 2, 2, 1))).astype(np.uint8)
    small = np.stack([to_bytes(square_means(to_unit(one), 32)) for one in large])

    attempts = attempts_on(large[-1], noise, learn(small[:-1]))

    assert learned_side((128, 128, 1), noise) == 32
    assert attempts["prior"].title.endswith("(32 × 32)")
    assert best_in_hindsight(attempts.values()).is_learned


@pytest.mark.parametrize("beta", [0.5, 4.0])
def test_colour_is_learned_with_its_colours(beta: float) -> None:
    tints = np.random.default_rng(0).uniform(0.5, 1, (121, 1, 1, 3))
    images = to_bytes(chests() / 255 * tints)

    attempts = attempts_on(images[-1], picture_noise("gaussian", beta=beta), learn(images[:-1]))

    assert attempts["prior"].picture.shape == (64, 64, 3)
    assert best_in_hindsight(attempts.values()).is_learned


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("beta", [1e-3, 1.0, 1e4])
def test_one_or_two_images_to_learn_from_are_no_difficulty(images: int, beta: float) -> None:
    attempts = attempts_on(chests()[-1], picture_noise("laplace_per_pixel", beta=beta), learn(chests()[:images]))

    assert np.isfinite(attempts["prior"].likeness.psnr_db)
    assert best_in_hindsight(attempts.values()) in attempts.values()
    if beta < 1:  # what is there to see is seen by filters
        assert not attackers_choice(attempts.values()).is_learned


@pytest.mark.parametrize("grey", [0, 255])
def test_images_of_one_colour_are_no_difficulty(grey: int) -> None:
    constant = np.full((64, 64, 1), grey, np.uint8)
    noise = picture_noise("laplace_per_pixel", beta=1.0)

    learned = attempts_on(chests()[-1], noise, learn(np.repeat(constant[None], 10, axis=0)))
    attacked = attempts_on(constant, noise, chest_prior())

    assert learned["prior"].individual.correlation is None
    assert not best_in_hindsight(learned.values()).is_learned
    assert attacked["prior"].likeness.correlation is None
    assert attackers_choice(attacked.values()) in attacked.values()


def test_where_nothing_is_released_the_answer_is_the_average_and_none_of_it_is_individual() -> None:
    attempts = [
        attempts_on(chests()[-1], picture_noise("laplace_per_pixel", beta=1e4), chest_prior(), seed=seed)["prior"]
        for seed in range(10)
    ]

    for attempt in attempts:
        floor = attempt.individual.average
        assert attempt.likeness.psnr_db == pytest.approx(floor.psnr_db, abs=0.1)
        assert attempt.likeness.correlation == pytest.approx(floor.correlation, abs=0.01)
    assert abs(np.mean([attempt.individual.correlation for attempt in attempts])) < 0.3


def test_it_is_not_offered_where_it_could_not_help() -> None:
    shift, pixels = picture_noise("laplace_per_image", beta=1.0), picture_noise("laplace_per_pixel", beta=1.0)

    assert learned_side((256, 256, 1), shift) == SHARED_NOISE
    assert learned_side((15, 256, 1), pixels) == TOO_SMALL
    assert learned_side((100, 100, 1), any_noise("dp_pix", beta=1.0, block=8)) == TOO_SMALL
    assert [learned_side((height, 70, 3), pixels) for height in (16, 28, 64, 1024)] == [16, 28, 64, 64]
    for name in MECHANISMS:
        side = learned_side((256, 256, 1), any_noise(name, beta=1.0, block=8))
        assert side == {"laplace_per_image": SHARED_NOISE, "dp_pix": 32}.get(name, 64)


def test_a_prior_that_does_not_fit_is_refused_before_any_work() -> None:
    chest, noise = chests()[-1], picture_noise("laplace_per_pixel", beta=1.0)
    with pytest.raises(SettingError, match="One number is added"):
        undo(chest, to_unit(chest), picture_noise("laplace_per_image", beta=1.0), chest_prior())
    with pytest.raises(SettingError, match="48 × 48 pixels and 1 channels, not 64 × 64 and 1"):
        undo(chest[:48, :48], to_unit(chest[:48, :48]), noise, chest_prior())
    with pytest.raises(SettingError, match="64 × 64 pixels and 3 channels"):
        undo(coloured_retina(), to_unit(coloured_retina()), noise, chest_prior())


def test_what_is_individual_is_measured_against_the_average() -> None:
    average = square_means(to_unit(bars(64, 64, 1)), 32)
    original = np.clip(bars(64, 64, 1).astype(int) + 40 * (np.indices((64, 64)).sum(axis=0) < 40)[..., None], 0, 255)
    against = AgainstAverage(original.astype(np.uint8), average)

    itself = against.measure(square_means(original / 255, 32))
    nobody = against.measure(average)
    halfway = against.measure(0.5 * average + 0.5 * square_means(original / 255, 32))

    assert itself.correlation == pytest.approx(1, abs=1e-5)
    assert nobody.correlation is None
    assert nobody.likeness == nobody.average == itself.average
    assert halfway.correlation == pytest.approx(1, abs=1e-5)
    assert nobody.likeness == likeness(to_bytes(square_means(original / 255, 32)), to_bytes(average))


def test_the_place_in_a_gallery_counts_equals_as_before() -> None:
    gallery = np.concatenate([chests()[:5], chests()[4:5]])
    squares = [to_unit(chests()[2]), to_unit(chests()[4]), np.full((64, 64, 1), 0.5, np.float32)]

    assert gallery_places(squares[:1], gallery, 2) == [1]
    assert gallery_places(squares, gallery, 5)[1] == 2
    assert gallery_places([square_means(one, 16) for one in squares], gallery, 2)[0] == 1
    assert gallery_places(squares, gallery[:, :32, :32], 2) is None
    with pytest.raises(SettingError, match="as many colours"):
        gallery_places(squares, np.repeat(gallery, 3, axis=3), 2)
