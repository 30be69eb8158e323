"""A further job, as somebody would add it: a file with a function, and its line in JOBS."""

from __future__ import annotations

import sys
import time
from typing import NoReturn

from medpriv_core.cli.main import main
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from medpriv_core.jobs.kinds import JOBS
from medpriv_core.jobs.process import Reporter

LINE = "tests.jobs.counting:count"
# Its process has to find the line as well, were it added by hand in jobs/kinds.py.
START = "import sys; sys.path.append(sys.argv.pop(1)); sys.argv.pop(1); import tests.jobs.counting as it; it.begin()"


def count(home: DataHome, report: Reporter, *, to: int, deaf: bool = False, refuse: bool = False) -> None:
    """Count, a hundredth of a second for each number."""
    if refuse:
        raise DatasetError("There is nothing to count.")
    for number in range(to):
        if not deaf or number == 0:
            report("Counting", number, to)
        report.result["counted"] = number + 1
        time.sleep(0.01)


def begin() -> NoReturn:
    """What its process runs."""
    JOBS["count"] = LINE
    sys.exit(main())
