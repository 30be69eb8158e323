"""The trade-off curve of a mechanism: the most hits that an attacker can have for his false alarms.

Somebody who sees what was released names those whose records he believes were used. At a share α of false alarms he
has at most h(α) hits (one minus the trade-off function of Dong, Roth and Su 2022). The same number bounds him who wants
to pick a record out of candidates: if he would be right by chance with probability κ, he is right with probability
h(κ) at most (reconstruction robustness, ReRo; Balle, Cherubin and Hayes 2022, Hayes et al. 2023).

Two kinds of curve are enough. Plain Gaussian noise has a closed form with one number, μ. Of everything else the
function δ(ε) is known on a grid from ε = 0 on, never below the truth, and each (ε, δ) of it bounds the hits by two
straight lines:

    h(α) ≤ e^ε · α + δ          h(α) ≤ 1 − e^−ε · (1 − δ − α)

>>> GaussianCurve(1.0).hits([0.01]).round(4)
array([0.0924])
>>> laplace = BoundedCurve.of(lambda epsilon: max(0.0, 1 - math.exp((epsilon - 1) / 2)), largest=1.0)
>>> laplace.hits([0.01, 0.3]).round(4)  # e^1 · 0.01, and 1 - e^-1 / (4 · 0.3)
array([0.0272, 0.6934])
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy

from medpriv_core.privacy.step_loss import Array

# Where e^ε times any false-alarm rate of interest is far above 1; the curve of δ needs not be known beyond.
LARGEST_EPSILON = 40.0
# Of a δ(ε) that is computed value by value.
GRID_POINTS = 1_600
# How far apart two curves are, is looked for at so many false-alarm rates.
_LOOKED_AT = 2_001
_HALVINGS = 40


class Curve(ABC):
    """The most hits for each share of false alarms: concave, from (0, h(0)) to (1, 1), and never below the diagonal."""

    @abstractmethod
    def hits(self, false_alarms: npt.ArrayLike) -> Array:
        """The highest share of records that are found.

        Args:
            false_alarms: Shares from 0 to 1 of those records that were not used; an array of any shape.

        Returns:
            Shares from 0 to 1, of the same shape, never below the truth.
        """

    @property
    @abstractmethod
    def advantage(self) -> float:
        """The highest difference of hits and false alarms at any share of false alarms: from 0 to 1."""

    @property
    def area(self) -> float:
        """The area under the curve, from 0.5 (guessing) to 1, to within a thousandth."""
        rates = _both_ends()
        return float(np.trapezoid(self.hits(rates), rates))


@dataclass(frozen=True)
class GaussianCurve(Curve):
    """Of Gaussian noise; ``mu`` is the distance that one record makes over the standard deviation, 0 or more."""

    mu: float

    def hits(self, false_alarms: npt.ArrayLike) -> Array:
        """See ``Curve``."""
        rates = np.asarray(false_alarms, dtype=np.float64)
        if math.isinf(self.mu):
            return np.ones(rates.shape)
        # The two functions undo each other but for a last digit.
        return np.maximum(scipy.special.ndtr(self.mu + scipy.special.ndtri(rates)), rates)

    @property
    def advantage(self) -> float:
        """See ``Curve``."""
        return float(scipy.special.erf(self.mu / math.sqrt(8)))

    @property
    def area(self) -> float:
        """See ``Curve``; exact."""
        return float(scipy.special.ndtr(self.mu / math.sqrt(2)))


@dataclass(frozen=True, eq=False)
class BoundedCurve(Curve):
    """By δ at each of several ε, of which the first is 0; both directions in which neighbours differ are covered."""

    epsilons: Array
    deltas: Array

    @classmethod
    def of(cls, delta: Callable[[float], float], *, largest: float, points: int = GRID_POINTS) -> Self:
        """Of a function that gives δ for an ε.

        Args:
            delta: δ(ε), never below the truth, for ε from 0 to ``largest``.
            largest: The last ε that is asked; more than ``LARGEST_EPSILON`` is not.
            points: How many are asked.

        Returns:
            The curve; it lies above the true one by the spacing of the ε, squared, over 8.
        """
        epsilons = np.linspace(0.0, min(largest, LARGEST_EPSILON), points)
        return cls(epsilons, np.clip([delta(float(epsilon)) for epsilon in epsilons], 0.0, 1.0))

    def hits(self, false_alarms: npt.ArrayLike) -> Array:
        """See ``Curve``."""
        rates = np.asarray(false_alarms, dtype=np.float64)
        lowest = np.ones(rates.shape)
        for slopes, constants in self._lines:
            lowest = np.minimum(lowest, _lowest(slopes, constants, rates))
        return np.clip(np.maximum(lowest, rates), 0.0, 1.0)

    @property
    def advantage(self) -> float:
        """See ``Curve``."""
        return float(self.deltas[0])

    @property
    def corners(self) -> tuple[Array, Array]:
        """Where two of the lines e^ε · α + δ meet: shares of false alarms, and the hits there, in no order."""
        slopes, constants = self._lines[0]
        rates = _corners(slopes, constants)
        return rates, np.minimum(1.0, constants[:-1] + slopes[:-1] * rates)

    @cached_property
    def _lines(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Slopes and constants of the lines that are steep, and of those that are flat."""
        steep = np.exp(self.epsilons)
        flat = 1 / steep
        return (steep, self.deltas), (flat, 1 - flat * (1 - self.deltas))


# Where nothing limits what is found, and where nothing was released.
EVERYTHING = GaussianCurve(math.inf)
NOTHING = GaussianCurve(0.0)


def regret(curve: Curve, mu: float) -> float:
    """How badly one number, μ, stands for a curve: by how much hits and false alarms must be moved to make up for it.

    It is the smallest shift Δ for which, at every share of false alarms α, an attacker with Δ more false alarms and Δ
    more hits has at least those hits that Gaussian noise of this μ would allow him (Gomez et al. 2025). Below 0.01 the
    one number is as good as the curve.

    Args:
        curve: The curve of a mechanism.
        mu: Of Gaussian noise that promises no more than this mechanism; 0 or more.

    Returns:
        Δ from 0 to 1, to about a thousandth; 0 for plain Gaussian noise.
    """
    rates = _both_ends()
    wanted = GaussianCurve(mu).hits(rates)
    low, high = np.zeros(rates.shape), np.ones(rates.shape)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = curve.hits(np.minimum(1.0, rates + middle)) + middle >= wanted
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    found = float(high.max())
    return found if found > 2.0 ** (1 - _HALVINGS) else 0.0


def smallest_mu(curve: BoundedCurve, *, rates: tuple[float, ...]) -> float | None:
    """The weakest Gaussian noise that promises no more than a mechanism.

    A curve of lines bends where two of them meet, and a Gaussian one is concave: it suffices to look there. Both are
    symmetric, so the half with at least as many hits gained as false alarms is enough.

    Args:
        curve: Of the mechanism.
        rates: False-alarm rates to look at besides; the smallest says from where on the answer holds.

    Returns:
        The smallest μ whose curve lies nowhere below this one; None where no finite one does.
    """
    corners, at_corners = curve.corners
    inside = (corners > min(rates)) & (corners < 1)
    false_alarms = np.concatenate([rates, corners[inside]])
    hit_rates = np.concatenate([curve.hits(rates), at_corners[inside]])
    with np.errstate(invalid="ignore"):
        mu = float((scipy.special.ndtri(hit_rates) - scipy.special.ndtri(false_alarms)).max())
    return max(mu, 0.0) if math.isfinite(mu) else None


def _both_ends() -> Array:
    """False-alarm rates from 0 to 1, dense at both ends, where curves are steep or flat."""
    rates = np.concatenate([[0.0], np.geomspace(1e-9, 0.5, _LOOKED_AT)])
    return np.unique(np.concatenate([rates, 1 - rates]))


def _corners(slopes: Array, constants: Array) -> Array:
    """Where each line meets the next one, for slopes that fall or rise strictly."""
    return (constants[:-1] - constants[1:]) / np.diff(slopes)


def _lowest(slopes: Array, constants: Array, rates: Array) -> Array:
    """The lowest of many lines at each rate.

    The lines are sorted by slope, so the one that is lowest is found between its two corners. Any line is a valid
    bound, so rounding of the corners can only make the answer larger.
    """
    if len(slopes) == 1:
        return constants[0] + slopes[0] * rates
    corners = _corners(slopes, constants)
    if slopes[0] < slopes[1]:  # the last line is lowest at the smallest rates
        places = len(corners) - np.searchsorted(np.maximum.accumulate(corners[::-1]), rates)
    else:
        places = np.searchsorted(np.maximum.accumulate(corners), rates)
    return constants[places] + slopes[places] * rates
