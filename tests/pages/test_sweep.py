"""The sweep page: what is said before a launch, launching, and the list of sweeps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.runs import service as runs
from medpriv_core.runs.store import RunStore
from medpriv_core.shown_text import for_markdown
from medpriv_core.sweeps import service
from medpriv_core.sweeps.cost import plan_sweep
from medpriv_core.sweeps.grid import Grid, vary
from medpriv_core.sweeps.paper import paper_grid
from tests.pages.conftest import texts

OpenPage = Callable[..., AppTest]
SEEDS = Grid({"dataset": "synthetic_chest", "weights": "none", "epochs": 2}, (vary("seed", range(3)),))


def launch(page: AppTest) -> AppTest:
    return page.button(key="sweep_launch").click().run()


def test_it_opens_on_the_papers_grid_ready_to_be_launched(open_page: OpenPage, home: DataHome) -> None:
    page = open_page("sweep")
    assert not page.exception
    assert not page.error
    assert page.button(key="sweep_launch").label == "Launch 30 runs"
    said = texts(page)
    grid = paper_grid("synthetic_chest", train_size=640, seeds=3, weights="none")
    plan = plan_sweep(home, grid)
    assert "**30 runs**, 30 to train" in said
    assert plan.dp_sgd[0].together.statement in said
    assert "ε = 1.75 (δ = 0; two images that differ in one pixel" in said
    assert "3 runs without privacy: nothing bounds what these networks give away" in said


def test_one_click_queues_the_papers_grid_and_shows_it(open_page: OpenPage, home: DataHome) -> None:
    page = open_page("sweep")
    page.number_input(key="sweep_paper_seeds").set_value(1).run()
    page.button_group(key="sweep_paper_draws").set_value(["per_pixel"]).run()
    launch(page)
    assert not page.exception
    (status,) = service.list_sweeps(home).sweeps
    expected = paper_grid("synthetic_chest", train_size=640, noise_draws=("per_pixel",), weights="none").expand()
    assert [run.spec for run in status.sweep.runs] == [run.spec for run in expected.runs]
    assert len(runs.list_runs(home)) == 7
    assert f"{for_markdown('Paper · Synthetic chest radiographs · last layer')} :gray-badge[waiting]" in texts(page)
    assert page.query_params["view"] == "sweeps"


def test_a_grid_that_is_there_is_not_trained_again(open_page: OpenPage, home: DataHome) -> None:
    page = open_page("sweep", view="any")
    assert page.button(key="sweep_launch").label == "Launch 9 runs"
    launch(page)
    assert len(runs.list_runs(home)) == 9
    page = open_page("sweep", view="any")
    assert "9 with the same settings are there already and will not be trained again." in texts(page)
    assert page.button(key="sweep_launch").label == "Show the runs that are there as a sweep"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (", ".join(f"{place / 1000}" for place in range(1, 3335)), "This grid has 10,002 runs; 500 is the most"),
        ("fast", "**Learning rate** must be a number, but is 'fast'"),
        ("", "**Learning rate** is to be varied, but has no values"),
        ("0.1, 0.1", "twice; leave one out"),
        ("-1", "**Learning rate** must be between"),
    ],
)
def test_what_cannot_be_launched_is_greyed_with_the_reason(
    open_page: OpenPage, home: DataHome, values: str, complaint: str
) -> None:
    page = open_page("sweep", view="any")
    page.text_input(key="sweep_any_values_0_learning_rate").set_value(values).run()
    assert not page.exception
    assert complaint in texts(page)
    assert page.button(key="sweep_launch").disabled
    assert runs.list_runs(home) == []


def test_impossible_combinations_are_named_and_the_others_launched(open_page: OpenPage, home: DataHome) -> None:
    page = open_page("sweep", view="any")
    page.selectbox(key="sweep_any_setting_0").set_value("batch_size").run()
    page.text_input(key="sweep_any_values_0_batch_size").set_value("64, 5000").run()
    (left_out,) = [expander for expander in page.expander if "left out" in expander.label]
    assert left_out.label == "3 combinations left out"
    assert "**Batch size** (5000) is larger than the training set" in left_out.markdown[0].value
    launch(page)
    assert len(runs.list_runs(home)) == 3


def test_varying_the_method_gives_each_its_strength(open_page: OpenPage, home: DataHome) -> None:
    page = open_page("sweep", view="any")
    page.selectbox(key="sweep_any_preset").set_value("sound").run()
    page.selectbox(key="sweep_any_setting_0").set_value("method").run()
    launch(page)
    specs = [run.spec for run in runs.list_runs(home) if run.spec and run.spec.seed == 0]
    strengths = {(spec.method, spec.beta, spec.target_epsilon) for spec in specs}
    assert strengths == {("none", None, None), ("local_dp", 1.0, None), ("dp_sgd", None, 3.0)}


def test_each_epsilon_gets_its_own_recipe(open_page: OpenPage, home: DataHome) -> None:
    page = open_page("sweep", view="any")
    page.selectbox(key="sweep_any_preset").set_value("sound").run()
    page.selectbox(key="sweep_any_setting_0").set_value("target_epsilon").run()
    page.selectbox(key="sweep_any_setting_1").set_value(None).run()
    said = texts(page)
    assert "- Privacy budget (ε) 8: Epochs 100, Learning rate 20, Augmentation multiplicity 4" in said
    launch(page)
    specs = [run.spec for run in runs.list_runs(home) if run.spec]
    assert {(spec.target_epsilon, spec.epochs) for spec in specs} == {(1.0, 50), (3.0, 75), (8.0, 100)}


def test_authors_way_has_no_epsilon_together(open_page: OpenPage) -> None:
    page = open_page("sweep", view="any")
    page.selectbox(key="sweep_any_preset").set_value("authors").run()
    assert "No ε holds for all of them" in texts(page)


def test_sweeps_are_stopped_resumed_and_forgotten(open_page: OpenPage, home: DataHome) -> None:
    sweep_id = service.submit(home, SEEDS, title="Three *seeds*")
    page = open_page("sweep")  # it opens on what is under way
    assert "Three \\*seeds\\* :gray-badge[waiting]" in texts(page)
    page.button(key=f"sweep_stop_{sweep_id}").click().run()
    assert service.load_sweep(home, sweep_id).state == "stopped"
    assert ":orange-badge[stopped]" in texts(page)
    page.button(key=f"sweep_resume_{sweep_id}").click().run()
    assert service.load_sweep(home, sweep_id).state == "waiting"
    page.button(key=f"sweep_delete_{sweep_id}").click().run()
    assert "No sweeps yet" in texts(page)
    assert len(runs.list_runs(home)) == 3


def test_a_failed_run_is_told_with_its_reason(open_page: OpenPage, home: DataHome) -> None:
    service.submit(home, SEEDS, title="Seeds")
    row = RunStore(home).claim_next()
    assert row is not None
    RunStore(home).end(row.id, "failed", "There is no space left on the disk.")
    page = open_page("sweep", view="sweeps")
    assert [error.value for error in page.error] == ["There is no space left on the disk."]
    assert not page.exception


def test_a_damaged_sweep_is_told_and_the_others_are_shown(open_page: OpenPage, home: DataHome) -> None:
    damaged = service.submit(home, SEEDS, title="Broken")
    service.submit(home, SEEDS, title="Whole")
    (home.root / "sweeps" / f"{damaged}.json").write_text("{")
    page = open_page("sweep", view="sweeps")
    assert "is damaged" in page.warning[0].value
    assert "### Whole" in texts(page)
    assert "Broken" not in texts(page)
