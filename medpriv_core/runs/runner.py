"""The runner: the one process of a data home that takes runs off the queue and looks after workers.

It is started when a run is queued or the app starts, holds ``runner.lock``, and leaves when there has
been nothing to do for a while. Killing it harms nothing: the workers go on, and the next runner adopts
them by their locks.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import Timeout

from medpriv_core.errors import DataHomeError, DiskFullError
from medpriv_core.extras import why_missing
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.leftovers import remove_leftovers
from medpriv_core.locks import KeptLock, is_held
from medpriv_core.processes import start_process
from medpriv_core.runs.deletion import purge_expired
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.launcher import LAUNCHERS, KeepsReady, Launcher, Poll
from medpriv_core.runs.spare import is_wished
from medpriv_core.runs.store import RunRow, RunStore
from medpriv_core.systems import KILLED

TICK_S = 0.2
IDLE_EXIT_S = 20.0
# After this long without an outcome, a worker that was asked to stop is killed.
STOP_GRACE_S = 10.0
PURGE_EVERY_S = 3600.0
# How long a runner that cannot note anything, because the disk is full, waits for room before it looks again.
FULL_DISK_S = 2.0
# Whoever asks whether a runner is there holds its lock for a moment.
LOCK_PATIENCE_S = 0.5

log = logging.getLogger(__name__)

# The runners that this process started, by data home.
_started: dict[Path, subprocess.Popen[bytes]] = {}
_starting = threading.Lock()


class Runner:
    """Moves runs from queued to running to ended, one ``tick`` at a time."""

    def __init__(self, home: DataHome, launchers: Mapping[str, Callable[[DataHome], Launcher]] = LAUNCHERS) -> None:
        self._home = home
        self._store = RunStore(home)
        self._launchers = {name: make(home) for name, make in launchers.items()}
        self._stop_asked_at: dict[str, float] = {}

    def tick(self) -> bool:
        """Look after every running run and start what can start; False if there was nothing to do."""
        running = self._store.in_state("running")
        for row in running:
            self._look_after(row)
        if not can_train():
            return bool(running)
        # Asked before the table is held: a launcher may have to look what devices there are.
        slots = {wanted: self._slots(*wanted) for wanted in self._store.wanted_slots()}
        started = False
        while (claimed := self._store.claim_next(lambda *wanted: slots.get(wanted, ()))) is not None:
            self._start(claimed)
            started = True
        waits = self._keep_ready()
        return bool(running) or started or waits

    def leave(self) -> None:
        """Let workers go that wait for a run; those that train go on."""
        for launcher in self._launchers.values():
            if isinstance(launcher, KeepsReady):
                launcher.let_go()

    def _keep_ready(self) -> bool:
        running = [row.launcher for row in self._store.in_state("running")]
        waits = False
        for name, launcher in self._launchers.items():
            if isinstance(launcher, KeepsReady):
                waits = launcher.keep_ready(running.count(name)) or waits
        return waits

    def _slots(self, launcher: str, wanted: str) -> Sequence[str]:
        known = self._launchers.get(launcher)
        return known.slots(wanted) if known else (wanted,)

    def _start(self, row: RunRow) -> None:
        launcher = self._launchers.get(row.launcher)
        if launcher is None:
            self._store.end(row.id, "failed", _unknown_launcher(row.launcher))
            return
        try:
            handle = launcher.start(row, self._directory(row))
        except (OSError, DataHomeError) as error:
            self._store.end(row.id, "failed", _not_started(error, self._directory(row)))
            return
        self._store.record_handle(row.id, handle)
        log.info("run %s started on %s by the launcher %s as %s", row.id, row.slot, row.launcher, handle)

    def _look_after(self, row: RunRow) -> None:
        directory = self._directory(row)
        launcher = self._launchers.get(row.launcher)
        poll = launcher.poll(row, directory) if launcher else Poll(alive=is_held(directory.lock))
        if not poll.alive:
            self._settle(row, directory, poll)
        elif row.cancel_requested:
            if not directory.is_asked_to_stop:
                with suppress(DataHomeError, FileNotFoundError):  # on a full disk the signal has to do
                    directory.ask_to_stop()
            if launcher:
                self._hurry(row, launcher)

    def _hurry(self, row: RunRow, launcher: Launcher) -> None:
        asked_at = self._stop_asked_at.get(row.id)
        if asked_at is None:
            # A worker that is about to start cannot be found yet; its time to stop counts from when it can.
            if launcher.stop(row, force=False):
                self._stop_asked_at[row.id] = time.monotonic()
        elif time.monotonic() - asked_at > STOP_GRACE_S:
            launcher.stop(row, force=True)

    def _settle(self, row: RunRow, directory: RunDirectory, poll: Poll) -> None:
        self._stop_asked_at.pop(row.id, None)
        outcome = directory.read_outcome()
        if outcome is None:
            remove_leftovers(self._home)
        if not directory.is_there:
            self._store.end(row.id, "failed", FOLDER_GONE)
        elif outcome is not None:
            self._store.end(row.id, outcome.state, outcome.message)
        elif row.cancel_requested:
            self._store.end(row.id, "cancelled", "It was ended before it could save; its last checkpoint is kept.")
        else:
            self._store.end(row.id, "failed", _describe_death(poll.exit_code, saved=directory.checkpoint.exists()))
        log.info("run %s ended: %s", row.id, self._store.get(row.id).state)

    def _directory(self, row: RunRow) -> RunDirectory:
        return RunDirectory(self._home.runs / row.id)


FOLDER_GONE = (
    "The folder of this run, or the spec.json in it, was removed while it trained. Remove the run from the list."
)


def _unknown_launcher(name: str) -> str:
    return (
        f"This run was queued for the launcher {name}, which this medpriv does not know. Start a new run with the same "
        "settings here, or resume it where that launcher is."
    )


def _not_started(error: Exception, directory: RunDirectory) -> str:
    if not directory.is_there:
        return "The folder of this run was removed while it waited. Remove it from the list."
    return f"The worker could not be started: {str(error).rstrip('.')}."


def _describe_death(exit_code: int | None, *, saved: bool) -> str:
    then = "Resume continues from its last checkpoint." if saved else "Nothing was saved yet, so Resume begins anew."
    if exit_code is None:
        return f"The training is gone and left no word (killed, or the machine restarted). {then}"
    if exit_code == KILLED:
        return f"The training was killed (signal 9), perhaps because memory ran out. {then}"
    if exit_code < 0:
        return f"The training was ended by signal {-exit_code}. {then}"
    return f"The training stopped with exit code {exit_code}; its log says why."


def run_runner(home: DataHome, *, idle_exit_s: float = IDLE_EXIT_S) -> bool:
    """Be the runner of this data home until idle; False if another process is it already."""
    lock = KeptLock(home.runner_lock)
    store = RunStore(home)
    while True:
        try:
            lock.acquire(timeout=LOCK_PATIENCE_S)
        except Timeout:
            return False
        try:
            remove_leftovers(home)
            if not _work_until_idle(home, lock, idle_exit_s):
                return False
        finally:
            lock.release()
        # A run queued between the last look and the release saw the lock held, and started no runner.
        if not _has_work(store):
            return True


def can_train() -> bool:
    """Whether a worker could be started here; otherwise runs wait in the queue for an installation where it can."""
    return why_missing("train") is None


def _has_work(store: RunStore) -> bool:
    return any(row.state == "running" or can_train() for row in store.in_state("queued", "running"))


def _work_until_idle(home: DataHome, lock: KeptLock, idle_exit_s: float) -> bool:
    """False if another process has become the runner meanwhile, because the file of the lock was removed."""
    runner = Runner(home)
    try:
        return _look_until_idle(home, runner, lock, idle_exit_s)
    finally:
        runner.leave()


def _look_until_idle(home: DataHome, runner: Runner, lock: KeptLock, idle_exit_s: float) -> bool:
    idle_since, purged_at, full = time.monotonic(), -PURGE_EVERY_S, False
    while time.monotonic() - idle_since < idle_exit_s:
        if not lock.keep():
            log.warning("another process looks after the runs; the lock of this one was removed")
            return False
        try:
            busy, full = runner.tick(), False
        except DiskFullError as error:
            # Workers go on; what became of them stands in their folders until there is room to note it.
            if not full:
                log.warning("%s", error)
            busy = full = True
        if busy:
            idle_since = time.monotonic()
        if time.monotonic() - purged_at >= PURGE_EVERY_S:
            purge_expired(home)
            purged_at = time.monotonic()
        time.sleep(FULL_DISK_S if full else TICK_S)
    return True


def ensure_runner(home: DataHome) -> None:
    """Start a runner if there is work, or soon may be, and none is alive. Cheap enough for every page refresh.

    Raises ``DataHomeError`` where the disk refuses.
    """
    if is_held(home.runner_lock) or not (_has_work(RunStore(home)) or (is_wished(home) and can_train())):
        return
    with _starting:
        mine = _started.get(home.root)
        # The one started a moment ago may still be loading; more of them would only slow it down.
        if mine is None or mine.poll() is not None:
            with explain_disk_errors(home.root):
                _started[home.root] = start_process(home, "runner", log=home.runner_log)
