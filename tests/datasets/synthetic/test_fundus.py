"""A drawn fundus has disc, macula and field of a photograph, and its lesions grow with the grade."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from medpriv_core.datasets.synthetic import draw_fundus

EYES = range(20)
GRADES = range(5)


def photograph(eye: int, grade: int) -> np.ndarray:
    return draw_fundus(image_size=128, label=grade, rng=np.random.default_rng(eye)).astype(float)


@pytest.fixture(scope="module")
def eyes() -> np.ndarray:
    """The same eyes at every grade: shape (grades, eyes, 128, 128, 3)."""
    return np.stack([[photograph(eye, grade) for eye in EYES] for grade in GRADES])


def disc_position(picture: np.ndarray) -> tuple[int, int]:
    """Row and column of the brightest large spot."""
    bright = scipy.ndimage.gaussian_filter(picture[..., 1], 3)
    row, column = np.unravel_index(np.argmax(bright), bright.shape)
    return int(row), int(column)


def dark_spots(picture: np.ndarray) -> float:
    """Mean depth of small dark structures in green light (black top-hat): vessels and blood."""
    green = picture[..., 1]
    inside = scipy.ndimage.binary_erosion(green > 0.3 * np.median(green), iterations=8)
    closed = scipy.ndimage.grey_closing(green, footprint=np.hypot(*np.mgrid[-5:6, -5:6]) <= 5)
    return float((closed - green)[inside].mean() / np.median(green))


def test_a_photograph_is_a_square_colour_picture() -> None:
    picture = draw_fundus(image_size=64, label=3, rng=np.random.default_rng(0))
    assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)


def test_the_field_is_round_on_black_and_red_leads(eyes: np.ndarray) -> None:
    healthy = eyes[0]
    for corner in (healthy[:, :12, :12], healthy[:, :12, -12:], healthy[:, -12:, :12], healthy[:, -12:, -12:]):
        assert corner.max() < 12
    red, green, blue = healthy[:, 50:78, 50:78].reshape(-1, 3).mean(axis=0)
    assert red > 1.3 * green > 1.3 * blue > 10


def test_the_disc_is_brightest_and_the_macula_dark_beside_it(eyes: np.ndarray) -> None:
    for picture in eyes[0]:
        row, column = disc_position(picture)
        assert 45 <= row <= 80
        towards_macula = -1 if column > 64 else 1
        macula = column + towards_macula * 38
        green = scipy.ndimage.gaussian_filter(picture[..., 1], 2)
        assert green[row - 4 : row + 14, macula - 8 : macula + 8].min() < 0.92 * np.median(green[green > 25])


def test_left_and_right_eyes_occur(eyes: np.ndarray) -> None:
    discs_on_the_right = np.mean([disc_position(picture)[1] > 64 for picture in eyes[0]])
    assert 0.2 < discs_on_the_right < 0.8


def test_the_same_eye_shows_more_lesions_at_each_grade(eyes: np.ndarray) -> None:
    changed = (np.abs(eyes - eyes[0]).max(axis=-1) > 20).mean(axis=(1, 2, 3))
    assert changed[0] == 0
    assert changed[1] > 0.0005
    assert changed[2] > 2.5 * changed[1]
    assert changed[3] > 1.5 * changed[2]
    assert changed[4] > 1.2 * changed[2]


def test_small_dark_spots_grow_with_the_grade(eyes: np.ndarray) -> None:
    depth = [np.mean([dark_spots(picture) for picture in pictures]) for pictures in eyes]
    assert depth[0] < depth[1] < depth[2] < depth[3]
    assert depth[2] < depth[4]


def test_yellow_exudates_appear_from_the_moderate_grade_on(eyes: np.ndarray) -> None:
    added_light = np.clip(eyes - eyes[0], 0, None)
    yellow = ((added_light[..., 1] > 40) & (added_light[..., 1] > 1.3 * added_light[..., 0])).mean(axis=(1, 2, 3))
    assert yellow[0] == yellow[1] == 0
    assert 0 < yellow[2] < yellow[3]


def test_proliferation_grows_new_vessels_at_the_disc(eyes: np.ndarray) -> None:
    def blood_at_the_disc(grade: int) -> float:
        shares = []
        for healthy, ill in zip(eyes[0], eyes[grade], strict=True):
            row, column = disc_position(healthy)
            rows, columns = np.mgrid[:128, :128]
            near = np.hypot(rows - row, columns - column) < 15
            shares.append(np.mean((healthy - ill)[..., 1][near] > 15))
        return float(np.mean(shares))

    assert blood_at_the_disc(4) > 3 * blood_at_the_disc(3)


def test_overall_brightness_does_not_tell_the_grade() -> None:
    rng = np.random.default_rng(5)
    grades = np.arange(100) % 5
    brightness = [photograph(int(rng.integers(1_000, 10**9)), int(grade)).mean() for grade in grades]
    assert abs(np.corrcoef(brightness, grades)[0, 1]) < 0.25
