"""The folder of a job: the files by which its process and all others understand each other.

=================  ==================================================================================================
``job.json``       what is to be done, written before the process starts (of a run it is called ``spec.json``)
``start.lock``     held for the moment in which somebody starts its process, or says why none came
``worker.lock``    held by the process for as long as it lives
``progress.json``  what it is doing right now, and which process it is (replaced by rename)
``stop``           there from when somebody asks it to stop; it looks for the file between two steps
``outcome.json``   how it ended; missing while it is at work, or if it was killed
``worker.log``     what it printed
=================  ==================================================================================================

So nobody needs to be its parent to know how it is. The lock is held: it is at work. The lock is free and there is an
outcome: it has ended so. The lock is free and there is none: it was killed, unless it has only just been started. All
of this works on a shared disk, and on every system.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from medpriv_core.atomic import put_aside, write_json
from medpriv_core.checksums import read_sealed, write_sealed
from medpriv_core.errors import JobError
from medpriv_core.home import explain_disk_errors
from medpriv_core.locks import is_held
from medpriv_core.private_files import open_private
from medpriv_core.processes import own_identity
from medpriv_core.strict_json import Unreadable, open_regular

Read = TypeVar("Read")
OutcomeState = Literal["finished", "cancelled", "failed"]
STATES: tuple[OutcomeState, ...] = ("finished", "cancelled", "failed")
# A process takes its lock right after Python has started. Until then only its parent knows it lives.
STARTUP_S = 20.0
LOG_LIMIT_BYTES = 64 * 1024
LARGEST_LOG_BYTES = 1 << 40
_PROGRESS, _STOP, _OUTCOME = "progress.json", "stop", "outcome.json"
_MOST = 10**15  # bytes of a download, say

# When this process first looked at a start of which nothing was heard yet.
_first_seen: dict[tuple[Path, object], float] = {}


@dataclass(frozen=True)
class Ending:
    """How the work of a job ended."""

    state: OutcomeState
    exit_code: int
    message: str | None = None  # one sentence for the user where it failed
    error: str | None = None  # the name of the ``MedprivError`` that said so


@dataclass(frozen=True)
class JobFolder:
    """Reads and writes the files of one job at ``path``."""

    path: Path
    # The file that says what is to be done. Without it, somebody has deleted the folder, wholly or by half.
    ORDER: ClassVar[str] = "job.json"
    DELETED: ClassVar[str] = "The folder of this job was removed while it was at work, so it ends here."

    @property
    def lock(self) -> Path:
        return self.path / "worker.lock"

    @property
    def starting(self) -> Path:
        return self.path / "start.lock"

    @property
    def log(self) -> Path:
        return self.path / "worker.log"

    @property
    def is_there(self) -> bool:
        """Whether nobody has deleted the folder meanwhile, wholly or by half."""
        return (self.path / self.ORDER).exists()

    def check_there(self) -> None:
        """Raise ``JobError`` if somebody has deleted the folder meanwhile."""
        if not self.is_there:
            raise JobError(self.DELETED)

    @property
    def has_ended(self) -> bool:
        """Whether there is an outcome, readable or not."""
        return os.path.lexists(self.path / _OUTCOME)

    def is_starting(self, start: object) -> bool:
        """Whether the process of this ``start`` may still be on its way to its lock; to be asked when nobody holds it.

        Its time counts by this process's own clock from the first look, because the time of day can be set. It has
        arrived once it has said a word.
        """
        if self.has_ended or (self.path / _PROGRESS).exists():
            return False
        now = time.monotonic()
        return now - _first_seen.setdefault((self.path, start), now) < STARTUP_S

    def is_at_work(self, start: object) -> bool:
        """Whether a process is at the job, or may be on its way to it as the ``start`` says."""
        # The lock twice: between the first look and the question it may have arrived and said its first word.
        return is_held(self.lock) or self.is_starting(start) or is_held(self.lock)

    def write_progress(self, *, phase: str, done: int, total: int, seconds_left: float | None) -> None:
        """Say what this process is doing: a phase in plain words and how far it is."""
        progress = {"phase": phase, "done": done, "total": total, "seconds_left": seconds_left}
        write_json(self.path / _PROGRESS, progress | own_identity(), folder_too=False)

    def read_progress(self) -> dict[str, Any]:
        """The latest progress; empty before the process has said anything."""
        said = self.read_worker()
        return {name: said[name] for name in ("phase", "done", "total", "seconds_left")} if said else {}

    def read_worker(self) -> dict[str, Any]:
        """The same with the process that wrote it, for ``processes``."""
        # It is replaced all the time, so of one that cannot be read there is nothing to say.
        with suppress(Unreadable):
            return self._read(_PROGRESS, _check_progress) or {}
        return {}

    def ask_to_stop(self) -> None:
        """Leave word to save and stop, which the process looks for between two steps, whichever machine it is on.

        Raises ``DataHomeError`` where the disk refuses.
        """
        with explain_disk_errors(self.path), open_private(self.path / _STOP, "ab"):
            pass

    @property
    def is_asked_to_stop(self) -> bool:
        return os.path.lexists(self.path / _STOP)

    def end(self, ending: Ending, result: Mapping[str, Any]) -> None:
        """Write how the work ended, and what came of it; the folder must be there."""
        write_sealed(self.path / _OUTCOME, vars(ending) | {"result": dict(result)})

    def clear_outcome(self) -> None:
        """Forget how the last process ended and what it did or was asked, because another one goes on."""
        with explain_disk_errors(self.path):
            for name in (_PROGRESS, _OUTCOME, _STOP):
                put_aside(self.path / name)
                (self.path / name).unlink(missing_ok=True)

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that the process printed."""
        try:
            with explain_disk_errors(self.path), open_regular(self.log, most_bytes=LARGEST_LOG_BYTES) as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - LOG_LIMIT_BYTES))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        except Unreadable as error:
            return f"worker.log cannot be read: {error}."
        return "\n".join(text.splitlines()[-lines:])

    def _read(self, name: str, check: Callable[[Any], Read]) -> Read | None:
        """What ``check`` makes of the values in a file; None where there is none. Raises ``Unreadable``."""
        with explain_disk_errors(self.path):
            found = read_sealed(self.path / name)
        if found.state == "missing":
            return None
        if not found.sound:
            raise Unreadable(found.why)
        return check(found.values)


def _check_progress(values: Any) -> dict[str, Any]:
    """``progress.json`` as it is, with all that it must have; raises ``Unreadable``."""
    progress: dict[str, Any] = {"seconds_left": None} | values
    left = progress["seconds_left"]
    sound = (
        isinstance(progress.get("phase"), str)
        and all(type(progress.get(name)) is int and 0 <= progress[name] <= _MOST for name in ("done", "total"))
        and (left is None or (type(left) in (int, float) and left >= 0))
        and (progress.get("pid") is None or type(progress["pid"]) is int)
    )
    if not sound:
        raise Unreadable("it does not say how far the work is")
    return progress
