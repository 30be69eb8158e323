"""Noise that belongs to a picture: Laplace, repeatable with the secret, and without it like any other noise."""

from __future__ import annotations

import hashlib
import math
import struct

import numpy as np
import pytest
import scipy
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.keyed_laplace import keyed_laplace, unit_laplace
from medpriv_core.mechanisms.laplace import laplace_clamped_mean

SECRET = bytes(range(32))


def pictures(count: int = 4, side: int = 16, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def noise(picture: np.ndarray, secret: bytes = SECRET, beta: float = 1.0, draw: str = "per_pixel") -> np.ndarray:
    return keyed_laplace(picture, secret=secret, beta=beta, draw=draw)


def test_the_numbers_follow_the_laplace_distribution() -> None:
    keys = [hashlib.sha256(bytes([n])).digest() for n in range(20)]
    values = np.concatenate([unit_laplace(key, 50_000) for key in keys])
    assert scipy.stats.kstest(values, "laplace").pvalue > 1e-3
    assert scipy.stats.kstest(values[1::2] - values[::2], lambda x: _difference_cdf(x)).pvalue > 1e-3
    tails = np.array([np.mean(np.abs(values) > t) for t in (5, 8, 10)])
    expected = np.exp([-5, -8, -10])
    assert np.all(np.abs(tails - expected) < 5 * np.sqrt(expected / len(values)))


def _difference_cdf(x: np.ndarray) -> np.ndarray:
    """Of the difference of two independent Laplace numbers, in closed form."""
    t = np.abs(x)
    upper = 1 - np.exp(-t) * (2 + t) / 4
    return np.where(x >= 0, upper, 1 - upper)


def test_the_numbers_are_those_of_aes_in_counter_mode_and_of_the_logarithm() -> None:
    key = hashlib.sha256(b"key").digest()
    block = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()  # the bare cipher, counted by hand
    stream = b"".join(block.update(counter.to_bytes(16, "big")) for counter in range(50))
    words = struct.unpack("<100Q", stream)
    expected = [(1 if word & 1 else -1) * math.log((2 * (word >> 1) + 1) / 2**64) for word in words]
    np.testing.assert_allclose(unit_laplace(key, 100), expected, rtol=1e-14)


def test_a_noised_picture_is_the_picture_plus_its_numbers_clamped_and_rounded() -> None:
    flat = np.full((300, 32, 32, 1), 64, dtype=np.uint8)
    flat[:, 0, 0, 0] = np.arange(300) % 256  # each another picture
    flat[:, 0, 1, 0] = np.arange(300) // 256
    noised = noise(flat, beta=0.5)[:, 1:].astype(float) / 255
    mean = laplace_clamped_mean(np.array([64 / 255]), scale=0.5)[0]
    assert abs(noised.mean() - mean) < 5 * noised.std() / math.sqrt(noised.size)
    black = 0.5 * math.exp(-(64 - 0.5) / 255 / 0.5)
    assert abs((noised == 0).mean() - black) < 5 * math.sqrt(black / noised.size)


def test_the_same_picture_always_gets_the_same_noise_whatever_stands_beside_it() -> None:
    some = pictures()
    alone = np.concatenate([noise(some[n : n + 1]) for n in range(len(some))])
    assert np.array_equal(noise(some), alone)
    assert np.array_equal(noise(some[::-1]), alone[::-1])
    assert np.array_equal(noise(np.concatenate([pictures(seed=1), some]))[4:], alone)
    assert np.array_equal(noise(np.asfortranarray(some)), alone)


@pytest.mark.parametrize(
    "other",
    [
        lambda one: noise(one, secret=SECRET[::-1]),
        lambda one: noise(one, secret=SECRET[:-1] + b"\0"),
        lambda one: noise(one, beta=np.nextafter(1.0, 2)),
        lambda one: noise(one.reshape(1, 32, 8, 1)).reshape(one.shape),
        lambda one: noise(one ^ np.eye(1, one.size, dtype=np.uint8).reshape(one.shape)),  # one pixel by one level
    ],
    ids=["secret", "a byte of the secret", "beta", "shape", "one pixel"],
)
def test_whatever_decides_about_a_release_gives_noise_that_has_nothing_in_common(other) -> None:
    middle = np.full((1, 16, 16, 1), 128, dtype=np.uint8)
    first, second = (values.astype(float).ravel() - 128 for values in (noise(middle), other(middle)))
    assert (first == second).mean() < 0.6  # half of all are black or white by clamping, in either
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(first.size)


def test_neighbouring_pixels_and_pictures_have_independent_noise() -> None:
    values = np.stack([unit_laplace(hashlib.sha256(bytes([n])).digest(), 5000) for n in range(8)])
    correlations = np.corrcoef(values)[np.triu_indices(8, 1)]
    assert np.abs(correlations).max() < 5 / math.sqrt(5000)
    assert abs(np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]) < 5 / math.sqrt(values.size)


def test_one_number_for_the_whole_picture() -> None:
    middle = np.full((200, 4, 4, 3), 128, dtype=np.uint8)
    middle[:, 0, 0, 0] = np.arange(200)
    noised = noise(middle, beta=0.05, draw="per_image")
    rest = noised[:, 1:]
    assert np.all(rest == rest[:, :1, :1, :1])
    shifts = (rest[:, 0, 0, 0].astype(float) - 128) / 255 / 0.05
    assert scipy.stats.kstest(shifts, "laplace").pvalue > 1e-3


def test_large_pictures_go_on_in_the_same_stream() -> None:
    large = pictures(count=1, side=300, channels=3)
    large[...] = 128
    values = (noise(large, beta=0.01).astype(float).ravel() - 128) / 255 / 0.01
    halves = values[: len(values) // 2], values[len(values) // 2 : 2 * (len(values) // 2)]
    assert abs(np.corrcoef(*halves)[0, 1]) < 5 / math.sqrt(len(halves[0]))
    assert (
        scipy.stats.kstest(values + np.random.default_rng(0).uniform(-0.2, 0.2, len(values)), "laplace").statistic
        < 0.02
    )


def test_impossible_settings_are_refused() -> None:
    for settings, message in (
        ({"beta": 0.0}, "beta"),
        ({"draw": "per_row"}, "noise_draw must be one of"),
        ({"secret": b"short"}, "needs 16 bytes or more"),
    ):
        with pytest.raises(SettingError, match=message):
            noise(pictures(), **settings)
