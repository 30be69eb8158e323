"""A file that was sealed tells every change of what it says, and one of an earlier version stays readable."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from medpriv_core.checksums import (
    Summing,
    file_checksum,
    is_sealed_line,
    open_line,
    read_sealed,
    seal,
    seal_line,
    unseal,
    write_sealed,
)

VALUES = {
    "steps": 200,
    "epsilon": 3.36,
    "segments": [{"noise_multiplier": 1.0, "steps": 200}],
    "name": "é",
    "none": None,
}


def test_what_is_sealed_comes_back(tmp_path: Path) -> None:
    write_sealed(tmp_path / "a.json", VALUES)
    found = read_sealed(tmp_path / "a.json")
    assert (found.values, found.state, found.sound) == (VALUES, "sealed", True)


def test_order_and_layout_do_not_count(tmp_path: Path) -> None:
    sealed = seal(VALUES)
    (tmp_path / "a.json").write_text(json.dumps(dict(reversed(sealed.items())), indent=7))
    assert read_sealed(tmp_path / "a.json").state == "sealed"


def test_a_file_of_an_earlier_version_is_opened_and_not_called_whole(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(VALUES))
    found = read_sealed(tmp_path / "a.json")
    assert (found.values, found.state, found.sound) == (VALUES, "unsealed", True)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"1" * 6000, b"[" * 100_000])
def test_what_is_no_object_is_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert read_sealed(tmp_path / "a.json").state == "damaged"


def test_nothing_is_missing_and_a_folder_is_damaged(tmp_path: Path) -> None:
    assert read_sealed(tmp_path / "a.json").state == "missing"
    (tmp_path / "a.json").mkdir()
    assert read_sealed(tmp_path / "a.json").state == "damaged"


def test_what_json_cannot_hold_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_sealed(tmp_path / "a.json", {"epsilon": math.nan})
    assert list(tmp_path.iterdir()) == []


def test_no_byte_changes_unnoticed_in_an_object(tmp_path: Path) -> None:
    """Each byte of the file, turned into others: damaged, or the same values."""
    rng, file = random.Random(0), tmp_path / "a.json"
    write_sealed(file, VALUES)
    whole = file.read_bytes()
    for place in range(len(whole)):
        for byte in {whole[place] ^ 1 << rng.randrange(8), rng.choice(b'0123456789eE+-." ,')} - {whole[place]}:
            file.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            found = read_sealed(file)
            assert found.state == "damaged" or (found.state, found.values) == ("sealed", VALUES), (place, byte)


def test_no_byte_changes_unnoticed_in_a_line() -> None:
    rng, whole = random.Random(0), seal_line(VALUES)
    for place in range(len(whole)):
        for byte in {whole[place] ^ 1 << rng.randrange(8), rng.choice(b'0123456789eE+-." ,')} - {whole[place]}:
            opened = open_line(whole[:place] + bytes([byte]) + whole[place + 1 :])
            assert opened is None, (place, byte)


def test_a_line_without_a_checksum_is_as_it_is() -> None:
    assert json.loads(open_line(seal_line(VALUES)) or b"") == VALUES
    assert open_line(b'{"epoch": 1}') == b'{"epoch": 1}'
    assert [is_sealed_line(line) for line in (seal_line(VALUES), b'{"epoch": 1}')] == [True, False]


def test_a_checksum_that_lost_its_name_is_not_taken_for_none() -> None:
    sealed = seal(VALUES)
    renamed = {"checksun" if name == "checksum" else name: value for name, value in sealed.items()}
    assert unseal(renamed).state == "damaged"


def test_a_sum_that_is_taken_while_writing_is_that_of_the_file(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        summing = Summing(file)
        for piece in (b"one", memoryview(b"two"), b""):
            summing.write(piece)
    assert summing.checksum == file_checksum(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"onetwo"
