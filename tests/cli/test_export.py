"""``export`` and ``import``: runs taken away and brought in from the command line."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training.checkpoint import Checkpoint, pack_checkpoint
from tests.cli.conftest import Command, Refusal
from tests.exports.runs import PRIVATE, RUN_ID, put_run

OTHER = "20260102-030405-eeee"


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def put_checkpoint(directory: RunDirectory) -> None:
    layer = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    directory.checkpoint.write_bytes(pack_checkpoint(Checkpoint(layer, None, {}, {}, "key", {"epochs_done": 2})))


def test_a_run_goes_to_another_machine_and_back(
    medpriv: Command, home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_checkpoint(put_run(home, PRIVATE))
    file = tmp_path / "run.zip"

    answer = medpriv("export", "run", RUN_ID, "--output", file, "--json")

    assert answer.json == {"runs": [RUN_ID], "file": str(file), "bytes": file.stat().st_size}
    monkeypatch.setenv("MEDPRIV_HOME", str(tmp_path / "other"))
    imported = medpriv("import", f"'file://{file}'", "--json").json  # as a file manager hands it over
    assert (imported["run"], imported["name"], imported["complaints"]) == (RUN_ID, "Pilot · β = 1", [])
    with safe_open(tmp_path / "other" / "runs" / RUN_ID / "model.safetensors", "np") as network:
        assert network.get_tensor("fc.weight").tolist() == [[1.0] * 3] * 2
    assert medpriv("export", "run", RUN_ID, "--output", tmp_path / "again.zip").code == 0
    with zipfile.ZipFile(file) as first, zipfile.ZipFile(tmp_path / "again.zip") as second:
        assert first.namelist() == second.namelist()
        differing = [name for name in first.namelist() if first.read(name) != second.read(name)]
    # A run from elsewhere says so.
    assert differing == ["guarantee.txt", "model_card.md"]


def test_several_runs_are_one_file(
    medpriv: Command, home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(home, predictions=False)
    put_run(home, run_id=OTHER, predictions=False)
    monkeypatch.chdir(tmp_path)

    answer = medpriv("export", "run", RUN_ID, OTHER)

    assert answer.out == "Written: medpriv-runs.zip\n"
    with zipfile.ZipFile("medpriv-runs.zip") as archive:
        assert len(archive.namelist()) == 2


def test_all_runs_or_chosen_ones_are_a_table(medpriv: Command, home: DataHome, tmp_path: Path) -> None:
    put_run(home, predictions=False)
    put_run(home, run_id=OTHER, predictions=False)

    all_runs = list(csv.DictReader(io.StringIO(medpriv("export", "csv").out)))
    epochs = list(csv.DictReader(io.StringIO(medpriv("export", "csv", OTHER, "--epochs").out)))
    medpriv("export", "csv", "--output", tmp_path / "runs.csv")

    assert {line["run"] for line in all_runs} == {RUN_ID, OTHER}
    assert [(line["run"], line["epoch"]) for line in epochs] == [(OTHER, "1"), (OTHER, "2")]
    assert (tmp_path / "runs.csv").read_bytes().startswith(b"run,name,")


def test_events_are_written_for_tensorboard(medpriv: Command, home: DataHome, tmp_path: Path) -> None:
    put_run(home, predictions=False)

    answer = medpriv("export", "tensorboard", RUN_ID, tmp_path / "logs", "--json")

    assert Path(answer.json["file"]).parent == tmp_path / "logs" / RUN_ID
    assert Path(answer.json["file"]).is_file()


def test_events_of_several_runs_lie_beside_each_other_and_a_wrong_name_leaves_none(
    medpriv: Command, refused: Refusal, home: DataHome, tmp_path: Path
) -> None:
    put_run(home, predictions=False)
    put_run(home, run_id=OTHER, predictions=False)

    assert "There is no run nothing" in refused("export", "tensorboard", RUN_ID, "nothing", tmp_path / "none")
    answer = medpriv("export", "tensorboard", RUN_ID, OTHER, tmp_path / "logs", "--json")

    assert not (tmp_path / "none").exists()
    assert set(answer.json["files"]) == {RUN_ID, OTHER}
    assert {Path(file).parent.name for file in answer.json["files"].values()} == {RUN_ID, OTHER}
    assert all(Path(file).is_file() for file in answer.json["files"].values())


def test_what_cannot_be_done_is_said_in_a_sentence(refused: Refusal, home: DataHome, tmp_path: Path) -> None:
    put_run(home, predictions=False)
    (tmp_path / "text.zip").write_text("no zip")

    assert "There is no run nothing" in refused("export", "csv", "nothing")
    assert "There is no run nothing" in refused("export", "run", "nothing")
    assert "There is no file" in refused("import", tmp_path / "missing.zip")
    assert "is no zip of a run" in refused("import", tmp_path / "text.zip")
    assert "refused a file or folder" in refused("export", "csv", "--output", tmp_path / "no" / "runs.csv")


def test_a_damaged_checkpoint_keeps_no_other_run_from_its_network(home: DataHome, tmp_path: Path) -> None:
    put_checkpoint(put_run(home, predictions=False))
    put_run(home, run_id=OTHER, predictions=False).checkpoint.write_bytes(b"half")
    job = Job(tmp_path / "job")

    job.start(home, "weights", folder=str(tmp_path), directories=[str(home.runs / RUN_ID), str(home.runs / OTHER)])
    complaints = job.wait()["complaints"]

    assert (tmp_path / f"{RUN_ID}.safetensors").is_file()
    assert list(complaints) == [OTHER]
    assert "is damaged" in complaints[OTHER]
