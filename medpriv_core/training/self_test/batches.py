"""Who is drawn, and what becomes of a record on its way in: neither may depend on the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import special

from medpriv_core.datasets.base import DatasetInfo, PreparedDataset, PreparedSplit
from medpriv_core.spec import RunSpec
from medpriv_core.training import sampling
from medpriv_core.training.data import TrainingData
from medpriv_core.training.examples import Examples
from medpriv_core.training.features import FeatureSource
from medpriv_core.training.records import PatientRecords
from medpriv_core.training.self_test.steps import FALSE_ALARM, finite, is_binomial
from medpriv_core.training.self_test.trial import same_known_chance

Batches = Callable[[int], Iterator[np.ndarray]]

FEWEST, MOST = 16, 64
WORK = 200_000  # draws at once, of records times batches


def sampler(batches: Batches, *, scheme: str, train_size: int, sample_rate: float) -> dict[str, Any]:
    """The finding ``sampling``; ``batches(n)`` are the sampler's next n, and the same ones are asked for twice."""
    if scheme == "full_batch":
        holds = all(np.array_equal(batch, np.arange(train_size)) for batch in batches(1))
        return {"holds": bool(holds), "batches": 1, "size": 1.0, "spread": 1.0}
    number = max(FEWEST, min(MOST, WORK // train_size))
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
    holds = is_binomial(int(drawn.sum()), number * train_size, q)
    # A deck shows all records equally often, favourites come too often.
    holds = holds and _scatter_as_binomial(drawn.sum(0), train_size, trials=number, chance=q)
    # Batches of one size were dealt, not drawn.
    holds = holds and _scatter_as_binomial(sizes, number, trials=train_size, chance=q)
    # Records that come and go together: neighbours are both there as often as any two.
    pairs = train_size // 2 * 2
    together = int((drawn[:, 0:pairs:2] & drawn[:, 1:pairs:2]).sum())
    holds = holds and is_binomial(together, number * pairs // 2, q * q)
    # The same batches once more: drawn from a seed that somebody keeps.
    same = all(len(a) == len(b) and np.array_equal(np.sort(a), np.sort(b)) for a, b in zip(first, again, strict=False))
    certain = float(_log_binomial(train_size, q)[[len(batch) for batch in first]].sum()) if variance > 0 else 0.0
    return {"holds": bool(holds and not (same and certain < np.log(FALSE_ALARM)))} | figures


def _log_binomial(trials: int, chance: float) -> np.ndarray:
    """(trials + 1,) logarithms of the chances of 0, 1, ... of so many trials; 0 < chance < 1."""
    k = np.arange(trials + 1.0)
    ways = special.gammaln(trials + 1.0) - special.gammaln(k + 1) - special.gammaln(trials - k + 1)
    found: np.ndarray = ways + k * np.log(chance) + (trials - k) * np.log1p(-chance)
    return found


def _scatter_as_binomial(counts: np.ndarray, number: int, *, trials: int, chance: float) -> bool:
    """Whether ``number`` independent binomial counts may lie so near to their mean, or so far from it.

    The chance of a sum of squared distances beyond the one seen is at most that of Chernoff's bound, whatever the
    tilt: E[exp(tilt distance²)]^number / exp(tilt sum).
    """
    mean, variance = trials * chance, trials * chance * (1 - chance)
    if variance == 0:
        return bool((counts == mean).all())
    seen = float(((counts - mean) ** 2).sum()) / number
    squares = (np.arange(trials + 1.0) - mean) ** 2
    log_chances = _log_binomial(trials, chance)
    tilts = -np.geomspace(0.05, 500, 10) / variance if seen < variance else np.geomspace(0.01, 10, 10) / variance
    exponents = log_chances + tilts[:, None] * squares
    most = exponents.max(1)
    bounds = most + np.log(np.exp(exponents - most[:, None]).sum(1)) - tilts * seen
    return number * float(bounds.min()) >= float(np.log(FALSE_ALARM))


def images_of_patients(records: PatientRecords, whose: np.ndarray | None) -> dict[str, Any]:
    """Of the finding ``patients``: whether each patient, once drawn, gives images of their own alone, and few enough.

    ``whose`` (n,) says whose each image is, by the dataset and not by ``records``.
    """
    everybody = np.arange(len(records))
    if whose is None:
        return {"own": False, "patients": len(records), "images": None}
    groups = list(records.draw(everybody))
    most = max((group.shape[1] for group in groups), default=0)
    # Each patient has one row, of images that are all theirs, no two of them alike; in which order does not matter.
    owners = [whose[group] for group in groups]
    own = all(bool((row == row[:, :1]).all()) for row in owners)
    own &= all(len(np.unique(images)) == len(images) for group in groups for images in group)
    own &= bool(np.array_equal(np.sort(np.concatenate([row[:, 0] for row in owners])), np.unique(whose)))
    return {"own": own and most <= records.most, "patients": len(records), "images": most}


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
    picture = np.random.default_rng(3).integers(0, 256, (side, side, info.channels), dtype=np.uint8)
    for others in (40, 200):
        images = np.stack([picture, picture // 4 + others // 2, picture // 3 + others // 2])
        images[:, 0, 0] = np.array([7, others, others + 1])[:, None]
        split = PreparedSplit(images, np.arange(3, dtype=np.int64) % len(info.classes))
        data = TrainingData(PreparedDataset(info, "made-up", side, Path("made-up"), split, split))
        found.append(way_in(data, MadeUpStore(width)).batch(np.arange(2))[0][0].double())
    difference = float((found[0] - found[1]).norm() / found[0].norm().clamp(min=1e-30))
    return {"holds": difference <= 1e-4, "difference": finite(difference)}


def augmentation(spec: RunSpec) -> dict[str, Any]:
    """The finding ``augmentation``: under DP-SGD the same step is never varied in the same way twice."""
    drawn = []
    for _ in range(2):
        with same_known_chance():
            drawn.append(torch.rand(8, generator=sampling.augmentation_generator(spec, epoch=0, step=0)))
    return {"holds": not torch.equal(*drawn)}
