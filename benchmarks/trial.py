"""Real runs in a data home of their own, and what must stay true of them whatever is done to them.

``benchmarks.faults`` does things to the runs; a ``Trial`` starts and resumes them, looks at them as a page would, and
compares each look with all that was shown before:

- no finished epoch that was shown is lost or changed, and none is there twice,
- no run is called running for long while no worker is at it, and two workers are never at one run,
- under DP-SGD every epoch shown has counted all its steps, and its epsilon is at least what these steps cost,
- what a network has spent never falls, covers every epoch shown and, in the end, the ledger in its checkpoint; and
  the journal of the images counts at least as much,
- runs to which nothing is done stay in the list and in the bin as they were, and no run ends in an internal error."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.damaged import Shown
from medpriv_core.datasets.registry import content_of
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.jobs.folder import STARTUP_S
from medpriv_core.privacy.dp_sgd import composed_epsilon, sampling_rate, steps_per_epoch
from medpriv_core.privacy.steps import Steps, count_steps
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.service import Run, RunSummary
from medpriv_core.runs.spent_journal import read_entries
from medpriv_core.runs.spent_record import with_bond
from medpriv_core.spec import RunSpec
from tests.exports.runs import put_run
from tests.processes import processes

ROOT = Path(__file__).resolve().parents[1]
PLAIN = RunSpec(
    dataset="synthetic_chest", image_size=32, weights="none", device="cpu", batch_size=16, epochs=1000, momentum=0.5
)
# Of the same seed, so of the same random network: each stored feature is then one that both train on.
PRIVATE = PLAIN.changed(method="dp_sgd", noise_multiplier=2.0)
# To these nothing is done.
BYSTANDER, BINNED = "20260102-030405-0001", "20260102-030405-0002"
# A runner that was started anew waits this long for a worker that may be starting; then it has had its chance.
PATIENCE_S = STARTUP_S + 100.0
# Until a second worker, which finds the first at its lock, has left.
TWO_WORKERS_S = 30.0
LOOK_EVERY_S = 0.2


class Trial:
    """Runs in a data home that things are done to; ``violations`` are sentences on what did not hold."""

    def __init__(self, home: DataHome, *, seed: int, specs: Sequence[RunSpec] = (PLAIN, PRIVATE)) -> None:
        self.home = home
        self.rng = random.Random(seed)
        self.violations: list[str] = []
        self.done: Counter[str] = Counter()
        self.resumed = 0
        self._specs = specs
        self._runs: dict[str, RunSpec] = {}
        self._shown: dict[str, dict[int, EpochRow]] = {}
        self._spent: dict[str, tuple[float, int]] = {}
        self._abandoned_since: dict[str, float] = {}
        self._crowded_since: dict[str, float] = {}
        self._app: subprocess.Popen[bytes] | None = None
        self._older: dict[str, dict[str, bytes]] = {}  # checkpoint and record of each run, as they were once
        for run_id in (BYSTANDER, BINNED):
            put_run(home, PLAIN.changed(epochs=2), run_id=run_id)
        service.delete(home, BINNED)
        self.bystanders = {run.id: looks(run) for run in self.everything() if run.id in (BYSTANDER, BINNED)}

    @property
    def epochs_shown(self) -> int:
        """All epochs that were seen, each counted once."""
        return sum(map(len, self._shown.values()))

    def round(self, fault: Callable[[Trial], None], *, after_epoch: bool, wait_s: float) -> None:
        """Do something to the runs ``wait_s`` after they were started, or after an epoch, and let them recover."""
        if not self.watch(self._keep_busy, for_s=PATIENCE_S):
            self.violations.append(f"No run could be started or resumed within {PATIENCE_S:.0f} s.")
        self._remember_files()
        before = self.epochs_shown
        if after_epoch and not self.watch(lambda: self.epochs_shown > before, for_s=PATIENCE_S):
            self.violations.append(f"No epoch was finished within {PATIENCE_S:.0f} s.")
        self.watch(lambda: False, for_s=wait_s)
        try:
            fault(self)
            self.done[fault.__name__] += 1
        except MedprivError:  # what it wanted to look at was not to be had at that moment
            self.done[f"{fault.__name__} half done"] += 1
        if not self.watch(self._settled, for_s=PATIENCE_S):
            self.violations.append(f"After {fault.__name__} nothing came to rest within {PATIENCE_S:.0f} s.")

    def look(self) -> list[Run]:
        """Every run as a page would show it, compared with all that was shown before."""
        self._check_bystanders()
        runs = [service.load_run(self.home, run_id) for run_id in self._runs]
        workers = self._workers()
        for run in runs:
            self._check_epochs(run)
            self._check_spent(run)
            self._check_workers(run, workers[str(self.home.runs / run.id)])
            self._check_message(run)
        return runs

    def shown(self, run_id: str) -> Shown:
        """What was shown of a run so far."""
        return Shown(run_id, dict(self._shown.get(run_id, {})), self._spent.get(run_id, (0.0, 0)))

    def older(self, run_id: str) -> dict[str, bytes]:
        """Checkpoint and record of a run as they were once; empty where none were kept."""
        return self._older.get(run_id, {})

    def finish(self) -> None:
        """Stop every run and compare its checkpoint with what was shown."""
        for run in self.look():
            if not run.ended:
                service.cancel(self.home, run.id)
        self.watch(lambda: all(run.ended for run in self.look()), for_s=PATIENCE_S)
        for run in self.look():
            self._check_checkpoint(run)

    def app(self) -> subprocess.Popen[bytes]:
        """The process that stands for the web app: it looks at the runs and writes notes without end."""
        if self._app is None or self._app.poll() is not None:
            command = [sys.executable, "-m", "benchmarks.faults", "--app", str(self.home.root)]
            self._app = subprocess.Popen(command, cwd=ROOT)
        return self._app

    def close(self) -> None:
        """End every process that the trial has started."""
        if self._app is not None:
            self._app.kill()
            self._app.wait()
        for process in processes(self.home):
            with contextlib.suppress(Exception):
                process.kill()

    def _keep_busy(self) -> bool:
        """One run of each kind that waits or trains."""
        self.app()
        for spec in self._specs:
            latest = next((run for run in self.look()[::-1] if self._runs[run.id] == spec), None)
            if latest is None or latest.state == "finished":
                self._runs[service.submit(self.home, spec)] = spec
            elif latest.ended:
                service.resume(self.home, latest.id)
                self.resumed += 1
        return True

    def _remember_files(self) -> None:
        """Now and then, checkpoint and record of each run, to be put back later."""
        for run_id in self._runs:
            paths = [self.home.runs / run_id / name for name in ("checkpoint.pt", "spent.json")]
            if self.rng.random() < 0.3 and all(path.is_file() for path in paths):
                self._older[run_id] = {path.name: path.read_bytes() for path in paths}

    def watch(self, condition: Callable[[], bool], *, for_s: float) -> bool:
        """Look at the runs until the condition holds; False if it did not in that time."""
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            with contextlib.suppress(MedprivError):  # a page would show the sentence and try again
                self.look()
                if condition():
                    return True
            time.sleep(LOOK_EVERY_S)
        return False

    def _settled(self) -> bool:
        running = [run for run in self.look() if run.state == "running"]
        workers = self._workers()
        return all(workers[str(self.home.runs / run.id)] and not run.stopping for run in running)

    def _workers(self) -> Counter[str]:
        """How many worker processes there are for each run directory, with those that are starting or leaving."""
        found: Counter[str] = Counter()
        for process in processes(self.home, " worker "):
            with contextlib.suppress(psutil.NoSuchProcess, IndexError):  # it has just ended
                found[process.cmdline()[-1]] += 1
        return found

    def _check_epochs(self, run: Run) -> None:
        now = {row.epoch: row for row in run.epochs}
        shown = self._shown.setdefault(run.id, {})
        for epoch, row in shown.items():
            if now.get(epoch) != row:
                self.violations.append(f"Epoch {epoch} of {run.id} was shown and is {now.get(epoch)} now.")
        if list(now) != list(range(1, len(now) + 1)):
            self.violations.append(f"The epochs of {run.id} have gaps: {list(now)}.")
        fresh = [row for epoch, row in now.items() if epoch not in shown]
        self._shown[run.id] = now
        if not fresh:
            return
        text = (self.home.runs / run.id / "metrics.jsonl").read_bytes()
        numbers = [line.partition(b",")[0] for line in text.split(b"\n") if line.endswith(b"}")]
        if len(numbers) != len(set(numbers)):
            self.violations.append(f"{run.id} has an epoch twice.")
        if self._runs[run.id].method == "dp_sgd":
            self._check_epsilon(run, fresh)

    def _check_epsilon(self, run: Run, rows: list[EpochRow]) -> None:
        spec, train_size = self._runs[run.id], run.setup.train_size
        assert spec.noise_multiplier is not None
        assert train_size is not None
        an_epoch = steps_per_epoch(batch_size=spec.batch_size, train_size=train_size)
        rate = sampling_rate(batch_size=spec.batch_size, train_size=train_size)
        for row in rows:
            if row.steps != row.epoch * an_epoch:
                self.violations.append(f"Epoch {row.epoch} of {run.id} counts {row.steps} steps.")
        last = rows[-1]
        cost = composed_epsilon([Steps(spec.noise_multiplier, rate, last.epoch * an_epoch)], delta=spec.delta)
        if last.epsilon is None or last.epsilon < cost * (1 - 1e-9):
            self.violations.append(f"Epoch {last.epoch} of {run.id} says ε = {last.epsilon}, but it is {cost}.")

    def _check_spent(self, run: Run) -> None:
        if self._runs[run.id].method != "dp_sgd" or (run.spent is None and not run.last):
            return
        if run.spent is None or not run.spent.recorded:
            self.violations.append(f"{run.id} shows epochs and has no record of what it spent.")
            return
        spent = (run.spent.epsilon or 0.0, run.spent.steps)
        before = self._spent.get(run.id, (0.0, 0))
        if spent[0] < before[0] or spent[1] < before[1]:
            self.violations.append(f"{run.id} had spent {before} and has spent {spent} now.")
        self._spent[run.id] = spent
        shown = run.last.steps or 0
        if spent[1] < shown:
            self.violations.append(f"{run.id} shows {shown} steps and has spent {spent[1]}.")
        content = content_of(self.home, self._runs[run.id].dataset)
        entry = read_entries(self.home, self._runs[run.id].dataset, content).get(run.id)
        entered = count_steps(entry.segments) if entry is not None else 0
        if entered < spent[1]:
            self.violations.append(f"The journal of the images has {entered} of the {spent[1]} steps of {run.id}.")

    def everything(self) -> list[RunSummary]:
        """Every run, those in the bin too."""
        return [run for deleted in (False, True) for run in service.list_runs(self.home, deleted=deleted)]

    def missing(self) -> set[str]:
        """Runs that are in neither list."""
        return {*self._runs, *self.bystanders} - {run.id for run in self.everything()}

    def _check_bystanders(self) -> None:
        now = {run.id: looks(run) for run in self.everything()}
        for run_id, before in self.bystanders.items():
            if now.get(run_id) != before:
                self.violations.append(f"Nothing was done to {run_id}, which was {before} and is {now.get(run_id)}.")
        missing = set(self._runs) - set(now)
        self.violations.extend(f"{run_id} is not in the list." for run_id in missing)

    def _check_message(self, run: Run) -> None:
        if "internal error" in (run.message or ""):
            self.violations.append(f"{run.id} ended in an internal error: {run.message}")

    def _check_workers(self, run: Run, count: int) -> None:
        for wrong, since, limit_s, sentence in (
            (count > 1, self._crowded_since, TWO_WORKERS_S, f"{count} workers were at {run.id}."),
            (run.state == "running" and not count, self._abandoned_since, PATIENCE_S, f"{run.id} is stuck in running."),
        ):
            begun = since.setdefault(run.id, time.monotonic()) if wrong else since.pop(run.id, None)
            if wrong and begun is not None and time.monotonic() - begun > limit_s:
                self.violations.append(sentence)

    def _check_checkpoint(self, run: Run) -> None:
        import torch  # takes seconds, and only this needs it

        file = self.home.runs / run.id / "checkpoint.pt"
        if not file.exists():
            if run.epochs:
                self.violations.append(f"{run.id} has shown {len(run.epochs)} epochs and has no checkpoint.")
            return
        saved = torch.load(file, weights_only=True)
        if len(saved["rows"]) < len(run.epochs):
            self.violations.append(f"The checkpoint of {run.id} has fewer epochs than were shown.")
        counted = sum(segment["steps"] for segment in saved["ledger"])
        if (run.last.steps or 0) > counted:
            self.violations.append(f"The ledger of {run.id} counts {counted} steps of {run.last.steps} shown.")
        spent = with_bond(run.spent, RunDirectory(self.home.runs / run.id))
        if spent is None or spent.bond != "holds":
            self.violations.append(f"The record of {run.id} is not that of its checkpoint.")
        elif spent.epsilon is not None and spent.steps != counted:
            self.violations.append(f"The ledger of {run.id} counts {counted} steps, its record {spent.steps}.")


def looks(run: RunSummary) -> tuple[object, ...]:
    """What a list says of a run, apart from what only the table knows."""
    return run.name, run.state, run.spec, run.epochs_done, run.last, run.spent, run.tags, run.deleted_at is None
