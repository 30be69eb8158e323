"""Lines of long lists: kept from process to process, and never older than the files that they speak of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.home import DataHome
from medpriv_core.records.epoch import read_row
from medpriv_core.runs import list_lines, service, summary
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunStore
from tests.exports.runs import LOCAL, PLAIN, PRIVATE, put_run

IDS = [f"20260101-000000-{number:08x}" for number in range(6)]


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of more than three is a long one."""
    monkeypatch.setattr(list_lines, "LOOKED_AT_WHOLE", 3)
    monkeypatch.setattr(summary, "LOOKED_AT_WHOLE", 3)
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.fixture
def six(home: DataHome) -> DataHome:
    """Six finished runs."""
    for run_id, spec in zip(IDS, (PLAIN, PRIVATE, LOCAL) * 2, strict=True):
        put_run(home, spec, run_id=run_id, predictions=False)
    return home


def as_a_new_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is kept in memory; returns the ids of runs whose files are read from now on."""
    read: list[str] = []
    monkeypatch.setattr(list_lines, "_known", {})
    monkeypatch.setattr(list_lines, "_read_from", set())
    monkeypatch.setattr(summary, "_kept", {})
    really = summary.read_once
    monkeypatch.setattr(list_lines, "read_once", lambda home, row: read.append(row.id) or really(home, row))
    return read


def test_a_line_says_what_the_run_does(six: DataHome) -> None:
    runs, found = service.list_runs(six), service.list_lines(six)
    assert [line.id for line in found] == [run.id for run in runs]
    for run, line in zip(runs, found, strict=True):
        assert run.spec is not None
        assert (line.name, line.state, line.tags, line.notes) == (run.name, run.state, run.tags, run.notes)
        assert (line.dataset, line.method) == (run.spec.dataset, run.spec.method)
        assert (line.epochs_done, line.test_accuracy) == (run.epochs_done, run.last.test.accuracy)
        assert (line.created_at, line.message, line.ended) == (run.created_at, run.message, run.ended)


def test_the_next_process_reads_no_run_again(six: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    first = as_a_new_process(monkeypatch)
    found = service.list_lines(six)
    assert sorted(first) == IDS
    again = as_a_new_process(monkeypatch)
    assert service.list_lines(six) == found
    assert again == []


def test_a_short_list_leaves_no_file(six: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_lines, "LOOKED_AT_WHOLE", 6)
    service.list_lines(six)
    assert not (six.root / list_lines.FILE_NAME).exists()


def change_in_place(path: Path) -> None:
    with open(path / "spec.json", "r+b") as file:
        file.write(b"[")


def damage(path: Path) -> None:
    (path / "setup.json").write_text('{"train_size": ' + "9" * 5000 + "}")


def add_epoch(path: Path) -> None:
    RunDirectory(path).append_epoch(read_row({"epoch": 9, "test_accuracy": 0.125}))


def replace_settings(path: Path) -> None:
    RunDirectory(path).change_spec(LOCAL)


@pytest.mark.parametrize("change", [change_in_place, damage, add_epoch, replace_settings])
def test_a_run_that_has_changed_is_read_again_by_the_next_process(
    six: DataHome, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    before = {line.id: line for line in service.list_lines(six)}
    change(six.runs / IDS[0])
    read = as_a_new_process(monkeypatch)
    after = {line.id: line for line in service.list_lines(six)}
    assert read == [IDS[0]]
    assert after[IDS[0]] != before[IDS[0]]
    assert {run_id: after[run_id] for run_id in IDS[1:]} == {run_id: before[run_id] for run_id in IDS[1:]}


def test_names_tags_and_states_are_those_of_the_table(six: DataHome) -> None:
    service.list_lines(six)
    service.rename(six, IDS[0], "another name")
    service.set_tags(six, IDS[0], ["another"])
    service.delete(six, IDS[1])
    found = {line.id: line for line in service.list_lines(six)}
    assert (found[IDS[0]].name, found[IDS[0]].tags) == ("another name", ("another",))
    assert IDS[1] not in found
    assert [line.id for line in service.list_lines(six, deleted=True)] == [IDS[1]]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{",
        '{"format": [1, "0"], "lines": 5}',
        "[" * 90_000,
        '{"format": 1e999}',
        '{"format": "FORMAT", "lines": [1]}',
        '{"format": "FORMAT", "lines": {"LINES": [1]}}',
        '{"format": "FORMAT", "lines": {"LINES": [1, 2, 3, 4, 5, 6, 7]}}',
        '{"format": "FORMAT", "lines": {"LINES": ["x", null, null, 1, 0.5, null, null]}}',
        '{"format": "FORMAT", "lines": {"LINES": [1, "d", "no method", 1, 0.5, null, null]}}',
        '{"format": "FORMAT", "lines": {"LINES": [1, "d", ["none"], 1, 0.5, null, null]}}',
        '{"format": "FORMAT", "lines": {"LINES": [1, "d", "none", 1, [0.5], null, null]}}',
    ],
)
def test_a_damaged_file_of_lines_costs_time_and_nothing_else(
    six: DataHome, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    found = service.list_lines(six)
    file = six.root / list_lines.FILE_NAME
    content = content.replace('"FORMAT"', json.dumps(json.loads(file.read_text())["format"]))
    file.write_text(content.replace("LINES", IDS[0]))
    as_a_new_process(monkeypatch)
    assert service.list_lines(six) == found


def test_a_disk_that_refuses_the_file_costs_time_and_nothing_else(
    six: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    (six.root / list_lines.FILE_NAME).mkdir()
    found = service.list_lines(six)
    as_a_new_process(monkeypatch)
    assert service.list_lines(six) == found


def test_what_was_purged_leaves_the_file(six: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    service.list_lines(six)
    service.delete(six, IDS[0])
    service.purge(six, IDS[0])
    change_in_place(six.runs / IDS[1])
    as_a_new_process(monkeypatch)
    service.list_lines(six)
    assert sorted(json.loads((six.root / list_lines.FILE_NAME).read_text())["lines"]) == IDS[1:]


def test_some_runs_are_read_whole_in_the_order_asked_for(six: DataHome) -> None:
    wanted = [IDS[3], "nothing", IDS[0]]
    assert [run.id for run in service.load_runs(six, wanted)] == [IDS[3], IDS[0]]
    assert len(RunStore(six).some(IDS * 200)) == len(IDS) * 200
