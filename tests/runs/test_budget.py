"""What may be spent on the images of a dataset: counted from what ran, and refused beyond it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from medpriv_core.datasets.registry import DatasetEntry, list_datasets
from medpriv_core.errors import DataHomeError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.patients import PatientCount
from medpriv_core.privacy.composition import compose, planned_spending
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.runs import service
from medpriv_core.runs.budget import Budget, budget_state, check_budget, mark_released, read_budget, set_budget
from medpriv_core.runs.image_ledger import read_ledger
from medpriv_core.runs.on_images import all_runs
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps import service as sweeps
from medpriv_core.sweeps.cost import plan_sweep
from medpriv_core.sweeps.grid import Grid, vary
from tests.exports.runs import PRIVATE as MADE
from tests.exports.runs import RUN_ID, put_run

NAME = "synthetic_chest"
PRIVATE = RunSpec(dataset=NAME, weights="none", method="dp_sgd", noise_multiplier=2.0, epochs=4, unit="image")


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def entry_of(home: DataHome) -> DatasetEntry:
    return next(entry for entry in list_datasets(home) if entry.info.name == NAME)


def cost(*specs: RunSpec) -> float:
    return compose(NAME, [planned_spending(spec, train_size=640) for spec in specs]).epsilon


def test_without_a_budget_nothing_is_refused(home: DataHome) -> None:
    assert read_budget(home, entry_of(home).content or "") == Budget()
    service.submit(home, PRIVATE)
    assert budget_state(home, entry_of(home)).sentence == "No budget is set for these images."


def test_what_waits_is_counted_to_its_end_and_what_would_exceed_the_budget_is_refused(home: DataHome) -> None:
    set_budget(home, entry_of(home), epsilon=cost(PRIVATE, PRIVATE) * 1.001)
    service.submit(home, PRIVATE)
    state = budget_state(home, entry_of(home))
    assert state.spent == pytest.approx(cost(PRIVATE))
    assert state.left == pytest.approx(cost(PRIVATE, PRIVATE) * 1.001 - cost(PRIVATE))
    service.submit(home, PRIVATE.changed(seed=1))
    with pytest.raises(SettingError, match="This run would bring what is spent on these images to ε = ") as refused:
        service.submit(home, PRIVATE.changed(seed=2))
    assert "more than their budget allows" in str(refused.value)
    assert "δ = 1e-5; one patient with all images and labels added or removed" in str(refused.value)
    assert len(service.list_runs(home)) == 2
    service.submit(home, PRIVATE.changed(method="none", noise_multiplier=None, unit="auto"))  # promises nothing
    set_budget(home, entry_of(home), epsilon=None)
    service.submit(home, PRIVATE.changed(seed=2))


def test_a_budget_at_another_delta_counts_at_that_one(home: DataHome) -> None:
    spending = planned_spending(PRIVATE, train_size=640)
    at_small = composed_epsilon(spending.stretches, delta=1e-5)
    set_budget(home, entry_of(home), epsilon=at_small * 0.99, delta=1e-4)
    check_budget(home, [PRIVATE])  # less at a larger δ
    set_budget(home, entry_of(home), epsilon=at_small * 0.99, delta=1e-5)
    with pytest.raises(SettingError, match="would bring"):
        check_budget(home, [PRIVATE])


def test_noised_copies_are_counted_and_for_as_many_images_as_a_patient_has(home: DataHome) -> None:
    noised = RunSpec(dataset=NAME, weights="none", method="local_dp", beta=1000.0, image_size=16)
    one = noised.picture_noise.guarantee((16, 16, 1), delta=1e-5).epsilon_image
    set_budget(home, entry_of(home), epsilon=one * 1.5)
    service.submit(home, noised)
    service.submit(home, noised.changed(seed=1))  # the same copy
    assert budget_state(home, entry_of(home)).copies == pytest.approx(one)
    with pytest.raises(SettingError, match="would bring"):
        service.submit(home, noised.changed(beta=999.0))
    several = noised.picture_noise.guarantee((16, 16, 1), delta=1e-5, copies=5).epsilon_image
    entry = replace(entry_of(home), patients=PatientCount(100, 5))
    assert budget_state(home, entry).copies == pytest.approx(several)


def test_networks_and_noised_copies_share_the_delta(home: DataHome) -> None:
    noised = RunSpec(dataset=NAME, weights="none", method="local_dp", beta=1000.0, image_size=16, noise_draw="gaussian")
    set_budget(home, entry_of(home), epsilon=100.0)
    both = budget_state(home, entry_of(home), more=[PRIVATE, noised])
    spending = planned_spending(PRIVATE, train_size=640)
    assert both.networks.epsilon == pytest.approx(composed_epsilon(spending.stretches, delta=5e-6))
    assert both.copies == pytest.approx(noised.picture_noise.guarantee((16, 16, 1), delta=5e-6).epsilon_image)
    assert budget_state(home, entry_of(home), more=[PRIVATE]).networks.delta == pytest.approx(1e-5)


def test_a_sweep_is_refused_as_a_whole_and_says_so_beforehand(home: DataHome) -> None:
    set_budget(home, entry_of(home), epsilon=cost(PRIVATE, PRIVATE) * 1.001)
    grid = Grid(PRIVATE.to_dict(), (vary("seed", [0, 1, 2]),))
    (planned,) = plan_sweep(home, grid).dp_sgd
    assert "These runs exceed it and cannot be queued together." in " ".join(planned.sentences)
    with pytest.raises(SettingError, match="These 3 runs would bring"):
        sweeps.submit(home, grid, title="three")
    assert service.list_runs(home) == []
    two = Grid(PRIVATE.to_dict(), (vary("seed", [0, 1]),))
    assert "exceed" not in " ".join(plan_sweep(home, two).dp_sgd[0].sentences)
    sweeps.submit(home, two, title="two")


def test_the_ledger_has_each_network_and_what_was_given_away(home: DataHome) -> None:
    first, second = service.submit(home, PRIVATE), service.submit(home, PRIVATE.changed(noise_multiplier=1.0))
    assert read_ledger(home, entry_of(home), all_runs(home)).released is None
    mark_released(home, entry_of(home), second)
    set_budget(home, entry_of(home), epsilon=50.0)
    ledger = read_ledger(home, entry_of(home), all_runs(home))
    lines = {line.run: line for line in ledger.lines}
    assert (lines[first].epsilon, lines[first].unit) == (pytest.approx(cost(PRIVATE)), "image")
    assert lines[first].released is None
    assert lines[second].released is not None
    assert ledger.released is not None
    assert (ledger.released.networks, ledger.released.epsilon) == (1, pytest.approx(lines[second].epsilon))
    mark_released(home, entry_of(home), second, released=False)
    assert read_ledger(home, entry_of(home), all_runs(home)).released is None
    assert read_budget(home, entry_of(home).content or "").epsilon == 50.0


def test_a_network_whose_settings_cannot_be_read_any_more_stays_spent(home: DataHome) -> None:
    put_run(home, MADE)
    entry = entry_of(home)
    before = budget_state(home, entry).spent
    assert before > 0
    (home.runs / RUN_ID / "spec.json").write_text("{")
    assert budget_state(home, entry).spent == pytest.approx(before)
    assert [line.run for line in read_ledger(home, entry, all_runs(home)).lines] == [RUN_ID]


def test_numbers_that_cannot_be_and_a_damaged_file_are_told(home: DataHome) -> None:
    entry = entry_of(home)
    for number in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(SettingError, match="must be a number above 0"):
            set_budget(home, entry, epsilon=number)
    with pytest.raises(SettingError, match=r"below 1/n = 0\.0016 for n = 640 patients"):
        set_budget(home, entry, epsilon=1.0, delta=1 / 640)
    set_budget(home, entry, epsilon=1.0)
    (file,) = home.spent.glob("*.budget.json")
    file.write_text(file.read_text().replace('"epsilon": 1.0', '"epsilon": 100.0'))
    with pytest.raises(DataHomeError, match=r"is damaged\. Put that file back from a copy"):
        check_budget(home, [PRIVATE])
    with pytest.raises(DataHomeError, match="is damaged"):
        service.submit(home, PRIVATE)
