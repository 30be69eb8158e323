"""Exact epsilon of Gaussian noise on a whole picture.

Gaussian noise of standard deviation sd on values that move by at most Delta (Euclidean distance) has, for

    mu = Delta / sd,     delta(epsilon) = Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu)

(Balle and Wang 2018, theorem 8), where Phi is the normal distribution function. Several releases are one release with a
larger mu: the squares add up. That is why Gaussian noise needs half the power of Laplace noise for a whole picture.

A picture's mu may be in the millions, where both terms vanish or overflow. With ``u = epsilon/mu - mu/2`` and the
scaled complement of the error function, erfcx(x) = e^(x²) erfc(x), the same reads

    delta = e^(-u²/2) / 2 · (erfcx(u / sqrt 2) - erfcx((u + mu) / sqrt 2))

>>> round(gaussian_epsilon(mu=1.0, delta=1e-5), 4)
4.3772
"""

from __future__ import annotations

import math

import scipy

# What floating-point numbers may lose; added to every epsilon.
_MARGIN = 1e-9
_SQRT2 = math.sqrt(2)


def gaussian_epsilon(*, mu: float, delta: float) -> float:
    """Smallest epsilon at ``delta`` (0 to 1) of Gaussian noise, ``mu`` = sensitivity / standard deviation > 0."""
    # Epsilon 0 is u = -mu/2; from u = 0 on, delta is below e^(-u²/2).
    lowest, highest = -mu / 2, math.sqrt(-2 * math.log(delta))
    if _delta(lowest, mu) <= delta:
        return 0.0
    # Below -9, delta is 1 to the last digit.
    u = scipy.optimize.brentq(lambda at: _delta(at, mu) - delta, max(lowest, -9.0), highest, xtol=1e-13)
    return float(mu * (u + mu / 2)) * (1 + _MARGIN)


def _delta(u: float, mu: float) -> float:
    upper = scipy.special.erfcx((u + mu) / _SQRT2)
    if u < 0:
        # erfcx grows without limit there.
        return float(scipy.special.ndtr(-u) - math.exp(-(u**2) / 2) / 2 * upper)
    return float(math.exp(-(u**2) / 2) / 2 * (scipy.special.erfcx(u / _SQRT2) - upper))
