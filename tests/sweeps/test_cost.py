"""What a grid would take: what is there already, what is shared, and what all networks give away."""

from __future__ import annotations

from typing import Any

import pytest

from medpriv_core.errors import DatasetError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.privacy.composition import compose, planned_spending
from medpriv_core.privacy.selection import NUMBER_WORDS, best_of
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.runs import service
from medpriv_core.runs.estimate import estimate_disk, estimate_time
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.cost import plan_sweep
from medpriv_core.sweeps.grid import Axis, Cell, Grid, vary
from tests.sweeps.conftest import EndRun

BASE: dict[str, Any] = {"dataset": "synthetic_chest", "weights": "none", "epochs": 4}
SIZES: dict[str, Any] = {"train_size": 640, "test_size": 160}
PRIVATE: dict[str, Any] = BASE | {"method": "dp_sgd", "noise_multiplier": 2.0}
SEEDS = vary("seed", range(3))


def test_a_finished_run_is_reused_and_a_stopped_one_is_not(home: DataHome, end_next: EndRun) -> None:
    ids = [service.submit(home, RunSpec(**BASE, seed=seed, device="cpu")) for seed in (0, 1)]
    end_next("finished")
    end_next("cancelled")
    plan = plan_sweep(home, Grid(BASE, (SEEDS,)))
    assert [run.reused.id if run.reused else None for run in plan.runs] == [ids[0], None, None]
    assert (plan.to_train, plan.reused) == (2, 1)


def test_a_run_on_its_way_is_not_queued_twice(home: DataHome) -> None:
    run_id = service.submit(home, RunSpec(**BASE))
    (run,) = plan_sweep(home, Grid(BASE, ())).runs
    assert run.reused is not None
    assert run.reused.id == run_id


def test_a_run_of_other_images_under_the_same_name_is_not_reused(home: DataHome, end_next: EndRun) -> None:
    service.submit(home, RunSpec(**BASE))
    end_next(setup={"train_size": 100, "train_class_counts": [50, 50], "test_class_counts": [5, 5]})
    assert plan_sweep(home, Grid(BASE, ())).reused == 0


def test_a_private_run_that_did_not_record_its_guarantee_is_not_reused(home: DataHome, end_next: EndRun) -> None:
    service.submit(home, RunSpec(**PRIVATE))
    end_next(setup={})
    plan = plan_sweep(home, Grid(PRIVATE, ()))
    assert plan.reused == 0
    (cost,) = plan.dp_sgd
    assert cost.with_others is not None
    assert cost.with_others.unknown == 1
    assert "has no record of all that was spent" in cost.sentences[-1]


def test_time_and_disk_that_runs_share_count_once(home: DataHome) -> None:
    spec = RunSpec(**BASE | {"weights": "imagenet"})
    plan = plan_sweep(home, Grid(BASE | {"weights": "imagenet"}, (vary("learning_rate", [0.1, 0.2, 0.4]),)))
    alone, disk = estimate_time(home, spec, **SIZES).seconds, estimate_disk(spec, **SIZES)
    assert alone < plan.seconds < 3 * alone - 2
    assert plan.disk.shared_mb == pytest.approx(disk.shared_mb)
    assert not plan.measured


def test_different_noise_needs_different_copies(home: DataHome) -> None:
    local = BASE | {"method": "local_dp"}
    one, two = (plan_sweep(home, Grid(local, (vary("beta", betas), SEEDS))).disk for betas in ([1.0], [1.0, 2.0]))
    images_mb = 800 * 64**2 / 1e6
    assert two.shared_mb - one.shared_mb >= images_mb
    assert two.shared_mb < 2 * one.shared_mb


def test_networks_of_the_grid_are_composed_with_those_that_are_there(home: DataHome, end_next: EndRun) -> None:
    spec = RunSpec(**PRIVATE)
    service.submit(home, spec)
    end_next()
    plan = plan_sweep(home, Grid(PRIVATE, (SEEDS,)))
    spending = planned_spending(spec, train_size=640)
    (cost,) = plan.dp_sgd
    assert plan.reused == 1
    # The reused one is one of the three and not a fourth.
    assert cost.together.epsilon == compose("synthetic_chest", [spending] * 3).epsilon
    assert cost.with_others is None
    service.submit(home, spec.changed(noise_multiplier=1.0))
    (cost,) = plan_sweep(home, Grid(PRIVATE, (SEEDS,))).dp_sgd
    louder = planned_spending(spec.changed(noise_multiplier=1.0), train_size=640)
    assert cost.with_others is not None
    assert cost.with_others.epsilon == compose("synthetic_chest", [louder, *[spending] * 3]).epsilon
    assert "With 1 other DP-SGD network trained here" in cost.sentences[1]


def test_deleting_a_network_does_not_undo_what_it_spent(home: DataHome, end_next: EndRun) -> None:
    run_id = service.submit(home, RunSpec(**PRIVATE | {"noise_multiplier": 1.0}))
    end_next()
    service.delete(home, run_id)
    (cost,) = plan_sweep(home, Grid(PRIVATE, ())).dp_sgd
    assert cost.others == 1


def test_a_run_that_ended_before_its_first_epoch_spent_nothing(home: DataHome, end_next: EndRun) -> None:
    service.submit(home, RunSpec(**PRIVATE | {"noise_multiplier": 1.0}))
    end_next("failed")
    (cost,) = plan_sweep(home, Grid(PRIVATE, ())).dp_sgd
    assert (cost.others, cost.with_others) == (0, None)


def test_combinations_that_the_dataset_forbids_are_named(home: DataHome) -> None:
    plan = plan_sweep(home, Grid(BASE, (vary("batch_size", [64, 5000]),)))
    assert [run.spec.batch_size for run in plan.runs] == [64]
    (other,) = plan.impossible
    assert other.name == "batch_size 5000"
    assert "larger than the training set (640 images)" in str(other.reason)


def test_what_makes_no_difference_is_not_trained_twice(home: DataHome) -> None:
    plan = plan_sweep(home, Grid(BASE | {"sampling": "full_batch"}, (vary("batch_size", [32, 64]),)))
    assert len(plan.runs) == 1
    assert "same run as batch_size 32" in str(plan.impossible[0].reason)


def test_datasets_that_are_not_there_are_left_out_with_how_to_add_them(home: DataHome) -> None:
    plan = plan_sweep(home, Grid({"weights": "none"}, (vary("dataset", ["synthetic_chest", "idrid", "nowhere"]),)))
    assert [run.spec.dataset for run in plan.runs] == ["synthetic_chest"]
    assert [other.name for other in plan.impossible] == ["dataset idrid", "dataset nowhere"]
    assert "has not been added yet" in str(plan.impossible[0].reason)


def test_a_grid_without_a_possible_run_is_refused_with_the_reason(home: DataHome) -> None:
    with pytest.raises(DatasetError, match="no dataset 'nowhere'"):
        plan_sweep(home, Grid({"dataset": "nowhere"}, (SEEDS,)))
    with pytest.raises(SettingError, match="beta belongs to Local-DP"):
        plan_sweep(home, Grid(BASE, (vary("beta", [1.0]),)))


def test_networks_without_privacy_are_counted(home: DataHome) -> None:
    cells = Axis("method", (Cell("none", {}), Cell("noise", {"method": "local_dp", "beta": 1.0})))
    assert plan_sweep(home, Grid(BASE, (cells, SEEDS))).unprotected == 3


def test_the_best_alone_is_told_where_that_costs_less_than_all(home: DataHome) -> None:
    (cost,) = plan_sweep(home, Grid(PRIVATE, (vary("seed", range(12)),))).dp_sgd
    spending = planned_spending(RunSpec(**PRIVATE), train_size=640)
    assert cost.best_only == best_of([spending.stretches], mean=12, delta=spending.delta)
    assert cost.best_only.epsilon < cost.together.epsilon
    said = next(line for line in cost.sentences if "only the best" in line)
    assert f"{NUMBER_WORDS[cost.best_only.number]}, 12 on average" in said
    assert f"would have ε = {format_epsilon(cost.best_only.epsilon)} at the same δ" in said
    quiet = PRIVATE | {"noise_multiplier": 1000.0}
    spending = planned_spending(RunSpec(**quiet), train_size=640)
    (cost,) = plan_sweep(home, Grid(quiet, (vary("seed", range(2)),))).dp_sgd
    # The looser accountant of the two says more than the tighter one says of both.
    assert best_of([spending.stretches], mean=2, delta=spending.delta).epsilon > cost.together.epsilon
    assert cost.best_only is None
    assert not any("only the best" in line for line in cost.sentences)
