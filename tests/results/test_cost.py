"""What privacy costs: held against whom, by how much, and how sure."""

from __future__ import annotations

import math

import pytest

from medpriv_core.results.authors import read_authors
from medpriv_core.results.cost import comparable, difference_interval, privacy_costs, report_cost
from medpriv_core.results.groups import Estimate, Group, group_results
from medpriv_core.results.labels import labelled
from medpriv_core.results.result import Result
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, SHIFTED, result


def groups_of(*results: Result) -> list[Group]:
    return labelled(group_results(results))


def private_of(groups: list[Group]) -> Group:
    return next(group for group in groups if group.first.method != "none")


def test_a_private_run_is_held_against_the_one_that_differs_least() -> None:
    far = result(PLAIN.changed(trainable="all", learning_rate=0.1), (0.6, 0.99), run_id="far")
    near = result(PLAIN, (0.6, 0.9), run_id="near")
    groups = groups_of(far, near, result(PRIVATE, run_id="private"))

    found = comparable(private_of(groups), groups, "test_accuracy")

    assert found is not None
    assert found.first.id == "near"


def test_of_equally_comparable_runs_the_best_one_counts() -> None:
    worse = result(PLAIN.changed(learning_rate=0.1), (0.6, 0.85), run_id="worse")
    better = result(PLAIN.changed(learning_rate=0.2), (0.6, 0.9), run_id="better")
    groups = groups_of(better, worse, result(PRIVATE, run_id="private"))

    (cost,) = privacy_costs(groups, "test_accuracy")

    assert cost.baseline.first.id == "better"
    assert cost.points == pytest.approx(10)


def test_sources_and_datasets_are_not_mixed() -> None:
    groups = groups_of(result(PLAIN, source="reference"), result(PRIVATE, run_id="private"), *read_authors())

    assert (
        comparable(private_of([group for group in groups if group.first.source == "mine"]), groups, "test_accuracy")
        is None
    )
    for cost in privacy_costs(groups, "test_accuracy"):
        assert cost.baseline.first.dataset == cost.private.first.dataset
        assert cost.baseline.first.source == cost.private.first.source


def test_the_interval_of_a_difference_is_newcombes() -> None:
    # Newcombe 1998, method 10, example (a): 56/70 - 48/80 has the interval 0.0524 to 0.3339.
    first = Estimate(56 / 70, 0.6918, 0.8769, "test_images", 1)
    second = Estimate(48 / 80, 0.4904, 0.7004, "test_images", 1)

    low, high = difference_interval(first, second)

    assert (low, high) == pytest.approx((5.24, 33.39), abs=0.05)


def test_without_any_interval_none_is_claimed() -> None:
    single = Estimate(0.9, 0.9, 0.9, "none", 1)

    assert difference_interval(single, single) == (None, None)


def test_one_run_that_was_never_repeated_is_not_taken_for_certain() -> None:
    seeds = Estimate(0.8, 0.75, 0.85, "seeds", 3)
    single = Estimate(0.9, 0.9, 0.9, "none", 1)
    steady = Estimate(0.9, 0.9, 0.9, "none", 1, steady=True)

    assert difference_interval(single, seeds) == (None, None)
    assert difference_interval(steady, seeds) == pytest.approx((5, 15))


def test_the_sentence_says_the_points_their_interval_and_the_epsilon() -> None:
    runs = [result(PLAIN, (0.6, 0.9), run_id="a"), result(PRIVATE, (0.6, 0.7), run_id="b")]
    report = report_cost(groups_of(*runs), "test_accuracy", dataset="Chest X-rays")

    assert report.sentence.startswith("**Chest X-rays**, in your runs (the last layer, 64 pixels): DP-SGD with ε = ")
    assert "costs 20.0 points of accuracy (" in report.sentence
    assert "δ = 1e-5" in report.sentence
    assert "Poisson subsampling" in report.footnotes[0]
    assert "one image added or removed" in report.footnotes[0]


def test_a_difference_that_may_be_chance_is_called_so() -> None:
    runs = [result(PLAIN, (0.6, 0.80), run_id="a"), result(PRIVATE, (0.6, 0.79), run_id="b")]

    assert "so it may be nothing" in report_cost(groups_of(*runs), "test_accuracy", dataset="X").sentence


def test_a_gain_is_not_called_a_cost() -> None:
    runs = [result(PLAIN, (0.6, 0.7), run_id="a"), result(PRIVATE, (0.6, 0.9), run_id="b")]

    assert "gains 20.0 points" in report_cost(groups_of(*runs), "test_accuracy", dataset="X").sentence


def test_what_learned_is_said_of_each_cost_where_it_differs() -> None:
    runs = [result(PLAIN, run_id="a"), result(PRIVATE, run_id="b")]
    deep = [
        result(spec.changed(trainable="all", image_size=32), run_id=name) for spec, name in ((PLAIN, "c"), (LOCAL, "d"))
    ]

    sentence = report_cost(groups_of(*runs, *deep), "test_accuracy", dataset="X").sentence

    assert "in your runs: DP-SGD with ε = " in sentence
    assert "δ = 1e-5 (the last layer, 64 pixels) costs" in sentence
    assert " for the image) (all layers, 32 pixels) costs" in sentence


def test_side_by_side_what_learned_alike_is_spoken_of() -> None:
    runs = [result(spec, run_id=f"a{number}") for number, spec in enumerate((PLAIN, PRIVATE, LOCAL))]
    deep = [
        result(spec.changed(trainable="all"), run_id=f"b{number}")
        for number, spec in enumerate((PLAIN, PRIVATE.changed(noise_multiplier=1.5), LOCAL.changed(beta=1.0)))
    ]

    report = report_cost(groups_of(*runs, *deep), "test_accuracy", dataset="X")

    assert "in your runs (the last layer, 64 pixels): DP-SGD" in report.sentence
    assert all("last layer" in footnote for footnote in report.footnotes)
    assert len(report.footnotes) == 2


def test_one_run_each_says_that_chance_is_not_known() -> None:
    runs = [result(PLAIN, run_id="a"), result(PRIVATE, auroc=0.88, run_id="b")]

    sentence = report_cost(groups_of(*runs), "test_auroc", dataset="X").sentence

    assert "costs 2.0 points of AUROC." in sentence
    assert "chance is not known" in sentence


def test_local_dp_is_spoken_of_with_the_epsilon_of_the_picture() -> None:
    runs = [result(PLAIN, run_id="a"), result(LOCAL, run_id="b"), result(SHIFTED, run_id="c")]

    sentence = report_cost(groups_of(*runs), "test_accuracy", dataset="X").sentence

    assert "per pixel (ε = " in sentence
    assert "for the image)" in sentence
    assert "a shift of its brightness (no finite ε)" in sentence


def test_own_runs_are_spoken_of_before_the_authors() -> None:
    authors = [run for run in read_authors() if run.dataset == "chest_xray"]
    assert "in the authors' logs" in report_cost(groups_of(*authors), "test_accuracy", dataset="X").sentence

    mine = [result(PLAIN, run_id="a"), result(PRIVATE, run_id="b")]

    assert "in your runs" in report_cost(groups_of(*mine, *authors), "test_accuracy", dataset="X").sentence


def test_the_authors_epsilon_is_not_repeated_as_a_guarantee() -> None:
    authors = [run for run in read_authors() if run.dataset == "chest_xray"]

    sentence = report_cost(groups_of(*authors), "test_accuracy", dataset="X").sentence

    assert "ε not established" in sentence
    assert "ε = " not in sentence


def test_nothing_is_claimed_without_runs_to_compare() -> None:
    report = report_cost(groups_of(result(PRIVATE)), "test_accuracy", dataset="X")

    assert "nothing on screen says" in report.sentence
    assert report.footnotes == ()


def test_of_dp_sgd_the_epsilon_nearest_to_1_is_spoken_of() -> None:
    strengths = [PRIVATE.changed(noise_multiplier=sigma) for sigma in (0.5, 1.5, 8.0)]
    private = [result(spec, run_id=f"p{number}") for number, spec in enumerate(strengths)]
    nearest = min(private, key=lambda run: abs(math.log(run.epsilon)))

    report = report_cost(groups_of(result(PLAIN), *private), "test_accuracy", dataset="X")

    assert f"σ = {nearest.noise_multiplier:g}," in report.footnotes[0]
