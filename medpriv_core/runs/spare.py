"""A worker that waits: PyTorch and the accountant loaded, and no run yet.

Loading them takes four to eight seconds of a core, and whoever presses *Launch* would wait for it. So while somebody is
about to launch a run, the runner keeps one process that has loaded them. It is handed one run, becomes the worker of
that run in every respect (its log, lock, stop file, outcome and exit code), and ends with it. It has seen no run before
and knows no images, so nothing is carried from one run to the next.

A page says that somebody is about to launch by a file, ``runner.wish``; it holds for ten minutes, by the runner's own
clock. Then, or when the app or the runner ends, the pipe to the waiting process closes and it leaves. Without it, a run
starts as ever.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import psutil

from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.private_files import open_private
from medpriv_core.processes import start_process
from medpriv_core.runs.directory import RunDirectory

SWITCH = "MEDPRIV_SPARE_WORKER"  # "off": none is kept
WISH_S = 600.0
SAY_AGAIN_S = 30.0
SPARE_MB = 650  # with all that it has loaded (measured)
LEAST_FREE_MB = 2000.0  # so much memory must be free, or none is kept

log = logging.getLogger(__name__)

# When this process last said that somebody is about to launch a run, by data home.
_said_at: dict[Path, float] = {}


def wish(home: DataHome) -> None:
    """Say that somebody is about to launch a run. Cheap enough for every click; a disk that refuses is no matter."""
    now = time.monotonic()
    if os.environ.get(SWITCH) == "off" or now - _said_at.get(home.root, -SAY_AGAIN_S) < SAY_AGAIN_S:
        return
    with suppress(DataHomeError):
        home.check_writable()
        with explain_disk_errors(home.root), open_private(home.runner_wish, "wb") as file:
            file.write(b"\n")  # its time says when
        _said_at[home.root] = now


def withdraw(home: DataHome) -> None:
    """Nobody is about to launch a run any more; for an app that ends."""
    _said_at.pop(home.root, None)
    with suppress(OSError):
        home.runner_wish.unlink(missing_ok=True)


def is_wished(home: DataHome) -> bool:
    """Whether somebody said so, and no runner has found since that it is long ago."""
    return home.runner_wish.exists()


class Spare:
    """The waiting process of a runner, if there is one."""

    def __init__(self, home: DataHome) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._wish: int | None = None  # the last one seen, and when
        self._seen_at = 0.0
        self._may_start = True

    @property
    def pid(self) -> int | None:
        """The number of the process; None where none waits."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def keep(self, *, room: bool) -> bool:
        """Have a process wait, or none where nobody is about to launch a run; to be called again and again.

        Args:
            room: Whether a run could start at once. Beside runs that train, loading would take their time.

        Returns:
            Whether one waits.
        """
        if not self._is_wished():
            self.let_go()
            return False
        if self.pid is not None:
            return True
        if self._process is not None:
            # Killed for its memory, or it cannot load what it should: the worker of a run will say why.
            log.warning("the worker that waited has ended (%s); none is kept from now on", self._process.poll())
            self.let_go()
            self._may_start = False
        if room and self._may_start and psutil.virtual_memory().available >= LEAST_FREE_MB * 1e6:
            try:
                self._process = start_process(self._home, "spare", log=self._home.runner_log, stdin=subprocess.PIPE)
            except (OSError, DataHomeError) as error:
                log.warning("no worker could be kept ready: %s", error)
                self._may_start = False
        return self.pid is not None

    def hand_over(self, directory: RunDirectory, device: str | None) -> subprocess.Popen[bytes] | None:
        """Give the run in ``directory`` to the waiting process; None where none waits, which may show only now.

        Raises ``OSError`` or ``DataHomeError`` where the run has no folder, or its log cannot be written.
        """
        if self.pid is None:
            return None
        with open_private(directory.log, "ab"):
            pass  # as a worker that is started would find it
        process, self._process = self._process, None
        assert process is not None
        try:
            with _pipe(process) as orders:
                orders.write(json.dumps({"run": str(directory.path), "device": device}).encode() + b"\n")
        except OSError:
            process.kill()
            return None
        return process

    def let_go(self) -> None:
        """Let the waiting process leave, which it does when it sees its pipe closed."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                _pipe(process).close()

    def _is_wished(self) -> bool:
        try:
            said = os.stat(self._home.runner_wish, follow_symlinks=False).st_mtime_ns
        except OSError:
            self._wish = None
            return False
        if said != self._wish:
            self._wish, self._seen_at = said, time.monotonic()
        elif time.monotonic() - self._seen_at > WISH_S:
            withdraw(self._home)
            return False
        return True


def _pipe(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast(IO[bytes], process.stdin)
