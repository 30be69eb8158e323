"""One damaged run among three: the other two are as they were, in every list, and it can be seen and deleted.

Each value in each file of a run is put in the place of values of every other kind, also of such as no JSON of ours has.
What a program makes of each is tried here in the order in which people come to it: list, table, comparison, rebuilding,
deletion.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.cli.output import print_json
from medpriv_core.cli.runs import describe, epoch_in_words, spent_in_words
from medpriv_core.errors import MedprivError
from medpriv_core.exports.run_tables import epochs_csv, runs_csv
from medpriv_core.exports.tensorboard import event_file
from medpriv_core.figures.curves import curves_of
from medpriv_core.home import DataHome
from medpriv_core.privacy.checks import check_run
from medpriv_core.results.own_runs import read_own_runs
from medpriv_core.runs import service
from medpriv_core.runs.health import run_health
from medpriv_core.runs.on_images import epsilon_on_images
from medpriv_core.runs.spent_journal import entry_of
from medpriv_core.spec import RunSpec
from tests.exports.runs import LOCAL, PLAIN, PRIVATE, put_run

VICTIM, OTHERS = "20260101-000000-00000001", ("20260101-000000-00000000", "20260101-000000-00000002")
IDS = sorted([VICTIM, *OTHERS])

# As they stand in a file: also what Python's own writer would not write.
FOREIGN = {
    "5,000 digits": "9" * 5000,
    "60 digits": "9" * 60,
    "1e999": "1e999",
    "NaN": "NaN",
    "deep": "[" * 5000 + "]" * 5000,
    "deeper than any": "[" * 90_000 + "]" * 90_000,
    "half a character": '"\\ud83e"',
    "a name twice": '{"a": 1, "a": 1}',
}
KINDS = {
    "null": "null",
    "bool": "true",
    "minus": "-1",
    "zero": "0",
    "fraction": "0.5",
    "huge": "1e300",
    "year 10,000": "1e18",
    "text": '"text"',
    "long text": json.dumps("long " * 10_000),
    "control": '"\\u001b[2J\\u0000\\n"',
    "no text": '""',
    "list": "[]",
    "shares": "[0.5, 0.5]",
    "texts": '["a", null]',
    "object": "{}",
    "nested": '{"a": [1]}',
}
FILES = ("spec.json", "setup.json", "metrics.jsonl", "outcome.json", "spent.json", "labels.json")
OTHER_FILES = (
    "predictions.npz", "progress.json", "worker.log", "worker.lock", "checkpoint.pt", "model.safetensors",
)  # fmt: skip
CASES = 12  # of each file


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.fixture
def three(home: DataHome) -> DataHome:
    """Three finished runs, of which the second is to be damaged."""
    for run_id, spec in zip(IDS, (PLAIN, PRIVATE, LOCAL), strict=True):
        put_run(home, spec, run_id=run_id)
    return home


def places_in(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in a JSON value there are values."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in items:
        yield from places_in(part, (*place, name))


def with_value(value: Any, place: tuple[str | int, ...], raw: str) -> str:
    """The JSON text of a value with other text at one place in it."""
    value = json.loads(json.dumps(value))
    mark = "a mark that stands nowhere else"
    if not place:
        return raw
    inner = value
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = mark
    return json.dumps(value).replace(json.dumps(mark), raw)


def texts_of(file: Path) -> list[Any]:
    """The values in a file, one a line or one in all."""
    text = file.read_text()
    return [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else [json.loads(text)]


def damage(file: Path, line: int, place: tuple[str | int, ...], raw: str) -> None:
    values = texts_of(file)
    lines = [json.dumps(value) for value in values]
    lines[line] = with_value(values[line], place, raw)
    other = file.with_name("other")
    other.write_text("".join(f"{one}\n" for one in lines))
    os.replace(other, file)


def everything_of(home: DataHome, run_id: str) -> object:
    """What there is to be seen of one run."""
    run = service.load_run(home, run_id)
    print_json(describe(run))
    list(spent_in_words(run))
    for row in run.epochs:
        epoch_in_words(row)
    run_health(run)
    if run.spec is not None:
        curves_of(run, with_epsilon=True)
        check_run(run.spec, setup=run.setup, spent=run.spent)
    if run.epochs:
        event_file(run)
    entry_of(run)
    service.read_log(home, run_id)
    return run


def look_everywhere(home: DataHome) -> dict[str, Any]:
    """What lists, tables and comparisons say of the two others; raises if anything stops them."""
    runs = {run.id: run for run in service.list_runs(home)}
    lines = {line.id: line for line in service.list_lines(home)}
    assert list(runs) == list(lines)
    assert sorted(runs) == IDS
    everything_of(home, VICTIM)
    whole = [service.load_run(home, run_id) for run_id in IDS]
    print_json([describe(run) for run in whole])
    tables = runs_csv(list(runs.values())), epochs_csv(whole)
    mine = {result.id: result for result in read_own_runs(home)}
    epsilon_on_images(home, PRIVATE.dataset, list(runs.values()))
    return {
        run_id: (
            runs[run_id],
            lines[run_id],
            mine[run_id],
            [line for table in tables for line in table.splitlines() if run_id in line and VICTIM not in line][-1:],
        )
        for run_id in OTHERS
    }


def rebuild_everything(home: DataHome) -> None:
    for file in home.root.glob("runs.sqlite3*"):
        file.unlink()
    assert service.rebuild(home) == len(IDS)
    found = {run.id for run in service.list_runs(home)} | {run.id for run in service.list_runs(home, deleted=True)}
    assert found == set(IDS)


def delete_it(home: DataHome) -> None:
    service.delete(home, VICTIM)
    assert [run.id for run in service.list_runs(home)] == sorted(OTHERS, reverse=True)
    assert [line.id for line in service.list_lines(home, deleted=True)] == [VICTIM]
    service.purge(home, VICTIM)
    assert not os.path.lexists(home.runs / VICTIM)
    assert service.unlisted(home) is None


@pytest.mark.parametrize("name", FILES)
def test_no_value_of_another_kind_in_one_run_touches_the_others(
    three: DataHome, name: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.ERROR)
    before = look_everywhere(three)
    folder, kept = three.runs / VICTIM, tmp_path / "kept"
    shutil.copytree(folder, kept)
    values = texts_of(folder / name)
    rng = random.Random(name)
    cases = [
        (line, place, kind)
        for line, value in enumerate(values)
        for place in places_in(value)
        for kind in (*KINDS, *FOREIGN)
    ]
    for line, place, kind in rng.sample(cases, min(CASES, len(cases))):
        damage(folder / name, line, place, (KINDS | FOREIGN)[kind])
        try:
            assert look_everywhere(three) == before
            rebuild_everything(three)
            service.delete(three, VICTIM)
            service.restore(three, VICTIM)
        except Exception as error:
            error.add_note(f"{name}, line {line}, {place}: {kind}")
            raise
        run = next(run for run in service.list_runs(three) if run.id == VICTIM)
        if kind in FOREIGN and name in ("spec.json", "setup.json"):
            assert name in (run.message or ""), (place, kind)
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        for file in three.root.glob("runs.sqlite3*"):
            file.unlink()
        service.rebuild(three)
        before = look_everywhere(three)
    assert not [record for record in caplog.records if "cannot be read" in record.message]


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "within").write_text("x")


def put_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def put_gigabytes(path: Path) -> None:
    with open(path, "r+b") as file:
        file.truncate(5 << 30)


def put_nothing(path: Path) -> None:
    path.write_bytes(b"")


def put_noise(path: Path) -> None:
    path.write_bytes(random.Random(0).randbytes(5000))


def put_link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize("put", [put_folder, put_pipe, put_gigabytes, put_nothing, put_noise, put_link_to_nowhere])
@pytest.mark.parametrize("name", [*FILES, *OTHER_FILES])
def test_what_lies_in_the_place_of_a_file_touches_no_other_run(three: DataHome, name: str, put: Any) -> None:
    path = three.runs / VICTIM / name
    path.touch()
    put(path)
    before = look_everywhere(three)
    rebuild_everything(three)
    after = look_everywhere(three)
    assert {run_id: found[2] for run_id, found in after.items()} == {
        run_id: found[2] for run_id, found in before.items()
    }
    run = next(run for run in service.list_runs(three) if run.id == VICTIM)
    told = name == "metrics.jsonl" and put in (put_folder, put_pipe, put_gigabytes)
    if name == "spec.json" or told or (name == "setup.json" and put is not put_link_to_nowhere):
        assert name in (run.message or "")
    delete_it(three)


def test_a_file_in_the_place_of_a_runs_folder_is_said_and_can_be_deleted(three: DataHome) -> None:
    shutil.rmtree(three.runs / VICTIM)
    (three.runs / VICTIM).write_text("no folder")
    look_everywhere(three)
    run = service.load_run(three, VICTIM)
    assert "a file lies where its folder should be" in (run.message or "")
    rebuild_everything(three)
    delete_it(three)


def test_a_folder_that_is_gone_is_said_and_can_be_deleted(three: DataHome) -> None:
    shutil.rmtree(three.runs / VICTIM)
    look_everywhere(three)
    assert "spec.json (it is missing)" in (service.load_run(three, VICTIM).message or "")
    delete_it(three)


def test_rebuilding_says_which_run_could_not_be_read_and_why(three: DataHome) -> None:
    (three.runs / VICTIM / "spec.json").write_text('{"dataset": ' + "9" * 5000 + "}")
    labels = three.runs / OTHERS[0] / "labels.json"
    labels.write_text(json.dumps(json.loads(labels.read_text()) | {"tags": 5}))
    odd = os.fsdecode(b"caf\xe9")
    shutil.copytree(three.runs / OTHERS[1], three.runs / odd)
    for file in three.root.glob("runs.sqlite3*"):
        file.unlink()
    said: list[str] = []
    assert service.rebuild(three, say=said.append) == 3
    assert any(VICTIM in sentence and "too many digits" in sentence for sentence in said)
    assert any(OTHERS[0] in sentence and "tags cannot be 5" in sentence for sentence in said)
    assert any("caf\ufffd" in sentence and "no UTF-8" in sentence for sentence in said)
    assert len(said) == 3
    runs = {run.id: run for run in service.list_runs(three)}
    assert runs[OTHERS[0]].tags == ()
    assert runs[OTHERS[1]].tags == ("pilot",)
    assert "caf\ufffd" in (service.unlisted(three) or "")


def test_what_no_reader_foresaw_is_said_for_that_run_alone(three: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    read = RunSpec.from_dict

    def broken(values: Any) -> RunSpec:
        if values["method"] == "dp_sgd":
            raise ZeroDivisionError
        return read(values)

    monkeypatch.setattr(RunSpec, "from_dict", broken)
    runs = {run.id: run for run in service.list_runs(three)}
    assert "ZeroDivisionError" in (runs[VICTIM].message or "")
    assert all(runs[run_id].message is None for run_id in OTHERS)


def test_a_damaged_run_cannot_go_on_and_says_so(three: DataHome) -> None:
    (three.runs / VICTIM / "setup.json").write_text("[]")
    with pytest.raises(MedprivError):
        service.extension(three, VICTIM, epochs=50)
