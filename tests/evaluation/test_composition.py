"""What several networks cost together: never less than one, and by the accountant's own composition."""

from __future__ import annotations

import math

import pytest

from medpriv_core.errors import SettingError
from medpriv_core.evaluation.composition import TrainedRun, joint_guarantee
from medpriv_core.evaluation.seeds import seed_groups
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.facts import GUARANTEE, planned_facts
from medpriv_core.privacy.spent import spent_at
from medpriv_core.spec import RunSpec

PRIVATE = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0, batch_size=128, epochs=50)
RECORDS, STEPS = 5232, 2050


def run(spec: RunSpec, *, epsilon: float | None, recorded: bool = True) -> TrainedRun:
    facts = {GUARANTEE: planned_facts(spec, train_size=RECORDS).to_dict()} if recorded else {}
    row = {"epoch": 50, "epsilon": epsilon, "delta": spec.delta, "steps": STEPS}
    return TrainedRun(spec, {"train_size": RECORDS} | facts, spent_at(row))


@pytest.mark.parametrize(("sigma", "one", "five"), [(1.0, 7.16, 18.6), (2.0, 2.45, 6.10), (4.0, 1.06, 2.59)])
def test_five_networks_on_the_same_records(sigma: float, one: float, five: float) -> None:
    """The figures of the specification: n = 5,232, q = 128/n, 2,044 steps, delta 1e-5."""
    stretch = (sigma, 128 / RECORDS, 2044)
    assert composed_epsilon([stretch], delta=1e-5) == pytest.approx(one, abs=0.006)
    assert composed_epsilon([stretch] * 5, delta=1e-5) == pytest.approx(five, abs=0.006)


def test_private_runs_compose() -> None:
    each = composed_epsilon([(1.0, 128 / RECORDS, STEPS)], delta=1e-5)
    runs = [run(PRIVATE.changed(seed=seed), epsilon=each) for seed in range(5)]
    joint = joint_guarantee(runs)
    assert joint.epsilon == composed_epsilon([(1.0, 128 / RECORDS, 5 * STEPS)], delta=1e-5)
    assert joint.epsilon is not None
    assert each < joint.epsilon < 5 * each
    for word in ("all of them", "δ = 1e-5", "one image added or removed", "Poisson sampling", "PLD accountant"):
        assert word in joint.sentence
    assert joint_guarantee(runs[:1]).epsilon == pytest.approx(each)


def test_a_ledger_that_says_more_than_the_recorded_steps_is_added_up() -> None:
    runs = [run(PRIVATE, epsilon=20.0), run(PRIVATE.changed(seed=1), epsilon=20.0)]
    joint = joint_guarantee(runs)
    assert joint.epsilon == 40
    assert "δ = 2e-5" in joint.sentence


def test_a_run_that_recorded_nothing_but_its_ledger_is_added_up() -> None:
    runs = [run(PRIVATE.changed(seed=seed), epsilon=7.5, recorded=False) for seed in range(3)]
    assert joint_guarantee(runs).epsilon == 22.5


def test_without_an_epsilon_of_each_there_is_none_of_all() -> None:
    runs = [run(PRIVATE, epsilon=7.5), run(PRIVATE.changed(seed=1), epsilon=None)]
    assert joint_guarantee(runs).epsilon == math.inf
    mixing = PRIVATE.changed(norm="batch_norm", trainable="all", engine="microbatch", microbatch_size=4)
    assert joint_guarantee([run(mixing, epsilon=1.0)] * 2).epsilon == math.inf
    open_run = TrainedRun(RunSpec(dataset="x"), {}, None)
    assert joint_guarantee([open_run, open_run]).epsilon == math.inf


def test_noised_images_are_paid_for_once() -> None:
    noised = TrainedRun(RunSpec(dataset="x", method="local_dp", beta=1.0), {}, None)
    joint = joint_guarantee([noised, noised])
    assert joint.epsilon is None
    assert "no more than one" in joint.sentence


def test_other_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="more than their seed"):
        joint_guarantee([run(PRIVATE, epsilon=7.5), run(PRIVATE.changed(learning_rate=0.5), epsilon=7.5)])


def test_groups_hold_what_differs_by_chance_alone() -> None:
    """Noise does not follow the seed, so private runs of one seed are two networks; others are one, twice."""
    plain = RunSpec(dataset="x")
    groups = seed_groups(
        {
            "plain-0": plain,
            "private": PRIVATE,
            "plain-1": plain.changed(seed=1, device="cpu", memory_mb=500),
            "private-again": PRIVATE,
            "plain-0-again": plain,
            "longer": plain.changed(epochs=11, seed=2),
        }
    )
    assert groups == [["plain-0", "plain-1"], ["private", "private-again"]]
