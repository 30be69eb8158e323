"""Weights files that were made to mislead, exhaust or crash whoever looks into them, or torch."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from medpriv_core import weights_file, weights_source
from medpriv_core.errors import WeightsError
from medpriv_core.home import DataHome
from medpriv_core.training.weights import load_weights, read_state_dict
from medpriv_core.weights_file import look_into, sha256_of
from medpriv_core.weights_names import resnet18_shapes
from medpriv_core.weights_pickle import PickleReader
from medpriv_core.weights_source import check_weights, resolve_weights, weights_status


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    # One number behind each tensor: the file is small, and a ResNet-18 all the same.
    return {
        name: torch.ones((), dtype=value.dtype).expand(value.shape) for name, value in resnet18().state_dict().items()
    }


def refused(path: Path) -> str:
    """The sentence, the same before the run and in it."""
    with pytest.raises(WeightsError) as caught:
        look_into(path)
    with pytest.raises(WeightsError) as in_the_run:
        read_state_dict(path)
    assert str(in_the_run.value) == str(caught.value)
    return str(caught.value)


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes | None], method: int = 0) -> Path:
    """The file of torch.save with other records; None leaves one out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def test_the_small_file_is_sound(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    assert (tmp_path / "w.pth").stat().st_size < 200_000
    assert set(read_state_dict(tmp_path / "w.pth")) >= set(resnet18_shapes("batch_norm"))


# Tensors that are no block of numbers


def _sparse() -> torch.Tensor:
    return torch.ones(64, 3).to_sparse()


def _csr() -> torch.Tensor:
    return torch.ones(64, 3).to_sparse_csr()


def _quantised() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(64), 0.1, 0, torch.qint8)


def _meta() -> torch.Tensor:
    return torch.ones(64, device="meta")


def _nested() -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def _unusual() -> torch.Tensor:
    return torch.ones(64, dtype=torch.uint16)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (_sparse, "sparse"),
        (_csr, "sparse"),
        (_quantised, "quantised"),
        (_meta, "meta, without numbers"),
        (_nested, "nested"),
        (_unusual, "of unusual numbers"),
    ],
)
@pytest.mark.parametrize("name", ["bn1.weight", "something.else"])
def test_tensors_of_a_special_kind_are_called_that_and_not_program_code(
    state: dict[str, torch.Tensor], tmp_path: Path, make: Callable[[], torch.Tensor], kind: str, name: str
) -> None:
    torch.save(state | {name: make()}, tmp_path / "w.pth")
    said = refused(tmp_path / "w.pth")
    assert f"tensors of a special kind ({kind})" in said
    assert "code" not in said
    assert "damaged" not in said


# Layouts that lead out of the numbers


class _Rebuilt:
    """Pickles as a tensor with this storage, offset, size and stride, whatever they are."""

    def __init__(self, *layout: Any) -> None:
        self.layout = layout

    def __reduce__(self) -> tuple[Any, ...]:
        return torch._utils._rebuild_tensor_v2, (*self.layout, False, {})


class _Stored:
    """Pickles as a storage with this name and number of numbers."""

    def __init__(self, key: Any = "0", numbers: Any = 64) -> None:
        self.pid = ("storage", torch.FloatStorage, key, "cpu", numbers)


def forged(tmp_path: Path, tensor: Any, *, records: dict[str, bytes] | None = None, **others: Any) -> Path:
    """A file as torch.save writes it, around whatever is given for the tensor ``bn1.weight``."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return value.pid if isinstance(value, _Stored) else None

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump({"bn1.weight": tensor} | others)
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("w/data.pkl", stream.getvalue())
        archive.writestr("w/byteorder", "little")
        for name, content in (records if records is not None else {"0": bytes(256)}).items():
            archive.writestr(f"w/data/{name}", content)
        archive.writestr("w/version", "3\n")
    return tmp_path / "w.pth"


@pytest.mark.parametrize(
    "layout",
    [
        (_Stored(), 2**40, (64,), (1,)),
        (_Stored(), 1, (64,), (1,)),
        (_Stored(), -1, (64,), (1,)),
        (_Stored(), 0, (64,), (2**40,)),
        (_Stored(), 0, (64,), (-1,)),
        (_Stored(), 0, (64,), (2**62,)),
        (_Stored(), 0, (2**40,), (1,)),
        (_Stored(), 0, (2**62, 2**62), (1, 1)),
        (_Stored(), 0, (-64,), (1,)),
        (_Stored(), 0, (64,), (1, 1)),
        (_Stored(), 0, (1,) * 100, (1,) * 100),
        (_Stored(), 0, (64.5,), (1,)),
        (_Stored(), 0, ("64",), (1,)),
        (_Stored(), 0, 64, 1),
        (_Stored(), "0", (64,), (1,)),
        (_Stored(), 10**5000, (64,), (1,)),
        (_Stored(numbers=10**12), 0, (64,), (1,)),
        (_Stored(numbers=65), 0, (64,), (1,)),
        (_Stored(numbers=63), 0, (63,), (1,)),
        (_Stored(numbers=-64), 0, (64,), (1,)),
        (_Stored(numbers="64"), 0, (64,), (1,)),
        (_Stored(key="1"), 0, (64,), (1,)),
        (_Stored(key="../0"), 0, (64,), (1,)),
        (_Stored(key=5), 0, (64,), (1,)),
        ("no storage", 0, (64,), (1,)),
        (None, 0, (64,), (1,)),
    ],
    ids=range(26),
)
def test_a_layout_that_leads_out_of_the_numbers_is_refused_before_torch_sees_it(
    tmp_path: Path, layout: tuple[Any, ...]
) -> None:
    said = refused(forged(tmp_path, _Rebuilt(*layout)))
    assert "damaged or not a PyTorch file" in said
    assert len(said) < 1000


def test_a_sound_layout_beside_them_is_none_of_these(tmp_path: Path) -> None:
    said = refused(forged(tmp_path, _Rebuilt(_Stored(), 0, (64,), (1,))))
    assert "is not the state dict of a torchvision ResNet-18" in said


def test_one_storage_of_two_lengths_is_refused(tmp_path: Path) -> None:
    other = _Rebuilt(_Stored(numbers=32), 0, (32,), (1,))
    said = refused(forged(tmp_path, _Rebuilt(_Stored(), 0, (64,), (1,)), other=other))
    assert "damaged" in said


# Records


def test_a_record_that_is_shorter_than_its_numbers_is_not_given_to_torch(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "whole.pth")
    cut = rewritten(
        tmp_path / "whole.pth", tmp_path / "w.pth", lambda name, data: data[:2] if name.endswith("data/0") else data
    )
    assert "damaged" in refused(cut)
    gone = rewritten(
        tmp_path / "whole.pth", tmp_path / "v.pth", lambda name, data: None if name.endswith("data/0") else data
    )
    assert "damaged" in refused(gone)


def test_records_that_unpack_to_gigabytes_are_refused_by_their_table(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "whole.pth")
    path = rewritten(tmp_path / "whole.pth", tmp_path / "w.pth", lambda name, data: data)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/bomb", bytes(1000))
    data = bytearray(path.read_bytes())
    place = data.rfind(b"PK\x01\x02")
    assert b"bomb" in data[place : place + 100]
    struct.pack_into("<I", data, place + 24, 2**32 - 2)
    path.write_bytes(data)
    assert "unpacks to more than 512 MB. Save it again by torch.save" in refused(path)


def test_a_file_that_was_packed_by_a_zip_program_is_still_read(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "whole.pth")
    packed = rewritten(tmp_path / "whole.pth", tmp_path / "w.pth", lambda name, data: data, zipfile.ZIP_DEFLATED)
    look_into(packed)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name_are_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth", "a") as archive:
        name = next(name for name in archive.namelist() if name.endswith("data/0"))
        archive.writestr(name, bytes(4))
    assert "damaged" in refused(tmp_path / "w.pth")


def test_an_old_file_that_speaks_of_more_numbers_than_it_has_is_refused(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    look_into(tmp_path / "w.pth")
    magic, protocol, machine = 0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", 10**10, None) if isinstance(value, _Stored) else None

    stream = io.BytesIO()
    for value in (magic, protocol, machine):
        pickle.dump(value, stream, protocol=2)
    Pickler(stream, protocol=2).dump({"bn1.weight": _Rebuilt(_Stored(), 0, (64,), (1,))})
    pickle.dump(["0"], stream, protocol=2)
    (tmp_path / "v.pth").write_bytes(stream.getvalue())
    assert "damaged" in refused(tmp_path / "v.pth")


# Pickles


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


def test_what_is_looked_into_is_bounded(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    reader = PickleReader(b"")
    for _ in range(2):
        reader.ordered([(number, None) for number in range(500_000)])
    with pytest.raises(ValueError, match="too many pairs"):
        reader.ordered([(1, None)])
    torch.save(state | {"notes": "x" * (5 << 20)}, tmp_path / "w.pth")
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


# Paths


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _endless(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**40)


ODD = {
    "pipe": (_pipe, "is a pipe"),
    "device": (_device, "is a device"),
    "folder": (_folder, "is a folder"),
    "circle": (_circle, "leads in a circle"),
    "endless": (_endless, "up to 2,048 MB are read"),
}


@pytest.mark.parametrize(("make", "sentence"), ODD.values(), ids=ODD)
def test_a_weights_file_that_is_no_ordinary_file_is_called_what_it_is(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "w.pth"
    make(path)
    for choice in (str(path), f"'{path}'", "imagenet"):
        if choice == "imagenet":
            monkeypatch.setenv("MEDPRIV_WEIGHTS", str(path))
            weights_status(home)
        for ask in (
            resolve_weights,
            lambda choice: check_weights(choice, norm="batch_norm", home=home),
            lambda choice: load_weights(choice, home=home),
        ):
            with pytest.raises(WeightsError, match=sentence):
                ask(choice)
    assert sha256_of(path) is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("~nosuchuser/w.pth", "There is no user 'nosuchuser'"),
        ("/x" * 2500, "This path has 5,000 characters"),
        ("/tmp/" + "x" * 300, "no weights file at|names a weights file that does not exist"),
        ("C:\\weights\\w.pth", "is a path of Windows"),
        ("https://example.org/w.pth", "is an address on the web"),
        ("/tmp/\udcff.pth", "no weights file at|names a weights file that does not exist"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_where_it_is_typed_and_in_the_variable(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, given: str, sentence: str
) -> None:
    with pytest.raises(WeightsError, match=sentence):
        resolve_weights(given)
    monkeypatch.setenv("MEDPRIV_WEIGHTS", given)
    with pytest.raises(WeightsError, match=sentence):
        resolve_weights("imagenet")
    with pytest.raises(WeightsError):
        load_weights("imagenet", home=home)
    said = weights_status(home).sentence
    assert "MEDPRIV_WEIGHTS" in said
    said.encode()  # as a page sends it


def test_quotes_and_the_home_folder_are_understood_for_weights_too(
    state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "my w.safetensors")
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (f'"{tmp_path}/my w.safetensors"', "~/my w.safetensors", f"file://{tmp_path}/my%20w.safetensors"):
        assert resolve_weights(given) == str(tmp_path / "my w.safetensors")


def test_what_is_looked_at_and_what_is_read_have_one_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(bytes(2000))
    for module in (weights_file, weights_source):
        monkeypatch.setattr(module, "MOST_FILE_BYTES", 1000)
    with pytest.raises(WeightsError, match="are read"):
        look_into(tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="are read"):
        resolve_weights(str(tmp_path / "w.pth"))
