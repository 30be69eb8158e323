"""How well an attacker without prior knowledge can rebuild an image from its gradient, at best.

The attacker hands out the model, and builds it so that the gradient of an image is the image itself: a loss that sums
M rows of a first linear layer. DP-SGD clips that gradient to the clipping norm and adds noise. The attacker averages
the rows and divides by the known scale, and what results is the image X (N values of Euclidean length L) with normal
noise of deviation sigma L on each value, whatever the clipping norm is:

    X' ~ N(X, sigma² L² I)                  for the noise multiplier sigma, once the gradient is clipped

No unbiased estimate is better. So the mean squared error follows a gamma distribution of shape N/2 and scale
2 sigma² L²/N ("From Mean to Extreme", analytic gradient inversion; the formulas are checked in the tests by
simulation). An image that took part in K such steps gets K answers: sigma / sqrt K.

The bound is for an attacker who knows nothing of images at all. A common noise filter already does better, because it
knows that images are smooth, and somebody who has seen other images of the kind does better still. So the bound proves
no privacy; epsilon does.

>>> bound = ReconstructionBound(noise_multiplier=0.01, size=784, norm=14.0)
>>> round(bound.mean_squared_error, 4), round(bound.psnr_db, 3)
(0.0196, 17.083)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import scipy

from medpriv_core.errors import SettingError
from medpriv_core.privacy.image_gaussian import gaussian_epsilon

USUAL_RMS = 0.5  # of pixels in [0, 1], where no image is at hand
SMALLEST_EPSILON, LARGEST_EPSILON = 0.1, 1e9
_DECIBELS = 10 / math.log(10)


@dataclass(frozen=True)
class ReconstructionBound:
    """The best that an attacker without prior knowledge gets of one image.

    noise_multiplier    sigma of DP-SGD, 0 or more; 0 gives the image back exactly
    size                N, how many values a network's input has (pixels times channels), 1 or more
    norm                Euclidean length of that input, above 0, in the units that the network is fed
    data_range          distance from black to white in the same units
    participations      K, in how many steps the image was used with a model of the attacker's making, 1 or more

    Raises:
        SettingError: One of them is outside these bounds, or not finite.
    """

    noise_multiplier: float
    size: int
    norm: float
    data_range: float = 1.0
    participations: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.noise_multiplier < math.inf:
            raise SettingError(f"The noise multiplier must be 0 or more, but is {self.noise_multiplier:g}.")
        if self.size < 1 or self.participations < 1:
            raise SettingError(
                "The number of values and of participations must be 1 or more, but are "
                f"{self.size} and {self.participations}."
            )
        for name, value in (("length of the image", self.norm), ("data range", self.data_range)):
            if not 0 < value < math.inf:
                raise SettingError(f"The {name} must be above 0, but is {value:g}. An all-black image has none.")

    @property
    def noise_deviation(self) -> float:
        """Standard deviation of the noise on each rebuilt value, in the units of the input."""
        return self.noise_multiplier * self.norm / math.sqrt(self.participations)

    @property
    def mean_squared_error(self) -> float:
        """Expected mean squared error, in squared units of the input."""
        return self.noise_deviation**2

    @property
    def psnr_db(self) -> float:
        """Expected PSNR in decibels; infinite without noise."""
        if self.noise_deviation == 0:
            return math.inf
        return 20 * math.log10(self.data_range / self.noise_deviation) - _expected_log(self.size)

    @property
    def most_correlation(self) -> float:
        """Bound on the correlation with the image, 0 to 1, whatever the image is: 1/sqrt(1 + N sigma²/K)."""
        return 1 / math.hypot(1, math.sqrt(self.size / self.participations) * self.noise_multiplier)

    def correlation(self, deviation: float) -> float:
        """Correlation with an image whose values have this standard deviation; never above ``most_correlation``.

        Args:
            deviation: Population standard deviation of the input's values, 0 to norm/sqrt(size).

        Returns:
            0 to 1; 0 for an image of one colour, with which nothing correlates.

        Raises:
            SettingError: No image of this length has this deviation.
        """
        if not 0 <= deviation <= self.norm / math.sqrt(self.size) * (1 + 1e-9):
            raise SettingError(
                f"An image of {self.size} values and length {self.norm:g} cannot have a deviation of {deviation:g}."
            )
        return deviation / math.hypot(deviation, self.noise_deviation) if deviation else 0.0

    def probability_of_error(self, at_most: float) -> float:
        """Probability that the mean squared error is at most this.

        Args:
            at_most: 0 or more, in squared units of the input.

        Returns:
            0 to 1.
        """
        if at_most < 0:
            return 0.0
        if self.noise_deviation == 0:
            return 1.0
        ratio = math.sqrt(at_most) / self.noise_deviation
        # The square of the ratio may be more than a float holds; from 1e100 on, the probability is 1 long since.
        return float(scipy.special.gammainc(self.size / 2, self.size / 2 * min(ratio, 1e100) ** 2))

    def probability_of_psnr(self, at_least_db: float) -> float:
        """Probability that the PSNR is at least this.

        Args:
            at_least_db: Decibels, -500 to 500.

        Returns:
            0 to 1.
        """
        return self.probability_of_error(self.data_range**2 * 10 ** (-at_least_db / 10))


def noise_multiplier_for_psnr(
    psnr_db: float, *, size: int, norm: float, data_range: float = 1.0, participations: int = 1
) -> float:
    """The noise multiplier at which the expected PSNR is ``psnr_db``.

    Args:
        psnr_db: Decibels.
        size: N, the values of an input.
        norm: Its Euclidean length.
        data_range: Distance from black to white, in the same units.
        participations: K, in how many steps the image was used.

    Returns:
        Above 0; more noise than this keeps the expected PSNR below.

    Raises:
        SettingError: As ``ReconstructionBound``.
    """
    unit = ReconstructionBound(1.0, size, norm, data_range, participations)
    return 10 ** ((unit.psnr_db - psnr_db) / 20)


def noise_multiplier_for_error(
    at_most: float, probability: float, *, size: int, norm: float, participations: int = 1
) -> float:
    """The noise multiplier at which the mean squared error is ``at_most`` with this probability.

    Args:
        at_most: Above 0, in squared units of the input.
        probability: Between 0 and 1, both excluded.
        size: N, the values of an input.
        norm: Its Euclidean length.
        participations: K, in how many steps the image was used.

    Returns:
        Above 0; more noise makes so small an error less likely.

    Raises:
        SettingError: A value is outside these bounds.
    """
    if not 0 < at_most < math.inf or not 0 < probability < 1:
        raise SettingError(
            f"The error must be above 0 and the probability between 0 and 1, but are {at_most:g} and {probability:g}."
        )
    unit = ReconstructionBound(1.0, size, norm, participations=participations)
    quantile = float(scipy.special.gammaincinv(size / 2, probability)) / (size / 2)
    if quantile == 0:
        raise SettingError(f"A probability of {probability:g} is too small to compute with; take a larger one.")
    return math.sqrt(at_most / quantile) / unit.noise_deviation


@dataclass(frozen=True)
class CorridorPoint:
    """What one amount of noise gives: as a guarantee, and against an attacker without prior knowledge.

    epsilon             of the full-batch steps in which the image was used, one image added or removed
    noise_multiplier    sigma
    psnr_db             expected PSNR of the best image rebuilt, decibels
    most_correlation    bound on its correlation with the true one, 0 to 1
    """

    epsilon: float
    noise_multiplier: float
    psnr_db: float
    most_correlation: float


def full_batch_epsilon(noise_multiplier: float, *, delta: float, participations: int = 1) -> float:
    """Exact epsilon of full-batch steps of DP-SGD, one image added or removed.

    Args:
        noise_multiplier: Above 0.
        delta: Between 0 and 1, both excluded.
        participations: How many steps, 1 or more.

    Returns:
        0 or more; without the limit that other accountants have.

    Raises:
        SettingError: A value is outside these bounds.
    """
    _check_delta(delta)
    if not 0 < noise_multiplier < math.inf or participations < 1:
        raise SettingError(
            "The noise multiplier must be above 0 and the participations 1 or more, but are "
            f"{noise_multiplier:g} and {participations}."
        )
    return gaussian_epsilon(mu=math.sqrt(participations) / noise_multiplier, delta=delta)


def noise_multiplier_for_epsilon(epsilon: float, *, delta: float, participations: int = 1) -> float:
    """The noise multiplier whose full-batch steps have this epsilon.

    Args:
        epsilon: 0.1 to 1e9.
        delta: Between 0 and 1, both excluded.
        participations: How many steps, 1 or more.

    Returns:
        Above 0; its epsilon is never above the wanted one, and less by a part in a billion at most.

    Raises:
        SettingError: A value is outside these bounds.
    """
    _check_delta(delta)
    if not SMALLEST_EPSILON <= epsilon <= LARGEST_EPSILON or participations < 1:
        raise SettingError(
            f"ε must be {SMALLEST_EPSILON:g} to {LARGEST_EPSILON:g} and the participations 1 or more, but are "
            f"{epsilon:g} and {participations}."
        )

    def excess(log_mu: float) -> float:
        return math.log(max(gaussian_epsilon(mu=math.exp(log_mu), delta=delta), 1e-300) / epsilon)

    # Of a mu of 1e-3 or less, epsilon is below 0.1 at every delta; of 1e6 it is above 1e11.
    highest = 1e6 if excess(math.log(1e6)) > 0 else 1e12
    log_mu = float(scipy.optimize.brentq(excess, math.log(1e-3), math.log(highest), xtol=1e-13))
    # A little more noise than was found, so that its epsilon is not above the wanted one by a rounding.
    return math.sqrt(participations) * math.exp(1e-11 - log_mu)


def corridor(
    noise_multipliers: Sequence[float],
    *,
    size: int,
    norm: float,
    delta: float,
    data_range: float = 1.0,
    participations: int = 1,
) -> list[CorridorPoint]:
    """Epsilon and the bound of an attacker without prior knowledge, for each amount of noise.

    Args:
        noise_multipliers: Each above 0.
        size: N, the values of an input.
        norm: Its Euclidean length.
        delta: Of epsilon, between 0 and 1.
        data_range: Distance from black to white, in the units of the input.
        participations: How many full-batch steps.

    Returns:
        A point for each, in the same order.

    Raises:
        SettingError: As ``ReconstructionBound`` and ``full_batch_epsilon``.
    """
    points = []
    for sigma in noise_multipliers:
        bound = ReconstructionBound(sigma, size, norm, data_range, participations)
        epsilon = full_batch_epsilon(sigma, delta=delta, participations=participations)
        points.append(CorridorPoint(epsilon, sigma, bound.psnr_db, bound.most_correlation))
    return points


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise SettingError(f"delta must be between 0 and 1, but is {delta:g}.")


def _expected_log(size: int) -> float:
    """Decibels by which the mean of the logarithm of the error is off the logarithm of its mean; 0 or less."""
    # The difference of two near logarithms loses its digits for large sizes; there its series is exact.
    if size > 10**6:
        return -_DECIBELS / size
    return _DECIBELS * (float(scipy.special.digamma(size / 2)) - math.log(size / 2))
