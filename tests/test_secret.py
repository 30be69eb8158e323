"""The secret of a data home: random, whole, for its owner's eyes only, and never replaced unasked."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, data_home
from medpriv_core.secret import noise_secret, secret_mark


def test_it_is_made_once_and_only_its_owner_may_read_it(home: DataHome) -> None:
    secret = noise_secret(home)
    assert len(secret) == 32
    assert noise_secret(home) == secret == home.noise_secret.read_bytes()
    assert stat.S_IMODE(home.noise_secret.stat().st_mode) == 0o600
    assert [path.name for path in home.root.iterdir() if path.name.endswith(".part")] == []


def test_another_home_has_another(home: DataHome, tmp_path: Path) -> None:
    assert noise_secret(home) != noise_secret(data_home(tmp_path / "other"))


def test_many_at_once_agree(home: DataHome) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(noise_secret(home))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("damage", [b"", b"x" * 31, b"x" * 33])
def test_a_damaged_one_is_said_and_left_as_it_is(home: DataHome, damage: bytes) -> None:
    home.root.mkdir()
    home.noise_secret.write_bytes(damage)
    with pytest.raises(DataHomeError, match=r"is damaged\. Put it back from a copy.*one more release"):
        noise_secret(home)
    assert home.noise_secret.read_bytes() == damage


def test_a_pipe_in_its_place_is_not_waited_for(home: DataHome) -> None:
    home.root.mkdir()
    os.mkfifo(home.noise_secret)
    with pytest.raises(DataHomeError, match="is damaged"):
        noise_secret(home)


def test_its_mark_tells_secrets_apart_and_nothing_else() -> None:
    marks = {secret_mark(bytes([n]) * 32) for n in range(100)}
    assert len(marks) == 100
    assert all(len(mark) == 16 for mark in marks)
