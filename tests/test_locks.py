"""Locks between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medpriv_core.errors import DataHomeError
from medpriv_core.locks import hold_lock, is_held
from medpriv_core.progress import Cancelled

HOLD = """
import sys, time
from pathlib import Path
from medpriv_core.locks import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_inside_the_block_only(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "x.lock"
    assert not is_held(lock)
    with hold_lock(lock):
        assert is_held(lock)
    assert not is_held(lock)


def test_a_killed_owner_frees_the_lock_and_waiting_can_be_cancelled(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        assert is_held(lock)

        def give_up(phase: str, done: int, total: int) -> None:
            assert phase == "Waiting for them"
            raise Cancelled

        with pytest.raises(Cancelled), hold_lock(lock, progress=give_up, phase="Waiting for them"):
            pytest.fail("the lock was given to two owners")
        owner.kill()
        owner.wait()
    assert not is_held(lock)
    with hold_lock(lock):
        assert is_held(lock)


def test_a_place_without_room_for_a_lock_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataHomeError, match="is not a folder"), hold_lock(tmp_path / "file" / "x.lock"):
        pytest.fail("a lock in a file")
