"""Runs that differ in their seed alone: means, intervals, and what these are about."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import scipy

from medpriv_core.results.authors import read_authors
from medpriv_core.results.groups import group_results
from medpriv_core.results.result import Result
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, SHIFTED, TEST_SIZE, result


def seeds(spec: RunSpec, accuracies: Sequence[float]) -> list[Result]:
    """A run a seed with these last test accuracies."""
    return [
        result(spec.changed(seed=seed), (0.6, accuracy), run_id=f"s{seed}") for seed, accuracy in enumerate(accuracies)
    ]


def test_only_the_seed_device_and_memory_limit_may_differ_within_a_group() -> None:
    same = [PLAIN, PLAIN.changed(seed=3, device="cpu"), PLAIN.changed(seed=4, memory_mb=500)]
    others = [PLAIN.changed(learning_rate=0.1), LOCAL, SHIFTED, LOCAL.changed(beta=4.0), PRIVATE]

    groups = group_results([result(spec, run_id=str(number)) for number, spec in enumerate(same + others)])

    assert [len(group.results) for group in groups] == [3, 1, 1, 1, 1, 1]


def test_runs_of_different_sources_are_kept_apart() -> None:
    groups = group_results([result(), result(source="reference")])

    assert len(groups) == 2
    assert len(group_results(read_authors())) == 28


def test_several_seeds_give_the_t_interval_of_their_mean() -> None:
    accuracies = (0.80, 0.84, 0.88)
    (group,) = group_results(seeds(PLAIN, accuracies))

    found = group.estimate("test_accuracy")

    low, high = scipy.stats.t.interval(0.95, 2, loc=np.mean(accuracies), scale=scipy.stats.sem(accuracies))
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((0.84, low, high))
    assert (found.kind, found.runs) == ("seeds", 3)
    assert "3 runs" in found.words


def test_one_run_gives_wilsons_interval_of_its_test_images() -> None:
    (group,) = group_results([result(PLAIN, (0.7, 0.8))])

    found = group.estimate("test_accuracy")

    expected = scipy.stats.binomtest(round(0.8 * TEST_SIZE), TEST_SIZE).proportion_ci(0.95, method="wilson")
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert found.kind == "test_images"


def test_one_run_has_no_interval_for_other_figures() -> None:
    (group,) = group_results([result()])

    for column in ("test_auroc", "train_accuracy"):
        found = group.estimate(column)
        assert found is not None
        assert found.kind == "none"
        assert found.low == found.mean == found.high


def test_seeds_that_changed_nothing_promise_no_certainty() -> None:
    (group,) = group_results(seeds(PLAIN, (0.8, 0.8, 0.8)))

    found = group.estimate("test_accuracy")

    assert found is not None
    assert found.kind == "test_images"
    assert found.low < 0.8 < found.high


def test_a_seed_that_was_run_twice_counts_once_without_fresh_noise() -> None:
    old, new = result(PLAIN, (0.6, 0.7), run_id="old"), result(PLAIN, (0.6, 0.8), run_id="new")

    (group,) = group_results([old, new])

    assert [member.id for member in group.results] == ["new"]


def test_each_dp_sgd_run_draws_its_own_noise_and_counts() -> None:
    (group,) = group_results([result(PRIVATE, run_id="a"), result(PRIVATE, (0.6, 0.7), run_id="b")])

    assert len(group.results) == 2


def test_intervals_of_shares_stay_between_0_and_1() -> None:
    (group,) = group_results(seeds(PLAIN, (0.90, 0.99)))

    found = group.estimate("test_accuracy")

    assert found is not None
    assert found.high == 1.0


def test_the_best_epoch_is_the_best_one_of_each_column_by_itself() -> None:
    (group,) = group_results([result(PLAIN, (0.9, 0.8))])

    last, best = group.estimate("test_accuracy"), group.estimate("test_accuracy", "best_on_test")

    assert last is not None
    assert best is not None
    assert (last.mean, best.mean) == (0.8, 0.9)


def test_a_course_has_the_epochs_that_all_runs_have() -> None:
    (group,) = group_results(seeds(PLAIN, (0.8, 0.84)))

    course = group.course("test_accuracy")

    assert [epoch for epoch, _ in course] == [1, 2]
    assert course[1][1].mean == pytest.approx(0.82)
    assert group.course("test_noised_accuracy") == []


def test_a_figure_that_nobody_measured_is_none() -> None:
    (group,) = group_results([result(auroc=None)])

    assert group.estimate("test_auroc") is None


def test_the_epsilon_of_a_group_is_its_largest() -> None:
    (group,) = group_results([result(PRIVATE, run_id="a"), result(PRIVATE, run_id="b")])

    assert math.isfinite(group.epsilon)
    assert group.epsilon == max(member.epsilon for member in group.results)
