"""How far seeds agree: by the definitions, pair by pair and image by image."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from medpriv_core.errors import SettingError
from medpriv_core.evaluation.intervals import wilson_interval
from medpriv_core.evaluation.multiplicity import abstention_curve, calls_of, compare_seeds, distinct_networks
from medpriv_core.evaluation.predictions import Predictions

CALLS = np.array([[1, 0, 1, 0, 1], [1, 1, 1, 0, 0], [1, 0, 1, 0, 1]])


@pytest.mark.parametrize(("networks", "classes"), [(2, 2), (3, 2), (6, 5)])
def test_the_definitions(networks: int, classes: int) -> None:
    calls = np.random.default_rng(0).integers(0, classes, (networks, 40))
    found = compare_seeds(calls)
    pairs = list(itertools.combinations(range(networks), 2))
    assert found.networks == networks
    assert found.disagreement == pytest.approx(np.mean([(calls[a] != calls[b]).mean() for a, b in pairs]))
    assert found.discrepancy == max((row != calls[0]).mean() for row in calls)
    for image in range(40):
        agree = [calls[a, image] == calls[b, image] for a, b in pairs]
        assert found.self_consistency[image] == pytest.approx(np.mean(agree))
        counts = [list(calls[:, image]).count(number) for number in range(classes)]
        assert found.consensus[image] == max(counts) / networks
    assert found.ambiguity == np.mean([len(set(column)) > 1 for column in calls.T])
    assert found.ambiguity == (found.consensus < 1).mean()
    assert found.ambiguity_interval == wilson_interval(round(40 * found.ambiguity), 40)


def test_one_network_has_nobody_to_quarrel_with() -> None:
    with pytest.raises(SettingError, match="at least two finished runs"):
        compare_seeds(CALLS[:1])


def test_who_must_agree_more_answers_less() -> None:
    labels = np.array([1, 0, 0, 0, 0])
    majority, unanimous = abstention_curve(CALLS, labels)
    assert (majority.agreeing, majority.coverage, majority.accuracy, majority.deferred) == (2, 1, 0.6, 0)
    assert (unanimous.agreeing, unanimous.coverage, unanimous.answered, unanimous.right) == (3, 0.6, 3, 2)
    assert unanimous.deferred == pytest.approx(0.4)
    assert unanimous.interval == wilson_interval(2, 3)


@pytest.mark.parametrize("networks", [2, 4, 5])
def test_the_curve_begins_with_a_majority_so_that_no_vote_is_a_tie(networks: int) -> None:
    calls = np.random.default_rng(1).integers(0, 3, (networks, 60))
    labels = np.random.default_rng(2).integers(0, 3, 60)
    curve = abstention_curve(calls, labels)
    assert [point.agreeing for point in curve] == list(range(networks // 2 + 1, networks + 1))
    for point in curve:
        answered = right = 0
        for column, label in zip(calls.T, labels, strict=True):
            winners = [number for number in range(3) if (column == number).sum() >= point.agreeing]
            assert len(winners) <= 1
            answered, right = answered + len(winners), right + (winners == [label])
        assert (point.answered, point.right) == (answered, right)


def test_nothing_answered_has_no_accuracy() -> None:
    (point,) = abstention_curve(np.array([[0, 1], [1, 0]]), np.array([0, 0]))
    assert point.coverage == 0
    assert point.accuracy is point.interval is None


def predictions(calls: list[int], labels: list[int], classes: int = 2, *, noised: bool = False) -> Predictions:
    probabilities = np.eye(classes, dtype=np.float32)[calls]
    return Predictions(1, np.array(labels), probabilities, probabilities[:, ::-1] if noised else None)


def test_calls_of_runs_are_gathered() -> None:
    runs = [predictions([0, 1, 1], [0, 0, 1], noised=True), predictions([1, 1, 0], [0, 0, 1], noised=True)]
    calls, labels = calls_of(runs)
    assert calls.tolist() == [[0, 1, 1], [1, 1, 0]]
    assert labels.tolist() == [0, 0, 1]
    assert calls_of(runs, "test_noised")[0].tolist() == [[1, 0, 0], [0, 0, 1]]


def test_runs_that_do_not_belong_together_are_refused() -> None:
    one = predictions([0, 1], [0, 1], noised=True)
    for other in (predictions([0, 1], [1, 1]), predictions([0, 1, 1], [0, 1, 1]), predictions([0, 1], [0, 1], 3)):
        with pytest.raises(SettingError, match="same images"):
            calls_of([one, other])
    with pytest.raises(SettingError, match="noised images"):
        calls_of([one, predictions([0, 1], [0, 1])], "test_noised")
    with pytest.raises(SettingError, match="at least two"):
        calls_of([])


def test_the_same_network_twice_is_one() -> None:
    one, other = predictions([0, 1], [0, 1]), predictions([1, 1], [0, 1])
    assert distinct_networks([one, predictions([0, 1], [0, 1]), other, other]) == [0, 2]
    assert distinct_networks([one, predictions([0, 1, 1], [0, 1, 1])]) == [0, 1]
