"""Noise that belongs to a picture: repeatable with the secret, and without it like any other noise of its law."""

from __future__ import annotations

import hashlib
import math
import struct
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
import scipy
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms import keyed
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.mechanisms.keyed import KeyedNoise, keyed_release
from medpriv_core.mechanisms.laplace import laplace_clamped_mean, to_bytes
from medpriv_core.mechanisms.sources import CountedNoise
from tests.mechanisms.any_noise import any_noise

SECRET = bytes(range(32))


def pictures(count: int = 4, side: int = 16, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def noise(
    picture: np.ndarray, secret: bytes = SECRET, beta: float = 1.0, name: str = "laplace_per_pixel", **own: int
) -> np.ndarray:
    return keyed_release(picture, picture_noise(name, beta=beta, **own), secret=secret)


def unit_laplace(key: bytes, count: int) -> np.ndarray:
    return KeyedNoise(key).laplace(1.0, (count,))


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
        lambda one: noise(one, beta=float(np.nextafter(1.0, 2))),
        lambda one: noise(one.reshape(1, 32, 8, 1)).reshape(one.shape),
        lambda one: noise(one ^ np.eye(1, one.size, dtype=np.uint8).reshape(one.shape)),  # one pixel by one level
    ],
    ids=["secret", "a byte of the secret", "beta", "shape", "one pixel"],
)
def test_whatever_decides_about_a_release_gives_noise_that_has_nothing_in_common(other: Any) -> None:
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
    noised = noise(middle, beta=0.05, name="laplace_per_image")
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


def test_a_secret_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(SettingError, match="needs 16 bytes or more"):
        noise(pictures(), secret=b"short")


@pytest.mark.parametrize(
    ("name", "beta", "digest"),
    [
        ("laplace_per_pixel", 0.3, "39bd109c01075cd6b798dbbad66e9a00"),
        ("laplace_per_pixel", 1.0, "2ed9bfa4165b1b95f51efec272934185"),
        ("laplace_per_image", 0.3, "7d7916cc7418fab1bb59464821c595c1"),
        ("laplace_per_image", 1.0, "c15fe953f8ef92896225e9fae9dcf89e"),
    ],
)
def test_laplace_noise_is_that_of_earlier_versions_byte_for_byte(name: str, beta: float, digest: str) -> None:
    # Other noise on the same picture would be one more release of it. Made by the version before ``PictureNoise``.
    some = (np.arange(3 * 20 * 24 * 3) % 251).astype(np.uint8).reshape(3, 20, 24, 3)
    assert hashlib.sha256(noise(some, beta=beta, name=name).tobytes()).hexdigest()[:32] == digest


def keyed_numbers(count: int = 20) -> list[KeyedNoise]:
    return [KeyedNoise(hashlib.sha256(bytes([n])).digest()) for n in range(count)]


def words(key: bytes, count: int) -> list[int]:
    """The 64-bit words of the keystream, by the bare cipher, counted by hand."""
    block = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()
    stream = b"".join(block.update(counter.to_bytes(16, "big")) for counter in range(count // 2))
    return list(struct.unpack(f"<{count}Q", stream))


def test_normal_numbers_follow_their_law_to_the_tails() -> None:
    values = np.concatenate([source.normal(2.0, (50_000,)) for source in keyed_numbers()]) / 2
    assert scipy.stats.kstest(values, "norm").pvalue > 1e-3
    for t in (3.0, 4.0):
        expected = 2 * scipy.stats.norm.sf(t)
        assert abs(np.mean(np.abs(values) > t) - expected) < 5 * math.sqrt(expected / len(values))
    key = hashlib.sha256(b"key").digest()
    expected = [
        (1 if word & 1 else -1) * scipy.stats.norm.ppf((2 * (word >> 1) + 1) / 2**65) for word in words(key, 100)
    ]
    np.testing.assert_allclose(KeyedNoise(key).normal(1.0, (100,)), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [0.255, 2.55, 255.0])
def test_discrete_numbers_follow_their_law(scale: float) -> None:
    values = np.concatenate([source.discrete_laplace(scale, (20_000,)) for source in keyed_numbers()])
    law = scipy.stats.dlaplace(1 / scale)
    edges = np.unique(law.ppf(np.linspace(0.02, 0.98, 25))).astype(int)
    observed = np.diff([0, *((values <= edge).sum() for edge in edges), values.size])
    expected = np.diff([0, *law.cdf(edges), 1]) * values.size
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize("scale", [0.255, 2.55, 255.0, 2.55e6])
def test_each_discrete_number_is_the_exact_one_of_its_bits(scale: float) -> None:
    key = hashlib.sha256(b"key").digest()
    found = KeyedNoise(key).discrete_laplace(scale, (400,))
    for word, value in zip(words(key, 400), found, strict=True):
        check_magnitude((2 * (word >> 1) + 1), 64, scale, abs(int(value)))
        assert value == 0 or (value > 0) == bool(word & 1)


@pytest.mark.parametrize("scale", [0.255, 255.0])
@pytest.mark.parametrize("first", [0, 1, 2**62, 2**63 - 1])
def test_bits_that_do_not_decide_are_followed_by_further_ones(scale: float, first: int) -> None:
    further = iter([0, 12345, 2**255])
    drawn = first
    taken = []

    def more() -> int:
        taken.append(next(further))
        return taken[-1]

    magnitude = keyed._magnitude(first, scale, more)
    for bits in taken:
        drawn = drawn << 256 | bits
    check_magnitude(2 * drawn + 1, 64 + 256 * len(taken), scale, magnitude)


def check_magnitude(numerator: int, bits: int, scale: float, magnitude: int) -> None:
    """For u = numerator / 2^bits: a^(m+1) < u (1 + a) / 2 <= a^m with a = e^(-1/s), by powers and not by logarithms."""
    with localcontext() as context:
        context.prec = 400
        a = (-1 / Decimal(scale)).exp()
        middle = numerator * Decimal(2) ** -bits * (1 + a) / 2
        assert a ** (magnitude + 1) < middle <= a**magnitude


def test_further_bits_are_asked_for_where_the_first_do_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(KeyedNoise, "_bits", lambda self, shape: np.array([0, 3, 1 << 40, 2**64 - 1], dtype=np.uint64))
    monkeypatch.setattr(keyed, "_magnitude", lambda first, scale, further: asked.append(first) or 7)
    values = KeyedNoise(bytes(32)).discrete_laplace(255.0, (4,))
    assert asked[:2] == [0, 1]  # where a unit of the 63 bits is worth grey levels
    assert list(values[:2]) == [-7, 7]
    assert values[3] == 0


@pytest.mark.parametrize("name", MECHANISMS)
def test_keyed_noise_has_the_law_of_the_demonstration(name: str) -> None:
    middle = np.full((600, 8, 8, 1), 128, dtype=np.uint8)
    middle[:, 0, 0, 0] = np.arange(600) % 256
    middle[:, 0, 1, 0] = np.arange(600) // 256
    one = any_noise(name, beta=0.2, block=4, changed_pixels=8)
    kept = keyed_release(middle, one, secret=SECRET)[:, 7, 7, 0]  # a value that all pictures have alike
    rng = np.random.default_rng(3)
    shown = [to_bytes(one.noised(np.full((8, 8, 1), 128 / 255), CountedNoise(rng)))[7, 7, 0] for _ in range(600)]
    assert scipy.stats.ks_2samp(kept, shown).pvalue > 1e-3


def test_every_parameter_decides_about_the_noise() -> None:
    middle = np.full((1, 16, 16, 1), 128, dtype=np.uint8)
    ones = [
        DpPix(1.0, block=8, changed_pixels=16),
        DpPix(1.0, block=8, changed_pixels=17),
        DpPix(1.0, block=7, changed_pixels=16),
        DpPix(1.1, block=8, changed_pixels=16),
    ]
    numbers = [keyed._key(middle[0], one, SECRET) for one in ones]
    assert len(set(numbers)) == len(ones)
    every = [keyed._key(middle[0], picture_noise(name, beta=1.0), SECRET) for name in MECHANISMS]
    assert len(set(every)) == len(MECHANISMS)
