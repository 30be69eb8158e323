"""JSON that anybody may have written, and files that are none."""

from __future__ import annotations

import gzip
import io
import json
import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from medpriv_core import strict_json
from medpriv_core.errors import RunError
from medpriv_core.home import read_json
from medpriv_core.results.reference import read_reference
from medpriv_core.strict_json import (
    DEEPEST,
    LONGEST_TEXT,
    NoJson,
    Unreadable,
    open_regular,
    parse_json,
    read_at_most,
    read_json_file,
    read_regular,
)

PLAIN = {"a": [1, -2.5, None, True, "é β 🩻", {}], "b": {"c": [[]]}, "d": 2**64 - 1}
DEEP = "[" * 100_000 + "]" * 100_000

REFUSED = {
    "a number of 5,000 digits": ('{"a": ' + "9" * 5000 + "}", "too many digits"),
    "a number of 100 digits": ('{"a": [' + "9" * 100 + "]}", "too many digits"),
    "more than a float holds": ('{"a": 1e999}', "not finite"),
    "less than a float holds": ('{"a": [-1e999]}', "not finite"),
    "NaN": ('{"a": NaN}', "not finite"),
    "Infinity": ('{"a": -Infinity}', "not finite"),
    "brackets in brackets": (DEEP, "too deep"),
    "objects in objects": ('{"a": ' * 20_000 + "1" + "}" * 20_000, "too deep"),
    "a little too deep": ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "too deep"),
    "a name twice": ('{"a": 1, "b": 2, "a": 3}', "twice"),
    "a name twice within": ('[{"a": {"b": 2, "b": 2}}]', "twice"),
    "half a character": ('{"a": "\\ud83e"}', "halves"),
    "half a character as name": ('{"\\ud83e": 1}', "halves"),
    "an endless text": (json.dumps({"a": "x" * (LONGEST_TEXT + 1)}), "too long"),
}


def test_plain_json_is_read_as_it_was_written() -> None:
    assert parse_json(json.dumps(PLAIN)) == PLAIN
    assert parse_json(json.dumps(PLAIN, ensure_ascii=False).encode()) == PLAIN
    assert parse_json("[" * DEEPEST + "]" * DEEPEST) is not None


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_what_breaks_things_elsewhere_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why) as refused:
        parse_json(text)
    assert not isinstance(refused.value, NoJson)


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": }', b"\xff\xfe{}", b'{"a": "\xed\xa0\x80"}', b"{}{}"])
def test_what_is_no_json_is_told_from_json_that_is_refused(content: bytes) -> None:
    with pytest.raises(NoJson):
        parse_json(content)


def test_names_of_files_may_be_no_utf8_where_that_is_asked_for() -> None:
    name = os.fsdecode(b"caf\xe9.pth")
    text = json.dumps({name: name})
    assert parse_json(text, file_names=True) == {name: name}
    with pytest.raises(Unreadable, match="halves"):
        parse_json(text)
    with pytest.raises(Unreadable, match="halves"):
        parse_json('["\\ud83e"]', file_names=True)


def test_what_is_no_file_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("{}")
    os.symlink("/dev/zero", tmp_path / "endless")
    os.symlink("loop", tmp_path / "loop")
    for name, why in (("pipe", "no file"), ("folder", "a folder"), ("endless", "no file"), ("loop", "no file")):
        with pytest.raises(Unreadable, match=why):
            read_regular(tmp_path / name)
    with pytest.raises(Unreadable, match="where its folder should be"):
        read_regular(tmp_path / "file" / "spec.json")
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "nothing")


def read_as_reference(path: Path) -> None:
    with suppress(RunError):
        read_reference(path)


@pytest.mark.parametrize("reads", [lambda path: read_regular(path, most_bytes=1 << 28), read_as_reference])
def test_a_small_file_takes_no_more_memory_than_it_has(tmp_path: Path, reads: Callable[[Path], object]) -> None:
    """The server's allocator fills what is taken: the list of 200 runs, 64 MB for each file, took half a minute."""
    (tmp_path / "file").write_bytes(gzip.compress(b"{}"))
    tracemalloc.start()
    try:
        reads(tmp_path / "file")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("likely", [1, 10, 11, 100])
def test_what_grows_while_it_is_read_is_read_on(likely: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "MB", 3)
    for most in (0, 1, 10, 11, 100):
        assert read_at_most(io.BytesIO(b"0123456789"), most, likely=likely) == b"0123456789"[:most]


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with open(large, "wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(Unreadable, match="more than the 16 MB"):
        read_json_file(large)
    assert read_json(large) is None


def test_files_are_closed_again(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    (tmp_path / "a").write_text("{}")
    for name in ("a", ".", "b"):
        for _ in range(5):
            try:
                with open_regular(tmp_path / name):
                    pass
            except (Unreadable, FileNotFoundError):
                continue
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_damaged_file_of_the_data_home_reads_as_none(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    for text, _ in REFUSED.values():
        file.write_text(text)
        assert read_json(file) is None
    file.write_text('{"path": "/data/caf\\udce9"}')
    assert read_json(file) == {"path": "/data/caf\udce9"}
