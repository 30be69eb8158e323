"""TensorBoard event files, read back by a reader of the test's own.

The same files were read with TensorBoard 2.21's ``EventAccumulator`` when the format was written.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.errors import RunError
from medpriv_core.exports.tensorboard import crc32c, event_file, event_file_name, event_files, write_event_file
from tests.exports.runs import PLAIN, PRIVATE, made_run

Event = dict[str, Any]


def unmasked(value: int) -> int:
    value = (value - 0xA282EAD8) & 0xFFFFFFFF
    return ((value >> 17) | (value << 15)) & 0xFFFFFFFF


def records(content: bytes) -> list[bytes]:
    """The records of a TFRecord file, every checksum checked."""
    found, at = [], 0
    while at < len(content):
        length, check = struct.unpack_from("<QI", content, at)
        assert unmasked(check) == crc32c(content[at : at + 8])
        data = content[at + 12 : at + 12 + length]
        assert unmasked(struct.unpack_from("<I", content, at + 12 + length)[0]) == crc32c(data)
        found.append(data)
        at += 16 + length
    return found


def fields(data: bytes) -> list[tuple[int, Any]]:
    """Number and content of each field of a protocol buffer."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    found: list[tuple[int, bytes | int]] = []
    at = 0
    while at < len(data):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
            found.append((key >> 3, value))
            continue
        size, at = {1: (8, at), 5: (4, at)}.get(key & 7) or varint(at)
        found.append((key >> 3, data[at : at + size]))
        at += size
    return found


def scalars(record: bytes) -> tuple[int, dict[str, float]]:
    event: dict[int, Any] = dict(fields(record))
    values = {}
    for _, value in fields(event.get(5, b"")):
        parts: dict[int, Any] = dict(fields(value))
        values[parts[1].decode()] = struct.unpack("<f", parts[2])[0]
    return int(event[2]), values


def test_the_file_begins_with_its_version() -> None:
    first = dict(fields(records(event_file(made_run()))[0]))

    assert first[3] == b"brain.Event:2"


def test_every_figure_of_every_epoch_is_a_scalar_at_that_epoch() -> None:
    run = made_run(PLAIN, accuracies=(0.5, 0.75, 0.625))

    read = [scalars(record) for record in records(event_file(run))[1:]]

    assert [step for step, _ in read] == [1, 2, 3]
    assert [values["test/accuracy"] for _, values in read] == [0.5, 0.75, 0.625]
    assert read[1][1]["train/accuracy"] == pytest.approx(0.8)


def test_epsilon_is_never_without_its_delta() -> None:
    run = made_run(PRIVATE)

    _, values = scalars(records(event_file(run))[-1])

    assert values["privacy/epsilon at delta 1e-05"] == pytest.approx(run.last.epsilon)


def test_lists_texts_and_missing_figures_are_left_out() -> None:
    run = made_run(PLAIN, accuracies=(0.5,))
    row = run.epochs[0]
    test = replace(row.test, class_recall=(0.5, None))
    run.epochs[0] = replace(row, test=test, finished_at="2026-01-01T00:00:00+00:00")

    _, values = scalars(records(event_file(run))[-1])

    assert set(values) == {"train/accuracy", "test/accuracy"}


def test_the_file_lies_in_a_folder_named_after_the_run(tmp_path: Path) -> None:
    run = made_run()

    path = write_event_file(run, tmp_path / "logs")

    assert path.parent == tmp_path / "logs" / run.id
    assert path.name.startswith("events.out.tfevents.")
    assert path.read_bytes() == event_file(run)


def test_a_run_without_an_epoch_is_refused() -> None:
    with pytest.raises(RunError, match="no finished epoch"):
        event_file(replace(made_run(), epochs=[]))


def test_several_runs_are_a_zip_of_folders_that_tensorboard_reads_as_runs() -> None:
    runs = [made_run(run_id="20260102-030405-aaaa"), made_run(PRIVATE, run_id="20260102-030405-bbbb")]

    with zipfile.ZipFile(io.BytesIO(event_files(runs))) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}

    # Of the private one without what its epsilon does not cover, as alone.
    assert found == {f"{run.id}/{event_file_name(run)}": event_file(run) for run in runs}
    assert event_files(runs) == event_files(runs)
