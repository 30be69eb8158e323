"""Starting medpriv commands as processes of their own, which outlive the one that starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import medpriv_core
from medpriv_core.home import DataHome

PACKAGE_PARENT = Path(medpriv_core.__file__).resolve().parents[1]


def start_process(
    home: DataHome, *arguments: str, log: Path, on_exit: Callable[[], None] = lambda: None
) -> subprocess.Popen[bytes]:
    """Start ``python -m medpriv_core ARGUMENTS`` on this data home, in a session of its own.

    Its output is appended to ``log``. ``on_exit`` is called in a thread when it has ended, if this process
    still lives then. Raises ``OSError`` if it cannot be started.
    """
    environment = os.environ | {"MEDPRIV_HOME": str(home.root), "PYTHONUNBUFFERED": "1"}
    # The package need not be installed, and the caller's folder may be any.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "medpriv_core", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )

    def await_exit() -> None:
        # Somebody has to collect the exit code, or the process stays in the table as a zombie.
        process.wait()
        on_exit()

    threading.Thread(target=await_exit, daemon=True).start()
    return process
