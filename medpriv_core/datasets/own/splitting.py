"""Splitting images into those to learn from and those to test on, where no split came with them.

Images that belong together, of one patient or copies of one another, stay on one side: a network would otherwise be
tested on what it has learned by heart.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np


def together(*keys: Sequence[Hashable | None]) -> np.ndarray:
    """Numbers (n,) that are equal for images that belong together by any of several keys; None ties nothing.

    >>> together(["ann", "ann", "bob", None], [1, 2, 1, 3]).tolist()
    [0, 0, 0, 3]
    """
    count = len(keys[0])
    parent = list(range(count))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for column in keys:
        first: dict[Hashable, int] = {}
        for place, key in enumerate(column):
            if key is None:
                continue
            other = first.setdefault(key, place)
            one, two = sorted((root(place), root(other)))
            parent[two] = one
    return np.array([root(place) for place in range(count)], dtype=np.int64)


def choose_test(labels: Sequence[int], group: np.ndarray, *, share: float, seed: int) -> np.ndarray:
    """Which images are to test on: bool (n,).

    Args:
        labels: The class of each image, (n,).
        group: Equal for images that must stay on one side, (n,).
        share: Of each class, above 0 and below 1, as nearly as the groups allow. A class of two groups or more has one
            on each side at least.
        seed: The same one gives the same split.

    Returns:
        True for an image to test on.
    """
    of_class = np.asarray(labels)
    classes = int(of_class.max()) + 1 if len(of_class) else 0
    numbers = np.unique(group, return_inverse=True)[1]
    counts = np.zeros((int(numbers.max()) + 1 if len(numbers) else 0, classes))
    np.add.at(counts, (numbers, of_class), 1)
    groups_of_class = (counts > 0).sum(0)
    wanted = np.where(groups_of_class > 1, np.maximum(1.0, np.round(share * counts.sum(0))), 0.0)
    chosen, had = np.zeros(len(counts), dtype=bool), np.zeros(classes)
    left = groups_of_class.copy()
    for number in np.random.default_rng(seed).permutation(len(counts)):
        row = counts[number]
        own = row > 0
        fits = np.minimum(row, np.maximum(wanted - had, 0)).sum()
        # The last group of a class stays to learn from.
        if 2 * fits > row.sum() and not _takes_last(own, left, chosen, counts):
            chosen[number] = True
            had += row
        left -= own
    # Large groups may fit nowhere: then the smallest of a class that has no image to test on yet.
    for one in np.flatnonzero((groups_of_class > 1) & (had == 0)):
        if counts[chosen][:, one].sum():
            continue
        order = [
            number
            for number in np.argsort(counts.sum(1), kind="stable")
            if counts[number, one] and not chosen[number] and _leaves_some(int(number), chosen, counts)
        ]
        if order:
            chosen[order[0]] = True
    return chosen[numbers]


def _leaves_some(number: int, chosen: np.ndarray, counts: np.ndarray) -> bool:
    """Whether each class of a group still has another one to learn from if it is tested on."""
    rest = ~chosen
    rest[number] = False
    return bool(((counts[rest] > 0).sum(0) > 0)[counts[number] > 0].all())


def _takes_last(own: np.ndarray, left: np.ndarray, chosen: np.ndarray, counts: np.ndarray) -> bool:
    """Whether this is the last group of one of its classes, of which none stays to learn from yet."""
    last = own & (left == 1)
    if not last.any():
        return False
    tested = (counts[chosen] > 0).sum(0)
    of_class = (counts > 0).sum(0)
    return bool((last & (tested == of_class - 1)).any())


def seen_in_both(keys: Iterable[Hashable | None], test: Iterable[bool]) -> set[Hashable]:
    """Keys of images that stand on both sides."""
    sides: dict[Hashable, set[bool]] = {}
    for key, side in zip(keys, test, strict=True):
        if key is not None:
            sides.setdefault(key, set()).add(bool(side))
    return {key for key, found in sides.items() if len(found) > 1}
