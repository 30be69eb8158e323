"""A run that was stopped in mid-epoch: everything that is handed on says the epsilon of the weights in it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.errors import RunError
from medpriv_core.exports import run_archive
from medpriv_core.exports.captions import describe_runs
from medpriv_core.exports.run_archive import export_run
from medpriv_core.exports.run_tables import runs_csv
from medpriv_core.home import DataHome, data_home
from medpriv_core.jobs.process import Reporter
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.progress import Cancelled
from medpriv_core.records.outcome import Outcome
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.imports import import_run
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.training import loop
from medpriv_core.training.data import TrainingData
from medpriv_core.training.session import open_session
from tests.exports.networks import write_networks_here
from tests.small_data import add_small_dataset
from tests.trained_runs import TINY
from tests.training.conftest import StopAfter

RUN_ID = "20260102-030405-abcd"
AN_EPOCH = 12  # steps: 120 images, 10 expected in each
SPEC = TINY.changed(method="dp_sgd", noise_multiplier=1.0, delta=1e-3, epochs=4, batch_size=10)


Stopped = Callable[..., tuple[DataHome, int]]


def epsilon_of(steps: int) -> float:
    return composed_epsilon([Steps(1.0, 10 / 120, steps)], delta=1e-3)


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports read networks in this process; one test has the process that really reads them."""
    monkeypatch.setattr(run_archive, "_write_networks", write_networks_here)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """Each stopped run is trained once."""

    @cache
    def train(spec: RunSpec, questions: int) -> tuple[DataHome, int]:
        return stopped_run(tmp_path_factory.mktemp("stopped"), spec, questions=questions)

    return train


@pytest.fixture
def stopped(trained: Stopped, tmp_path: Path) -> Stopped:
    """A copy of a stopped run's data home, to do with as one likes, and the steps in its checkpoint's ledger."""

    def copy(*, spec: RunSpec = SPEC, questions: int = 20) -> tuple[DataHome, int]:
        home, steps = trained(spec, questions)
        mine = DataHome(tmp_path / "home")
        shutil.copytree(home.root, mine.root)
        return mine, steps

    return copy


def stopped_run(folder: Path, spec: RunSpec, *, questions: int) -> tuple[DataHome, int]:
    """A run as its worker leaves it when it is stopped at this question, and the steps in its checkpoint's ledger."""
    home = data_home(folder / "home")
    add_small_dataset(home, folder)
    directory, store = RunDirectory(home.runs / RUN_ID), RunStore(home)
    directory.create(spec)
    store.add(RUN_ID, name="stopped", slot="cpu")
    assert store.claim_next()
    report = Reporter(directory, should_stop=StopAfter(questions))
    data = TrainingData(prepare_dataset(home, spec.dataset, image_size=spec.image_size))
    session = open_session(spec, data, directory, home=home, progress=report)
    with pytest.raises(Cancelled):
        loop.train(session, directory, report=report)
    directory.write_outcome(Outcome("cancelled", None, loop.reached(session)))
    store.end(RUN_ID, "cancelled", None)
    saved = torch.load(directory.checkpoint, weights_only=True)
    return home, sum(segment["steps"] for segment in saved["ledger"])


@pytest.mark.parametrize("questions", [12, 60])
def test_weights_card_guarantee_caption_and_table_are_of_the_same_steps(
    questions: int, stopped: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    if questions != 12:  # the process that really reads networks is seen once
        monkeypatch.setattr(run_archive, "_write_networks", write_networks_here)
    home, steps = stopped(questions=questions)
    done = steps // AN_EPOCH
    assert steps % AN_EPOCH != 0
    run = service.load_run(home, RUN_ID)
    assert run.epochs_done == done == (0 if questions == 12 else done)
    epsilon = format_epsilon(epsilon_of(steps))

    with zipfile.ZipFile(io.BytesIO(export_run(home, RUN_ID))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    guarantee, card = files["guarantee.txt"].decode(), files["model_card.md"].decode()

    assert "model.safetensors" in files
    figures = f"figures are of the end of epoch {done}" if done else "no figures were measured"
    said = f"stopped in epoch {done + 1}, after {steps:,} step"
    for text in (guarantee, card):
        assert f"ε = {epsilon} (δ = 0.001; one image added or removed; Poisson subsampling; PLD accountant)" in text
        assert said in text
        assert figures in text
    assert f"[holds] Accounting: The ledger covers exactly the {steps:,} steps" in guarantee
    (line,) = csv.DictReader(io.StringIO(runs_csv([run])))
    assert float(line["epsilon"]) == pytest.approx(epsilon_of(steps), rel=1e-6)
    assert (line["steps"], said in line["stopped"]) == (str(steps), True)
    assert f"ε = {epsilon} (" in describe_runs([run])[0]
    assert json.loads(files["spent.json"])["steps"] == steps


def test_elsewhere_it_says_the_same_by_its_senders_word(stopped: Stopped, read_here: None, tmp_path: Path) -> None:
    home, steps = stopped()
    elsewhere = DataHome(tmp_path / "elsewhere")
    import_run(elsewhere, export_run(home, RUN_ID))

    run = service.load_run(elsewhere, RUN_ID)
    assert run.spent is not None
    assert (run.spent.steps, run.spent.epsilon) == (steps, epsilon_of(steps))
    with zipfile.ZipFile(io.BytesIO(export_run(elsewhere, RUN_ID))) as archive:
        guarantee = archive.read("guarantee.txt").decode()
    assert f"after {steps:,} steps" in guarantee
    assert "[holds]" not in guarantee
    assert "[needs attention] Accounting: So says its sender" in guarantee


@pytest.mark.parametrize(("name", "value"), [("steps", 1), ("epsilon", "x"), ("segments", []), ("step", 99)])
def test_a_record_that_was_changed_is_not_imported(
    name: str, value: object, stopped: Stopped, read_here: None, tmp_path: Path
) -> None:
    home, _ = stopped()
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(export_run(home, RUN_ID))) as archive, zipfile.ZipFile(changed, "w") as other:
        for member in archive.namelist():
            content = archive.read(member)
            if member == "spent.json":
                content = json.dumps(json.loads(content) | {name: value}).encode()
            other.writestr(member, content)
    with pytest.raises(RunError, match=r"spent\.json"):
        import_run(DataHome(tmp_path / "elsewhere"), changed.getvalue())


def test_a_record_that_claims_less_than_its_loop_recorded_is_not_believed(stopped: Stopped, read_here: None) -> None:
    home, steps = stopped()
    record = home.runs / RUN_ID / "spent.json"
    values = json.loads(record.read_text()) | {"epsilon": 0.01}
    record.write_text(json.dumps({name: values[name] for name in values if name != "checksum"}))

    with zipfile.ZipFile(io.BytesIO(export_run(home, RUN_ID))) as archive:
        guarantee = archive.read("guarantee.txt").decode()
    assert f"ε = {format_epsilon(epsilon_of(steps))} (" in guarantee
    assert "[FAILS] Accounting" in guarantee


def test_another_checkpoint_than_the_recorded_one_has_no_epsilon(stopped: Stopped, read_here: None) -> None:
    home, _ = stopped()
    with open(home.runs / RUN_ID / "checkpoint.pt", "ab") as file:
        file.write(b"\0")

    with zipfile.ZipFile(io.BytesIO(export_run(home, RUN_ID))) as archive:
        guarantee = archive.read("guarantee.txt").decode()
    assert "ε is not established: its checkpoint is not the one that was recorded" in guarantee
    assert "[FAILS] Accounting" in guarantee


def test_a_run_that_goes_on_while_it_is_exported_is_not_mixed_up(
    stopped: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, steps = stopped()
    record = home.runs / RUN_ID / "spent.json"

    def go_on(*_: object) -> None:
        values = json.loads(record.read_text())
        values["segments"][0]["steps"] += 1
        record.write_text(json.dumps(values | {"steps": steps + 1, "step": values["step"] + 1}))

    monkeypatch.setattr(run_archive, "_write_networks", go_on)
    with pytest.raises(RunError, match="has gone on just now"):
        export_run(home, RUN_ID)


def test_a_network_without_privacy_says_where_it_was_stopped(stopped: Stopped, read_here: None) -> None:
    home, _ = stopped(spec=TINY.changed(epochs=4, batch_size=10), questions=60)
    with zipfile.ZipFile(io.BytesIO(export_run(home, RUN_ID))) as archive:
        card = archive.read("model_card.md").decode()
    assert "It was stopped in epoch" in card
    assert "nothing was measured" in card
