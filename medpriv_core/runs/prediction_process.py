"""The one process beside the app that holds networks, seen from the app's side.

It is started at the first question, asked over its pipes one question at a time, and started anew if it has left or
died. Threads of many sessions share it. See ``medpriv_core.training.prediction_server`` for the other side.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from medpriv_core import systems
from medpriv_core.errors import RunError, named_error
from medpriv_core.processes import command_line, environment
from medpriv_core.runs.messages import read_message, write_message

COMMAND = tuple(command_line("predictor"))
# For the first question of all, which loads torch and the network, on a busy machine.
TIME_LIMIT_S = 120.0
LEAVING_S = 5.0
# Several wait for each other after every layer: where other programs keep the cores busy, two are slower than one.
THREADS = 1

KILLED = (
    "The process that asks the network was killed, most likely because the memory of this machine is full. Close other "
    "programs and try again, or choose a run trained on smaller images."
)
BUSY = "Others are asking their networks right now. Try again in a few minutes."

Answer = tuple[dict[str, Any], list[np.ndarray]]


class PredictionProcess:
    """A process that is there when it is asked; safe to use from several threads."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, None if it does not live."""
        return self._process.pid if self._lives() and self._process else None

    def ask(self, header: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Answer:
        """The reply to one question.

        Raises the ``MedprivError`` that the other side answers with, and ``RunError`` where the process cannot be
        started, dies, takes longer than ``TIME_LIMIT_S`` or has no time for so long.
        """
        if not self._asking.acquire(timeout=TIME_LIMIT_S):
            raise RunError(BUSY)
        try:
            reply, results = self._ask(header, arrays)
        finally:
            self._asking.release()
        if "error" in reply:
            raise named_error(reply["error"], reply["message"])
        return reply, results

    def close(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            _close_pipes(process)

    def _ask(self, header: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Answer:
        fresh = not self._lives()
        if fresh:
            self.close()
            self._process = _start()
        assert self._process is not None
        try:
            return _exchange(self._process, header, arrays)
        except _Died as death:
            self.close()
            if fresh or death.too_slow:
                raise RunError(death.sentence) from death
        # It may have left just now, after idle minutes, or have been out of memory with all that it kept.
        return self._ask(header, arrays)

    def _lives(self) -> bool:
        return self._process is not None and self._process.poll() is None


class _Died(Exception):
    def __init__(self, exit_code: int | None, *, too_slow: bool) -> None:
        super().__init__(exit_code)
        self.exit_code, self.too_slow = exit_code, too_slow

    @property
    def sentence(self) -> str:
        if self.too_slow:
            return (
                f"The network gave no answer within {TIME_LIMIT_S:g} seconds. Try again when the machine is less busy, "
                "or choose a run trained on smaller images."
            )
        if self.exit_code == systems.KILLED:
            return KILLED
        code = "" if self.exit_code is None else f" (exit code {self.exit_code})"
        return f"The process that asks the network ended unexpectedly{code}. Try again."


def _start() -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # The second has glibc overwrite whatever is freed: pictures that people brought.
            env=environment(OMP_NUM_THREADS=str(THREADS), MALLOC_PERTURB_="255"),
            **systems.apart(),  # Ctrl-C in the terminal is for the app, whose end is noticed
        )
    except OSError as error:
        raise RunError(f"The system refused to start the process that asks the network ({error.strerror}).") from error
    # Somebody has to collect the exit code, or the process stays in the table as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def _exchange(process: subprocess.Popen[bytes], header: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Answer:
    requests, replies = cast(io.FileIO, process.stdin), cast(io.FileIO, process.stdout)
    expired = threading.Event()

    def give_up() -> None:
        expired.set()
        process.kill()

    timer = threading.Timer(TIME_LIMIT_S, give_up)
    timer.daemon = True
    timer.start()
    try:
        write_message(requests, header, arrays)
        return read_message(replies)
    except (OSError, EOFError, ValueError) as error:
        exit_code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            exit_code = process.wait(LEAVING_S)
        raise _Died(exit_code, too_slow=expired.is_set()) from error
    finally:
        timer.cancel()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        # What could not be written any more is lost with the process.
        with contextlib.suppress(OSError):
            cast(io.FileIO, pipe).close()


# One for the whole app, whose end it does not outlive.
PROCESS = PredictionProcess()
atexit.register(PROCESS.close)
