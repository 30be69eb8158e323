"""What kind of file lies where a dataset was expected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medpriv_core.datasets.file_kinds import check_not_packed, kind_of, what_is
from medpriv_core.errors import DatasetError


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
        (b"\xff\xd8\xff\xe0", "image"),
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


def test_a_pipe_is_not_looked_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "set.zip")
    with pytest.raises(DatasetError, match="is a pipe"):
        what_is(tmp_path / "set.zip")
