"""From what people type or copy to the folder or file that they mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medpriv_core.datasets.places import check_not_packed, find_place, kind_of, what_is
from medpriv_core.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "my images"
    place.mkdir()
    return place


@pytest.mark.parametrize(
    "write",
    [
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
    ],
)
def test_a_path_is_understood_as_it_is_copied(folder: Path, write) -> None:
    assert find_place(write(folder)) == folder


def test_a_folder_whose_name_ends_in_a_blank_is_found_before_one_without(tmp_path: Path) -> None:
    for name in ("set", "set "):
        (tmp_path / name).mkdir()
    assert find_place(f"{tmp_path}/set ") == tmp_path / "set "


def test_the_home_folder_and_variables_are_filled_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert find_place("~/my images") == folder
    assert find_place("'$HOME/my images'") == folder


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "No path was given"),
        ('  ""', "No path was given"),
        ("C:\\Users\\me\\chest.zip", r"is a path of Windows"),
        ('"D:/data"', r"^D:/data is a path of Windows"),
        ("\\\\server\\share\\chest.zip", "is a path of Windows"),
        ("https://example.org/chest.zip", "is an address on the web. Download it first"),
        ("~nosuchuser/x", "There is no user 'nosuchuser'"),
        ("file:///no/such/place", "There is no folder or file at /no/such/place"),
        ('"/no/such/place"', "There is no folder or file at /no/such/place"),
        ("/x" * 2500, "This path has 5,000 characters"),
        ("/tmp/" + "x" * 400, "There is no folder or file at"),
        ("/tmp/a\0b", "There is no folder or file at"),
        ("/dev/zero", "neither a folder nor an ordinary file"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="paths of Windows are good there")
def test_what_is_no_place_gets_a_true_sentence(typed: str, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        find_place(typed)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pneumoniamnist.npz")
    with pytest.raises(DatasetError, match="neither a folder nor an ordinary file"):
        find_place(tmp_path / "pneumoniamnist.npz")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "empty file"),
        (b"PK\x03\x04rest", "zip"),
        (b"Rar!\x1a\x07\x00", "RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "7z archive"),
        (b"\x1f\x8b\x08", "file packed by gzip"),
        (b"\0" * 257 + b"ustar", "tar archive"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"id_code,diagnosis\n", "text"),
        ("größe,wert\n".encode(), "text"),
        (b"\xff\xd8\xff\xe0", "picture"),
        (b"\0\1\2\3", "file"),
    ],
)
def test_a_file_is_known_by_its_first_bytes(tmp_path: Path, head: bytes, kind: str) -> None:
    (tmp_path / "x").write_bytes(head)
    assert kind_of(head) == what_is(tmp_path / "x") == kind


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("OCT2017.tar.gz", "file packed by gzip", "is a tar archive, which medpriv does not open. Unpack it"),
        ("a.rar", "RAR archive", "is a RAR archive"),
        ("a.7z", "7z archive", "is a 7z archive"),
        ("a.zip.001", "zip", "one part of an archive that was split"),
        ("a.z01", "file", "one part of an archive that was split"),
    ],
)
def test_an_archive_of_another_sort_is_called_what_it_is(name: str, kind: str, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        check_not_packed(Path("/data") / name, kind, "the folder")
    check_not_packed(Path("/data/a.zip"), "zip", "the folder")
