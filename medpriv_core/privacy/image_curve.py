"""The trade-off curve of noised images: who could tell which of two images was released.

The attacker knows both images and the mechanism, and sees all noised copies. Neighbours are any two images (the whole
image), or two that differ in one unit of the mechanism, a pixel for most. The images that are hardest to hide are black
and white.

>>> from medpriv_core.privacy.image_epsilon import laplace_guarantee
>>> small = laplace_guarantee(beta=104.3, shape=(28, 28, 1))
>>> image_curve(small).hits([0.01]).round(4), unit_curve(small).hits([0.01]).round(4)
(array([0.0198]), array([0.0101]))
"""

from __future__ import annotations

import functools
import math

import numpy as np

from medpriv_core.privacy.curve import EVERYTHING, LARGEST_EPSILON, BoundedCurve, Curve, GaussianCurve
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.image_laplace import laplace_delta

# Between the ε at which δ is computed: lines so far apart make a curve at most 0.13 % too high (the square over 8).
_SPACING, _FEWEST_POINTS = 0.1, 13
# From so many values on the integral of ``laplace_delta`` is quick, and a grid is slow.
_MANY_VALUES = 20_000
# Of the loss of one value: the interval of the grid.
_INTERVALS = 40
# So many standard deviations from the mean, and a loss need not be looked for: there δ is below 1e-14.
_DEVIATIONS = 8
_AIM = 1e-6


def image_curve(guarantee: ImageGuarantee) -> Curve:
    """What the noised copies of one image give away about which image it is, of any two.

    Args:
        guarantee: What holds for the image.

    Returns:
        The curve; never below the truth.
    """
    copies, values = guarantee.copies, guarantee.values
    if guarantee.value_distance is not None:
        return GaussianCurve(math.sqrt(copies * values) * guarantee.value_distance)
    return EVERYTHING if guarantee.value_loss is None else _laplace(guarantee.value_loss, copies * values)


def unit_curve(guarantee: ImageGuarantee) -> Curve:
    """What the noised copies give away about one unit, a pixel for most mechanisms: black or white.

    Args:
        guarantee: What holds for the image.

    Returns:
        The curve; never below the truth. For several pixels that share a promise (DP-Pix) it is that of one value that
        moves as far as they do together, which is the worst case.
    """
    copies = guarantee.copies
    if guarantee.value_distance is not None:
        return GaussianCurve(math.sqrt(copies) * guarantee.value_distance)
    if guarantee.value_loss is None:
        return EVERYTHING
    return _laplace(1 / guarantee.beta if guarantee.parts == "cells" else guarantee.value_loss, copies)


@functools.lru_cache(maxsize=64)
def _laplace(theta: float, values: int) -> Curve:
    """Of ``values`` Laplace draws, each with a loss of up to ``theta``."""
    mean = theta + math.exp(-theta) - 1
    second = theta**2 - 2 * theta + 4 - math.exp(-theta) * (2 * theta + 4)
    deviation = math.sqrt(max(0.0, second - mean**2) * values)
    if values > 1 and values * mean - _DEVIATIONS * deviation > LARGEST_EPSILON:
        return EVERYTHING
    largest = values * theta
    if values == 1:
        return BoundedCurve.of(lambda epsilon: -math.expm1((epsilon - theta) / 2), largest=largest)
    of_interest = values * mean + _DEVIATIONS * deviation
    last = min(of_interest, largest, LARGEST_EPSILON)
    epsilons = np.linspace(0.0, last, max(_FEWEST_POINTS, math.ceil(last / _SPACING) + 1))
    if values < _MANY_VALUES:
        # Imported here: it takes a second to load, and most callers never need it.
        from dp_accounting.pld import privacy_loss_distribution

        one = privacy_loss_distribution.from_laplace_mechanism(
            1 / theta, value_discretization_interval=theta / _INTERVALS
        )
        deltas = np.asarray(one.self_compose(values).get_delta_for_epsilon(epsilons))
    else:
        below = np.minimum(epsilons, largest * (1 - 1e-12))  # where the loss is largest the integral has no hill
        deltas = np.array([laplace_delta(float(each), theta=theta, values=values, aim=_AIM) for each in below])
    return BoundedCurve(epsilons, np.clip(deltas, 0.0, 1.0))
