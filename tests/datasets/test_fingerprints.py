"""What is remembered of files is believed only as it was written; else they are read again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from medpriv_core.datasets.fingerprints import read_fingerprints, write_fingerprints
from medpriv_core.datasets.registry import add_dataset, list_datasets, open_dataset
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome
from tests.datasets.builders import chest_files, write_folder

FILES = {"a/one.png": [3, 1_700_000_000_123_456_789, 4_000_000_000], "caf\udce9.png": [0, -1, 0]}


def test_what_was_written_is_remembered(tmp_path: Path) -> None:
    write_fingerprints(tmp_path / "new" / "f.json", FILES)
    assert read_fingerprints(tmp_path / "new" / "f.json") == FILES


def _text(content: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _digit(path: Path) -> None:
    path.write_text(path.read_text().replace("4000000000", "4000000001"))


def _name(path: Path) -> None:
    path.write_text(path.read_text().replace("one", "two"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _of_0_1_0(path: Path) -> None:
    path.write_text(json.dumps(FILES))


def _sound_digest_of(files: object) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        write_fingerprints(path, files)  # type: ignore[arg-type]

    return write


DAMAGED = {
    "empty": _text(""),
    "zeros": _text(bytes(1000)),
    "cut short": _cut,
    "a digit": _digit,
    "a name": _name,
    "not UTF-8": _text(b"\xff\xfe{}"),
    "a list": _text("[]"),
    "null": _text("null"),
    "a number": _text("5"),
    "a long number": _text("9" * 5000),
    "a long number within": _text('{"files": {"a": [%s, 1, 1]}, "sha256": ""}' % ("9" * 5000)),
    "nested": _text("[" * 100_000),
    "infinite": _text('{"files": {"a": [1e999, 1, 1]}, "sha256": ""}'),
    "no files": _text('{"sha256": ""}'),
    "files are a text": _text('{"files": "abc", "sha256": "abc"}'),
    "an entry of another kind": _sound_digest_of({"a": "xyz"}),
    "an entry too short": _sound_digest_of({"a": [1, 2]}),
    "a text for a number": _sound_digest_of({"a": [1, 2, "3"]}),
    "a truth for a number": _sound_digest_of({"a": [1, 2, True]}),
    "a folder": _folder,
    "a pipe": _pipe,
    "a device": _device,
    "a circle": _circle,
    "of version 0.1.0": _of_0_1_0,
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damage_of_any_kind_remembers_nothing(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    write_fingerprints(tmp_path / "f.json", FILES)
    damage(tmp_path / "f.json")
    assert read_fingerprints(tmp_path / "f.json") == {}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_after_damage_the_files_are_read_again_and_the_list_stands(
    home: DataHome, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    folder = write_folder(tmp_path / "set", chest_files())
    add_dataset(home, "chest_xray", folder)
    before = open_dataset(home, "chest_xray").content_key()
    (memory,) = home.fingerprints.iterdir()
    damage(memory)
    assert open_dataset(home, "chest_xray").content_key() == before
    assert next(entry for entry in list_datasets(home) if entry.info.name == "chest_xray").train == 6
    add_dataset(home, "chest_xray", folder)
    assert open_dataset(home, "chest_xray").content_key() == before


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "fingerprints").write_text("x")
    with pytest.raises(DataHomeError, match="is not a folder"):
        write_fingerprints(tmp_path / "fingerprints" / "f.json", FILES)
