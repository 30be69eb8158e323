"""Weights files that were made to mislead, exhaust or crash whoever looks into them, or torch."""

from __future__ import annotations

import io
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


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    # One number behind each tensor: the file is small, and a ResNet-18 all the same.
    from torchvision.models import resnet18

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
    assert look_into(packed) == look_into(tmp_path / "whole.pth")


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
