"""The data home: where it is, and what it says when the disk refuses."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from medpriv_core.atomic import write_json
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, data_home, explain_disk_errors, read_json


def test_the_environment_names_it(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.runs.parent == home.root
    monkeypatch.delenv("MEDPRIV_HOME")
    assert data_home().root.name == "medpriv"


def test_check_writable_makes_the_folder_and_leaves_nothing_in_it(home: DataHome) -> None:
    home.check_writable()
    assert list(home.root.iterdir()) == []


def test_a_file_in_its_place_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataHomeError, match="is not a folder"):
            DataHome(root).check_writable()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EFBIG, "may not become as large"),
        (errno.EACCES, "may not write"),
        (errno.EROFS, "may not"),
    ],
)
def test_disk_errors_say_what_to_do(code: int, sentence: str) -> None:
    with (
        pytest.raises(DataHomeError, match=rf"{sentence}.*MEDPRIV_HOME"),
        explain_disk_errors(Path("/somewhere")),
    ):
        raise OSError(code, "no")


def test_other_errors_pass_through() -> None:
    with pytest.raises(OSError, match="odd"), explain_disk_errors(Path("/somewhere")):
        raise OSError(errno.EIO, "odd")


def test_a_value_that_json_lacks_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(file, {"a": float("nan")})
    assert json.loads(file.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_reading_a_missing_or_torn_file_gives_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "missing.json") is None
    (tmp_path / "torn.json").write_text('{"a": ')
    assert read_json(tmp_path / "torn.json") is None
