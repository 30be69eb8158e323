"""Everything that can happen to a machine, at random moments, again and again, while real runs train.

Two small runs, one of them DP-SGD, train in a data home of their own. In every round something is done to them at a
random moment, then they are left to recover, and whatever stopped is resumed: processes are killed or stand still,
the clock is set wrong, locks and the table of runs are removed, held or spoilt, several runners come at once, the
disk is full, and in copies of the home files are damaged, cut, removed or older ones put back
(``benchmarks.disturbances``).
What must hold after every look is said and checked in ``benchmarks.trial``, of damaged copies in
``benchmarks.damaged``.

    python -m benchmarks.faults [--rounds 50] [--seed 0] [--kinds kill freeze damage clock table locks disk]

As root the data home is put on a small disk in memory, which is filled up now and then; otherwise that fault is left
out, and said so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.disturbances import KINDS, Act, fill_disk, trial_clock
from benchmarks.trial import LOOK_EVERY_S, Trial
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.runs import service

DISK_MB = 256


def run_app(home: DataHome) -> None:
    """Be the app until killed: look at every run, and write a note on one now and then."""
    number = 0
    while True:
        number += 1
        with contextlib.suppress(MedprivError):
            for run in service.list_runs(home):
                service.load_run(home, run.id)
                service.set_notes(home, run.id, f"seen {number} times", expected=run.notes)
        time.sleep(LOOK_EVERY_S)


def planned(kinds: Sequence[str], rounds: int, *, small_disk: bool, rng: random.Random) -> list[Act]:
    """What is done in each round: everything once, if there are rounds enough, and from then on a kind by lot."""
    acts = {kind: [act for act in KINDS[kind] if small_disk or act is not fill_disk] for kind in kinds}
    first = [act for some in acts.values() for act in some]
    return (first + [rng.choice(acts[rng.choice(list(kinds))]) for _ in range(rounds)])[:rounds]


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A disk of its own at ``folder``; False where the system does not allow that."""
    mounted = False
    if os.name == "posix" and os.geteuid() == 0:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def summary(trial: Trial) -> list[str]:
    """What was done how often, and each thing that did not hold."""
    done = ", ".join(f"{name} {count}" for name, count in sorted(trial.done.items()))
    wrong = list(dict.fromkeys(trial.violations))
    lines = [f"{trial.epochs_shown:,} epochs shown, {trial.resumed} times resumed: {done}"]
    return [*lines, *(f"NOT TRUE: {violation}" for violation in wrong), f"{len(wrong)} violations"]


def main() -> None:
    """Print what was done and what did not hold; leaves with 1 if anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--app", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.app:
        run_app(DataHome(options.app))
        return
    begun = time.monotonic()
    with trial_clock(), tempfile.TemporaryDirectory() as folder, _small_disk(Path(folder)) as small:
        trial = Trial(DataHome(Path(folder) / "home"), seed=options.seed)
        try:
            acts = planned(options.kinds, options.rounds, small_disk=small, rng=trial.rng)
            told = 0
            for number, act in enumerate(acts, start=1):
                # Half of the time in the middle of things, else perhaps while they start.
                trial.round(act, after_epoch=trial.rng.random() < 0.5, wait_s=trial.rng.uniform(0.0, 3.0))
                wrong = list(dict.fromkeys(trial.violations))
                print(
                    f"{number:4}  {act.__name__:20} {trial.epochs_shown:6,} epochs shown, {len(wrong)} violations",
                    *wrong[told:],
                    sep="\n      ",
                    flush=True,
                )
                told = len(wrong)
            trial.finish()
        finally:
            trial.close()
    print(f"{options.rounds} rounds in {time.monotonic() - begun:.0f} s, seed {options.seed}")
    print("\n".join(summary(trial)))
    if not small and "disk" in options.kinds:
        print("The disk was not filled: that needs leave to mount one.")
    sys.exit(bool(trial.violations))


if __name__ == "__main__":
    main()
