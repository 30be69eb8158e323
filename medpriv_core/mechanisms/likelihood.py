"""How far releases are from the pictures of a gallery, of which the likelihood of every mechanism is made."""

from __future__ import annotations

from typing import Literal

import numpy as np

VALUES_AT_ONCE = 16384  # of each picture: 100 pictures of that many fit into a processor's cache


def distances(releases: np.ndarray, gallery: np.ndarray, metric: Literal["cityblock", "sqeuclidean"]) -> np.ndarray:
    """Sums of absolute ("cityblock") or squared ("sqeuclidean") differences, float64 (D, N).

    releases  float (D, h, w, c)
    gallery   float (N, h, w, c)

    With absolute differences it makes none to their order whether a release is clamped: that changes the sum of every
    picture by the same amount.
    """
    from scipy.spatial.distance import cdist

    first, second = releases.reshape(len(releases), -1), gallery.reshape(len(gallery), -1)
    sums = np.zeros((len(first), len(second)))
    for start in range(0, first.shape[1], VALUES_AT_ONCE):
        part = slice(start, start + VALUES_AT_ONCE)
        sums += cdist(first[:, part], second[:, part], metric)
    return sums
