"""When two specifications are the same run, or the same but for the seed: one answer, for everybody who asks.

That what is left out changes nothing is shown by training, in ``tests/training/test_same_weights.py``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from medpriv_core.datasets.registry import list_datasets
from medpriv_core.errors import SettingError
from medpriv_core.evaluation.seeds import seed_groups
from medpriv_core.home import DataHome
from medpriv_core.presets import fill_preset
from medpriv_core.privacy.composition import compose, network_spending
from medpriv_core.results.groups import group_results
from medpriv_core.results.labels import labelled
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.cost import plan_sweep
from medpriv_core.sweeps.grid import Axis, Cell, Grid
from medpriv_core.sweeps.identity import identity, reusable_runs
from tests.exports.runs import made_run
from tests.results.chosen_results import result, setup_of, spent_of

PLAIN = RunSpec(dataset="synthetic_chest", weights="none", epochs=2)
LOCAL = PLAIN.changed(method="local_dp", beta=1.0)
PRIVATE = PLAIN.changed(method="dp_sgd", noise_multiplier=4.0)
MIXING = PLAIN.changed(trainable="all", norm="batch_norm")
FULL = {"sampling": "full_batch"}

SAME: list[tuple[RunSpec, dict[str, Any]]] = [
    (PLAIN, {"device": "cpu"}),
    (PLAIN, {"memory_mb": 256}),
    (PLAIN, {"precision": "float32"}),
    (PLAIN, {"noise_draw": "per_image"}),
    (PLAIN, {"delta": 1e-4}),
    (PLAIN, {"sampling": "shuffled"}),
    (PLAIN, {"crop_size": 64}),
    (PLAIN, {"class_weights": (1.0, 1.0)}),
    (PLAIN.changed(**FULL), {"batch_size": 7}),
    (PRIVATE, {"sampling": "poisson"}),
    (PRIVATE, {"noise_draw": "per_image"}),
    (PRIVATE, {"class_weights": (2.0, 2.0)}),
    (PRIVATE.changed(class_weights=(1.0, 3.0)), {"class_weights": (2.0, 6.0)}),
    (MIXING, {"memory_mb": 1024}),
    (MIXING.changed(method="dp_sgd", noise_multiplier=1.0, engine="microbatch"), {"memory_mb": 256}),
]
DIFFERENT: list[tuple[RunSpec, dict[str, Any]]] = [
    (PLAIN, {"epochs": 11}),
    (PLAIN, {"batch_size": 7}),
    (PLAIN, {"image_size": 96}),
    (PLAIN, {"crop_size": 56}),
    (PLAIN, {"max_grad_norm": 2.0}),
    (PLAIN, {"method": "local_dp", "beta": 1.0}),
    (PLAIN, {"class_weights": (2.0, 2.0)}),
    (PLAIN, {"weights": "imagenet"}),
    (PRIVATE, {"delta": 1e-4}),
    (PRIVATE, {"noise_multiplier": 2.5}),
    (PRIVATE, {"noise_generator": "secure"}),
    (PRIVATE, {"engine": "opacus"}),
    (PRIVATE, {"sampling": "shuffled"}),
    (PRIVATE.changed(engine="microbatch"), {"class_weights": (2.0, 2.0)}),
    (LOCAL, {"noise_draw": "per_image"}),
    (LOCAL, {"delta": 1e-4}),
    (MIXING, {"memory_mb": 256}),
]
# Runs that every user of the answer can be asked about.
SEEDS = [
    (PRIVATE, {"sampling": "poisson", "device": "cpu", "noise_draw": "per_image"}),
    (PRIVATE.changed(**FULL), {"batch_size": 7, "precision": "float32"}),
    (PLAIN, {"sampling": "shuffled", "delta": 1e-4, "memory_mb": 256}),
    (LOCAL, {"crop_size": 64, "class_weights": (1.0, 1.0)}),
]


@pytest.mark.parametrize(("spec", "changes"), SAME)
def test_what_changes_no_result_makes_no_other_run(spec: RunSpec, changes: dict[str, Any]) -> None:
    other = spec.changed(**changes)
    assert other != spec
    assert other.canonical() == spec.canonical() != spec.changed(**changes, seed=1).canonical()
    assert other.changed(seed=1).canonical(any_seed=True) == spec.canonical(any_seed=True)


@pytest.mark.parametrize(("spec", "changes"), DIFFERENT)
def test_what_changes_the_result_makes_another_run(spec: RunSpec, changes: dict[str, Any]) -> None:
    assert spec.changed(**changes).canonical() != spec.canonical()
    assert spec.changed(**changes).canonical(any_seed=True) != spec.canonical(any_seed=True)


@pytest.mark.parametrize("spec", [spec.changed(**changes) for spec, changes in SAME + DIFFERENT])
def test_the_canonical_specification_is_one_of_its_own_runs_and_survives_its_file(spec: RunSpec) -> None:
    canonical = spec.canonical()
    assert canonical.canonical() == canonical
    assert canonical.sampling == spec.sampling_scheme
    assert RunSpec.from_dict(json.loads(json.dumps(canonical.to_dict()))) == canonical


def test_a_file_of_an_earlier_version_that_lacks_a_setting_is_the_same_run() -> None:
    old = {name: value for name, value in PRIVATE.to_dict().items() if name not in ("average_last", "noise_generator")}
    assert RunSpec.from_dict(old).canonical() == PRIVATE.canonical()


@pytest.mark.parametrize(("spec", "changes"), SEEDS)
def test_two_seeds_are_one_setting_for_everybody_who_asks(spec: RunSpec, changes: dict[str, Any]) -> None:
    one, other = spec, spec.changed(**changes, seed=1)
    results = [result(one, (0.6, 0.7), run_id="a"), result(other, (0.6, 0.8), run_id="b")]
    (group,) = labelled(group_results(results))
    interval = group.estimate("test_accuracy")
    assert interval is not None
    assert (interval.kind, interval.runs, group.details) == ("seeds", 2, "")

    assert seed_groups({"a": one, "b": other}) == [["a", "b"]]

    if spec.method == "dp_sgd":
        spent = [network_spending(each, setup=setup_of(each), spent=spent_of(each, epochs=2)) for each in (one, other)]
        spendings = [spending for spending in spent if spending is not None]
        joint, alone = compose("d", spendings), compose("d", spendings[:1])
        assert joint.established
        assert joint.networks == 2
        assert alone.epsilon < joint.epsilon <= 2 * alone.epsilon


@pytest.mark.parametrize(("spec", "changes"), SEEDS)
def test_the_same_run_in_other_words_is_not_trained_again(
    home: DataHome, spec: RunSpec, changes: dict[str, Any]
) -> None:
    entries = {entry.info.name: entry for entry in list_datasets(home)}
    entry, run = entries["synthetic_chest"], made_run(spec)
    counts: dict[str, Any] = {"train_class_counts": entry.train_counts, "test_class_counts": entry.test_counts}
    run = replace(run, setup=replace(run.setup, **counts))
    assert identity(spec.changed(**changes)) in reusable_runs([run], entries)


def test_a_grid_that_names_one_run_in_two_ways_has_it_once(home: DataHome) -> None:
    axis = Axis("sampling", (Cell("auto", {}), Cell("poisson", {"sampling": "poisson"}), Cell("full", dict(FULL))))
    plan = plan_sweep(home, Grid(PRIVATE.to_dict(), (axis,)))
    assert [run.name for run in plan.runs] == ["auto", "full"]
    assert "the same run as auto" in str(plan.impossible[0].reason)


@pytest.mark.parametrize("weights", [5, "12", ("a", "b"), (0.0, 0.0), ()])
def test_what_is_no_run_yet_is_told_as_ever(weights: object) -> None:
    """A preset compares what somebody gave before it is looked at."""
    given = {"dataset": "synthetic_chest", "class_weights": weights}
    settings = fill_preset("sound", given, ordered=False).settings
    with pytest.raises(SettingError, match="one number above 0"):
        RunSpec(**settings)


def test_what_a_preset_means_anyway_is_no_change_of_it() -> None:
    given = {"dataset": "synthetic_chest", "method": "dp_sgd", "noise_multiplier": 2.0, "sampling": "poisson"}
    assert fill_preset("quick", given, ordered=False).changes == ()
    (change,) = fill_preset("quick", given | {"sampling": "shuffled"}, ordered=False).changes
    assert (change.setting, change.value) == ("sampling", "shuffled")
    whole = {"dataset": "synthetic_chest", "sampling": "full_batch", "batch_size": 7}
    assert [change.setting for change in fill_preset("quick", whole, ordered=False).changes] == ["sampling"]
