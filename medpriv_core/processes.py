"""Starting medpriv commands as processes of their own, which outlive the one that starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from medpriv_core.home import DataHome
from medpriv_core.safe_path import PACKAGE_PARENT

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
    still lives then. Raises ``OSError`` if it cannot be started.
    """
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command_line(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(MEDPRIV_HOME=str(home.root), PYTHONUNBUFFERED="1"),
            start_new_session=True,
        )

    def await_exit() -> None:
        # Somebody has to collect the exit code, or the process stays in the table as a zombie.
        process.wait()
        on_exit()

    threading.Thread(target=await_exit, daemon=True).start()
    return process
