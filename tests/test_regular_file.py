"""Only ordinary files are opened, no more of them is read than agreed, and nothing ever waits."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpriv_core import regular_file
from medpriv_core.errors import ImageError
from medpriv_core.regular_file import is_regular, open_regular, read_regular, regular_pieces, stat_regular

MOST = 1000


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with one of everything that a path can lead to."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, target in (
        ("to_file", "file"),
        ("to_pipe", "pipe"),
        ("to_zero", "/dev/zero"),
        ("to_nothing", "gone"),
        ("round", "round"),
        ("to_and", "fro"),
        ("fro", "to_and"),
    ):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "large").write_bytes(bytes(MOST + 1))
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(2**40)
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.getcwd()
        os.chdir(tmp_path)  # the address of a socket has to be short
        try:
            listener.bind("socket")
        finally:
            os.chdir(before)
        yield tmp_path


@pytest.mark.parametrize("name", ["file", "to_file"])
def test_an_ordinary_file_is_read_also_behind_a_link(place: Path, name: str) -> None:
    assert read_regular(place / name, called="it", error=ImageError, most_bytes=MOST) == b"content"
    with open_regular(place / name, called="it", error=ImageError) as file:
        assert file.read(3) == b"con"
    assert is_regular(place / name)
    assert stat_regular(place / name, called="it", error=ImageError).st_size == 7


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gone", "The thing does not exist. Check its name and place."),
        ("to_nothing", "The thing does not exist."),
        ("file/below", "The thing does not exist."),
        ("folder", "The thing is a folder and not a file. Give the file itself."),
        ("pipe", "The thing is a pipe and not an ordinary file."),
        ("to_pipe", "The thing is a pipe and not an ordinary file."),
        ("to_zero", "The thing is a device and not an ordinary file."),
        ("socket", "The thing is a socket and not an ordinary file."),
        ("round", "The thing is a link that leads in a circle."),
        ("to_and", "The thing is a link that leads in a circle."),
        ("large", "The thing has 0 MB; up to 0 MB are read."),
        ("sparse", "The thing has 1,048,576 MB; up to 0 MB are read."),
        ("x" * 5000, "The thing cannot be opened"),
        ("x/" * 3000, "The thing cannot be opened"),
        ("a\0b", "The thing cannot be opened (no such name can be)."),
        ("\udcff", "The thing does not exist."),
    ],
)
def test_everything_else_is_refused_at_once_with_a_sentence(place: Path, name: str, sentence: str) -> None:
    for read in (
        lambda path: read_regular(path, called="the thing", error=ImageError, most_bytes=MOST),
        lambda path: open_regular(path, called="the thing", error=ImageError, most_bytes=MOST),
        lambda path: stat_regular(path, called="the thing", error=ImageError, most_bytes=MOST),
    ):
        with pytest.raises(ImageError) as caught:
            read(place / name)
        assert str(caught.value).startswith(sentence)
    assert is_regular(place / name) == (name in ("large", "sparse"))


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/urandom", "/dev/tty", "/dev/full"])
def test_devices_are_not_opened(path: str) -> None:
    with pytest.raises(ImageError, match="is a device"):
        open_regular(Path(path), called=path, error=ImageError)


@pytest.mark.skipif(sys.platform != "linux", reason="these file systems are Linux's")
@pytest.mark.parametrize("path", ["/proc/self/status", "/proc/self/mem", "/proc/kmsg", "/sys/kernel/mm/ksm/run"])
def test_files_that_the_system_makes_are_refused_by_what_they_are(path: str) -> None:
    if not os.path.exists(path):
        pytest.skip(f"there is no {path} here")
    with pytest.raises(ImageError, match="made by the system while it is read"):
        read_regular(Path(path), called=path, error=ImageError, most_bytes=MOST)


def test_a_pipe_that_takes_the_place_of_a_file_in_between_is_not_waited_for(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = os.stat

    def exchange(path: Path, **options: object) -> os.stat_result:
        found = looked(path, **options)  # type: ignore[arg-type]
        os.replace(place / "pipe", place / "file")
        return found

    monkeypatch.setattr(regular_file.os, "stat", exchange)
    with pytest.raises(ImageError, match="is a pipe"):
        open_regular(place / "file", called="it", error=ImageError)


@pytest.mark.parametrize("change", ["grows", "shrinks", "is written over"])
def test_a_file_that_changes_while_it_is_read_is_not_taken_for_damaged(
    place: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = place / "file"
    pieces = regular_pieces(path, called="the file", error=ImageError, most_bytes=MOST, piece_bytes=2)
    first = next(pieces)
    if change == "grows":
        path.write_bytes(b"content and more")
    elif change == "shrinks":
        os.truncate(path, 3)
    else:
        os.utime(path, ns=(1, 1))
    rest: list[bytes] = []
    with pytest.raises(ImageError, match=r"The file changed while it was read\. Try again"):
        rest.extend(pieces)
    assert len(first + b"".join(rest)) <= len(b"content") + 1  # never more than it had, however fast it grows


def test_no_descriptor_stays_open_where_a_file_is_refused(place: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for name in ("folder", "pipe", "large", "socket", "round"):
        with pytest.raises(ImageError):
            open_regular(place / name, called="it", error=ImageError, most_bytes=MOST)
    assert before == (len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(place: Path) -> None:
    (place / "file").chmod(0)
    with pytest.raises(ImageError, match=r"medpriv may not read the file\. Change its permissions."):
        read_regular(place / "file", called="the file", error=ImageError, most_bytes=MOST)
