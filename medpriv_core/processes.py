"""Starting medpriv commands as processes of their own, which outlive the one that starts them, and finding them again.

Later only a number in a file says which process it was, and systems give numbers again. So the file also says when the
process began, and a signal goes to a process that began then or to none. psutil tells it on every system.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from medpriv_core.home import DataHome
from medpriv_core.private_files import open_private
from medpriv_core.safe_path import PACKAGE_PARENT
from medpriv_core.systems import WINDOWS, apart, end_with_children

_BOOT = Path("/proc/sys/kernel/random/boot_id")  # of Linux; a sandbox may lack it
_TICKS_A_SECOND = 100  # in which Linux counts

# The package need not be installed, and the caller's folder may be any: neither that folder (-P) nor PYTHONPATH, which
# goes before Python's own library, is the place to find it.
_START = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); sys.argv.pop(1); "
    "runpy.run_module('medpriv_core', run_name='__main__', alter_sys=True)"
)


def command_line(*arguments: str) -> list[str]:
    """What starts ``python -m medpriv_core ARGUMENTS``, from any folder and with no module of that folder."""
    return [sys.executable, "-P", "-c", _START, PACKAGE_PARENT, "medpriv_core", *arguments]


def environment(**settings: str) -> dict[str, str]:
    """The environment for a process of ours: this one's and ``settings``, but no module search in its folder."""
    own = dict(os.environ)
    # An entry that is empty or relative stands for the folder in which the process is started.
    searched = [entry for entry in own.pop("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(entry)]
    if searched:
        own["PYTHONPATH"] = os.pathsep.join(searched)
    return own | {"PYTHONSAFEPATH": "1"} | settings


def start_process(
    home: DataHome,
    *arguments: str,
    log: Path,
    on_exit: Callable[[], None] = lambda: None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start ``python -m medpriv_core ARGUMENTS`` on this data home, in a session of its own.

    Its output is appended to ``log``; it reads nothing, or from ``subprocess.PIPE``. ``on_exit`` is called in a thread
    when it has ended, if this process still lives then. Raises ``OSError`` if it cannot be started, and
    ``DataHomeError`` if the log is a link.
    """
    with open_private(log, "ab") as output:
        process = subprocess.Popen(
            command_line(*arguments),
            stdin=stdin,
            stdout=output,
            stderr=output,
            env=environment(MEDPRIV_HOME=str(home.root), PYTHONUNBUFFERED="1"),
            **apart(),
        )

    def await_exit() -> None:
        # Somebody has to collect the exit code, or the process stays in the table as a zombie.
        process.wait()
        on_exit()

    threading.Thread(target=await_exit, daemon=True).start()
    return process


def own_identity() -> dict[str, Any]:
    """By which another process can find this one again, for a JSON file."""
    return {"pid": os.getpid(), "begun": _own_begun(os.getpid())}


def process_begun(pid: int) -> str | None:
    """When the process ``pid`` began; None if there is none, or it has ended and only its number is still taken.

    As psutil itself tells a process from a later one with its number: on Linux counted since the system was started
    (so the name of that start goes with it), elsewhere noted by the system when the process began. Its ``create_time``
    would not do: it moves when somebody sets the clock, and then a process would be lost.
    """
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        _, seconds = process._ident
    except psutil.Error:
        return None
    if ended or seconds is None:
        return None
    boot = f"{_BOOT.read_text().strip()} " if _BOOT.exists() else ""
    return f"{boot}{round(seconds * _TICKS_A_SECOND)}"


def ask_to_end(identity: Mapping[str, Any]) -> bool:
    """Send SIGTERM to the process of ``own_identity``; False, and nothing sent, if it is gone.

    ``identity`` comes from a file: where it is not whole, nothing is sent either. On Windows nothing is ever sent,
    because there every signal kills: whoever is to save first looks for a stop file.
    """
    return _reach(identity, lambda process: None if WINDOWS else process.terminate())


def kill_all(identity: Mapping[str, Any]) -> bool:
    """Kill the process of ``own_identity`` with all that it has started; False as for ``ask_to_end``."""
    return _reach(identity, end_with_children)


def _reach(identity: Mapping[str, Any], act: Callable[[psutil.Process], None]) -> bool:
    pid, begun = identity.get("pid"), identity.get("begun")
    if type(pid) is not int or not isinstance(begun, str) or process_begun(pid) != begun:
        return False
    try:
        act(psutil.Process(pid))
    except (psutil.Error, ProcessLookupError, PermissionError):
        return False
    return True


@functools.cache
def _own_begun(pid: int) -> str | None:
    return process_begun(pid)
