"""Every mechanism by its name: what it draws, its mean curve, and the guarantee it claims for what it drew."""

from __future__ import annotations

import ast
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.in_runs import kinds_of_noise
from tests.mechanisms.any_noise import any_noise

PROJECT = Path(__file__).resolve().parents[2]
PER_PIXEL = ["laplace_per_pixel", "gaussian", "discrete_laplace"]


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def flat(level: float, *, side: int = 120) -> np.ndarray:
    return np.full((side, side, 1), round(level * 255) / 255, dtype=np.float32)


def test_the_catalog_is_complete() -> None:
    assert list(MECHANISMS) == ["laplace_per_pixel", "laplace_per_image", "gaussian", "discrete_laplace", "dp_pix"]
    for name, info in MECHANISMS.items():
        assert picture_noise(name, beta=1.0).name == info.name == name
        assert info.title
        assert "\n" not in info.formula
        assert info.explanation.endswith(".")
    assert [name for name, info in MECHANISMS.items() if info.fit_for_release] == ["discrete_laplace"]


@pytest.mark.parametrize("name", MECHANISMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_release_has_the_picture_s_shape_and_is_not_clamped(name: str, channels: int) -> None:
    picture = rng().random((20, 33, channels), dtype=np.float32)
    released = any_noise(name, beta=20.0, changed_pixels=64).release(picture, rng())
    assert released.shape == picture.shape
    assert released.dtype == np.float32
    assert released.min() < 0 or released.max() > 1


@pytest.mark.parametrize("name", MECHANISMS)
def test_hardly_any_noise_leaves_the_picture(name: str) -> None:
    picture = np.round(rng().random((16, 24, 3), dtype=np.float32) * 255) / np.float32(255)
    released = any_noise(name, beta=0.001, block=1, changed_pixels=1).release(picture, rng())
    assert np.abs(released - picture).max() < 0.02


@pytest.mark.parametrize("name", PER_PIXEL)
@pytest.mark.parametrize("beta", [0.3, 2.0])
def test_noise_has_the_deviation_it_claims_and_is_drawn_for_each_value(name: str, beta: float) -> None:
    mechanism = picture_noise(name, beta=beta)
    noise = (mechanism.release(flat(0.4), rng()) - flat(0.4)).ravel()
    assert noise.std() == pytest.approx(mechanism.noise_deviation, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=5 * mechanism.noise_deviation / 120)
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.04


def test_gaussian_noise_is_gaussian() -> None:
    noise = (picture_noise("gaussian", beta=2.0).release(flat(0.4), rng()) - flat(0.4)).ravel()
    assert scipy.stats.kstest(noise, scipy.stats.norm(scale=2.0).cdf).pvalue > 0.001


@pytest.mark.parametrize("name", [*PER_PIXEL, "dp_pix"])
@pytest.mark.parametrize("beta", [0.2, 1.0])
@pytest.mark.parametrize("level", [0.0, 0.2, 0.8])
def test_clamped_values_have_the_mean_that_an_attacker_inverts(name: str, beta: float, level: float) -> None:
    mechanism = any_noise(name, beta=beta, block=1, changed_pixels=1)
    picture = flat(level)
    mean = np.clip(mechanism.release(picture, rng()), 0, 1).mean()
    curve = mechanism.clamped_mean(picture[0, 0])
    assert curve is not None
    # A clamped value deviates by at most 1/2, and there are 14,400 of them.
    assert mean == pytest.approx(float(curve[0]), abs=5 * 0.5 / 120)


@pytest.mark.parametrize(("beta", "mean"), [(1.0, 0.615299), (2.0, 0.565483), (4.0, 0.535003)])
def test_the_published_means_of_clamped_laplace_noise(beta: float, mean: float) -> None:
    curve = picture_noise("laplace_per_pixel", beta=beta).clamped_mean(np.array([0.8]))
    assert curve is not None
    assert curve[0] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("name", [*PER_PIXEL, "dp_pix"])
@pytest.mark.parametrize("beta", [0.001, 0.05, 1.0, 1000.0])
def test_the_mean_curve_rises_and_keeps_mid_grey(name: str, beta: float) -> None:
    levels = np.linspace(0, 1, 256)
    curve = picture_noise(name, beta=beta).clamped_mean(levels)
    assert curve is not None
    assert (np.diff(curve) > 0).all()
    assert curve[0] >= 0
    assert curve[-1] <= 1
    assert picture_noise(name, beta=beta).clamped_mean(np.array(0.5)) == pytest.approx(0.5, abs=1e-9)


def test_one_number_for_the_picture_has_no_mean_to_invert() -> None:
    mechanism = picture_noise("laplace_per_image", beta=1.0)
    assert mechanism.clamped_mean(np.array([0.5])) is None
    assert np.ptp(mechanism.release(flat(0.4), rng())) == 0


@pytest.mark.parametrize("name", sorted(set(MECHANISMS) - {"discrete_laplace"}))
def test_demonstrations_repeat_with_their_seed(name: str) -> None:
    mechanism = picture_noise(name, beta=1.0)
    first, again = (mechanism.release(flat(0.4, side=16), np.random.default_rng(3)) for _ in range(2))
    other = mechanism.release(flat(0.4, side=16), np.random.default_rng(4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", MECHANISMS)
def test_pictures_without_pixels_or_numbers_are_refused(name: str) -> None:
    mechanism = picture_noise(name, beta=1.0)
    with pytest.raises(SettingError, match="no pixel"):
        mechanism.release(np.zeros((0, 16, 1)), rng())
    with pytest.raises(SettingError, match="not numbers"):
        mechanism.release(np.full((16, 16, 1), math.nan), rng())


@pytest.mark.parametrize("name", MECHANISMS)
def test_values_outside_the_range_are_clamped_before_the_noise(name: str) -> None:
    mechanism = any_noise(name, beta=0.001, block=1, changed_pixels=1)
    released = mechanism.release(np.full((16, 16, 1), 7.0), rng())
    assert released.max() < 1.1


@pytest.mark.parametrize("name", MECHANISMS)
@pytest.mark.parametrize("beta", [0.0, math.nan, 1e9])
def test_impossible_betas_are_refused(name: str, beta: float) -> None:
    with pytest.raises(SettingError, match="beta must be between"):
        picture_noise(name, beta=beta)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SettingError, match=r"mechanism must be one of laplace_per_pixel, .* but is 'blur'"):
        picture_noise("blur", beta=1.0)


@pytest.mark.parametrize("name", MECHANISMS)
def test_the_guarantee_is_that_of_the_mechanism(name: str) -> None:
    guarantee = picture_noise(name, beta=2.0).guarantee((64, 64, 1), delta=1e-6, copies=3)
    assert (guarantee.beta, guarantee.delta, guarantee.copies) == (2.0, 1e-6, 3)


def test_heavy_libraries_load_only_when_they_are_needed() -> None:
    script = (
        "import sys\n"
        "from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise\n"
        "for name in MECHANISMS: picture_noise(name, beta=1.0).guarantee((64, 64, 1))\n"
        "print(*sorted({'opendp', 'dp_accounting', 'sklearn'} & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


# Where such a name may stand, and why.
NAMED = {
    "medpriv_core/results/authors.py": "what the authors did is data",
    "medpriv_core/sweeps/paper.py": "what the paper compares is data",
    "medpriv_core/privacy/image_epsilon.py": "gaussian is the name of an accountant, too",
    "medpriv_core/privacy/dp_sgd.py": "the same",
    "medpriv_core/privacy/statement.py": "the same",
}


def test_nobody_else_asks_which_mechanism_it_is() -> None:
    names = {*MECHANISMS, *kinds_of_noise()}
    files = [file for folder in ("medpriv_core", "pages") for file in (PROJECT / folder).rglob("*.py")]
    found = {
        file.relative_to(PROJECT).as_posix()
        for file in files
        if file.parent.name != "mechanisms"
        and any(
            isinstance(node, ast.Constant) and node.value in names
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
        )
    }
    assert found == set(NAMED)
