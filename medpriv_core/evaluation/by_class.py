"""Whether privacy costs the rarer classes more: the loss of each class against its training images.

>>> round(losses_by_size([0.10, 0.06, 0.05, 0.02, 0.01], [20, 70, 60, 140, 290]).r, 3)
-0.853
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from medpriv_core.evaluation.intervals import LEVEL, Interval
from medpriv_core.evaluation.ranks import auroc

FEWEST = 5  # classes; of fewer a correlation says nothing


@dataclass(frozen=True)
class Correlation:
    """Pearson's r over some points, with its interval of 95 % by Fisher's transformation, from -1 to 1."""

    r: float
    interval: Interval
    points: int


def losses_by_size(losses: Sequence[float], sizes: Sequence[int]) -> Correlation | None:
    """Correlate the loss of each class with the number of its training images.

    Args:
        losses: What privacy costs each class, such as its AUROC without privacy less that with it.
        sizes: Training images of each class.

    Returns:
        Negative where rarer classes lose more. None of fewer than ``FEWEST`` classes, and where all losses or all sizes
        are the same.
    """
    count = len(losses)
    if count < FEWEST or np.ptp(losses) == 0 or np.ptp(sizes) == 0:
        return None
    r = float(np.corrcoef(losses, sizes)[0, 1])
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    middle, half = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, r))), z / math.sqrt(count - 3)
    return Correlation(r, Interval(math.tanh(middle - half), math.tanh(middle + half)), count)


def class_aurocs(probabilities: np.ndarray, labels: np.ndarray) -> list[float | None]:
    """Compute the AUROC of each class against all others.

    Args:
        probabilities: Float array (n, classes): what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.

    Returns:
        One for each class; None where the test images are all of it, or none is.
    """
    return [auroc(probabilities[:, number], labels == number) for number in range(probabilities.shape[1])]
