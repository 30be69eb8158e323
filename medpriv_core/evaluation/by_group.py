"""How good a network is for groups in the data, each figure with an interval, and what privacy costs each group.

Groups are what files or a table say of images: a sub-type of the disease, a batch of files, how many images a patient
has, a column of one's own. Of data that says nothing about people it says nothing about fairness across people.

Intervals of 95 % are quantiles of a bootstrap that draws *patients* with replacement, all of their images at once,
where it is known whose these are; else it draws images. Two networks are compared on the same draws, so that what the
test images have in common cancels out of the difference. The threshold is the network's for all groups, never one of
their own. The AUROC of a group that lacks a class, such as one kind of pneumonia, is that of its images against all
test images of the class that it lacks.

>>> parities([0.80, 0.85, 0.90], [100, 300, 600])
[-0.083333, -0.035714, 0.0625]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from medpriv_core.evaluation.intervals import LEVEL, Interval

DRAWS = 2000
FEW = 20  # images (positives, negatives) below which a share of them, or an AUROC, says next to nothing
FEWEST_TOLD = 10  # patients of a group below which nothing of it is passed on: it would tell of single ones
_MOST_NUMBERS = 4_000_000  # draws times images that are held at once


@dataclass(frozen=True)
class GroupFigure:
    """One figure of one group, from -1 to 1.

    value     None where its images cannot tell
    interval  of 95 %; None where there is no value, or no draw has one
    few       there are images to tell it by, but fewer than ``FEW``
    """

    value: float | None
    interval: Interval | None
    few: bool = False


@dataclass(frozen=True)
class GroupLine:
    """One group.

    images, patients  of it, on the test images; patients None where not known
    positives         images of the second of two classes; None with more classes
    figures           by name: accuracy and accuracy_parity; of two classes also sensitivity, specificity, auroc and
                      statistical_parity
    against_all       whether the AUROC is against all test images of the class that the group lacks
    less              figures of this network less those of the other one; empty without one
    """

    group: str
    images: int
    patients: int | None
    positives: int | None
    figures: Mapping[str, GroupFigure]
    against_all: bool = False
    less: Mapping[str, GroupFigure] = field(default_factory=dict)

    @property
    def counted(self) -> int:
        """How many people could be told apart in it at most: patients, or images where nothing is known of them."""
        return self.images if self.patients is None else self.patients


def by_group(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str],
    *,
    patients: np.ndarray | None = None,
    other: np.ndarray | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[GroupLine]:
    """The figures of each group.

    Args:
        probabilities: Float array (n, classes): what the network gives each class, image by image.
        labels: Integer array (n,): the true class of each image, from 0.
        groups: The group of each image; empty for one that is in none.
        patients: Integer array (n,): whose each image is, from 0; None where that is not known.
        other: Float array (n, classes) of a second network, which the first is held against.
        draws: Of the bootstrap.
        seed: Of the bootstrap; the same one gives the same intervals.

    Returns:
        A line for each group, in the order of their names.
    """
    names = sorted({group for group in groups if group})
    member = np.array([[group == name for group in groups] for name in names], dtype=bool)
    if not names:
        return []
    both = [probabilities] if other is None else [probabilities, other]
    found = _drawn_figures(both, labels, member, patients, draws=draws, seed=seed)
    lines = []
    for place, name in enumerate(names):
        inside, bases = member[place], _bases(labels, member[place], classes=probabilities.shape[1])
        told = [{key: _told(values[place], bases[key]) for key, values in each.items()} for each in found]
        lines.append(
            GroupLine(
                group=name,
                images=int(inside.sum()),
                patients=None if patients is None else len(np.unique(patients[inside])),
                positives=int((labels[inside] == 1).sum()) if probabilities.shape[1] == 2 else None,
                figures=told[0],
                against_all=probabilities.shape[1] == 2 and len(np.unique(labels[inside])) == 1,
                less=told[1] if other is not None else {},
            )
        )
    return lines


def passed_on(lines: Sequence[GroupLine]) -> tuple[list[GroupLine], int]:
    """The lines that may be passed on, and how many groups are left out.

    Groups of fewer than ``FEWEST_TOLD`` patients (images, where patients are not known) are left out; so is the next
    smallest one while those that are left out are fewer together, for with the figures of the whole test set and of
    all other groups theirs could be computed.

    Args:
        lines: What ``by_group`` returns.

    Returns:
        Lines in their order, and a number of groups.
    """
    kept = sorted(lines, key=lambda line: -line.counted)
    left_out = 0
    count = 0
    while kept and (kept[-1].counted < FEWEST_TOLD or 0 < left_out < FEWEST_TOLD):
        left_out += kept.pop().counted
        count += 1
    names = {line.group for line in kept}
    return [line for line in lines if line.group in names], count


def parities(values: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """Each group's share less the mean share of all others, weighted by their sizes, to six digits.

    With accuracies it is accuracy parity; with shares of those who are called positive, statistical parity.

    Args:
        values: A share of each group.
        sizes: Images of each group; two groups at least.

    Returns:
        One for each group.
    """
    counts = np.asarray(sizes, dtype=float)
    hits = np.asarray(values, dtype=float) * counts
    return [round(float(each), 6) for each in _parity(hits, counts, hits.sum(), counts.sum())]


def _parity(hits: np.ndarray, sizes: np.ndarray, all_hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        parity: np.ndarray = hits / sizes - (all_hits - hits) / (among - sizes)
    return parity


def _bases(labels: np.ndarray, inside: np.ndarray, *, classes: int) -> dict[str, int]:
    """How many images each figure of a group rests on."""
    images = int(inside.sum())
    bases = {"accuracy": images, "accuracy_parity": images, "statistical_parity": images}
    if classes == 2:
        ill, well = int((labels[inside] == 1).sum()), int((labels[inside] == 0).sum())
        bases |= {"sensitivity": ill, "specificity": well}
        bases["auroc"] = min(ill or int((labels == 1).sum()), well or int((labels == 0).sum()))
    return bases


def _drawn_figures(
    networks: Sequence[np.ndarray],
    labels: np.ndarray,
    member: np.ndarray,
    patients: np.ndarray | None,
    *,
    draws: int,
    seed: int,
) -> list[dict[str, np.ndarray]]:
    """Figure -> float64 (groups, 1 + draws) of the first network, and of it less the second; the images as they are
    come first, NaN stands where a figure cannot be told."""
    parts: list[list[dict[str, np.ndarray]]] = []
    for weights in _weights(len(labels), patients, draws=draws, seed=seed):
        found = [_figures(probabilities, labels, member, weights) for probabilities in networks]
        if len(found) == 2:
            found[1] = {name: found[0][name] - found[1][name] for name in found[0]}
        parts.append(found)
    return [
        {name: np.concatenate([part[which][name] for part in parts], axis=1) for name in parts[0][which]}
        for which in range(len(networks))
    ]


def _weights(images: int, patients: np.ndarray | None, *, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each image is drawn, float32 (some, images): first all once, then ``draws`` rows in parts."""
    whose = np.arange(images) if patients is None else np.unique(patients, return_inverse=True)[1]
    count = int(whose.max()) + 1
    rng = np.random.default_rng(seed)
    yield np.ones((1, images), dtype=np.float32)
    part = max(1, _MOST_NUMBERS // images)
    for start in range(0, draws, part):
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=min(part, draws - start))
        yield drawn[:, whose].astype(np.float32)


def _figures(
    probabilities: np.ndarray, labels: np.ndarray, member: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    called = probabilities.argmax(1)
    inside, anywhere = member.T.astype(np.float32), member.any(0).astype(np.float32)
    sizes, among = weights @ inside, (weights @ anywhere)[:, None]

    def counted(images: np.ndarray) -> np.ndarray:
        return weights @ (inside * images[:, None])

    def parity(images: np.ndarray) -> np.ndarray:
        return _parity(counted(images), sizes, (weights @ (anywhere * images))[:, None], among)

    right = called == labels
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {"accuracy": counted(right) / sizes, "accuracy_parity": parity(right)}
        if probabilities.shape[1] == 2:
            for name, one in (("sensitivity", labels == 1), ("specificity", labels == 0)):
                found[name] = counted(one & right) / counted(one)
            found["statistical_parity"] = parity(called == 1)
    whole = {name: values.T.astype(np.float64) for name, values in found.items()}
    if probabilities.shape[1] == 2:
        whole["auroc"] = np.stack([_areas(probabilities[:, 1], labels, group, weights) for group in member])
    return whole


def _areas(values: np.ndarray, labels: np.ndarray, inside: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Float64 (draws,): areas under the ROC curve of a group, with its images weighted by how often each is drawn."""
    ill, well = inside & (labels == 1), inside & (labels == 0)
    ill, well = (ill if ill.any() else labels == 1), (well if well.any() else labels == 0)
    if not ill.any() or not well.any():
        return np.full(len(weights), np.nan)
    order = np.argsort(values[well], kind="stable")
    below = np.concatenate(
        [np.zeros((len(weights), 1), dtype=np.float32), np.cumsum(weights[:, well][:, order], axis=1)], axis=1
    )
    ahead, level = (np.searchsorted(values[well][order], values[ill], side) for side in ("left", "right"))
    won = (below[:, ahead] + below[:, level]) / 2  # an equal value counts one half
    with np.errstate(divide="ignore", invalid="ignore"):
        areas: np.ndarray = (weights[:, ill] * won).sum(1) / (weights[:, ill].sum(1) * below[:, -1])
    return areas.astype(np.float64)


def _told(values: np.ndarray, base: int) -> GroupFigure:
    """The figure of the images as they are, and the interval of its draws."""
    if not np.isfinite(values[0]):
        return GroupFigure(None, None)
    if base < FEW:
        return GroupFigure(None, None, few=True)
    drawn = values[1:][np.isfinite(values[1:])]
    if len(drawn) < 2:
        return GroupFigure(float(values[0]), None)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return GroupFigure(float(values[0]), Interval(float(low), float(high)))
