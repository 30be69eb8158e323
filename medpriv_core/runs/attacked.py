"""A membership attack on a run, seen from outside: whether it can be made, started, watched and read.

It is a job of the run's name (``training.membership``), so it outlives tab and app, and its result is found again.
"""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

from medpriv_core.checksums import read_sealed
from medpriv_core.errors import MedprivError, RunError, SettingError
from medpriv_core.extras import require
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.jobs.job import Job, JobStatus, job_at
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.membership import MembershipReport
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_record import read_spent
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.strict_json import Unreadable

KIND = "membership"
REPORT, ANSWERS = "membership.json", "answers.npz"
LEAST_REFERENCES, MOST_REFERENCES = 16, 128
LEAST_TARGETS, MOST_TARGETS = 1, 32
# With which a stopped attack, or one whose networks failed, still goes on.
FEWEST_REFERENCES = 8


def attack_folder(home: DataHome, run_id: str) -> Path:
    """Where the job and its result lie."""
    return job_at(home, KIND, run_id).path


def check_attackable(home: DataHome, run_id: str) -> None:
    """Raise ``RunError`` with the reason where networks like those of a run cannot be trained and attacked."""
    row = RunStore(home).get(run_id)
    if row.deleted_at is not None:
        raise RunError(f"Run {run_id} has been removed; restore it, or attack another run.")
    if row.state != "finished":
        raise RunError(f"Run {run_id} is {row.state}; only a finished run can be attacked.")
    directory = RunDirectory(home.runs / run_id)
    if directory.imported:
        raise RunError(
            f"Run {run_id} was trained on another machine, and without its checkpoint its training cannot be repeated. "
            "Attack a run of your own."
        )
    if not directory.checkpoint.is_file():
        raise RunError(f"Run {run_id} has no checkpoint any more, so its network is not known. Attack another run.")
    counts = [count for count in directory.read_setup().train_class_counts or () if count]
    if len(counts) < 2:
        raise RunError(
            f"The training images of run {run_id} are all of one class, so a network has nothing to learn and nothing "
            "to give away. Attack a run with two classes or more."
        )


def why_not_attackable(home: DataHome, run_id: str) -> str | None:
    """The sentence of ``check_attackable``; None where an attack is possible."""
    try:
        check_attackable(home, run_id)
    except MedprivError as error:
        return str(error)
    return None


def guaranteed(home: DataHome, run_id: str) -> bool:
    """Whether a finite ε holds for the run, by all that was recorded of it."""
    directory = RunDirectory(home.runs / run_id)
    spec, setup, outcome = directory.read_spec(), directory.read_setup(), directory.read_outcome()
    last = outcome.last if outcome is not None else EpochRow()
    spent = read_spent(directory, spec, setup=setup, last=last)
    verdict = run_verdict(spec, setup=setup, spent=spent)
    return verdict is not None and math.isfinite(verdict.epsilon)


def start_attack(home: DataHome, run_id: str, *, references: int = 64, targets: int = 8, seed: int = 0) -> Job:
    """Start the attack on a run; one that is under way goes on.

    Args:
        home: The data home.
        run_id: A finished run.
        references: Networks to compare with, from 16 to 128.
        targets: Networks to attack, from 1 to 32.
        seed: Who is in which network; not of the noise.

    Returns:
        Its job.

    Raises:
        SettingError: A number is out of its bounds.
        RunError: The run cannot be attacked.
        DataHomeError: The disk refuses.
        MissingExtraError: PyTorch is not installed.
    """
    require("train")
    for name, value, least, most in (
        ("references", references, LEAST_REFERENCES, MOST_REFERENCES),
        ("targets", targets, LEAST_TARGETS, MOST_TARGETS),
    ):
        if not least <= value <= most:
            raise SettingError(f"The number of {name} is from {least} to {most}, not {value}.")
    if not 0 <= seed < 2**31:
        raise SettingError(f"The seed is from 0 to {2**31 - 1}, not {seed}.")
    check_attackable(home, run_id)
    home.check_writable()
    job = job_at(home, KIND, run_id)
    job.start(home, KIND, run=run_id, references=references, targets=targets, seed=seed)
    return job


def next_seed(home: DataHome, run_id: str) -> int:
    """The seed of the next attack on a run: 0, and after one attack the one after its seed."""
    with suppress(MedprivError):
        last = job_at(home, KIND, run_id).read_order().settings.get("seed")
        return (last + 1) % 2**31 if isinstance(last, int) else 0
    return 0


def stop_attack(home: DataHome, run_id: str) -> None:
    """Ask the attack to stop, if one is under way."""
    job_at(home, KIND, run_id).stop()


def attack_status(home: DataHome, run_id: str) -> JobStatus | None:
    """How the attack is going, or how the last one ended; None where there was none."""
    return job_at(home, KIND, run_id).status()


def read_attack(home: DataHome, run_id: str) -> MembershipReport | None:
    """What the last attack found; None where none has found anything. Raises ``RunError`` for a damaged file."""
    folder = attack_folder(home, run_id)
    with explain_disk_errors(folder):
        found = read_sealed(folder / REPORT)
    if found.state == "missing":
        return None
    try:
        if not found.sound:
            raise Unreadable(found.why)
        return MembershipReport.from_dict(found.values)
    except Unreadable as error:
        raise RunError(f"What the attack on run {run_id} found cannot be read ({error}). Start it again.") from error


def estimate_s(home: DataHome, run_id: str, *, networks: int) -> float | None:
    """Roughly how many seconds the networks take, by how long the run itself trained; None where that is not known.

    Half of the records take half of the time. Beside its steps, the run also looked at its test images.
    """
    with suppress(MedprivError):
        rows = RunDirectory(home.runs / run_id).read_epochs()
        if rows and rows[-1].elapsed_s is not None:
            return 10.0 + networks * rows[-1].elapsed_s / 2
    return None


def on_features(spec: RunSpec) -> bool:
    """Whether networks like those of a run learn from stored features, which takes minutes and not hours."""
    return spec.trainable == "head" and not spec.augment
