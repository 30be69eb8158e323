"""A copy of a data home with one file damaged: what is damaged must be refused, and nothing else may suffer.

The runs of a ``Trial`` go on untouched; what damage does is seen on a copy of their home, taken while every process
stands still. There the damaged run is looked at, taken up again and thrown away, and what must hold is checked:

- every other run stays listed as it was, in the list and in the bin,
- what a network is said to have spent is never less than what was shown, and no epoch that was shown comes out
  otherwise,
- a damaged or older checkpoint is refused with a sentence; arrays of images that were changed are not trained on,
- whatever is wrong with a run, it can be deleted and purged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs import service
from tests.processes import processes

# Until a run in the copy has ended or has shown another epoch.
PATIENCE_S = 180.0
POLL_S = 0.2
# By which a shown epsilon may differ from itself once it was read from a file.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Shown:
    """What was shown of a run before anything was damaged.

    ``last_epoch`` is the last in the copy, which may be a later one than the last that was shown.
    """

    run_id: str
    epochs: Mapping[int, EpochRow]
    spent: tuple[float, int]  # epsilon and steps; zeros where nothing is counted
    last_epoch: int = 0


@dataclass(frozen=True)
class Damage:
    """What was done to the copy.

    told      in words
    refusing  whether going on with the run would be using what is damaged
    lost      whether the damage itself took epochs away that the run can have back only by going on
    arrays    the damaged arrays, with the digest that they must have again before they are used
    """

    told: str
    refusing: bool = False
    lost: bool = False
    arrays: Mapping[Path, str] = field(default_factory=dict)


def flip(path: Path, rng: random.Random) -> None:
    """Change some bits of a file; its time stays, as on a disk that forgets."""
    data, found = bytearray(path.read_bytes()), path.stat()
    for _ in range(rng.choice((1, 1, 1, 8))):
        place = rng.randrange(len(data))
        data[place] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def cut(path: Path, rng: random.Random) -> None:
    """Lose the end of a file."""
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def damage_checkpoint(home: DataHome, run_id: str, rng: random.Random) -> Damage:
    """Bits of the checkpoint, or its end."""
    path, how = home.runs / run_id / "checkpoint.pt", rng.choice((flip, flip, cut))
    how(path, rng)
    return Damage(f"checkpoint.pt {how.__name__}", refusing=True)


def damage_json(home: DataHome, run_id: str, rng: random.Random) -> Damage:
    """Bits, end or all of one of the files that say what a run is and did."""
    names = ["spec.json", "setup.json", "metrics.jsonl", "spent.json", "labels.json", "progress.json"]
    path = home.runs / run_id / rng.choice([name for name in names if (home.runs / run_id / name).is_file()])
    how = rng.choice((flip, cut, None))
    if how is None:
        path.unlink()
    else:
        how(path, rng)
    return Damage(f"{path.name} {how.__name__ if how else 'unlink'}", lost=path.name == "metrics.jsonl")


def replace_by_a_folder(home: DataHome, run_id: str, rng: random.Random) -> Damage:
    """A folder where a file belongs."""
    path = home.runs / run_id / rng.choice(("spec.json", "setup.json", "metrics.jsonl", "spent.json", "outcome.json"))
    path.unlink(missing_ok=True)
    path.mkdir()
    return Damage(f"{path.name} is a folder", lost=path.name == "metrics.jsonl")


def damage_arrays(home: DataHome, _run_id: str, rng: random.Random) -> Damage:
    """Bits in the prepared images or labels, or in what a frozen network has made of them."""
    kind = rng.choice([folder for folder in (home.prepared, home.features) if any(folder.glob("*/*.npy"))])
    path = rng.choice(sorted(kind.glob("*/*.npy")))
    sound, found = digest(path), path.stat()
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data) // 2, len(data))] ^= 1 << rng.randrange(8)  # behind the header
    path.write_bytes(data)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    if kind == home.prepared:
        shutil.rmtree(home.features, ignore_errors=True)  # which would spare the worker to look at the images
    return Damage(f"{kind.name}/{path.name} flip", arrays={path: sound})


def lose_the_table(home: DataHome, _run_id: str, rng: random.Random) -> Damage:
    """The table of runs is gone, damaged, or only what was not yet in it is."""
    how = rng.choice(("gone", "cut", "flip", "wal"))
    wal = home.database.with_name(f"{home.database.name}-wal")
    if how in ("gone", "wal"):
        for path in (home.database, wal) if how == "gone" else (wal,):
            path.unlink(missing_ok=True)
    else:
        {"cut": cut, "flip": flip}[how](home.database, rng)
    return Damage(f"table {how}")


def put_back(older: Mapping[str, bytes]) -> Callable[[DataHome, str, random.Random], Damage]:
    """Files of this run as they were once, both of a pair or one of them."""

    def older_files(home: DataHome, run_id: str, rng: random.Random) -> Damage:
        names = rng.choice((sorted(older), ["checkpoint.pt"], ["spent.json"]))
        for name in names:
            (home.runs / run_id / name).write_bytes(older[name])
        return Damage(f"older {' and '.join(names)}", refusing="checkpoint.pt" in names)

    return older_files


def digest(path: Path) -> str:
    """SHA-256 of a file; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def consequences(
    home: DataHome, damage: Damage, shown: Shown, others: Mapping[str, Any], look: Callable[[Any], Any], *, go_on: bool
) -> list[str]:
    """What does not hold in a damaged copy, in sentences.

    ``others`` are the runs beside it, by id, as ``look`` shows them; ``go_on`` takes the damaged run up again.
    """
    wrong = _listed(home, shown.run_id, others, look)
    wrong += _spent_and_epochs(home, shown, damage)
    if go_on:
        wrong += _gone_on(home, shown, damage)
    wrong += _deleted(home, shown.run_id)
    return [f"After {damage.told}: {sentence}" for sentence in wrong]


def _listed(home: DataHome, run_id: str, others: Mapping[str, Any], look: Callable[[Any], Any]) -> list[str]:
    """The run and the others are in the list or in the bin; a table that is damaged or lost can be made again."""
    try:
        runs = _all_runs(home)
    except MedprivError:
        runs = {}
    if {run_id, *others} - set(runs):
        with contextlib.suppress(MedprivError):  # it has all that there is
            service.rebuild(home)
        try:
            runs = _all_runs(home)
        except MedprivError as error:
            return [f"The list cannot be made again: {error}"]
    if run_id not in runs:
        return [f"{run_id} is in no list."]
    wrong = [other for other, before in others.items() if other not in runs or look(runs[other]) != before]
    return [f"{other} was {others[other]} and is {look(runs[other]) if other in runs else None}." for other in wrong]


def _all_runs(home: DataHome) -> dict[str, Any]:
    return {run.id: run for deleted in (False, True) for run in service.list_runs(home, deleted=deleted)}


def _spent_and_epochs(home: DataHome, shown: Shown, damage: Damage) -> list[str]:
    """What is said now of what was spent and measured."""
    try:
        run = service.load_run(home, shown.run_id)
    except MedprivError:
        return []  # a sentence is no claim
    wrong = []
    if run.spent is not None and run.spent.epsilon is not None:
        now = (run.spent.epsilon, run.spent.steps)
        if now[0] < shown.spent[0] * (1 - ROUNDING) or now[1] < shown.spent[1]:
            wrong.append(f"{shown.run_id} had spent {shown.spent} and has spent {now} now.")
    rows = {row.epoch: row for row in run.epochs}
    if not damage.lost:
        changed = [epoch for epoch, row in shown.epochs.items() if rows.get(epoch) != row]
        if changed:
            wrong.append(f"Epoch {changed[0]} was shown and is {rows.get(changed[0])} now.")
    return wrong


def _gone_on(home: DataHome, shown: Shown, damage: Damage) -> list[str]:
    """The run taken up again: until it is refused, or has trained another epoch."""
    before = max(*shown.epochs, 0, shown.last_epoch)
    try:
        # One that waits in the queue of the copy goes on by itself.
        if not _wait(home, shown.run_id, lambda run: run.ended or len(run.epochs) > before):
            return [f"{shown.run_id} does not come to rest in the copy."]
        for other in service.list_runs(home):  # which it would wait for
            if not other.ended and other.id != shown.run_id:
                with contextlib.suppress(MedprivError):
                    service.cancel(home, other.id)
        if service.load_run(home, shown.run_id).ended:
            service.resume(home, shown.run_id)
        if not _wait(home, shown.run_id, lambda run: run.ended or len(run.epochs) > before):
            return [f"{shown.run_id} neither goes on nor says why not."]
        run = service.load_run(home, shown.run_id)
    except MedprivError:
        return []
    if "internal error" in (run.message or ""):
        return [f"{shown.run_id} ended in an internal error: {run.message}"]
    trained = len(run.epochs) > before
    wrong = []
    if damage.refusing and trained:
        wrong.append(f"{shown.run_id} went on with it.")
    wrong += _spent_and_epochs(home, shown, Damage(damage.told, lost=damage.lost and not trained))
    if trained:
        wrong += [f"It was trained on {path.name}." for path, sound in damage.arrays.items() if digest(path) != sound]
    return wrong


def _wait(home: DataHome, run_id: str, condition: Callable[[Any], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if condition(service.load_run(home, run_id)):
            return True
        time.sleep(POLL_S)
    return False


def _deleted(home: DataHome, run_id: str) -> list[str]:
    """The way out that must always be there."""
    try:
        if not service.load_run(home, run_id).ended:
            service.cancel(home, run_id)
        if not _wait(home, run_id, lambda run: run.ended):
            return [f"{run_id} cannot be stopped."]
        end_processes(home)  # a worker may still be writing its last word
        service.delete(home, run_id)
        service.purge(home, run_id)
    except MedprivError as error:
        return [f"{run_id} cannot be removed: {error}"]
    if run_id in _all_runs(home) or (home.runs / run_id).exists():
        return [f"{run_id} is still there after it was purged."]
    return []


def end_processes(home: DataHome) -> None:
    """Kill every process at work in a data home."""
    for process in processes(home):
        with contextlib.suppress(Exception):  # it may have left by itself
            process.kill()
            process.wait(10)
