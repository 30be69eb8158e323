"""Noise that belongs to a picture: the same secret and picture always give the same noise.

A picture that is noised twice has been released twice, and averaging takes the noise off. So where a data home may come
to noise a picture again (its set has grown, or a stored copy was damaged), the noise must be what it was. It is
computed from a secret and from all that decides about the release: mechanism, its parameters, size and the pixels.

The key of a picture is BLAKE2b, keyed by the secret, of these; its keystream is AES-256 in counter mode under that key,
which nobody without the secret can tell from true random bits. 64 of them make a number: one for the sign, 63 for a
uniform u in (0, 1), of which

Laplace           the magnitude is -ln(u), by inversion. Magnitudes go on to 44 scales
normal            the magnitude is that beyond which normal numbers have the probability u, by inversion. Magnitudes go
                  on to 9.1 standard deviations
discrete Laplace  the magnitude is the whole part of -s ln(u (1 + e^(-1/s)) / 2), which has exactly the wanted law for a
                  real u. Where 64 bits do not decide it, further ones do, in decimal arithmetic

The first two have the gaps of floating-point numbers, of which only whole grey levels are kept; the last one is exact.

Two pictures with the same pixels get the same noise. That adds no release of either, and shows that they are equal.

>>> import numpy as np
>>> from medpriv_core.mechanisms.additive import LaplacePerPixel
>>> picture = np.full((1, 4, 4, 1), 128, dtype=np.uint8)
>>> one, again, other = (
...     keyed_release(picture, LaplacePerPixel(1.0), secret=secret * 32) for secret in (b"k", b"k", b"l")
... )
>>> bool((one == again).all()), bool((one == other).all())
(True, False)
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.picture_noise import PictureNoise

GENERATOR = "AES-256-CTR keyed by BLAKE2b"

# Counters from here on give the further bits of numbers that 64 do not decide; the first ones never get there.
_FURTHER = bytes([128]) + bytes(15)
_STEP_BITS = 256


def keyed_release(pictures: np.ndarray, noise: PictureNoise, *, secret: bytes) -> np.ndarray:
    """Noised pictures, clamped and rounded to the 256 grey levels (post-processing).

    Args:
        pictures: uint8 array (n, h, w, channels).
        noise: The mechanism with its parameters.
        secret: At least 16 random bytes. The same secret, picture and noise always give the same result.

    Returns:
        uint8 array of the same shape, in C order.

    Raises:
        SettingError: The secret is too short, or the pictures are too small for the mechanism.
    """
    if len(secret) < 16:
        raise SettingError(f"The secret of the noise needs 16 bytes or more, but has {len(secret)}.")
    noised = np.empty(pictures.shape, dtype=np.uint8)  # in C order, whatever the pictures' is
    for picture, target in zip(pictures, noised, strict=True):
        target[...] = noise.noised_levels(picture, KeyedNoise(_key(picture, noise, secret)))
    return noised


class KeyedNoise:
    """The random numbers that belong to ``key`` (32 bytes), one after another; see ``NoiseSource``."""

    def __init__(self, key: bytes) -> None:
        self._stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
        self._further = Cipher(algorithms.AES256(key), modes.CTR(_FURTHER)).encryptor()

    def laplace(self, scale: float, shape: tuple[int, ...]) -> np.ndarray:
        """See ``NoiseSource``."""
        magnitude, sign = self._uniform(shape)
        np.log(magnitude, out=magnitude)
        # -ln(u) with the sign of the lowest bit: +1 or -1, times a number that is 0 or negative.
        magnitude *= sign
        magnitude *= scale
        return magnitude

    def normal(self, deviation: float, shape: tuple[int, ...]) -> np.ndarray:
        """See ``NoiseSource``."""
        from scipy.special import ndtri

        magnitude, sign = self._uniform(shape)
        magnitude /= 2
        ndtri(magnitude, out=magnitude)  # 0 or negative
        magnitude *= sign
        magnitude *= deviation
        return magnitude

    def discrete_laplace(self, scale: float, shape: tuple[int, ...]) -> np.ndarray:
        """See ``NoiseSource``. Exact, for the ``scale`` as the machine holds it (at least 0.1)."""
        bits = self._bits(shape)
        high = bits >> np.uint64(1)
        u = high * 2.0**-63 + 2.0**-64
        minus_log = -np.log(u)
        magnitude = scale * (minus_log + math.log(2) - math.log1p(math.exp(-1 / scale)))
        # What the bits that are not drawn yet could change, and a hundred times what rounding can.
        doubt = scale * ((minus_log + 1) * 2.0**-45 + 2.0**-63 / u)
        doubt[high == 0] = np.inf
        whole = np.floor(magnitude)
        for index in np.flatnonzero((np.floor(magnitude - doubt) != np.floor(magnitude + doubt)).ravel()):
            whole.flat[index] = _magnitude(int(high.flat[index]), scale, self._further_bits)
        whole[(bits & np.uint64(1)) == 0] *= -1
        return whole

    def _uniform(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Float64 in (0, 1) in steps of 2^-63, the middle of each so that none is 0; and signs, +1 and -1."""
        bits = self._bits(shape)
        uniform = (bits >> np.uint64(1)) * 2.0**-63
        uniform += 2.0**-64
        return uniform, ((bits & np.uint64(1)).astype(np.int8) * 2 - 1).astype(np.float64)

    def _bits(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.frombuffer(self._stream.update(bytes(8 * math.prod(shape))), np.dtype("<u8")).reshape(shape)

    def _further_bits(self) -> int:
        return int.from_bytes(self._further.update(bytes(_STEP_BITS // 8)), "big")


def _magnitude(first: int, scale: float, further_bits: Callable[[], int]) -> int:
    """The whole part of -s ln(u (1 + e^(-1/s)) / 2) for a u that begins with the 63 bits of ``first``.

    More bits and digits are taken until the interval in which u lies decides. ``Decimal`` rounds ``ln`` and ``exp``
    correctly; a few of the digits are given away for the sums.
    """
    bits, drawn = 63, first
    while True:
        bits, drawn = bits + _STEP_BITS, drawn << _STEP_BITS | further_bits()
        with localcontext() as context:
            context.prec = bits
            s = Decimal(scale)
            unit = Decimal(2) ** -bits
            constant = ((1 + (-1 / s).exp()) / 2).ln()
            slack = Decimal(10) ** (20 - bits)
            # u above 0 and up to 1, so the larger magnitude may be infinite.
            least = (-s * ((drawn + 1) * unit).ln() - s * constant) * (1 - slack) - slack
            most = None if drawn == 0 else (-s * (drawn * unit).ln() - s * constant) * (1 + slack) + slack
            if most is not None and math.floor(least) == math.floor(most):
                return math.floor(most)


def _key(picture: np.ndarray, noise: PictureNoise, secret: bytes) -> bytes:
    """32 bytes for this release of this picture. Every part has a fixed length or its length before it."""
    # Version 0.1.0 had Laplace noise alone, and did not name it.
    name = noise.stored_as.removeprefix("laplace-").encode()
    digest = hashlib.blake2b(key=secret[:64], person=b"medpriv laplace", digest_size=32)
    digest.update(struct.pack("<B", len(name)) + name + struct.pack("<d", noise.beta))
    digest.update(struct.pack("<B", picture.ndim) + struct.pack(f"<{picture.ndim}Q", *picture.shape))
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()
