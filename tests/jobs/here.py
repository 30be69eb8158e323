"""Jobs in a thread of the test's process, which sees what the test has replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from medpriv_core.jobs import job as job_module
from medpriv_core.jobs.process import do_job


def work_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every job that is started do its work in this process, whose signals are left alone."""

    def start(home: DataHome, command: str, folder: str, *, log: Path, on_exit: Callable[[], None]) -> None:
        assert command == "job"
        threading.Thread(target=do_job, args=(Path(folder), home), daemon=True).start()

    monkeypatch.setattr(job_module, "start_process", start)
    monkeypatch.setattr(job_module, "ask_to_end", lambda identity: True)
