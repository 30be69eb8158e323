"""Pickles and headers of weights that ask for all memory or time, or are none."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from medpriv_core.errors import WeightsError
from medpriv_core.training.weights import read_state_dict
from medpriv_core.weights_file import look_into
from medpriv_core.weights_names import resnet18_shapes
from medpriv_core.weights_pickle import PickleReader
from tests.training.test_hostile_weights import refused


def zip_around(tmp_path: Path, pickled: bytes) -> Path:
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("w/data.pkl", pickled)
        archive.writestr("w/version", "3\n")
    return tmp_path / "w.pth"


def _memo_bomb() -> bytes:
    return b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b"."


def _bytearray_bomb() -> bytes:
    return b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"."


def _bytes_bomb() -> bytes:
    return b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"."


def _frame_bomb() -> bytes:
    return b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N."


def _colliding_keys() -> bytes:
    # All have the hash 0, so that each is compared with all before it.
    keys = b"".join(b"\x8a\x0a" + (n * (2**61 - 1)).to_bytes(10, "little") + b"N" for n in range(1, 200_000))
    return b"\x80\x02}(" + keys + b"u."


def _copied_dictionaries() -> bytes:
    pairs = b"".join(b"]q\x01(K" + bytes([n % 256]) + b"Ne" for n in range(1000))
    make = b"ccollections\nOrderedDict\nq\x02h\x03\x85R0"
    return b"\x80\x02](" + pairs + b"eq\x030" + make + b"h\x02h\x03\x85R0" * 100_000 + b"N."


def _tree_without_end() -> bytes:
    value: dict[str, Any] = {"bn1.weight": 5}
    for _ in range(4):
        value = {str(number): value for number in range(1000)}
    return pickle.dumps(value, protocol=2)


def _lists_in_lists() -> bytes:
    return b"\x80\x02" + b"]" * 30_000 + b"a" * 29_999 + b"."


def _long_key() -> bytes:
    return pickle.dumps({10**6000: {}, ("a",) * 5: {}, 1e999: {}, None: {}, b"\xff": {}}, protocol=2)


BOMBS = {
    "a memo of gigabytes": _memo_bomb,
    "a bytearray of a terabyte": _bytearray_bomb,
    "bytes without end": _bytes_bomb,
    "a frame without end": _frame_bomb,
    "keys that collide": _colliding_keys,
    "dictionaries that are copied": _copied_dictionaries,
    "a tree without end": _tree_without_end,
    "lists within lists": _lists_in_lists,
    "keys that are no texts": _long_key,
    "cut short": lambda: b"\x80\x02}q\x00(X\x05\x00",
    "nothing": lambda: b"",
    "no dictionary": lambda: pickle.dumps([1, 2, 3], protocol=2),
    "attributes in place of methods": lambda: (
        b"\x80\x02ccollections\nOrderedDict\n)R}(X\x05\x00\x00\x00itemsK\x05X\x05\x00\x00\x00shapeK\x05ub."
    ),
}


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS)
def test_a_pickle_that_asks_for_all_memory_or_time_is_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    with pytest.raises(WeightsError) as caught:
        look_into(zip_around(tmp_path, make()))
    assert "damaged" in str(caught.value) or "does not hold tensors by name" in str(caught.value)


def test_what_is_looked_into_is_bounded(tmp_path: Path) -> None:
    reader = PickleReader(b"")
    for _ in range(2):
        reader.ordered([(number, None) for number in range(500_000)])
    with pytest.raises(ValueError, match="too many pairs"):
        reader.ordered([(1, None)])
    torch.save({"notes": "x" * (5 << 20)}, tmp_path / "w.pth")
    assert "damaged" in refused(tmp_path / "w.pth")


# Safetensors


@pytest.mark.parametrize(
    "header",
    [
        b"{" + b" " * 100,
        b"{}",
        b'{"a": 5}',
        b'{"a": {"shape": 5, "dtype": "F32"}}',
        b'{"a": {"shape": [1e999], "dtype": "F32"}}',
        b'{"a": {"shape": [' + b"9" * 5000 + b'], "dtype": "F32"}}',
        b'{"a": {"shape": [-1], "dtype": ["F32"]}}',
        b'{"a": {"shape": [1]}}',
        b'{"a": ' + b"[" * 100_000,
        b'{"a": null, "\xff": 1}',
        b'{"__metadata__": {}}',
    ],
    ids=range(11),
)
def test_a_safetensors_header_of_any_damage_is_a_sentence(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(100))
    refused(tmp_path / "w.safetensors")


def test_a_safetensors_file_whose_numbers_are_missing_fails_in_a_sentence(tmp_path: Path) -> None:
    entry = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 10**12]}
        for name, shape in resnet18_shapes("batch_norm").items()
    }
    header = json.dumps(entry).encode()
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(100))
    with pytest.raises(WeightsError, match="damaged"):
        read_state_dict(tmp_path / "w.safetensors")
