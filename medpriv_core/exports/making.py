"""A file that is made aside: in a thread, with its progress told, stopped on request, and kept for the second time.

Making a pack of slides or a zip of many runs takes seconds. A page that made it at the click would show nothing
meanwhile, and would make it again at the next. So a page holds a ``Making``: it looks at its progress, and the file is
there for as long as the page holds it. It belongs to whoever holds it and to nobody else: nothing here is shared, and
where the holder lets go of it, the work stops at its next step and the file is forgotten.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from medpriv_core.errors import MedprivError
from medpriv_core.progress import Cancelled, ProgressCallback

log = logging.getLogger("medpriv")

Make = Callable[[ProgressCallback], bytes]


@dataclass
class _State:
    """What the thread and the holder have in common."""

    phase: str = ""
    done: int = 0
    total: int = 0
    content: bytes | None = None
    refusal: str = ""
    ended: bool = False
    stopped: bool = False


class Making:
    """One file on its way, or made."""

    def __init__(self, key: Hashable, make: Make) -> None:
        """Begin to make the file.

        key   all that the file depends on
        make  called in another thread with what reports progress; that raises ``Cancelled`` where it is to stop
        """
        self.key = key
        self._state = _State()
        self._thread = threading.Thread(target=_run, args=(make, self._state), name="making", daemon=True)
        weakref.finalize(self, _stop, self._state)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is still being made."""
        return not self._state.ended

    @property
    def progress(self) -> tuple[str, int, int]:
        """Phase in plain words, steps done, and of how many; none of both while unknown."""
        return self._state.phase, self._state.done, self._state.total

    @property
    def content(self) -> bytes | None:
        """The file; None while it is made, where that was stopped, and where it failed."""
        return self._state.content

    @property
    def refusal(self) -> str:
        """The sentence why there is none, where it failed."""
        return self._state.refusal

    def stop(self) -> None:
        """Stop at the next step."""
        _stop(self._state)

    def wait(self) -> None:
        """Wait until it is made, stopped or has failed."""
        self._thread.join()


def _stop(state: _State) -> None:
    state.stopped = True


def _run(make: Make, state: _State) -> None:
    def report(phase: str, done: int, total: int) -> None:
        if state.stopped:
            raise Cancelled
        state.phase, state.done, state.total = phase, done, total

    try:
        content = make(report)
        if not state.stopped:
            state.content = content
    except Cancelled:
        pass
    except MedprivError as error:
        state.refusal = str(error)
    except Exception:
        log.exception("A file to export could not be made.")
        state.refusal = "This could not be made; the log of the app says why."
    finally:
        state.ended = True
