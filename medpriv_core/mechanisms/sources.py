"""Where the random numbers of a picture's noise come from.

A mechanism says which distribution it draws from, and never from where. There are three sources: ``SeededNoise`` for
demonstrations, ``KeyedNoise`` (``keyed.py``) for what networks are trained on, and ``CountedNoise`` for attacks that
are tried many times. So a mechanism is written once and serves all of them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from medpriv_core.extras import require
from medpriv_core.progress import ProgressCallback, no_progress

EXACT_PHASE = "Drawing exact noise"
PIECE = 2**15  # values between two calls of the progress callback, a third of a second


class NoiseSource(Protocol):
    """Independent random numbers; each call gives further ones."""

    def laplace(self, scale: float, shape: tuple[int, ...]) -> np.ndarray:
        """Laplace noise: numbers x of density e^(-abs(x) / scale) / (2 scale).

        Args:
            scale: Of the noise, in units of the result.
            shape: Of the result.

        Returns:
            float64 array.
        """

    def normal(self, deviation: float, shape: tuple[int, ...]) -> np.ndarray:
        """Gaussian noise of mean 0.

        Args:
            deviation: Standard deviation, in units of the result.
            shape: Of the result.

        Returns:
            float64 array.
        """

    def discrete_laplace(self, scale: float, shape: tuple[int, ...]) -> np.ndarray:
        """Discrete Laplace noise: whole numbers k with a probability proportional to e^(-abs(k) / scale).

        Args:
            scale: Of the noise, in units of the result; at least 0.1.
            shape: Of the result.

        Returns:
            Whole numbers, as a float64 array.

        Raises:
            MissingExtraError: The source draws with OpenDP, which is not installed.
        """


class SeededNoise:
    """From numpy's generator, which is not cryptographic: demonstrations that can be repeated.

    Discrete Laplace numbers are the exception. They are for releases, so OpenDP draws them exactly and from the
    operating system's generator, whatever ``rng`` is: whoever knew a seed could take the noise away again. Of a large
    picture that takes a minute, so they are drawn in pieces, and ``progress`` is called between them.
    """

    def __init__(self, rng: np.random.Generator, progress: ProgressCallback = no_progress) -> None:
        self.rng = rng
        self.progress = progress

    def laplace(self, scale: float, shape: tuple[int, ...]) -> np.ndarray:
        """See ``NoiseSource``. In float64, because float32 generators cannot reach beyond 16 scales."""
        return np.asarray(self.rng.laplace(0.0, scale, shape))

    def normal(self, deviation: float, shape: tuple[int, ...]) -> np.ndarray:
        """See ``NoiseSource``."""
        return np.asarray(deviation * self.rng.standard_normal(shape))

    def discrete_laplace(self, scale: float, shape: tuple[int, ...]) -> np.ndarray:
        """See ``NoiseSource``. About 0.6 s for 65,536 numbers."""
        add_noise, count = _exact_sampler(scale), math.prod(shape)
        drawn = np.zeros(count, dtype=np.float64)
        for start in range(0, count, PIECE):
            if start:
                self.progress(EXACT_PHASE, start, count)
            piece = drawn[start : start + PIECE]
            piece[:] = add_noise(np.zeros(len(piece), dtype=np.int32))
        return drawn.reshape(shape)


class CountedNoise(SeededNoise):
    """For releases that nobody ever sees, of which only successes are counted.

    The exact sampler takes a minute for a hundred pictures. The difference of two geometric numbers from an ordinary
    generator has the same distribution.
    """

    def discrete_laplace(self, scale: float, shape: tuple[int, ...]) -> np.ndarray:
        """See ``NoiseSource``."""
        stop = -math.expm1(-1 / scale)
        return (self.rng.geometric(stop, shape) - self.rng.geometric(stop, shape)).astype(np.float64)


@functools.lru_cache(maxsize=16)
def _exact_sampler(scale: float) -> Callable[[np.ndarray], list[int]]:
    """Adds noise to a vector of int32 (Canonne, Kamath and Steinke 2020)."""
    require("release")
    # Imported here: it takes half a second to load; opendp.prelude takes four.
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_laplace
    from opendp.metrics import l1_distance
    from opendp.mod import enable_features

    enable_features("contrib")  # where OpenDP keeps what has no finished proof document
    add_noise: Callable[[np.ndarray], list[int]] = make_laplace(
        vector_domain(atom_domain(T="i32")), l1_distance(T="i32"), scale=scale
    )
    return add_noise
