"""Laplace noise that belongs to a picture: the same secret and picture always give the same noise.

A picture that is noised twice has been released twice, and averaging takes the noise off. So where a data home may come
to noise a picture again (its set has grown, or a stored copy was damaged), the noise must be what it was. It is
computed from a secret and from all that decides about the release: mechanism, draw, beta, size and the pixels.

The key of a picture is BLAKE2b, keyed by the secret, of these; its keystream is AES-256 in counter mode under that key,
which nobody without the secret can tell from true random bits. 64 of them make a number: one for the sign, 63 for a
uniform u in (0, 1) whose -ln(u) is the magnitude, by inversion. The magnitudes go on to 44 scales.

Two pictures with the same pixels get the same noise. That adds no release of either, and shows that they are equal.

>>> import numpy as np
>>> picture = np.full((1, 4, 4, 1), 128, dtype=np.uint8)
>>> one, again, other = (
...     keyed_laplace(picture, secret=secret * 32, beta=1.0, draw="per_pixel") for secret in (b"k", b"k", b"l")
... )
>>> bool((one == again).all()), bool((one == other).all())
(True, False)
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.laplace import to_bytes, to_unit
from medpriv_core.spec import NOISE_DRAWS, NoiseDraw, check_bound

GENERATOR = "AES-256-CTR keyed by BLAKE2b"

# Values that are worked on at once: their numbers stay in a core's own cache.
_BLOCK = 1 << 16


def keyed_laplace(pictures: np.ndarray, *, secret: bytes, beta: float, draw: NoiseDraw) -> np.ndarray:
    """Noised ``pictures``, clamped and rounded to the 256 levels (post-processing).

    pictures  uint8, shape (n, height, width, channels); the noise is added to pixels in [0, 1]
    secret    at least 16 random bytes
    beta      scale in units of the range from black to white
    draw      per_pixel: one draw for each value; per_image: one draw for each picture

    Returns uint8 of the same shape. Raises ``SettingError`` for beta outside its bounds, an unknown draw, or a secret
    that is too short.
    """
    check_bound("beta", beta)
    if draw not in NOISE_DRAWS:
        raise SettingError(f"noise_draw must be one of {', '.join(NOISE_DRAWS)}, but is {draw!r}.")
    if len(secret) < 16:
        raise SettingError(f"The secret of the noise needs 16 bytes or more, but has {len(secret)}.")
    noised = np.empty(pictures.shape, dtype=np.uint8)  # in C order, whatever the pictures' is
    for picture, target in zip(pictures, noised, strict=True):
        _noise_one(picture, target, _key(picture, secret=secret, beta=beta, draw=draw), beta, draw)
    return noised


def unit_laplace(key: bytes, n: int) -> np.ndarray:
    """The first ``n`` Laplace numbers of scale 1 that belong to ``key`` (32 bytes), float64."""
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    return _laplace(np.frombuffer(stream.update(bytes(8 * n)), np.dtype("<u8")))


def _noise_one(picture: np.ndarray, target: np.ndarray, key: bytes, beta: float, draw: NoiseDraw) -> None:
    if draw == "per_image":
        target[...] = to_bytes(to_unit(picture) + beta * unit_laplace(key, 1)[0])
        return
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    clean = np.ascontiguousarray(picture).reshape(-1)
    out = target.reshape(-1)
    nothing = bytes(8 * min(_BLOCK, len(clean)))
    for start in range(0, len(clean), _BLOCK):
        block = clean[start : start + _BLOCK]
        noise = _laplace(np.frombuffer(stream.update(nothing[: 8 * len(block)]), np.dtype("<u8")))
        noise *= 255 * beta
        noise += block
        np.clip(noise, 0, 255, out=noise)
        np.rint(noise, out=noise)
        out[start : start + len(block)] = noise


def _key(picture: np.ndarray, *, secret: bytes, beta: float, draw: NoiseDraw) -> bytes:
    """32 bytes for this release of this picture. Every part has a fixed length or its length before it."""
    name = draw.encode()
    digest = hashlib.blake2b(key=secret[:64], person=b"medpriv laplace", digest_size=32)
    digest.update(struct.pack("<B", len(name)) + name + struct.pack("<d", beta))
    digest.update(struct.pack("<B", picture.ndim) + struct.pack(f"<{picture.ndim}Q", *picture.shape))
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()


def _laplace(bits: np.ndarray) -> np.ndarray:
    """(n,) uint64 -> (n,) float64 of scale 1: the lowest bit is the sign, the others the magnitude."""
    magnitude = (bits >> np.uint64(1)) * 2.0**-63
    magnitude += 2.0**-64  # the middle of each cell, so that none is 0
    np.log(magnitude, out=magnitude)
    # -ln(u) with the sign of the lowest bit: +1 or -1, times a number that is 0 or negative.
    sign = ((bits & np.uint64(1)).astype(np.int8) * 2 - 1).astype(np.float64)
    magnitude *= sign
    return magnitude
