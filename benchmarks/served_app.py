"""The app on a port of its own, as its user starts it, for measurements and pictures."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medpriv_core.home import DataHome

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60
_STREAMLIT = "\nimport runpy; runpy.run_module('streamlit', run_name='__main__', alter_sys=True)"


@dataclass(frozen=True)
class ServedApp:
    """A server that answers, and its process."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve_app(
    home: DataHome, *, folder: Path = ROOT, before: str = "", command: Sequence[str] = (), **environment: str
) -> Iterator[ServedApp]:
    """A server on this data home until the block ends; raises ``TimeoutError`` if it is not up within a minute.

    It is started in ``folder``, as ``make run`` does, after the Python code ``before`` has run in its process; or by
    ``command``, which starts ``medpriv``.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = ["-c", before + _STREAMLIT] if before else ["-m", "streamlit"]
    started_so = [sys.executable, "-P", *start, "run", str(ROOT / "app.py"), "--server.port", str(port)]
    server = subprocess.Popen(
        [*command, "app", "--port", str(port)] if command else started_so,
        cwd=folder,
        env=os.environ | {"MEDPRIV_HOME": str(home.root)} | environment,
        stdout=subprocess.DEVNULL,
    )
    app = ServedApp(port, server.pid)
    try:
        _wait_until_up(f"{app.url}/_stcore/health")
        yield app
    finally:
        server.terminate()
        server.wait()


def _wait_until_up(address: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise TimeoutError(f"the app did not answer at {address}")
