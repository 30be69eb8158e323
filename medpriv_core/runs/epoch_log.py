"""``metrics.jsonl``: one line a finished epoch, which only grows.

A page asks for the epochs of a run every second, so what was read once is kept in this process, and of a file that has
grown only the new lines are read. A line counts once its end is on the disk; a line torn by a crash is passed over. Of
two lines for one epoch the later counts. A line that no crash explains is passed over too, and said: one whose checksum
does not fit, or with a list where a figure belongs.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from medpriv_core.checksums import open_line
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.records.kinds import Newer
from medpriv_core.strict_json import MB, NoJson, Unreadable, open_regular, parse_json, read_regular

Signature = tuple[int, int, int]

METRICS = "metrics.jsonl"
KEPT_LOGS = 64
MOST_BYTES = 64 * MB  # a thousand epochs have two
LONGEST_LINE = MB
# A line as a worker writes it, as far as its epoch and test accuracy tell.
_NUMBER = rb"-?\d{1,3}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?"
_LINE = re.compile(
    rb'\{"epoch": (\d{1,9}), (?:.*?"test_accuracy": (?:(' + _NUMBER + rb')|null)(?=[,}])|(?!.*"test_accuracy")).*\}'
)


def signature(path: Path | str) -> Signature | None:
    """What tells one version of a file from another: time, size and inode; None where there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@dataclass
class _Log:
    """A file as far as it has been read: ``seen`` is its last whole line, at whose end the reading goes on.

    ``inode`` is -1 for one to be read anew.
    """

    inode: int
    offset: int = 0
    seen: bytes = b""
    rows: dict[int, EpochRow] = field(default_factory=dict)
    tail: dict[int, EpochRow] = field(default_factory=dict)  # of a last line without its end
    fault: str | None = None
    tail_fault: str | None = None


class EpochLog(NamedTuple):
    """Finished epochs in order, and a sentence on what was passed over; None where nothing was but torn lines."""

    rows: list[EpochRow]
    fault: str | None


class Ends(NamedTuple):
    """The last row and the best; ``EpochRow()`` where there is none. ``fault`` is as in ``EpochLog``."""

    last: EpochRow
    best: EpochRow
    fault: str | None


_logs: OrderedDict[str, tuple[Signature, _Log]] = OrderedDict()
_reading = threading.Lock()


def read_rows(path: Path) -> list[EpochRow]:
    """The rows of ``read_log``."""
    return read_log(path).rows


def read_log(path: Path) -> EpochLog:
    """Finished epochs in order; none where there is no file."""
    with _reading:
        now = signature(path)
        if now is None:
            return EpochLog([], None)
        before, log = _logs.get(str(path), (None, _Log(inode=now[2])))
        if before != now:
            log = _read_on(path, log) if log.inode == now[2] else _read_on(path, _Log(inode=now[2]))
        _logs[str(path)] = now, log
        _logs.move_to_end(str(path))
        if len(_logs) > KEPT_LOGS:
            _logs.popitem(last=False)
        rows, fault = log.rows | log.tail, log.fault or log.tail_fault
    return EpochLog([rows[epoch] for epoch in sorted(rows)], fault)


def read_ends(path: Path) -> Ends:
    """The last finished epoch and the first of those with the best test accuracy.

    For a list of hundreds of runs: of a file that is as a worker leaves it, only these two lines are parsed.
    """
    with _reading:
        known = str(path) in _logs
    ends = None if known else _quick_ends(path)
    if ends is not None:
        return Ends(*ends, None)
    rows, fault = read_log(path)
    return Ends(rows[-1], max(rows, key=_accuracy), fault) if rows else Ends(EpochRow(), EpochRow(), fault)


def _quick_ends(path: Path) -> tuple[EpochRow, EpochRow] | None:
    """None where a line is torn, damaged, foreign or for an epoch that was there before."""
    try:
        lines = read_regular(path, most_bytes=MOST_BYTES).split(b"\n")
    except FileNotFoundError:
        return EpochRow(), EpochRow()
    except Unreadable:
        return None
    if lines.pop():  # without its end
        return None
    found = [_LINE.fullmatch(line) if open_line(line) is not None else None for line in lines]
    figures = [(int(match[1]), float(match[2] or -1)) for match in found if match is not None]
    numbers = [number for number, _ in figures]
    if not figures or len(figures) < len(lines) or numbers != sorted(set(numbers)):
        return None
    best = max(range(len(lines)), key=lambda place: figures[place][1])
    try:
        last_row, best_row = [_row(lines[place]).get(numbers[place]) for place in (-1, best)]
    except Unreadable:
        return None
    return (last_row, best_row) if last_row is not None and best_row is not None else None


def _accuracy(row: EpochRow) -> float:
    return -1.0 if row.test.accuracy is None else row.test.accuracy


def _read_on(path: Path, log: _Log) -> _Log:
    """What the file holds now, with its new lines only if the old ones are still there."""
    try:
        with open_regular(path, most_bytes=MOST_BYTES) as file:
            file.seek(log.offset - len(log.seen))
            content = file.read()
            if not content.startswith(log.seen):  # written anew
                file.seek(0)
                log, content = _Log(log.inode), file.read()
    except FileNotFoundError:
        return _Log(log.inode)
    except Unreadable as error:
        return _Log(-1, fault=f"The metrics.jsonl of this run cannot be read: {error}.")
    *lines, rest = content[len(log.seen) :].split(b"\n")
    for line in lines:
        row, fault = _row_or_fault(line)
        log.rows |= row
        log.fault = log.fault or fault
    if lines:
        log.offset += sum(len(line) + 1 for line in lines)
        log.seen = lines[-1] + b"\n"
    log.tail, log.tail_fault = _row_or_fault(rest)
    return log


def _row_or_fault(line: bytes) -> tuple[dict[int, EpochRow], str | None]:
    try:
        return _row(line), None
    except Newer:
        return {}, "An epoch of this run was written by a newer version of medpriv, and is not shown; update medpriv."
    except Unreadable as error:
        return {}, f"An epoch in the metrics.jsonl of this run cannot be read ({error}), and is not shown."


def _row(line: bytes) -> dict[int, EpochRow]:
    """The epoch in a line under its number; nothing in a torn line. Raises ``Unreadable`` for any other."""
    if len(line) > LONGEST_LINE:
        raise Unreadable("it is far too long")
    whole = open_line(line)
    try:
        values = parse_json(line if whole is None else whole)
        if whole is None:  # a torn line is no JSON
            raise Unreadable("its checksum does not fit")
        row = read_row(values)
    except NoJson:
        return {}
    return {row.epoch: row}
