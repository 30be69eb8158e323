"""The train form follows the recipe of sound DP, when something changes that the recipe depends on."""

from __future__ import annotations

import math
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.presets import preset_settings
from medpriv_core.recipes import recipe_for
from medpriv_core.runs import service
from medpriv_core.spec import RunSpec
from tests.pages.conftest import texts

OpenPage = Callable[..., AppTest]


def test_the_recipe_follows_the_method_and_the_noise(open_page: OpenPage) -> None:
    page = open_page("train")
    page.button(key="preset_sound").click().run()
    page.segmented_control(key="train_method").set_value("none").run()
    free = recipe_for("synthetic_chest", ordered=False).settings(math.inf)
    assert page.number_input(key="train_learning_rate").value == free["learning_rate"]
    assert page.number_input(key="train_augmentation_multiplicity").value == free["augmentation_multiplicity"]
    assert "Learning rate:" not in texts(page)
    assert "Method: No privacy instead of DP-SGD" in texts(page)
    page.segmented_control(key="train_method").set_value("dp_sgd").run()
    assert page.number_input(key="train_learning_rate").value == 12.0
    page.segmented_control(key="train_privacy_by").set_value("noise_multiplier").run()
    page.number_input(key="train_noise_multiplier").set_value(40.0).run()
    assert page.number_input(key="train_learning_rate").value == 9.0  # 50 steps at sigma 40 have epsilon below 1
    page.number_input(key="train_noise_multiplier").set_value(10.0).run()
    assert page.number_input(key="train_learning_rate").value == 12.0


def test_a_copy_of_a_run_by_the_recipe_follows_it_and_keeps_what_is_its_own(
    open_page: OpenPage, home: DataHome
) -> None:
    at_1 = preset_settings("sound", dataset="synthetic_chest", ordered=False, target_epsilon=1.0)
    run_id = service.submit(home, RunSpec(dataset="synthetic_chest", weights="none", seed=7, **at_1))
    page = open_page("runs", run=run_id)
    page.button(key="duplicate").click().run()
    page.switch_page("train.py").run()
    assert page.number_input(key="train_epochs").value == 50
    page.number_input(key="train_target_epsilon").set_value(8.0).run()
    assert page.number_input(key="train_epochs").value == 100
    assert page.number_input(key="train_seed").value == 7
    assert "Epochs: 100 instead of 50" in texts(page)
