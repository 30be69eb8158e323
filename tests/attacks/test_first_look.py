"""The first answers about a noised picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy
from skimage import data, transform

from medpriv_core.attacks.first_look import (
    Answer,
    epsilon_answer,
    first_look,
    found_answer,
    seen_answer,
    undone_answer,
)
from medpriv_core.attacks.reidentification import SuccessRate, success_rate, success_soon
from medpriv_core.attacks.undo import undo
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.comparison import noised_panel
from medpriv_core.mechanisms.laplace import to_unit
from tests.attacks.test_reidentification import faces


def photograph(side: int = 128) -> np.ndarray:
    return np.round(transform.resize(data.camera(), (side, side), anti_aliasing=True) * 255).astype(np.uint8)[..., None]


def look_at(picture: np.ndarray, name: str, beta: float) -> Any:
    noise = picture_noise(name, beta=beta)
    return first_look(picture, noised_panel(picture, noise, seed=(1,)).pixels, noise)


def test_the_eye_blurs_a_little_and_the_computer_undoes_more() -> None:
    picture, noise = photograph(), picture_noise("laplace_per_pixel", beta=2.0)
    shown = noised_panel(picture, noise, seed=(1,)).pixels
    look = first_look(picture, shown, noise)

    blurred = scipy.ndimage.gaussian_filter(shown[:, :, 0].astype(float), 1.0, mode="nearest", truncate=3)
    assert look.seen == pytest.approx(np.corrcoef(blurred.ravel(), picture.ravel())[0, 1], abs=1e-3)
    assert look.agreed == pytest.approx(np.corrcoef(look.undone.ravel(), picture.ravel())[0, 1], abs=1e-3)
    assert look.agreed > look.seen + 0.2


@pytest.mark.parametrize("name", MECHANISMS)
def test_what_is_undone_at_once_is_one_of_all_attempts(name: str) -> None:
    picture, noise = photograph(96), picture_noise(name, beta=1.0)
    shown = noised_panel(picture, noise, seed=(1,)).pixels
    look = first_look(picture, shown, noise)
    same = [one for one in undo(picture, to_unit(shown), noise) if one.title == look.attempt]
    assert len(same) == 1
    np.testing.assert_array_equal(same[0].picture, look.undone)


def test_the_words_follow_the_noise_from_visible_to_hidden() -> None:
    words = [seen_answer(look_at(photograph(), "laplace_per_pixel", beta)).word for beta in (0.1, 1.0, 50.0)]
    assert words == ["visible", "partly", "hidden"]
    assert undone_answer(look_at(photograph(), "laplace_per_pixel", 0.1)).word == "yes"
    assert undone_answer(look_at(photograph(), "laplace_per_pixel", 1000.0)).level == "closed"


def test_a_large_picture_is_judged_on_its_averages_and_undone_in_its_own_size() -> None:
    look = look_at(photograph(515), "laplace_per_pixel", 2.0)
    assert look.undone.shape == (515, 515, 1)
    assert look.agreed is not None
    assert look.agreed > 0.85


def test_a_picture_of_one_colour_shows_nothing() -> None:
    look = look_at(np.full((32, 32, 3), 80, np.uint8), "laplace_per_pixel", 1.0)
    assert (look.seen, look.agreed) == (None, None)
    assert seen_answer(look).word == undone_answer(look).word == "nothing to see"


def test_hits_count_as_found_only_beyond_luck() -> None:
    def level(found: int) -> str:
        return found_answer(SuccessRate(found, 100, 0.01), pictures=100, planned=100).level

    assert [level(found) for found in (1, 12, 60)] == ["closed", "partly", "open"]
    assert found_answer(SuccessRate(7, 10, 0.01), pictures=100, planned=100) == Answer(
        "Patient found among 100?", "7 of 10 times so far", "guessing finds 1 of 100", "open"
    )


def test_epsilon_promises_nothing_where_it_is_large_or_none() -> None:
    def answer(name: str, beta: float) -> Answer:
        return epsilon_answer(picture_noise(name, beta=beta).guarantee((64, 64, 1), delta=1e-5))

    assert answer("laplace_per_image", 1000.0).word == "nothing"
    assert answer("laplace_per_pixel", 1.0).word == "nothing"
    assert answer("laplace_per_pixel", 38.25).word == "a limit"  # ε = 8, science's table
    assert answer("laplace_per_pixel", 500.0).word == "a strong limit"
    assert "(δ = 1e-5)" in answer("laplace_per_pixel", 38.25).detail


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_quick_trial_finds_as_many_as_a_full_one(name: str) -> None:
    """Where the middle of the pictures is enough, the whole is; else the whole is looked at, draw by draw."""
    for beta in (0.02, 2.0):
        noise = picture_noise(name, beta=beta)
        *_, soon = success_soon(faces(), noise, draws=100, seed=3)
        assert soon == success_rate(faces(), noise, draws=100, seed=3)


def test_where_the_middle_is_enough_the_rest_is_not_looked_at() -> None:
    first, *more = success_soon(faces(), picture_noise("laplace_per_pixel", beta=0.02), draws=100)
    assert (first.found, first.draws, more) == (100, 100, [])
    counts = [one.draws for one in success_soon(faces(), picture_noise("laplace_per_pixel", beta=2.0), draws=100)]
    assert counts == list(range(10, 101, 10))
