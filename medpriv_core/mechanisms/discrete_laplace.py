"""Exact noise on 8-bit pixels, by OpenDP: for real releases.

Laplace noise made of floating-point numbers leaves a trace of the pixel in their last digits (Mironov 2012). So whole
numbers are released instead: the grey level from 0 to 255 plus a whole number k, drawn with a probability proportional
to e^(-abs(k)/s), by an exact sampler from a cryptographic generator (Canonne, Kamath and Steinke 2020). With s = 255
beta the epsilon of one pixel is 1/beta, as for Laplace noise of scale beta.

The mean of the clamped values at level x is x + (e^(-x/beta) - e^(-(1-x)/beta)) / (510 sinh(1/s)).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medpriv_core.extras import require
from medpriv_core.mechanisms.laplace import finite_pixels
from medpriv_core.mechanisms.mechanism import Mechanism
from medpriv_core.privacy.image_epsilon import LEVELS, MechanismName


@dataclass(frozen=True)
class DiscreteLaplace(Mechanism):
    """Discrete Laplace noise of scale 255 beta on grey levels, drawn for each value; about 0.6 s for 65,536 values."""

    name: ClassVar[MechanismName] = "discrete_laplace"

    @property
    def scale(self) -> float:
        """In grey levels."""
        return LEVELS * self.beta

    def release(self, picture_unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG002
        """See ``Mechanism``. ``rng`` is not used: whoever knew the seed could take the noise away again."""
        levels = np.rint(finite_pixels(picture_unit) * LEVELS).astype(np.int32)
        noised = np.array(_sampler(self.scale)(levels.ravel()), dtype=np.float64)
        return (noised / LEVELS).astype(np.float32).reshape(levels.shape)

    def clamped_mean(self, levels: np.ndarray) -> np.ndarray:
        """See ``Mechanism``. Exact at the 256 grey levels, and smooth between them."""
        levels = np.clip(np.asarray(levels, dtype=np.float64), 0, 1)
        difference = np.exp(-levels / self.beta) - np.exp(-(1 - levels) / self.beta)
        return np.asarray(levels + difference * _over_sinh(1 / self.scale) / (2 * LEVELS))

    @property
    def noise_deviation(self) -> float:
        """See ``Mechanism``."""
        return _over_sinh(1 / (2 * self.scale)) / math.sqrt(2) / LEVELS


def _over_sinh(x: float) -> float:
    """1 / sinh(x), which is 0 where sinh overflows."""
    return 1 / math.sinh(x) if x < 700 else 0.0


@functools.lru_cache(maxsize=16)
def _sampler(scale: float) -> Callable[[np.ndarray], list[int]]:
    """Adds noise to a vector of int32."""
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
