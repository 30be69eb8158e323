"""A small disk in memory with the data home of 0.1.0 on it, to be filled up or made read-only."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from medpriv_core.runs import service
from tests.test_previous_version import FIXTURES

DISK_KB = 3000


@dataclass(frozen=True)
class Disk:
    """What is mounted at ``place``."""

    place: Path
    home: DataHome

    def fill(self) -> None:
        """Leave no byte."""
        with contextlib.suppress(OSError), open(self.place / "filler", "ab", buffering=0) as file:
            while file.write(b"\0" * 512):
                pass

    def make_room(self) -> None:
        """Undo that."""
        (self.place / "filler").unlink()

    def make_read_only(self) -> None:
        """From now on nothing can be written."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.place)], check=True)


def fill_home(home: DataHome) -> None:
    """Put the data home of 0.1.0 there; its table is in the mode in which programs of medpriv leave it."""
    home.check_writable()
    with zipfile.ZipFile(FIXTURES / "home_0_1_0.zip") as archive:
        archive.extractall(home.root)
    with contextlib.closing(sqlite3.connect(home.database)) as table:
        table.execute("PRAGMA journal_mode = WAL")
    service.list_runs(home)  # which brings an older table up to date, for which a full disk would have no room


def listed(home: DataHome, *, deleted: bool = False) -> set[str]:
    """The ids of the runs in the list, or in the bin."""
    return {run.id for run in service.list_runs(home, deleted=deleted)}


@pytest.fixture
def disk(home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The disk, which is this test's data home; skipped where the system lets none be mounted."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_KB}k,mode=700", "tmpfs"]
    if subprocess.run(["mount", *options, str(place)], capture_output=True).returncode:
        pytest.skip("the system lets no disk be mounted here")
    try:
        on_disk = DataHome(place / "home")
        fill_home(on_disk)
        monkeypatch.setenv("MEDPRIV_HOME", str(on_disk.root))
        yield Disk(place, on_disk)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
