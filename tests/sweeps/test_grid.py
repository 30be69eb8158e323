"""Grids: which runs they have, which combinations cannot be, and how many are too many."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from medpriv_core.errors import SettingError
from medpriv_core.recipes import recipe_for
from medpriv_core.spec import RunSpec, Trainable
from medpriv_core.sweeps.grid import MAX_RUNS, Axis, Cell, Grid, vary
from medpriv_core.sweeps.preset_notes import preset_notes

BASE = {"dataset": "synthetic_chest", "weights": "none"}


def test_a_grid_has_every_combination_once_the_last_axis_fastest() -> None:
    rates, seeds = (0.1, 0.2, 0.4), (0, 1)
    layers: tuple[Trainable, ...] = ("head", "all")
    grid = Grid(BASE, (vary("learning_rate", rates), vary("seed", seeds), vary("trainable", layers)))
    expected = [
        RunSpec(dataset="synthetic_chest", weights="none", learning_rate=rate, seed=seed, trainable=trainable)
        for rate, seed, trainable in itertools.product(rates, seeds, layers)
    ]
    expansion = grid.expand()
    assert [run.spec for run in expansion.runs] == expected
    assert expansion.impossible == ()
    assert grid.count == len(expected)
    assert expansion.runs[0].name == "learning_rate 0.1 · seed 0 · trainable head"


def test_a_grid_without_axes_is_one_run() -> None:
    grid = Grid(BASE, ())
    assert grid.count == 1
    assert [run.spec for run in grid.expand().runs] == [RunSpec(dataset="synthetic_chest", weights="none")]


def test_impossible_combinations_are_named_with_their_reason() -> None:
    methods = Axis("method", (Cell("no privacy", {}), Cell("Local-DP", {"method": "local_dp"})))
    expansion = Grid(BASE, (vary("beta", [1.0, 2.0]), methods)).expand()
    assert [run.name for run in expansion.runs] == ["beta 1 · Local-DP", "beta 2 · Local-DP"]
    assert [other.name for other in expansion.impossible] == ["beta 1 · no privacy", "beta 2 · no privacy"]
    assert all("beta belongs to Local-DP" in str(other.reason) for other in expansion.impossible)


def test_a_varied_noise_takes_the_place_of_the_budget_that_all_would_share() -> None:
    base = BASE | {"method": "dp_sgd", "target_epsilon": 3.0}
    runs = Grid(base, (vary("noise_multiplier", [1.0, 2.0]),)).expand().runs
    assert [(run.spec.noise_multiplier, run.spec.target_epsilon) for run in runs] == [(1.0, None), (2.0, None)]


def test_a_grid_of_ten_thousand_runs_is_counted_and_refused() -> None:
    grid = Grid(BASE, (vary("seed", range(100)), vary("learning_rate", [0.01 * place for place in range(1, 101)])))
    with pytest.raises(SettingError, match=r"This grid has 10,000 runs; 500 is the most"):
        grid.expand()


def test_a_grid_too_large_to_be_made_is_still_counted() -> None:
    axes = tuple(
        vary(name, range(1, 2001)) for name in ("seed", "epochs", "batch_size", "memory_mb", "microbatch_size")
    )
    assert Grid(BASE, axes).count == 2000**5


def test_the_largest_grid_is_expanded() -> None:
    assert len(Grid(BASE, (vary("seed", range(MAX_RUNS)),)).expand().runs) == MAX_RUNS


@pytest.mark.parametrize(
    ("axes", "complaint"),
    [
        (lambda: (vary("seed", []),), "seed is to be varied, but has no values"),
        (lambda: (vary("seed", [1, 2, 1]),), "seed has seed 1 twice"),
        (lambda: (vary("seed", [1]), vary("seed", [2])), "seed is varied twice"),
        (lambda: (vary("colour", ["red"]),), "Unknown setting colour"),
    ],
)
def test_axes_that_make_no_sense_are_refused(axes: Any, complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        Grid(BASE, axes())


def test_each_cell_has_the_recipe_of_its_own_epsilon_and_dataset() -> None:
    axes = (vary("dataset", ["synthetic_chest", "synthetic_fundus"]), vary("target_epsilon", [1.0, 3.0, 8.0]))
    runs = Grid({"weights": "none"}, axes, preset="sound").expand().runs
    assert len(runs) == 6
    for run in runs:
        ordered = run.spec.dataset == "synthetic_fundus"
        assert run.spec.target_epsilon is not None
        recipe = recipe_for(run.spec.dataset, ordered=ordered, unit="auto").settings(run.spec.target_epsilon)
        assert run.spec == RunSpec(dataset=run.spec.dataset, weights="none", **recipe)
    assert len({(run.spec.epochs, run.spec.learning_rate) for run in runs}) == 6


def test_each_method_has_the_recipe_that_is_its_own() -> None:
    methods = Axis("method", (Cell("free", {"method": "none"}), Cell("noised", {"method": "local_dp", "beta": 1.0})))
    free, noised = Grid(BASE, (methods,), preset="sound").expand().runs
    assert (free.spec.epochs, free.spec.learning_rate) == (noised.spec.epochs, noised.spec.learning_rate) == (200, 40.0)
    assert (free.spec.augmentation_multiplicity, noised.spec.augmentation_multiplicity) == (4, 1)


def test_a_layer_that_the_recipe_is_not_for_is_left_out_with_the_reason() -> None:
    expansion = Grid(BASE, (vary("trainable", ["head", "all"]),), preset="sound").expand()
    assert [run.spec.trainable for run in expansion.runs] == ["head"]
    assert "for runs in which the last layer alone learns" in str(expansion.impossible[0].reason)


def test_the_notes_say_what_each_recipe_is_for_and_what_is_otherwise() -> None:
    base = BASE | {"image_size": 64}
    runs = Grid(base, (vary("target_epsilon", [1.0, 1.5, 8.0]), vary("epochs", [20, 50])), preset="sound").expand().runs
    notes = preset_notes("sound", runs)
    assert notes is not None
    assert [part.where for part in notes.parts] == [
        ({"target_epsilon": 1.0}, {"target_epsilon": 1.5}),
        ({"target_epsilon": 8.0},),
    ]
    assert [part.settings["learning_rate"] for part in notes.parts] == [9.0, 20.0]
    size, epochs = notes.overrides
    assert (size.setting, size.values, size.preset, size.runs) == ("image_size", (64,), (224,), 6)
    assert (epochs.setting, epochs.values, epochs.preset, epochs.runs) == ("epochs", (20, 50), (50, 100), 4)
    assert preset_notes(None, runs) is None
