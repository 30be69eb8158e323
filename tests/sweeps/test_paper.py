"""The paper's grid: its cells, its noise, and that all of it is trained so that an epsilon holds."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from medpriv_core.errors import DatasetError, SettingError
from medpriv_core.privacy.checks import check_plan
from medpriv_core.privacy.plan import plan_run
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.paper import paper_grid

CHEST = 5216


def specs(dataset: str = "chest_xray", **options: Any) -> list[RunSpec]:
    expansion = paper_grid(dataset, **({"train_size": CHEST} | options)).expand()
    assert expansion.impossible == ()
    return [run.spec for run in expansion.runs]


def test_it_has_every_cell_of_the_paper_once_for_each_seed() -> None:
    cells = {
        ("none", None, None),
        *(("local_dp", beta, draw) for beta, draw in itertools.product((1, 2, 4), ("per_pixel", "per_image"))),
        *(("dp_sgd", sigma, None) for sigma in (5.002, 9.7, 19.55)),
    }
    found = [
        (
            spec.method,
            spec.noise_multiplier if spec.method == "dp_sgd" else spec.beta,
            spec.noise_draw if spec.method == "local_dp" else None,
            spec.seed,
        )
        for spec in specs(seeds=3)
    ]
    assert len(found) == 30
    assert set(found) == {(*cell, seed) for cell in cells for seed in range(3)}


def test_one_kind_of_image_noise_leaves_the_other_out() -> None:
    draws = {spec.noise_draw for spec in specs(noise_draws=("per_image",)) if spec.method == "local_dp"}
    assert draws == {"per_image"}


@pytest.mark.parametrize(
    ("dataset", "choice", "expected"),
    [
        ("idrid", "authors", [6.6, 12.95, 26.1]),
        ("chest_xray", "authors", [5.002, 9.7, 19.55]),
        ("chest_xray", "text", [1, 2, 4]),
    ],
)
def test_the_noise_multipliers_are_those_of_the_authors_or_of_the_text(
    dataset: str, choice: Any, expected: list[float]
) -> None:
    private = [spec for spec in specs(dataset, noise_multipliers=choice, train_size=413) if spec.method == "dp_sgd"]
    assert [spec.noise_multiplier for spec in private] == expected


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_its_private_runs_are_sound(trainable: Any) -> None:
    private = [spec for spec in specs(trainable=trainable) if spec.method == "dp_sgd"]
    assert private
    for spec in private:
        assert spec.sampling_scheme == "poisson"
        assert [check.name for check in check_plan(spec, train_size=CHEST) if check.state == "red"] == []


def test_what_the_authors_meant_to_run_has_the_epsilon_that_their_notebooks_imply() -> None:
    # The privacy loss distribution of the assumed mechanism at their delta: 0.687, 0.322 and 0.146.
    private = [spec.changed(delta=1e-4) for spec in specs(train_size=5218) if spec.method == "dp_sgd"]
    epsilons = [plan_run(spec, train_size=5218).epsilon for spec in private]
    assert epsilons == pytest.approx([0.687, 0.322, 0.146], rel=0.02)


def test_runs_differ_by_privacy_and_by_how_fast_they_learn() -> None:
    shared = {"method", "beta", "noise_draw", "noise_multiplier", "learning_rate", "seed", "unit"}
    settings = [{key: value for key, value in spec.to_dict().items() if key not in shared} for spec in specs(seeds=2)]
    assert all(one == settings[0] for one in settings)
    full = [spec.to_dict() for spec in specs(trainable="all")]
    assert len({spec["learning_rate"] for spec in full}) == 1


def test_a_small_dataset_is_not_asked_for_larger_batches_than_it_has_images() -> None:
    for spec in specs("synthetic_chest", train_size=100):
        spec.check_dataset_size(100)
        assert spec.learning_rate <= 40


def test_size_length_weights_and_device_can_be_chosen() -> None:
    spec = specs(trainable="all", image_size=96, epochs=3, weights="none", device="cpu")[0]
    assert (spec.image_size, spec.crop_size, spec.epochs, spec.weights, spec.device) == (96, 84, 3, "none", "cpu")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"seeds": 0}, "at least one seed"),
        ({"noise_draws": ()}, "at least one kind of noise"),
        ({"epochs": 0}, "epochs must be between"),
    ],
)
def test_impossible_wishes_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        paper_grid("chest_xray", train_size=CHEST, **options)


def test_an_unknown_dataset_is_refused() -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        paper_grid("nowhere", train_size=CHEST)
