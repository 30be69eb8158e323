"""Figures by group: against scikit-learn and a plain bootstrap, by hand, and where a group is too small."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medpriv_core.evaluation import by_group as module
from medpriv_core.evaluation.by_group import GroupLine, by_group, parities, passed_on

IMAGES = 240


def drawn(seed: int = 0, *, classes: int = 2) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Probabilities with ties, labels, groups of which some images are in none, and patients of several images."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, IMAGES)
    scores = rng.uniform(size=(IMAGES, classes)) + 0.3 * np.eye(classes)[labels]
    probabilities = scores / scores.sum(1, keepdims=True)
    if classes == 2:
        ill = np.round(probabilities[:, 1], 2)
        probabilities = np.stack([1 - ill, ill], axis=1)
    groups = rng.choice(["a", "b", "c", ""], IMAGES, p=[0.5, 0.25, 0.15, 0.1]).tolist()
    return probabilities, labels, groups, rng.integers(0, 90, IMAGES)


def won(ill: np.ndarray, well: np.ndarray) -> float:
    pairs = ill[:, None] - well[None]
    return float(((pairs > 0) + (pairs == 0) / 2).mean())


def plainly(probabilities: np.ndarray, labels: np.ndarray, groups: list[str], rows: np.ndarray, group: str) -> dict:  # type: ignore[type-arg]
    """The figures of a group among the images ``rows``, each as often as it is there."""
    inside = [row for row in rows if groups[row] == group]
    others = [row for row in rows if groups[row] not in ("", group)]
    called = probabilities.argmax(1)

    def share(of: list[int], right: np.ndarray) -> float:
        return float(right[of].mean())

    ill, well = ([row for row in inside if labels[row] == label] for label in (1, 0))
    return {
        "accuracy": share(inside, called == labels),
        "accuracy_parity": share(inside, called == labels) - share(others, called == labels),
        "statistical_parity": share(inside, called == 1) - share(others, called == 1),
        "sensitivity": share(ill, called == 1),
        "specificity": share(well, called == 0),
        "auroc": won(probabilities[ill, 1], probabilities[well, 1]),
    }


def test_figures_and_intervals_are_those_of_a_plain_bootstrap_over_patients() -> None:
    probabilities, labels, groups, patients = drawn()
    other = drawn(7)[0]
    lines = {line.group: line for line in by_group(probabilities, labels, groups, patients=patients, other=other)}
    assert list(lines) == ["a", "b", "c"]
    rng = np.random.default_rng(1)
    images_of = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    draws = [
        np.concatenate([images_of[one] for one in rng.integers(0, len(images_of), len(images_of))]) for _ in range(400)
    ]
    for group in ("a", "b"):
        line = lines[group]
        assert (line.images, line.positives) == (
            groups.count(group),
            sum(1 for own, label in zip(groups, labels, strict=True) if own == group and label == 1),
        )
        assert line.patients == len({int(who) for own, who in zip(groups, patients, strict=True) if own == group})
        ours = plainly(probabilities, labels, groups, np.arange(IMAGES), group)
        theirs = plainly(other, labels, groups, np.arange(IMAGES), group)
        again = [plainly(probabilities, labels, groups, rows, group) for rows in draws]
        again_other = [plainly(other, labels, groups, rows, group) for rows in draws]
        assert set(line.figures) == set(ours)
        inside = np.array([own == group for own in groups])
        assert ours["auroc"] == pytest.approx(roc_auc_score(labels[inside], probabilities[inside, 1]))
        for name, value in ours.items():
            figure, less = line.figures[name], line.less[name]
            assert figure.value == pytest.approx(value, abs=1e-6)
            assert less.value == pytest.approx(value - theirs[name], abs=1e-6)
            both = [(each[name], each[name] - less_[name]) for each, less_ in zip(again, again_other, strict=True)]
            for interval, values in zip((figure.interval, less.interval), np.array(both).T, strict=True):
                assert interval is not None
                spread = float(values.std())
                assert interval == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.6 * spread)


def test_images_of_one_patient_are_drawn_together() -> None:
    """Ten equal images of a patient say no more than one of them, and the interval knows it."""
    probabilities, labels, _, _ = drawn()
    one_each, ten_each = np.arange(60), np.repeat(np.arange(60), 10)
    widths = []
    for rows, patients in ((one_each, None), (ten_each, ten_each), (ten_each, None)):
        (line,) = by_group(probabilities[rows], labels[rows], ["all"] * len(rows), patients=patients)
        interval = line.figures["accuracy"].interval
        assert interval is not None
        widths.append(interval.high - interval.low)
    single, by_patient, by_image = widths
    assert by_patient == pytest.approx(single, rel=0.1)
    assert by_image < 0.5 * single


def test_the_same_network_costs_nothing_and_chance_of_the_images_cancels_out() -> None:
    probabilities, labels, groups, patients = drawn()
    for line in by_group(probabilities, labels, groups, patients=patients, other=probabilities):
        for figure in line.less.values():
            assert figure.few or (figure.value == 0 and figure.interval == (0, 0))


@pytest.mark.parametrize(
    ("values", "sizes", "expected"),
    [
        ([0.80, 0.85, 0.90], [100, 300, 600], [-0.083333, -0.035714, 0.0625]),
        ([0.9, 0.7], [10, 1000], [0.2, -0.2]),  # of two groups it is the plain difference
    ],
)
def test_parity_by_hand(values: list[float], sizes: list[int], expected: list[float]) -> None:
    assert parities(values, sizes) == pytest.approx(expected, abs=1e-6)


def test_of_more_classes_accuracy_alone_is_told() -> None:
    probabilities, labels, groups, _ = drawn(classes=4)
    line = by_group(probabilities, labels, groups)[0]
    assert set(line.figures) == {"accuracy", "accuracy_parity"}
    assert (line.positives, line.patients, line.against_all, line.less) == (None, None, False, {})


def test_a_group_without_a_class_is_held_against_all_of_that_class() -> None:
    probabilities, labels, _, _ = drawn()
    groups = ["viral" if label and place % 2 else "bacterial" if label else "" for place, label in enumerate(labels)]
    for line in by_group(probabilities, labels, groups):
        inside = np.array([own == line.group for own in groups]) | (labels == 0)
        assert line.against_all
        assert line.figures["auroc"].value == pytest.approx(roc_auc_score(labels[inside], probabilities[inside, 1]))
        assert line.figures["specificity"] == module.GroupFigure(None, None)


def test_below_20_positives_or_negatives_it_says_too_few() -> None:
    probabilities, labels = drawn()[0][:200], np.repeat([1, 0, 1, 0], [19, 80, 20, 81])
    groups = ["nineteen"] * 99 + ["twenty"] * 101
    nineteen, twenty = by_group(probabilities, labels, groups)
    assert [nineteen.figures[name].few for name in ("auroc", "sensitivity", "specificity", "accuracy")] == [
        True,
        True,
        False,
        False,
    ]
    assert nineteen.figures["auroc"].value is None
    assert not any(figure.few for figure in twenty.figures.values())


def line_of(group: str, images: int, patients: int | None = None) -> GroupLine:
    return GroupLine(group, images, patients, None, {})


@pytest.mark.parametrize(
    ("sizes", "told", "left_out"),
    [
        ((50, 30, 10), "abc", 0),
        ((50, 30, 9), "a", 2),  # 9 alone could be computed from all others
        ((9, 50, 3), "b", 2),  # two of them hide each other
        ((5, 5, 40), "c", 2),
        ((9,), "", 1),
    ],
)
def test_what_tells_of_single_patients_is_not_passed_on(sizes: tuple[int, ...], told: str, left_out: int) -> None:
    lines = [line_of("abcdef"[place], images) for place, images in enumerate(sizes)]
    kept, count = passed_on(lines)
    assert "".join(line.group for line in kept) == told
    assert count == left_out


def test_a_group_of_many_images_of_few_patients_is_small() -> None:
    assert passed_on([line_of("a", 500, 9), line_of("b", 500, 400)]) == ([], 2)


def test_parts_give_the_same_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 50,000 test images 2,000 draws would take 400 MB at once."""
    probabilities, labels, groups, patients = drawn()
    whole = by_group(probabilities, labels, groups, patients=patients)
    monkeypatch.setattr(module, "_MOST_NUMBERS", 10 * IMAGES)
    assert by_group(probabilities, labels, groups, patients=patients) == whole


def test_images_in_no_group_give_no_line() -> None:
    probabilities, labels, _, _ = drawn()
    assert by_group(probabilities, labels, [""] * IMAGES) == []
