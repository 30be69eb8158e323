"""Several noised copies of one picture."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.attacks.copies import average_copies
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise


def ramp() -> np.ndarray:
    return np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))[:, :, np.newaxis]


@pytest.mark.parametrize("name", ["laplace_per_pixel", "gaussian", "discrete_laplace"])
def test_the_average_of_many_copies_is_the_picture(name: str) -> None:
    """The error falls as one over the root of the number of copies, so 16 times as many leave a quarter of it."""
    mechanism = picture_noise(name, beta=0.5)
    errors = [
        np.sqrt(np.mean((average_copies(ramp(), mechanism, copies=copies, seed=(0,)) - ramp().astype(float)) ** 2))
        for copies in (16, 256)
    ]
    assert errors[1] < 20
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.4)


@pytest.mark.parametrize("name", list(MECHANISMS))
def test_every_mechanism_can_be_averaged_on_every_shape(name: str) -> None:
    for shape in ((16, 16, 1), (17, 40, 3)):
        picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        average = average_copies(picture, picture_noise(name, beta=2), copies=3, seed=(1,))
        assert average.shape == shape
        assert average.dtype == np.uint8


def test_no_copies_are_refused() -> None:
    with pytest.raises(SettingError, match="at least one copy"):
        average_copies(ramp(), picture_noise("gaussian", beta=1), copies=0, seed=(0,))
