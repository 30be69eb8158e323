"""Run directories survive crashes in the middle of a write."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpriv_core.errors import RunError, SettingError
from medpriv_core.records.epoch import read_row
from medpriv_core.records.outcome import Outcome
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.spec import RunSpec


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.create(RunSpec(dataset="d"))
    return run


def test_spec_comes_back(directory: RunDirectory) -> None:
    assert directory.read_spec() == RunSpec(dataset="d")


def test_a_damaged_or_foreign_spec_is_explained(directory: RunDirectory) -> None:
    (directory.path / "spec.json").write_text("{")
    with pytest.raises(RunError, match=r"no readable spec\.json"):
        directory.read_spec()
    (directory.path / "spec.json").write_text('{"dataset": "d", "epochs": -1}')
    with pytest.raises(SettingError, match="epochs must be between"):
        directory.read_spec()


def test_a_torn_line_loses_only_itself(directory: RunDirectory) -> None:
    metrics = directory.path / "metrics.jsonl"
    directory.append_epoch(read_row({"epoch": 1, "a": 1}))
    with open(metrics, "a") as file:
        file.write('{"epoch": 2, "a"')
    directory.append_epoch(read_row({"epoch": 3, "a": 3}))
    assert [row.epoch for row in directory.read_epochs()] == [1, 3]


def test_several_epochs_are_appended_at_once_or_none_of_them(directory: RunDirectory) -> None:
    directory.append_epochs(map(read_row, [{"epoch": 1, "a": 1}, {"epoch": 2, "a": 2}]))
    with pytest.raises(ValueError, match="not JSON compliant"):
        directory.append_epochs(map(read_row, [{"epoch": 3, "a": 3}, {"epoch": 4, "a": float("nan")}]))
    assert directory.read_epochs() == list(map(read_row, [{"epoch": 1, "a": 1}, {"epoch": 2, "a": 2}]))


def test_a_repeated_epoch_counts_once_and_the_last_wins(directory: RunDirectory) -> None:
    for value in (1, 2):
        directory.append_epoch(read_row({"epoch": 1, "a": value}))
    assert directory.read_epochs() == [read_row({"epoch": 1, "a": 2})]


def test_nothing_written_reads_as_nothing(directory: RunDirectory) -> None:
    assert directory.read_epochs() == []
    assert directory.read_progress() == {}
    assert directory.read_setup() == Setup()
    assert directory.read_outcome() is None
    assert directory.log_tail() == ""


def test_outcome_can_be_cleared_for_resuming(directory: RunDirectory) -> None:
    directory.write_outcome(Outcome("failed", "sentence", exit_code=2))
    assert directory.read_outcome() == Outcome("failed", "sentence", exit_code=2)
    directory.clear_outcome()
    assert directory.read_outcome() is None


def test_the_tail_of_a_long_log_is_short(directory: RunDirectory) -> None:
    directory.log.write_text("\n".join(f"line {number}" for number in range(100_000)))
    assert directory.log_tail(2) == "line 99998\nline 99999"
