"""A job seen from outside: started, watched and stopped, by whichever process comes along."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from medpriv_core.checksums import write_sealed
from medpriv_core.errors import DataHomeError, JobError, MedprivError, named_error
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.jobs.folder import STATES, Ending, JobFolder, OutcomeState
from medpriv_core.jobs.kinds import check_kind
from medpriv_core.locks import hold_lock, is_held
from medpriv_core.private_files import make_folder
from medpriv_core.processes import ask_to_end, kill_all, start_process
from medpriv_core.progress import Cancelled, ProgressCallback, no_progress
from medpriv_core.strict_json import Unreadable

# After this long without an outcome, a job that was asked to stop is killed.
STOP_GRACE_S = 10.0
_LOOK_EVERY_S = 0.1

# By folder and start: when this process first asked it to stop.
_asked_at: dict[tuple[Path, str], float] = {}


@dataclass(frozen=True)
class Order:
    """What a job is to do."""

    kind: str  # of ``jobs.kinds``
    settings: dict[str, Any]
    start: str  # tells one start from the next


@dataclass(frozen=True)
class JobStatus:
    """How a job is going, or how it ended."""

    state: Literal["running"] | OutcomeState
    message: str | None = None  # one sentence where it failed
    phase: str = ""
    done: int = 0
    total: int = 0  # 0 while unknown
    seconds_left: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None  # the name of the ``MedprivError`` that ended it


@dataclass(frozen=True)
class Job(JobFolder):
    """One job in its folder. Nothing of it is kept in memory, so any process can take up any job."""

    KILLED: ClassVar[str] = (
        "It was interrupted before it was complete (killed, or the machine restarted). Start it again."
    )

    def start(self, home: DataHome, kind: str, **settings: Any) -> None:
        """Start the work in a process of its own; does nothing while a process is at it.

        Args:
            home: The data home that the process works on.
            kind: What is to be done, of ``jobs.kinds``.
            **settings: For its function; JSON holds them.

        Raises:
            DataHomeError: Where the disk refuses.
            JobError: For a kind that is not known, or where the system starts no process.
            MissingExtraError: Where the kind needs more than is installed.
        """
        check_kind(kind)
        with hold_lock(self.starting):
            status = self.status()
            if status is None or status.state != "running":
                self._start(home, Order(kind, settings, secrets.token_hex(8)))

    def _start(self, home: DataHome, order: Order) -> None:
        try:
            with explain_disk_errors(self.path):
                make_folder(self.path)
                self.clear_outcome()
                write_sealed(self.path / self.ORDER, vars(order))
                start_process(home, "job", str(self.path), log=self.log, on_exit=lambda: self._explain_silence(order))
        except (OSError, MedprivError) as error:
            with suppress(OSError):  # or it would seem to be on its way
                (self.path / self.ORDER).unlink(missing_ok=True)
            if isinstance(error, MedprivError):
                raise
            raise JobError(f"The system refused to start a process for this ({error.strerror}).") from error

    def status(self) -> JobStatus | None:
        """How the job is going, or how it ended; None if there is none."""
        try:
            order = self.read_order()
        except JobError:
            return None
        at_work = self.is_at_work(order.start)
        # Looked at after the lock: whoever lets go of it has written this before.
        if self.has_ended:
            return self._ended()
        return JobStatus("running", **self.read_progress()) if at_work else JobStatus("failed", self.KILLED)

    def stop(self) -> None:
        """Ask the process to stop, by the file and, to be quicker, by a signal; nothing if none is at work.

        Asked again ten seconds later, it is killed with all that it has started.
        """
        status = self.status()
        if status is None or status.state != "running":
            return
        with suppress(DataHomeError):  # on a full disk the signal has to do
            self.ask_to_stop()
        now = time.monotonic()
        asked_at = _asked_at.setdefault((self.path, self.read_order().start), now)
        end = kill_all if now - asked_at > STOP_GRACE_S else ask_to_end
        end(self.read_worker())

    def wait(self, *, progress: ProgressCallback = no_progress, within_s: float = math.inf) -> Mapping[str, Any]:
        """Wait for the job and return its result; ``Cancelled`` comes where somebody stopped it.

        If the wait is broken off, by Ctrl-C or by what ``progress`` raises, the job is stopped before that goes on.

        Raises:
            JobError: Where it was killed, or takes longer than ``within_s`` seconds.
            MedprivError: What ended it, of the kind that was raised in its process.
        """
        deadline = time.monotonic() + within_s
        try:
            while (status := self.status()) is not None and status.state == "running":
                if time.monotonic() > deadline:
                    raise JobError(f"This took longer than {within_s:g} seconds, so it was ended. Try it again later.")
                if status.phase:
                    progress(status.phase, status.done, status.total)
                time.sleep(_LOOK_EVERY_S)
        except BaseException:
            while (status := self.status()) is not None and status.state == "running":
                self.stop()
                time.sleep(_LOOK_EVERY_S)
            raise
        if status is None or status.state == "failed":
            status = status or JobStatus("failed")
            raise named_error(status.error, status.message or self.KILLED)
        if status.state == "cancelled":
            raise Cancelled
        return status.result

    def read_order(self) -> Order:
        """What the job is to do; raises ``JobError`` where there is none, or its file is damaged."""
        try:
            values = self._read(self.ORDER, _check_order)
        except Unreadable as error:
            raise JobError(f"{self.path / self.ORDER} cannot be read: {error}.") from error
        if values is None:
            raise JobError(f"There is no job at {self.path} (no {self.ORDER}).")
        return Order(**values)

    def _ended(self) -> JobStatus:
        try:
            outcome = self._read("outcome.json", _check_outcome)
        except Unreadable as error:
            return JobStatus("failed", f"How this ended cannot be read ({error}). Try it again.")
        if outcome is None:  # another start has just forgotten it
            return JobStatus("running")
        # Whatever its process said last.
        return JobStatus(**(self.read_progress() | {name: outcome[name] for name in _OUTCOME}))

    def _explain_silence(self, order: Order) -> None:
        """The process has ended; if it never said a word, its log has to."""
        if not self.is_there:
            return
        # Under the lock, or what it says of this start would end the next one, which is just being written.
        with suppress(MedprivError, OSError), hold_lock(self.starting):
            if self.has_ended or self.read_worker() or is_held(self.lock) or self.read_order() != order:
                return
            self.end(Ending("failed", 2, f"This could not be started. What it said is in {self.log}."), {})


_OUTCOME = ("state", "message", "result", "error")


def job_at(home: DataHome, kind: str, name: str) -> Job:
    """The job of this kind and name in a data home: one at a time, and its last outcome is kept."""
    return Job(home.jobs / f"{kind}-{name}")


def _check_order(values: Any) -> dict[str, Any]:
    wanted = {"kind": str, "settings": dict, "start": str}
    if values.keys() != wanted.keys() or not all(isinstance(values[name], kind) for name, kind in wanted.items()):
        raise Unreadable("it does not say what is to be done")
    return dict(values)


def _check_outcome(values: Any) -> dict[str, Any]:
    outcome: dict[str, Any] = {"message": None, "error": None, "result": {}} | values
    texts = all(isinstance(outcome[name], str | None) for name in ("message", "error"))
    if outcome.get("state") not in STATES or not texts or not isinstance(outcome["result"], dict):
        raise Unreadable("it does not say how the work ended")
    return outcome
