"""Sweeps on disk: one JSON file each, replaced in one step, so that a reader finds the old or the new one.

``<data home>/sweeps/<id>.json`` says what was asked for and which run answers each combination. How far these runs are
is the table of runs' to say.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medpriv_core.atomic import put_aside
from medpriv_core.checksums import read_sealed, write_sealed
from medpriv_core.errors import MedprivError, RunError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.private_files import make_folder
from medpriv_core.records.kinds import is_number, is_text, is_time
from medpriv_core.runs.records import Fits
from medpriv_core.spec import RunSpec
from medpriv_core.unit import with_stored_unit

VERSION = 1
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


@dataclass(frozen=True)
class SweepRun:
    """One combination of a sweep.

    run_id     of the run that answers it; None while it is not yet queued
    reused     whether that run was there before
    estimate_s what training it was expected to take
    """

    name: str
    spec: RunSpec
    run_id: str | None
    reused: bool
    estimate_s: float


@dataclass(frozen=True)
class Sweep:
    """What was asked for; ``impossible`` are combinations that were left out, with the reason."""

    id: str
    title: str
    created_at: float
    runs: tuple[SweepRun, ...]
    impossible: tuple[tuple[str, str], ...]


def sweep_file(home: DataHome, sweep_id: str) -> Path:
    """Where a sweep is kept; raises ``RunError`` for what cannot be the id of one."""
    if not _ID.fullmatch(sweep_id):
        raise _unknown(sweep_id)
    return home.root / "sweeps" / f"{sweep_id}.json"


def write_sweep(home: DataHome, sweep: Sweep) -> None:
    """Keep the sweep as it is now; raises ``DataHomeError`` where the disk refuses."""
    file = sweep_file(home, sweep.id)
    values = {
        "version": VERSION,
        "title": sweep.title,
        "created_at": sweep.created_at,
        "impossible": [{"name": name, "reason": reason} for name, reason in sweep.impossible],
        "runs": [
            {
                "name": run.name,
                "run_id": run.run_id,
                "reused": run.reused,
                "estimate_s": run.estimate_s,
                "spec": run.spec.to_dict(),
            }
            for run in sweep.runs
        ],
    }
    with explain_disk_errors(file.parent):
        make_folder(file.parent)
        write_sealed(file, values)


def read_sweep(home: DataHome, sweep_id: str) -> Sweep:
    """The sweep; raises ``RunError`` where there is none of that id or its file is damaged."""
    return _read_file(sweep_file(home, sweep_id))


def read_sweeps(home: DataHome) -> tuple[list[Sweep], list[str]]:
    """Every sweep, the newest first, and a sentence for each that cannot be read."""
    sweeps, complaints = [], []
    for file in sorted(_files(home), reverse=True):
        try:
            sweeps.append(_read_file(file))
        except MedprivError as error:
            complaints.append(str(error))
    return sweeps, complaints


def delete_file(home: DataHome, sweep_id: str) -> None:
    """Forget the sweep; its runs stay."""
    file = sweep_file(home, sweep_id)
    with explain_disk_errors(file.parent):
        try:
            if not put_aside(file):
                file.unlink()
        except FileNotFoundError:
            raise _unknown(sweep_id) from None


def _files(home: DataHome) -> Iterable[Path]:
    folder = home.root / "sweeps"
    with explain_disk_errors(folder):
        try:
            return [folder / name for name in os.listdir(folder) if _ID.fullmatch(name.removesuffix(".json"))]
        except FileNotFoundError:
            return []


def _read_file(file: Path) -> Sweep:
    try:
        status = file.stat()
    except FileNotFoundError:
        raise _unknown(file.stem) from None
    return _parse(file, status.st_mtime_ns, status.st_size)


# A page that shows how far sweeps are reads them every other second.
@functools.lru_cache(maxsize=128)
def _parse(file: Path, _changed_ns: int, _size: int) -> Sweep:
    try:
        found = read_sealed(file)
        if not found.sound:
            raise ValueError("damaged")
        values = found.values
        if values["version"] > VERSION:
            raise RunError(f"The sweep in {file} was written by a newer version of medpriv. Update medpriv to see it.")
        return Sweep(
            id=file.stem,
            title=_text(values["title"]),
            created_at=_number(values["created_at"], is_time),
            runs=tuple(_run(entry) for entry in values["runs"]),
            impossible=tuple((_text(entry["name"]), _text(entry["reason"])) for entry in values["impossible"]),
        )
    except RunError:
        raise
    except (MedprivError, TypeError, KeyError, ValueError, OSError) as error:
        raise RunError(
            f"The file of a sweep ({file}) is damaged. Its runs are in the list of runs; remove the file to be rid of "
            "this message."
        ) from error


def _run(entry: dict[str, Any]) -> SweepRun:
    return SweepRun(
        name=_text(entry["name"]),
        spec=RunSpec.from_dict(with_stored_unit(entry["spec"])),
        run_id=None if entry["run_id"] is None else _text(entry["run_id"]),
        reused=bool(entry["reused"]),
        estimate_s=_number(entry["estimate_s"], is_number),
    )


def _text(value: Any) -> str:
    if not is_text(value):
        raise TypeError("no text")
    return str(value)


def _number(value: Any, fits: Fits) -> float:
    if not fits(value):
        raise TypeError("no such number")
    return float(value)


def _unknown(sweep_id: str) -> RunError:
    return RunError(f"There is no sweep {sweep_id}. The list of sweeps shows those that exist.")
