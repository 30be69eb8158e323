"""What one line of a list says of a run: enough to find it among ten thousand, and no more.

All that a run recorded is some twenty kilobytes, read from five files. A list needs a name, a state and a figure or
two. Of runs that have ended these are kept: in this process, and of long lists in one file for all of them,
``lines.json``, so that the next process opens a handful of files and not fifty thousand. A line is taken from there
only if the run's files are those that it was made of; nothing that an epsilon rests on is in it. Without that file, or
where it is damaged, a list takes longer and says the same.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import medpriv_core
from medpriv_core.atomic import replace_file
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.records.kinds import MOST_EPOCHS, is_share, is_text, is_whole
from medpriv_core.runs.epoch_log import METRICS, Signature, signature
from medpriv_core.runs.failure import in_plain_words
from medpriv_core.runs.health import run_health
from medpriv_core.runs.spent_record import FILE_NAME as SPENT
from medpriv_core.runs.store import ENDED, RunRow, RunState, RunStore
from medpriv_core.runs.summary import LOOKED_AT_WHOLE, RunSummary, places_of, read_once, read_summary
from medpriv_core.spec import METHODS, Method
from medpriv_core.strict_json import MB, Unreadable, read_json_file

FILE_NAME = "lines.json"
FORMAT = 1  # of the file, and of what is said of a run's figures
MOST_BYTES = 256 * MB
# What a line is made of, besides the folder, which tells of every file that was replaced.
_FILES = ("spec.json", "setup.json", METRICS, SPENT)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run of a list.

    stopping      asked to stop, still saving
    place         in the queue, where 1 is next; None unless it waits
    message       one sentence where it failed or cannot be read, settings called as on the command line
    kept_message  the same for ``medpriv_core.runs.failure``
    dataset, method  None where spec.json is damaged
    test_accuracy after the last finished epoch; None where it was not measured
    found         what came of the training in some words, where that is nothing good
    """

    id: str
    name: str
    state: RunState
    stopping: bool
    created_at: float
    tags: tuple[str, ...]
    notes: str
    deleted_at: float | None
    place: int | None
    message: str | None
    kept_message: str | None
    dataset: str | None
    method: Method | None
    epochs_done: int
    test_accuracy: float | None
    found: str | None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of a line what the files of a run say; ``complaint`` where they cannot be read."""

    dataset: str | None
    method: Method | None
    epochs_done: int
    test_accuracy: float | None
    found: str | None
    complaint: str | None


@dataclass(slots=True)
class _Known:
    """What is known of a run's files, and of which: a number for all of them, and what told of the folder.

    ``line`` was made of ``row``, the last time that it was asked for.
    """

    files: int
    folder: Signature | None
    facts: _Facts
    row: RunRow | None = None
    line: RunLine | None = None


# By data home and id, and the data homes whose file was read.
_known: dict[str, dict[str, _Known]] = {}
_read_from: set[str] = set()
_keeping = threading.Lock()


def list_lines(home: DataHome, rows: Sequence[RunRow]) -> list[RunLine]:
    """The lines of these rows, in their order."""
    places, runs, long = places_of(rows), str(home.runs), len(rows) > LOOKED_AT_WHOLE
    with _keeping:
        known = _known.setdefault(str(home.root), {})
        if long and str(home.root) not in _read_from:
            _read_from.add(str(home.root))
            known |= _read(home) | known
        new = 0
        lines = []
        for row in rows:
            if row.state not in ENDED:
                lines.append(_line(row, _facts(read_summary(home, row), row.message), places.get(row.id)))
                continue
            found = known.get(row.id)
            before = found and found.facts
            known[row.id] = found = _look(home, f"{runs}/{row.id}", row, found, long=long)
            new += found.facts is not before
            if found.line is None or found.row is not row:
                found.row, found.line = row, _line(row, found.facts, None)
            lines.append(found.line)
        if new and long:
            _write(home, known)
    return lines


def _look(home: DataHome, path: str, row: RunRow, found: _Known | None, *, long: bool) -> _Known:
    """What is known of a run that has ended, read anew if its files are not those of ``found``."""
    folder = signature(path)
    if long and found is not None and found.folder is not None and found.folder == folder:
        return found
    # Numbers alone: the same in every process.
    found_files = [signature(f"{path}/{name}") for name in _FILES]
    files = hash(tuple([one or (0, 0, 0) for one in (folder, *found_files)]))
    if found is not None and found.files == files:
        found.folder = folder
        return found
    return _Known(files, folder, _facts(read_once(home, row), row.message))


def _facts(run: RunSummary, message: str | None) -> _Facts:
    """``message`` is what the table has, which is no complaint about files."""
    finding = run_health(run)
    return _Facts(
        dataset=run.spec.dataset if run.spec else None,
        method=run.spec.method if run.spec else None,
        epochs_done=run.epochs_done,
        test_accuracy=run.last.test.accuracy,
        found=finding.title if finding else None,
        complaint=None if run.kept_message == message else run.kept_message,
    )


def _line(row: RunRow, facts: _Facts, place: int | None) -> RunLine:
    message = facts.complaint or row.message
    return RunLine(
        row.id,
        row.name,
        row.state,
        row.state == "running" and row.cancel_requested,
        row.created_at,
        row.tags,
        row.notes,
        row.deleted_at,
        place,
        message and in_plain_words(message),
        message,
        facts.dataset,
        facts.method,
        facts.epochs_done,
        facts.test_accuracy,
        facts.found,
    )


def _read(home: DataHome) -> dict[str, _Known]:
    """What the file says, as far as it can be read."""
    try:
        kept = read_json_file(home.root / FILE_NAME, most_bytes=MOST_BYTES)
    except (OSError, Unreadable):
        return {}
    if not isinstance(kept, dict) or kept.get("format") != [FORMAT, medpriv_core.__version__]:
        return {}
    lines = kept.get("lines")
    return {run_id: _Known(values[0], None, _Facts(*values[1:])) for run_id, values in _fitting(lines)}


def _fitting(lines: Any) -> list[tuple[str, list[Any]]]:
    return [item for item in lines.items() if _fits(item[1])] if isinstance(lines, dict) else []


def _fits(values: Any) -> bool:
    if not isinstance(values, list) or len(values) != 7 or type(values[0]) is not int:
        return False
    dataset, method, epochs, accuracy, found, complaint = values[1:]
    return (
        all(text is None or is_text(text) for text in (dataset, found, complaint))
        and (method is None or (is_text(method) and method in METHODS))
        and is_whole(epochs, high=MOST_EPOCHS)
        and (accuracy is None or is_share(accuracy))
    )


def _write(home: DataHome, known: dict[str, _Known]) -> None:
    """Keep what is known of the runs in the table; a disk that refuses only costs time."""
    for run_id in known.keys() - RunStore(home).ids():
        del known[run_id]
    lines = {
        run_id: [one.files, *(getattr(one.facts, name) for name in _Facts.__slots__)] for run_id, one in known.items()
    }
    content = {"format": [FORMAT, medpriv_core.__version__], "lines": lines}
    with suppress(MedprivError, OSError):
        replace_file(home.root / FILE_NAME, json.dumps(content, separators=(",", ":")).encode())
