"""Finding the processes that medpriv started, from outside."""

from __future__ import annotations

import psutil

from medpriv_core.home import DataHome


def processes(home: DataHome, command: str = "") -> list[psutil.Process]:
    """The medpriv processes at work in this data home, whose command line holds ``command``."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            ours = "medpriv_core" in line and process.environ().get("MEDPRIV_HOME") == str(home.root)
            if ours and command in " ".join(line):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
