"""What version 0.1.0 left behind opens: its data home, its runs in every place that shows them, its exports."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from medpriv_core.exports.run_archive import archive_name, export_runs
from medpriv_core.home import DataHome
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.runs import service
from medpriv_core.runs.imports import import_run
from medpriv_core.runs.on_images import all_runs, epsilon_on_images
from tests.cli.conftest import Command, medpriv  # noqa: F401 - a fixture

FIXTURES = Path(__file__).parent / "fixtures"
FINISHED = "20261130-073513-effc20b6"
STOPPED = "20261130-073624-0e3342e2"
DELETED = "20261130-073602-eb317bbf"


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.fixture
def old_home(home: DataHome) -> DataHome:
    """The data home of 0.1.0, which no runner clears of what was deleted long ago."""
    home.root.mkdir(parents=True)
    with zipfile.ZipFile(FIXTURES / "home_0_1_0.zip") as archive:
        archive.extractall(home.root)
    return home


def test_every_run_is_in_the_list_with_its_figures(old_home: DataHome) -> None:
    runs = {run.id: run for run in service.list_runs(old_home)}

    assert len(runs) == 4
    assert all(run.spec is not None and run.last.test.accuracy for run in runs.values())
    assert (runs[STOPPED].state, runs[STOPPED].epochs_done) == ("cancelled", 10)
    assert [run.id for run in service.list_runs(old_home, deleted=True)] == [DELETED]


@pytest.mark.parametrize("run_id", [FINISHED, STOPPED])
def test_what_an_old_run_did_not_measure_is_amber_and_its_epsilon_is_still_said(
    old_home: DataHome, run_id: str
) -> None:
    run = service.load_run(old_home, run_id)
    assert run.spec is not None

    lights = {check.name: check.state for check in check_run(run.spec, setup=run.setup, spent=run.spent)}
    verdict = run_verdict(run.spec, setup=run.setup, spent=run.spent)

    measured = ("Sampling", "Clipping", "Images kept apart", "Batch size", "Preprocessing", "Noise", "Accounting")
    assert {name: lights[name] for name in measured} == dict.fromkeys(measured, "amber")
    assert "red" not in lights.values()
    # Of the stopped one the 175 steps of its weights, and not the 160 of its last epoch (ε = 2.68).
    assert verdict is not None
    assert verdict.epsilon == pytest.approx({FINISHED: 4.18, STOPPED: 2.8055}[run_id], abs=0.001)


def test_every_command_shows_an_old_run(medpriv: Command, old_home: DataHome) -> None:  # noqa: F811
    for run in service.list_runs(old_home):
        assert medpriv("runs", "show", run.id).code == 0
        assert medpriv("runs", "show", run.id, "--json").json["id"] == run.id
    assert medpriv("compare", "synthetic_chest").code == 0
    assert medpriv("sweep", "list").code == 0


def test_an_old_run_can_be_exported_and_imported_elsewhere(old_home: DataHome, tmp_path: Path) -> None:
    runs = [run.id for run in service.list_runs(old_home)]
    elsewhere = DataHome(tmp_path / "elsewhere")
    # Of all at once, so that one process reads their networks.
    with zipfile.ZipFile(io.BytesIO(export_runs(old_home, runs))) as exported:
        for run_id in runs:
            content = exported.read(archive_name(run_id))
            assert import_run(elsewhere, content) == run_id
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert "model.safetensors" in archive.namelist()
    assert len(service.list_runs(elsewhere)) == 4


def test_an_export_of_the_old_version_is_imported_and_can_be_looked_at(home: DataHome) -> None:
    assert import_run(home, FIXTURES / "run_dp_sgd_0_1_0.zip") == FINISHED

    run = service.load_run(home, FINISHED)
    assert (len(run.epochs), run.imported) == (3, True)
    assert run.last.epsilon == pytest.approx(4.179, abs=0.001)


def test_what_old_private_runs_have_spent_is_amber_and_stays_when_they_are_purged(old_home: DataHome) -> None:
    private = [run for run in all_runs(old_home) if run.spec is not None and run.spec.method == "dp_sgd"]
    assert private
    for run in private:
        assert run.spent is not None
        assert (run.spent.recorded, run.spent.steps >= run.last.steps) == (False, True)
        checks = check_run(run.spec, setup=run.setup, spent=run.spent)
        assert next(check.state for check in checks if check.name == "Accounting") == "amber"
    before = epsilon_on_images(old_home, "synthetic_chest", all_runs(old_home))
    assert before is not None
    assert before.networks == len(private)
    for run in private:
        if run.deleted_at is None:
            service.delete(old_home, run.id)
        service.purge(old_home, run.id)
    assert epsilon_on_images(old_home, "synthetic_chest", all_runs(old_home)) == before
