"""Epochs read again and again from a file that grows, is torn, or is written anew."""

from __future__ import annotations

import json
import os
import random
from collections import OrderedDict
from pathlib import Path

import pytest

from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs import epoch_log
from medpriv_core.runs.epoch_log import read_rows


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def line(epoch: int, value: object = 0) -> bytes:
    return json.dumps({"epoch": epoch, "value": value}).encode() + b"\n"


def append(log: Path, content: bytes) -> None:
    with open(log, "ab") as file:
        file.write(content)


def epochs(log: Path) -> list[int]:
    return [row.epoch for row in read_rows(log)]


def test_no_file_has_no_epochs_before_and_after(log: Path) -> None:
    assert read_rows(log) == []
    append(log, line(1))
    assert epochs(log) == [1]
    log.unlink()
    assert read_rows(log) == []


def test_a_line_counts_when_it_is_whole_wherever_it_is_cut(log: Path) -> None:
    append(log, line(1))
    content = line(2, "é — all of it")
    for byte in range(len(content)):
        append(log, content[byte : byte + 1])
        # JSON that is whole needs no end of line.
        assert epochs(log) == ([1, 2] if byte >= len(content) - 2 else [1])
    append(log, line(3))
    assert epochs(log) == [1, 2, 3]


def test_a_torn_line_is_passed_over_and_its_epoch_may_come_again(log: Path) -> None:
    append(log, line(1) + b'{"epoch": 2, "val')
    assert epochs(log) == [1]
    append(log, b"\n" + line(2, "again") + b"null\n[]\n\xff\xfe\n" + line(3))
    assert [(row.epoch, row.others["value"]) for row in read_rows(log)] == [(1, 0), (2, "again"), (3, 0)]


def test_of_two_lines_for_an_epoch_the_later_counts_also_when_it_comes_later(log: Path) -> None:
    append(log, line(1, "a") + line(2, "a"))
    assert read_rows(log)[1].others["value"] == "a"
    append(log, line(2, "b"))
    assert [row.others["value"] for row in read_rows(log)] == ["a", "b"]


def test_only_what_is_new_is_parsed(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(log, b"".join(line(epoch) for epoch in range(1, 101)))
    read_rows(log)
    parsed: list[bytes] = []
    parse = epoch_log._row
    monkeypatch.setattr(epoch_log, "_row", lambda content: parsed.append(content) or parse(content))
    read_rows(log)
    assert parsed == []
    append(log, line(101))
    assert epochs(log)[-1] == 101
    assert [content for content in parsed if content] == [line(101).rstrip()]


@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_written_anew_is_read_anew(log: Path, in_place: bool) -> None:
    append(log, line(1, "old") + line(2, "old"))
    read_rows(log)
    new = line(1, "new") + line(2, "new one that is longer") + line(3)
    if in_place:
        log.write_bytes(new)
    else:
        other = log.with_name("other")
        other.write_bytes(new)
        os.replace(other, log)
    assert [row.others["value"] for row in read_rows(log)] == ["new", "new one that is longer", 0]
    log.write_bytes(line(7))
    assert epochs(log) == [7]


def test_reading_bit_by_bit_is_reading_at_once(log: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    content = b"".join(
        rng.choice([line(rng.randrange(1, 30), n), line(n)[: rng.randrange(5, 12)] + b"\n", b"\n"]) for n in range(200)
    )
    begun = 0
    while begun < len(content):
        size = rng.randrange(1, 90)
        append(log, content[begun : begun + size])
        begun += size
        read_rows(log)
    at_once = tmp_path / "at_once.jsonl"
    at_once.write_bytes(content)
    assert read_rows(log) == read_rows(at_once) != []


def test_rows_of_many_files_are_not_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_log, "KEPT_LOGS", 3)
    monkeypatch.setattr(epoch_log, "_logs", OrderedDict())
    files = [tmp_path / f"{number}.jsonl" for number in range(10)]
    for file in files:
        append(file, line(1))
        read_rows(file)
    assert list(epoch_log._logs) == [str(file) for file in files[-3:]]
    assert [epochs(file) for file in files] == [[1]] * 10


def written(epoch: int, accuracy: float | None) -> bytes:
    row = {"epoch": epoch, "train_accuracy": 0.99, "test_accuracy": accuracy, "test_noised_accuracy": 0.5}
    return json.dumps(row).encode() + b"\n"


USUAL = b"".join(written(epoch, value) for epoch, value in ((1, 0.5), (2, None), (3, 0.75), (4, 0.75), (5, 1e-7)))


@pytest.mark.parametrize(
    ("content", "last", "best"),
    [
        (b"", 0, 0),
        (USUAL, 5, 3),
        (written(1, None), 1, 1),
        (USUAL + b'{"epoch": 6, "test_accuracy": 0.9', 5, 3),
        (USUAL + written(6, 0.9)[:-1], 6, 6),
        (USUAL + b'{"epoch": 9, "test_acc\n' + written(6, 0.9), 6, 6),
        (USUAL + b'{"epoch": 9, "test_accuracy": 0.9, "x": }\n', 5, 3),
        (USUAL + written(3, 0.1), 5, 4),  # a later line for an epoch counts
        (b'{"test_accuracy": 0.9, "epoch": 1}\n' + written(2, 0.1), 2, 1),
        (line(1) + line(2), 2, 1),
        (b'{"epoch": 1, "test_accuracy": 1-2}\n', 0, 0),
    ],
)
def test_last_and_best_epoch_are_those_of_all_rows(log: Path, content: bytes, last: int, best: int) -> None:
    log.write_bytes(content)
    for _ in range(2):  # read quickly, then from all rows
        found = epoch_log.read_ends(log)
        assert (found.last.epoch, found.best.epoch) == (last, best)
        assert found.fault is None
        read_rows(log)


@pytest.mark.parametrize(
    "damaged",
    [
        b'{"epoch": 2, "test_accuracy": [0.5, 0.5]}',
        b'{"epoch": 2, "test_accuracy": 1e999}',
        b'{"epoch": 2, "test_accuracy": true}',
        b'{"epoch": 2, "test_accuracy": 7}',
        b'{"epoch": 2, "steps": ' + b"9" * 5000 + b"}",
        b'{"epoch": ' + b"9" * 5000 + b', "test_accuracy": 0.5}',
        b'{"epoch": true, "test_accuracy": 0.5}',
        b'{"epoch": 2, "epsilon": 1.0}',
        b'{"epoch": 2, "test_accuracy": 0.5, "test_class_recall": 0.5}',
        b'{"epoch": 2, "test_accuracy": 0.5, "finished_at": "the day before"}',
        b'{"epoch": 2, "x": ' + b"[" * 9000 + b"]" * 9000 + b"}",
        b'{"epoch": 2, "epoch": 3}',
    ],
)
def test_a_line_that_no_crash_explains_is_passed_over_and_said(log: Path, damaged: bytes) -> None:
    log.write_bytes(written(1, 0.5) + damaged + b"\n" + written(3, 0.7))
    found = epoch_log.read_log(log)
    assert [row.epoch for row in found.rows] == [1, 3]
    assert "cannot be read" in (found.fault or "")
    assert epoch_log.read_ends(log) == (found.rows[1], found.rows[1], found.fault)
    log.write_bytes(written(1, 0.5))
    assert epoch_log.read_log(log).fault is None


def test_a_log_of_gigabytes_is_said_and_read_again_once_it_is_mended(log: Path) -> None:
    append(log, line(1))
    with open(log, "r+b") as file:
        file.truncate(3 << 30)
    assert epoch_log.read_log(log) == ([], epoch_log.read_log(log).fault)
    assert "more than the 64 MB" in (epoch_log.read_ends(log).fault or "")
    with open(log, "r+b") as file:
        file.truncate(len(line(1)))
    assert epoch_log.read_log(log) == ([EpochRow(epoch=1, others={"value": 0})], None)
