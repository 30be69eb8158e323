"""The recipes behind the preset *sound DP*."""

from __future__ import annotations

import math

import pytest

from medpriv_core.datasets.catalog import ADDABLE
from medpriv_core.privacy.checks import check_plan
from medpriv_core.recipes import recipe_for
from medpriv_core.spec import RunSpec
from medpriv_core.training.variants import is_broad


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 3.0, 8.0, 50.0])
@pytest.mark.parametrize("dataset", sorted(ADDABLE))
def test_every_recipe_is_a_run_without_a_red_light(dataset: str, epsilon: float) -> None:
    info = ADDABLE[dataset].info
    spec = RunSpec(dataset=dataset, **recipe_for(dataset, ordered=info.ordered).settings(epsilon))
    assert spec.target_epsilon == epsilon
    assert spec.class_weights is None or len(spec.class_weights) == len(info.classes)
    assert not [check for check in check_plan(spec, train_size=5216) if check.state == "red"]


def test_without_privacy_the_rest_of_the_recipe_stays() -> None:
    settings = recipe_for("chest_xray", ordered=False).settings(math.inf)
    private = recipe_for("chest_xray", ordered=False).settings(8.0)
    assert RunSpec(dataset="chest_xray", **settings).method == "none"
    assert set(private) - set(settings) == {"method", "target_epsilon"}
    assert settings["epochs"] > private["epochs"]


def test_class_weights_give_pneumonia_the_intended_share_of_the_published_counts() -> None:
    normal, pneumonia = recipe_for("chest_xray", ordered=False).settings(1.0)["class_weights"]
    assert 3875 * pneumonia / (1341 * normal + 3875 * pneumonia) == pytest.approx(0.48, abs=0.001)


@pytest.mark.parametrize(("epsilon", "broad"), [(1.0, False), (3.0, False), (8.0, True), (math.inf, True)])
@pytest.mark.parametrize("dataset", ["chest_xray", "other_images"])
def test_the_longer_trainings_of_two_classes_see_a_broad_variant(dataset: str, epsilon: float, broad: bool) -> None:
    settings = recipe_for(dataset, ordered=False).settings(epsilon)
    variants = range(1, settings["augmentation_multiplicity"])
    assert any(is_broad(number) for number in variants) == broad
    assert (settings["class_weights"] is None) == (dataset != "chest_xray")
