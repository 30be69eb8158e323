"""The train page: a run that stops at an ε, or at what the budget of its images leaves."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from medpriv_core.datasets.registry import list_datasets
from medpriv_core.home import DataHome
from medpriv_core.privacy.plan import plan_run
from medpriv_core.runs import service
from medpriv_core.runs.budget import set_budget
from tests.pages.conftest import texts

OpenPage = Callable[..., AppTest]


def test_a_run_is_told_to_stop_at_an_epsilon_and_how_many_epochs_that_are_is_said(
    open_page: OpenPage, home: DataHome
) -> None:
    page = open_page("train")
    page.segmented_control(key="train_method").set_value("dp_sgd").run()
    assert not any(field.key == "train_stop_epsilon" for field in page.number_input)  # the noise is worked out for one
    page.segmented_control(key="train_privacy_by").set_value("noise_multiplier").run()
    page.number_input(key="train_noise_multiplier").set_value(1.0)
    page.number_input(key="train_epochs").set_value(200)
    page.number_input(key="train_stop_epsilon").set_value(4.0).run()
    assert not page.error
    said = next(line for line in texts(page).splitlines() if "epochs stay within ε = 4" in line)
    page.button(key="launch").click().run()
    (run,) = service.list_runs(home)
    assert said.startswith(f"{run.spec.epochs} of 200 epochs")
    assert plan_run(run.spec, train_size=640).epsilon <= 4.0
    page = open_page("train")
    page.segmented_control(key="train_method").set_value("dp_sgd").run()
    page.segmented_control(key="train_privacy_by").set_value("noise_multiplier").run()
    page.number_input(key="train_stop_epsilon").set_value(0.01).run()
    assert "Not even one epoch stays within ε = 0.01" in page.error[0].value
    assert page.button(key="launch").disabled


def test_a_run_beyond_the_budget_is_shortened_by_a_button(open_page: OpenPage, home: DataHome) -> None:
    entry = next(entry for entry in list_datasets(home) if entry.info.name == "synthetic_chest")
    set_budget(home, entry, epsilon=10.0)
    page = open_page("train")
    page.segmented_control(key="train_method").set_value("dp_sgd").run()
    page.segmented_control(key="train_privacy_by").set_value("noise_multiplier").run()
    page.number_input(key="train_noise_multiplier").set_value(1.0)
    page.number_input(key="train_epochs").set_value(200).run()
    assert "more than their budget allows" in page.error[0].value
    page.button(key="train_fit").click().run()
    assert not page.error
    epochs = page.number_input(key="train_epochs").value
    assert f"{epochs} of 200 epochs stay within the budget of these images" in texts(page)
    assert not page.button(key="launch").disabled
    page.number_input(key="train_epochs").set_value(epochs + 1).run()
    assert page.button(key="launch").disabled
