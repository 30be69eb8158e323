"""Folders and zips as sources of files, and the fingerprints by which content is known."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import pytest

from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.folder_files import FolderFiles
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.progress import no_progress
from tests.datasets.builders import write_folder, write_zip

FILES = {"a/one.png": b"one", "a/b/two.png": b"two!"}
JUNK = {"__MACOSX/a/._one.png": b"x", "a/.DS_Store": b"x", "a/._one.png": b"x", "Thumbs.db": b"x"}


def test_a_folder_and_its_zip_hold_the_same_files(tmp_path: Path) -> None:
    folder = open_files(write_folder(tmp_path / "folder", FILES | JUNK))
    archive = open_files(write_zip(tmp_path / "set.zip", FILES | JUNK))
    assert list(folder.names) == list(archive.names) == sorted(FILES)
    assert folder.read("a/b/two.png") == archive.read("a/b/two.png") == b"two!"
    prints = folder.fingerprints(folder.names, no_progress)
    assert prints == archive.fingerprints(archive.names, no_progress)
    assert prints == [(4, zlib.crc32(b"two!")), (3, zlib.crc32(b"one"))]


@pytest.mark.parametrize(
    "name", ["../outside.png", "a/../../b.png", "/etc/x.png", "C:/x.png", "..\\x.png", "C:\\x.png"]
)
def test_a_zip_with_names_that_lead_out_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/fine.png", b"fine")
        archive.writestr(zipfile.ZipInfo(name), b"evil")
    with pytest.raises(DatasetError, match="leads out of the archive"):
        open_files(path)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(b"not a zip")
    with pytest.raises(DatasetError, match="is not a zip file"):
        open_files(tmp_path / "set.zip")


def test_a_zip_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", FILES)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetError, match="cut short"):
        open_files(path)


def test_a_missing_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no folder or file at .*nowhere"):
        open_files(tmp_path / "nowhere")


def test_a_damaged_member_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("one.png", b"0123456789")
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456780"))
    with pytest.raises(ImageError, match=r"one.png in the zip is damaged"):
        open_files(path).read("one.png")


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    files = open_files(write_zip(tmp_path / "set.zip", {"bomb.png": b"\0" * 1001}))
    with pytest.raises(ImageError, match=r"bomb.png in the zip unpacks to more"):
        files.read("bomb.png", 1000)


def test_fingerprints_are_remembered_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, memory = write_folder(tmp_path / "folder", FILES), tmp_path / "memory"
    reads: list[str] = []
    read = FolderFiles._crc
    monkeypatch.setattr(FolderFiles, "_crc", lambda self, name: reads.append(name) or read(self, name))

    def fingerprints() -> list[tuple[int, int]]:
        files = open_files(folder, memory=memory)
        return files.fingerprints(files.names, no_progress)

    first = fingerprints()
    assert sorted(reads) == sorted(FILES)
    assert fingerprints() == first
    assert len(reads) == 2
    (folder / "a/one.png").write_bytes(b"eno")
    os.utime(folder / "a/one.png", ns=(1, 1))
    changed = fingerprints()
    assert reads[2:] == ["a/one.png"]
    assert changed == [first[0], (3, zlib.crc32(b"eno"))]


def test_links_to_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    real = write_folder(tmp_path / "elsewhere", FILES)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(real)
    (real / "a" / "back").symlink_to(folder)
    assert "link/a/one.png" in open_files(folder).names


def test_a_folder_with_far_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medpriv_core.datasets.folder_files.MAX_FILES", 1)
    with pytest.raises(DatasetError, match=r"more than 1 files and folders. Give the dataset's own folder"):
        open_files(write_folder(tmp_path / "folder", FILES))
