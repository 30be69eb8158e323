"""From where Python takes modules: never from the folder in which something happens to be started.

``python -m`` looks there first, before its own library. A ``random.py`` that lies beside somebody's pictures would be
run in the place of Python's. medpriv starts its processes so that they do not look there (``processes.py``); this is
for the two that others start, the app and the command line. It imports nothing but what Python has loaded by then.
"""

from __future__ import annotations

import os
import sys

PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def look_here_last(*more: str) -> None:
    """Have modules taken from Python's library and the installed packages first, from medpriv's folder last.

    ``more`` are further folders of medpriv's own. The folder in which this process was started is not looked into at
    all, unless it is medpriv's; nor do the processes look into it that this one starts.
    """
    try:
        here = os.getcwd()
    except OSError:  # a folder that is gone
        here = ""
    library = os.path.dirname(os.__file__)
    # Before the library stands what whoever started this process asked for, and the folder where they did.
    start = sys.path.index(library) if library in sys.path else len(sys.path)
    before = [entry for entry in sys.path[:start] if os.path.isabs(entry) and entry != here]
    own = list(dict.fromkeys([PACKAGE_PARENT, *more]))
    sys.path[:] = [entry for entry in (*before, *sys.path[start:]) if entry not in own]
    sys.path += own
    os.environ["PYTHONSAFEPATH"] = "1"
