"""The reference set: runs that were made once and are shipped with medpriv, to be read and never written by the app.

One file a dataset, ``data/reference/<dataset>.json.gz``, holds a JSON object:

============  =========================================================================================================
``format``    the number of this layout, ``FORMAT``
``about``     how the runs were made: ``command``, ``date``, ``machine``, ``weights`` (which file the pretrained ones
              were), ``versions`` (an object), all for people
``runs``      a list of {``id``, ``name``, ``spec``, ``setup``, ``epochs``}: RunSpec, ``setup.json`` and rows of
              ``metrics.jsonl`` as a run directory holds them, figures of training images too: all
              images are public
============  =========================================================================================================

Epsilon is not taken from the file: it is computed anew from the recorded facts, so a shipped number can never be lower
than what today's accountant finds.
"""

from __future__ import annotations

import functools
import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from medpriv_core.errors import MedprivError, RunError
from medpriv_core.home import explain_disk_errors
from medpriv_core.privacy.spent import spent_at
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.records.setup import Setup
from medpriv_core.results.from_run import make_result
from medpriv_core.results.result import Result
from medpriv_core.spec import RunSpec
from medpriv_core.strict_json import Unreadable, parse_json, read_at_most
from medpriv_core.unit import with_stored_unit

FORMAT = 1
FOLDER = Path(__file__).parent / "data" / "reference"
ABOUT = ("command", "date", "machine", "weights", "versions")
MOST_BYTES = 64 << 20  # unpacked; a damaged or foreign file must not fill the memory
MOST_EPOCHS = 100_000


@dataclass(frozen=True)
class ReferenceRun:
    """What is shipped of one run: as its run directory holds it."""

    id: str
    name: str
    spec: RunSpec
    setup: Setup
    epochs: Sequence[EpochRow]


@dataclass(frozen=True)
class ReferenceSet:
    """The shipped runs of one dataset, and how they were made."""

    about: Mapping[str, Any]
    results: tuple[Result, ...]


class References(NamedTuple):
    """All that is shipped and can be read, and a sentence for each file that cannot."""

    sets: tuple[ReferenceSet, ...]
    complaints: tuple[str, ...]


def write_reference(path: Path, runs: Sequence[ReferenceRun], *, about: Mapping[str, Any]) -> None:
    """Write the runs of one dataset; the same runs give the same bytes.

    ``about`` has the keys of ``ABOUT``. Raises ``RunError`` if the file could not be read again, and
    ``DataHomeError`` if the disk refuses.
    """
    content = {
        "format": FORMAT,
        "about": dict(about),
        "runs": [
            {
                "id": run.id,
                "name": run.name,
                "spec": run.spec.to_dict(),
                "setup": run.setup.to_dict(),
                "epochs": [row.to_dict() for row in run.epochs],
            }
            for run in runs
        ],
    }
    _check(content, path)
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode(), mtime=0))


def read_reference(path: Path) -> ReferenceSet:
    """The runs in one file; raises ``RunError`` with what is wrong with it."""
    try:
        with gzip.open(path) as file:
            text = read_at_most(file, MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise RunError(f"The reference file {path.name} is larger than any that medpriv writes.")
        content = parse_json(text)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise RunError(f"The reference file {path.name} is damaged ({error}); install medpriv again.") from None
    runs = _check(content, path)
    return ReferenceSet(content["about"], runs)


def read_references(folder: Path = FOLDER) -> References:
    """All shipped sets; none is a normal state. A damaged file does not hide the others."""
    sets, complaints = [], []
    for file in sorted(folder.glob("*.json.gz")):
        try:
            sets.append(_read_unchanged(file, file.stat().st_mtime_ns))
        except RunError as error:
            complaints.append(str(error))
    return References(tuple(sets), tuple(complaints))


@functools.lru_cache(maxsize=32)
def _read_unchanged(path: Path, _written_ns: int) -> ReferenceSet:
    return read_reference(path)


def _check(content: Any, path: Path) -> tuple[Result, ...]:
    """The results of a file's content, every part of it looked at."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise RunError(
            f"The reference file {path.name} has format {found!r}, but this version of medpriv reads {FORMAT}."
        )
    about, runs = content.get("about"), content.get("runs")
    told = isinstance(about, dict) and all(about.get(key) for key in ABOUT) and isinstance(about["versions"], dict)
    if not told:
        raise RunError(f"The reference file {path.name} does not say how it was made ({', '.join(ABOUT)}).")
    if not isinstance(runs, list) or not runs:
        raise RunError(f"The reference file {path.name} has no runs.")
    results = tuple(_result(run, path) for run in runs)
    if len({result.id for result in results}) < len(results):
        raise RunError(f"The reference file {path.name} has two runs of the same id.")
    return results


def _result(run: Any, path: Path) -> Result:
    parts = {"id": str, "name": str, "spec": dict, "setup": dict, "epochs": list}
    if not isinstance(run, dict) or any(not isinstance(run.get(part), kind) for part, kind in parts.items()):
        raise RunError(f"The reference file {path.name} has a run without {', '.join(parts)}.")
    epochs = _epochs(run["epochs"], path, run["id"])
    try:
        return make_result(
            source="reference",
            id=run["id"],
            name=run["name"],
            spec=RunSpec.from_dict(with_stored_unit(run["spec"])),
            setup=Setup.from_dict(run["setup"]),
            epochs=epochs,
            spent=spent_at(epochs[-1]),
        )
    except (MedprivError, TypeError, ValueError, KeyError) as error:
        raise RunError(f"The reference file {path.name} has a damaged run {run['id']}: {error}") from None


def _epochs(values: list[Any], path: Path, run_id: str) -> list[EpochRow]:
    try:
        rows = [read_row(value) for value in values]
    except Unreadable as error:
        raise RunError(f"The reference file {path.name}: an epoch of run {run_id} cannot be read ({error}).") from None
    numbers = [row.epoch for row in rows]
    if not 0 < len(rows) <= MOST_EPOCHS or numbers != sorted(set(numbers)):
        raise RunError(f"The reference file {path.name}: the epochs of run {run_id} are not in order.")
    return rows
