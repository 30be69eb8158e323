"""Who is drawn, and what becomes of a record on its way in: neither may depend on the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from medpriv_core.datasets.base import DatasetInfo, PreparedDataset, PreparedSplit
from medpriv_core.spec import RunSpec
from medpriv_core.training import sampling
from medpriv_core.training.data import TrainingData
from medpriv_core.training.examples import Examples
from medpriv_core.training.features import FeatureSource
from medpriv_core.training.self_test.steps import FALSE_ALARM, finite
from medpriv_core.training.self_test.trial import same_known_chance

Batches = Callable[[int], Iterator[np.ndarray]]

FEWEST, MOST = 16, 64
WORK = 1_000_000  # draws at once, of records times batches

# From this variance on, the squares of sizes are nearly those of Gaussians, and the bounds allow for the rest.
NEARLY_GAUSSIAN = 25.0


def sampler(batches: Batches, *, scheme: str, train_size: int, sample_rate: float) -> dict[str, Any]:
    """The finding ``sampling``; ``batches(n)`` are the sampler's next n, and the same ones are asked for twice."""
    if scheme == "full_batch":
        holds = all(np.array_equal(batch, np.arange(train_size)) for batch in batches(1))
        return {"holds": bool(holds), "batches": 1, "size": 1.0, "spread": 1.0}
    number = max(FEWEST, min(MOST, WORK // train_size)) // 2 * 2
    with same_known_chance():
        first = list(batches(number))
    with same_known_chance():
        again = list(batches(number))
    sizes = np.array([len(batch) for batch in first], dtype=np.float64)
    expected, variance = train_size * sample_rate, train_size * sample_rate * (1 - sample_rate)
    squares = float(((sizes - expected) ** 2).sum() / variance) if variance > 0 else float(len(sizes))
    figures = {
        "batches": len(first),
        "size": float(sizes.sum()) / max(1, len(first)) / expected,
        "spread": squares / max(1, len(first)),
    }
    sound = len(first) == number and all(len(np.unique(batch)) == len(batch) for batch in first)
    sound = sound and all(len(batch) == 0 or (batch.min() >= 0 and batch.max() < train_size) for batch in first)
    if not sound:
        return {"holds": False} | figures
    drawn = np.zeros((number, train_size), dtype=bool)
    for row, batch in zip(drawn, first, strict=True):
        row[batch] = True
    q = sample_rate
    holds = _is_binomial(int(drawn.sum()), number * train_size, q)
    # A deck never shows a record twice, and favourites are shown too often: pairs of batches have n q² in common.
    holds = holds and _is_binomial(int((drawn[0::2] & drawn[1::2]).sum()), number // 2 * train_size, q * q)
    # Records that come and go together: neighbours are both there as often as any two.
    pairs = train_size // 2 * 2
    together = int((drawn[:, 0:pairs:2] & drawn[:, 1:pairs:2]).sum())
    holds = holds and _is_binomial(together, number * pairs // 2, q * q)
    # Batches of one size were dealt, not drawn.
    holds = holds and _has_binomial_spread(sizes, train_size, q)
    if variance >= NEARLY_GAUSSIAN:
        low, high = (stats.chi2.ppf(side, number) for side in (FALSE_ALARM, 1 - FALSE_ALARM))
        holds = holds and low * 0.9 <= squares <= high * 1.2
    # The same batches once more: drawn from a seed that somebody keeps.
    same = all(len(a) == len(b) and np.array_equal(np.sort(a), np.sort(b)) for a, b in zip(first, again, strict=False))
    certain = sum(stats.binom.logpmf(size, train_size, q) for size in sizes)
    return {"holds": bool(holds and not (same and (variance > 0) and certain < np.log(FALSE_ALARM)))} | figures


def _is_binomial(count: int, trials: int, chance: float) -> bool:
    low, high = (stats.binom.ppf(side, trials, chance) for side in (FALSE_ALARM, 1 - FALSE_ALARM))
    return bool(low <= count <= high)


def _has_binomial_spread(sizes: np.ndarray, n: int, q: float) -> bool:
    """Whether sizes vary enough: how likely is it that all lie so near to each other?

    By the likelihood of the most frequent size, which bounds that of any other.
    """
    if n * q * (1 - q) == 0:
        return bool((sizes == n * q).all())
    _, counts = np.unique(sizes, return_counts=True)
    most = float(stats.binom.pmf(np.floor((n + 1) * q), n, q))
    # So many of them alike, whichever size it is: at most the number of sizes times this.
    alike = np.log(n + 1.0) + float(stats.binom.logsf(counts.max() - 1, len(sizes), most))
    return bool(alike >= np.log(FALSE_ALARM))


def order_of_deck(batches: Batches, *, train_size: int, steps: int) -> dict[str, Any]:
    """The finding ``sampling`` of a shuffled deck, for which nothing is credited: each record once an epoch at most."""
    drawn = np.concatenate([np.zeros(0, dtype=np.int64), *batches(steps)])
    holds = len(np.unique(drawn)) == len(drawn) == train_size
    return {"holds": bool(holds), "batches": steps, "size": 1.0, "spread": 0.0}


class MadeUpStore:
    """Stands in for ``FeatureStore``: features that follow from an image's first pixel."""

    def __init__(self, width: int) -> None:
        self._width = width

    def get(self, sources: Sequence[FeatureSource], *_: object) -> list[np.ndarray]:
        """As ``FeatureStore.get``."""
        found = []
        for source in sources:
            first = source.images.reshape(len(source.images), -1)[:, 0].astype(np.int64)
            rows = [np.random.default_rng((int(value), source.variant)).random(self._width) for value in first]
            found.append(np.asarray(rows, dtype=np.float32))
        return found


def preprocessing(
    way_in: Callable[[TrainingData, Any], Examples], info: DatasetInfo, *, side: int, width: int
) -> dict[str, Any]:
    """The finding ``preprocessing``: the same made-up image among two sets of others, by the session's own way in.

    ``way_in`` makes examples of data and a store of features; no image is augmented.
    """
    found = []
    for others in (40, 200):
        images = np.zeros((4, side, side, info.channels), dtype=np.uint8)
        images[:] = np.random.default_rng(3).integers(0, 256, images.shape[1:])
        images[:, 0, 0] = np.array([7, others, others + 1, others + 2])[:, None]
        images[1:] = images[1:] // 4 + others // 2
        images[1:, 0, 0] = np.array([others, others + 1, others + 2])[:, None]
        split = PreparedSplit(images, np.arange(4, dtype=np.int64) % len(info.classes))
        data = TrainingData(PreparedDataset(info, "made-up", side, Path("made-up"), split, split))
        found.append(way_in(data, MadeUpStore(width)).batch(np.arange(4))[0][0].double())
    difference = float((found[0] - found[1]).norm() / found[0].norm().clamp(min=1e-30))
    return {"holds": difference <= 1e-4, "difference": finite(difference)}


def augmentation(spec: RunSpec) -> dict[str, Any]:
    """The finding ``augmentation``: under DP-SGD the same step is never varied in the same way twice."""
    drawn = []
    for _ in range(2):
        with same_known_chance():
            drawn.append(torch.rand(8, generator=sampling.augmentation_generator(spec, epoch=0, step=0)))
    return {"holds": not torch.equal(*drawn)}
