"""A weaker attacker than differential privacy has in mind: who does not know what the record looks like.

The attacker of the trade-off curve knows the record and every other one, so he knows in which direction it moves what
is released. The relaxed attacker knows the noise and how far the record can move the result, but not in which of d
directions; the best he can do is to look at the length of what he sees (a generalised likelihood ratio test, GLRT;
Kaissis et al. 2022). For Gaussian noise its squared length is chi-squared without the record, and non-central
chi-squared with it. It is no guarantee: who knows more finds more.

>>> relaxed_hits([0.05], mu=1.0, dimensions=10).round(4)
array([0.082])
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

from medpriv_core.privacy.curve import Array


def relaxed_hits(false_alarms: npt.ArrayLike, *, mu: float, dimensions: int) -> Array:
    """What the relaxed attacker finds at most, of Gaussian noise without sampling.

    Args:
        false_alarms: Shares from 0 to 1, an array of any shape.
        mu: How far one record moves the result, over the standard deviation of the noise; 0 or more and finite.
        dimensions: Of what is released: the trained parameters, or the noised values; 1 or more.

    Returns:
        Shares from 0 to 1 of the same shape; never above the trade-off curve of the same noise.
    """
    rates = np.asarray(false_alarms, dtype=np.float64)
    if mu == 0:
        return rates
    thresholds = scipy.stats.chi2.isf(rates, dimensions)
    hits = scipy.stats.ncx2.sf(thresholds, dimensions, mu**2)
    return np.clip(np.where(rates >= 1, 1.0, np.where(rates <= 0, 0.0, hits)), rates, 1.0)
