"""From what people type or copy to the folder or file that they mean."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.errors import DatasetError, SettingError, WeightsError
from medpriv_core.given_paths import find_place, given_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "my images"
    place.mkdir()
    return place


WAYS_TO_WRITE = [
    lambda path: f'"{path}"',
    lambda path: f"'{path}'",
    lambda path: f"\u201c{path}\u201d",
    lambda path: f"  {path}  \n",
    lambda path: f' "{path} " ',
    lambda path: f"{path}/",
    lambda path: "file://" + str(path).replace(" ", "%20"),
    lambda path: "file://localhost" + str(path).replace(" ", "%20"),
    lambda path: f'"file://{path}"',
    lambda path: str(path).replace(" ", "\\ "),
]


@pytest.mark.parametrize("write", WAYS_TO_WRITE)
def test_a_path_is_understood_as_it_is_copied(folder: Path, write: Any) -> None:
    assert find_place(write(folder)) == folder
    assert given_path(write(folder)) == folder


@pytest.mark.parametrize("write", [way for way in WAYS_TO_WRITE if way("a b") != "a\\ b"])
def test_also_where_nothing_is_yet(tmp_path: Path, write: Any) -> None:
    assert given_path(write(tmp_path / "a b.png")) == tmp_path / "a b.png"


def test_a_folder_whose_name_ends_in_a_blank_is_found_before_one_without(tmp_path: Path) -> None:
    for name in ("set", "set "):
        (tmp_path / name).mkdir()
    assert find_place(f"{tmp_path}/set ") == tmp_path / "set "


def test_the_home_folder_and_variables_are_filled_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    for understand in (find_place, given_path):
        assert understand("~/my images") == folder
        assert understand("'$HOME/my images'") == folder
    assert given_path("'~/scan.png'") == folder.parent / "scan.png"  # not there


def test_a_file_that_is_there_is_taken_whatever_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("'quoted'", "C:\\scan.png", " blank ", "caf\udce9.png"):
        (tmp_path / name).write_bytes(b"x")
        assert given_path(name) == Path(name)
        assert find_place(name) == tmp_path / name


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "No path was given"),
        ('  ""', "No path was given"),
        ("C:\\Users\\me\\chest.zip", r"is a path of Windows"),
        ('"D:/data"', r"^D:/data is a path of Windows"),
        ("\\\\server\\share\\chest.zip", "is a path of Windows"),
        ("https://example.org/chest.zip", "is an address on the web. Download it first"),
        ("file://server/scan.png", "lies on another machine"),
        ("file://[", "lies on another machine, or is no path"),
        ("~nosuchuser/x", "There is no user 'nosuchuser'"),
        ("/x" * 2500, "This path has 5,000 characters"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="paths of Windows are good there")
def test_what_can_be_no_path_gets_a_true_sentence(typed: str, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        find_place(typed)
    with pytest.raises(SettingError, match=sentence):
        given_path(typed)
    with pytest.raises(WeightsError, match=sentence):
        given_path(typed, error=WeightsError)


@pytest.mark.parametrize(
    "typed",
    [
        "file:///no/such/place",
        '"/no/such/place"',
        "/tmp/" + "x" * 400,
        "/tmp/a\0b",
        "~a\0b/x",
        "/tmp/\udcff",
        "\ud800",
        "relative/nowhere",
        "$NO_SUCH_VARIABLE/x",
        "\\",
        "~",
    ],
)
def test_where_nothing_is_it_is_said_and_nothing_breaks(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/no/such/home")
    with pytest.raises(DatasetError, match=r"There is no (folder or file at|user)"):
        find_place(typed)
    if not typed.startswith("~a"):
        given_path(typed)


def test_links_in_a_circle_are_called_that(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(DatasetError, match="is a link that leads in a circle"):
        find_place(tmp_path / "a")


def test_pipes_sockets_and_devices_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pneumoniamnist.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.npz")
        for place in ("pneumoniamnist.npz", "zero.npz", "socket.npz", "/dev/zero"):
            with pytest.raises(DatasetError, match="neither a folder nor an ordinary file"):
                find_place(place)
