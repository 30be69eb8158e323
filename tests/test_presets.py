"""Every preset is a run that can be made, and says what it is said to be."""

from __future__ import annotations

import math
from typing import Any

import pytest

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import SettingError
from medpriv_core.presets import PRESETS, authors_noise, fill_preset, follows_sound, other_recipe, preset_settings
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.recipes import recipe_for
from medpriv_core.spec import RunSpec


@pytest.mark.parametrize("dataset", ["chest_xray", "aptos2019", "synthetic_fundus"])
@pytest.mark.parametrize("name", list(PRESETS))
def test_its_settings_make_a_specification(name: str, dataset: str) -> None:
    settings = preset_settings(name, dataset=dataset, ordered=dataset != "chest_xray")
    assert RunSpec(dataset=dataset, **settings).dataset == dataset


def test_sound_dp_clips_each_image_and_reaches_its_epsilon() -> None:
    spec = RunSpec(dataset="chest_xray", **preset_settings("sound", dataset="chest_xray", ordered=False))
    assert (spec.method, spec.engine, spec.microbatch_size, spec.target_epsilon) == ("dp_sgd", "one_pass", 1, 3.0)
    assert spec.sampling_scheme != "shuffled"


@pytest.mark.parametrize(
    ("dataset", "train_size", "beta", "epsilon"),
    [
        # Recomputed by hand with the accountant's own library: what the assumed mechanism has, 50 epochs at delta 1e-4.
        ("chest_xray", 5218, 1, 0.687),
        ("chest_xray", 5218, 2, 0.322),
        ("chest_xray", 5218, 4, 0.146),
        ("aptos2019", 2929, 1, 0.693),
        ("aptos2019", 2929, 2, 0.322),
        ("aptos2019", 2929, 4, 0.146),
    ],
)
def test_the_authors_noise_is_that_of_their_notebooks(dataset: str, train_size: int, beta: int, epsilon: float) -> None:
    ordered = dataset_info(dataset).ordered
    settings = preset_settings("authors", dataset=dataset, ordered=ordered, paper_beta=beta)
    assert settings["noise_multiplier"] == authors_noise(ordered=ordered)[beta]
    steps = round(settings["epochs"] * train_size / settings["batch_size"])
    taken = Steps(settings["noise_multiplier"], settings["batch_size"] / train_size, steps)
    assert composed_epsilon([taken], delta=settings["delta"]) == pytest.approx(epsilon, rel=0.02)


@pytest.mark.parametrize(
    ("dataset", "noise"),
    [
        ("chest_xray", [5.002, 9.7, 19.55]),
        ("pneumoniamnist", [5.002, 9.7, 19.55]),
        ("aptos2019", [6.6, 12.95, 26.1]),
        ("idrid", [6.6, 12.95, 26.1]),
        ("retinamnist", [6.6, 12.95, 26.1]),
        ("synthetic_fundus", [6.6, 12.95, 26.1]),
    ],
)
def test_graded_images_of_the_eye_take_the_authors_noise_for_aptos(dataset: str, noise: list[float]) -> None:
    ordered = dataset_info(dataset).ordered
    assert [
        preset_settings("authors", dataset=dataset, ordered=ordered, paper_beta=beta)["noise_multiplier"]
        for beta in (1, 2, 4)
    ] == noise


@pytest.mark.parametrize(
    ("given", "epsilon"),
    [
        ({"target_epsilon": 1.0}, 1.0),
        ({"target_epsilon": 3.0}, 3.0),
        ({"target_epsilon": 8.0}, 8.0),
        ({}, 3.0),
        ({"method": "none"}, math.inf),
        ({"noise_multiplier": 36.0}, 1.0),  # mu = sqrt(50) / 36 = 0.20
        ({"noise_multiplier": 12.0}, 3.0),  # mu = sqrt(75) / 12 = 0.72, which is epsilon 3.0 at delta 1e-5
        ({"noise_multiplier": 6.0}, 8.0),  # mu = sqrt(100) / 6 = 1.66, epsilon 8.0
    ],
)
@pytest.mark.parametrize("dataset", ["chest_xray", "aptos2019", "synthetic_chest"])
def test_sound_dp_has_the_recipe_of_the_epsilon_that_the_run_will_have(
    dataset: str, given: dict[str, Any], epsilon: float
) -> None:
    if dataset == "aptos2019" and "noise_multiplier" in given:
        given = {"noise_multiplier": {36.0: 36.0, 12.0: 10.0, 6.0: 4.0}[given["noise_multiplier"]]}
    ordered = dataset_info(dataset).ordered
    spec = RunSpec(**fill_preset("sound", {"dataset": dataset} | given, ordered=ordered).settings)
    expected = recipe_for(dataset, ordered=ordered, unit="auto").settings(epsilon)
    for name in set(expected) - {"target_epsilon"}:
        assert getattr(spec, name) == expected[name], name
    assert follows_sound(spec, ordered=ordered)
    assert not follows_sound(spec.changed(learning_rate=0.5), ordered=ordered)


def test_noise_without_full_batches_tells_no_epsilon_and_is_refused() -> None:
    given = {"dataset": "chest_xray", "noise_multiplier": 2.0, "sampling": "poisson"}
    with pytest.raises(SettingError, match="Give target_epsilon instead"):
        fill_preset("sound", given, ordered=False)


def test_what_is_given_stays_and_is_reported_unless_the_preset_has_it_too() -> None:
    given = {"dataset": "chest_xray", "target_epsilon": 1.0, "epochs": 20, "momentum": 0.9, "seed": 4}
    filled = fill_preset("sound", given, ordered=False)
    assert (filled.settings["epochs"], filled.settings["learning_rate"]) == (20, 9.0)
    assert [(change.setting, change.value, change.preset) for change in filled.changes] == [("epochs", 20, 50)]


def test_settings_of_another_method_are_not_filled_in() -> None:
    for name in PRESETS:
        for method, strength in (("none", {}), ("local_dp", {"beta": 2.0}), ("dp_sgd", {"target_epsilon": 2.0})):
            given = {"dataset": "chest_xray", "method": method} | strength
            if name == "authors" and method == "dp_sgd":
                continue  # no noise reaches an epsilon there
            spec = RunSpec(**fill_preset(name, given, ordered=False).settings)
            assert spec.method == method
    free = fill_preset("authors", {"dataset": "chest_xray", "method": "none"}, ordered=False).settings
    assert not {"engine", "microbatch_size", "noise_multiplier", "delta", "sampling"} & set(free)


def test_the_papers_crop_follows_the_size_of_the_image() -> None:
    crops = [
        fill_preset("paper", {"dataset": "chest_xray", "image_size": size}, ordered=False).settings["crop_size"]
        for size in (64, 128, 256)
    ]
    assert crops == [56, 112, 224]


def test_a_run_by_the_recipe_knows_what_another_epsilon_would_have() -> None:
    spec = RunSpec(
        dataset="chest_xray", **preset_settings("sound", dataset="chest_xray", ordered=False, target_epsilon=1.0)
    )
    assert other_recipe(spec, epsilon=1.5, ordered=False) == {}
    assert other_recipe(spec, epsilon=3.0, ordered=False) == {"learning_rate": 12.0, "class_weights": (1.0, 0.295)}
    # A run that was made longer keeps its noise in place of its target.
    longer = spec.changed(target_epsilon=None, noise_multiplier=40.0)
    assert set(other_recipe(longer, epsilon=3.0, ordered=False)) == {"learning_rate", "class_weights"}
    assert other_recipe(spec.changed(learning_rate=1.0), epsilon=3.0, ordered=False) == {}
    assert other_recipe(spec.changed(method="none", target_epsilon=None), epsilon=3.0, ordered=False) == {}
