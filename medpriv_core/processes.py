"""Starting medpriv commands as processes of their own, which outlive the one that starts them, and finding them again.

Later only a number in a file says which process it was, and systems give numbers again. So the file also says when the
process began, and a signal goes to a process that began then or to none.
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

from medpriv_core.home import DataHome
from medpriv_core.private_files import open_private
from medpriv_core.safe_path import PACKAGE_PARENT
from medpriv_core.systems import apart, signal_all

_PROCESSES = Path("/proc")
_BOOT = _PROCESSES / "sys/kernel/random/boot_id"  # a sandbox may lack it
_STATE, _BEGUN = 0, 19  # of what follows the name in /proc/<id>/stat; see proc(5)

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
    home: DataHome, *arguments: str, log: Path, on_exit: Callable[[], None] = lambda: None
) -> subprocess.Popen[bytes]:
    """Start ``python -m medpriv_core ARGUMENTS`` on this data home, in a session of its own.

    Its output is appended to ``log``. ``on_exit`` is called in a thread when it has ended, if this process
    still lives then. Raises ``OSError`` if it cannot be started, and ``DataHomeError`` if the log is a link.
    """
    with open_private(log, "ab") as output:
        process = subprocess.Popen(
            command_line(*arguments),
            stdin=subprocess.DEVNULL,
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

    Counted by the system since it was started, and with the name of that start, because the time of day can be set.
    Where there is no /proc, as ``ps`` tells it.
    """
    if pid <= 0 or os.name != "posix":
        return None
    if not (_PROCESSES / "self/stat").exists():
        return _ps_begun(pid)
    try:
        facts = (_PROCESSES / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if facts[_STATE] in (b"Z", b"X"):
        return None
    boot = _BOOT.read_text().strip() if _BOOT.exists() else ""
    return f"{boot} {facts[_BEGUN].decode()}"


def send_signal(identity: Mapping[str, Any], number: int, *, group: bool = False) -> bool:
    """Send a signal to the process of ``own_identity``, or to all in its group; False, and nothing sent, if it is gone.

    ``identity`` comes from a file: where it is not whole, nothing is sent either.
    """
    pid, begun = identity.get("pid"), identity.get("begun")
    if type(pid) is not int or not isinstance(begun, str) or process_begun(pid) != begun:
        return False
    try:
        if group:
            signal_all(pid, number)
        else:
            os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@functools.cache
def _own_begun(pid: int) -> str | None:
    return process_begun(pid)


def _ps_begun(pid: int) -> str | None:
    environment = os.environ | {"LC_ALL": "C", "TZ": "UTC"}
    command = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.split(None, 1)
    return said[1].strip() if len(said) == 2 and not said[0].startswith("Z") else None
