"""What a weights file holds, told from its headers in milliseconds: names and shapes, no numbers, no torch, no code.

A run can then be refused before it is queued, and by the web process. PyTorch's files are a pickle of names beside raw
numbers. Pickles can run code, so this one is read by a reader that knows a handful of names, gives harmless stand-ins
for them and refuses all others. ``medpriv_core.training.weights`` reads the numbers, with torch's own safe reader.
"""

from __future__ import annotations

import functools
import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from medpriv_core.errors import WeightsError
from medpriv_core.weights_names import COUNTER, Found, find_resnet18

MOST_BYTES = 64 << 20  # of names; a ResNet's are some kilobytes
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
# Beginnings of files that people take for weights, and what they are.
_KINDS = (
    (b"version https://git-lfs", "a pointer of Git LFS and not the weights themselves; fetch them with git lfs pull"),
    (b"<", "a web page or XML, so the download went wrong"),
    (b"\x89HDF", "an HDF5 file, as Keras writes them"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it"),
    (b"GGUF", "a GGUF file"),
    (b"\x93NUMPY", "an array of NumPy"),
)
_HARMLESS = {
    ("collections", "Counter"),
    ("collections", "defaultdict"),
    ("builtins", "set"),
    ("builtins", "bytearray"),
    ("_codecs", "encode"),
    ("torch", "Size"),
    ("torch", "device"),
    ("torch", "Tensor"),
    ("torch.nn.parameter", "Parameter"),
    ("torch.serialization", "_get_layout"),
    ("torch._tensor", "_rebuild_from_type_v2"),
}


@dataclass(frozen=True)
class Header:
    """A tensor without its numbers; ``kind`` is that of its numbers: "Float", "Half", "Long" or as safetensors says."""

    shape: tuple[int, ...]
    kind: str


class _Code(Exception):
    """A pickle asks for something that may be code."""


def look_into(path: Path) -> Found:
    """The ResNet-18 that a weights file holds, as ``Header``s; raises ``WeightsError`` that says what else it is.

    Looks at the same file only once.
    """
    try:
        found = path.stat()
    except OSError:
        raise WeightsError(
            f"There is no weights file at {path}. Correct the path, or choose imagenet or none."
        ) from None
    return _look_into(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=32)
def _look_into(path: Path, _mtime_ns: int, _size: int) -> Found:
    content = read_headers(path)
    found = find_resnet18(content, file=str(path))
    for name, header in found.entries.items():
        if not name.endswith(COUNTER) and header.kind not in (
            "Float",
            "Double",
            "Half",
            "BFloat16",
            "F64",
            "F32",
            "F16",
            "BF16",
        ):
            raise WeightsError(
                f"The weights file {path} holds whole numbers or such of a special kind in {name} ({header.kind}), as "
                "networks made small for phones have. Choose a file with ordinary numbers, imagenet or none."
            )
    return found


def read_headers(path: Path) -> Any:
    """The content of a weights file with a ``Header`` for each tensor; raises ``WeightsError``."""
    try:
        with open(path, "rb") as file:
            return _read(file, path)
    except PermissionError as error:
        raise WeightsError(f"medpriv may not read the weights file {path}. Change its permissions.") from error
    except IsADirectoryError as error:
        raise WeightsError(f"{path} is a folder. Choose the file with the weights in it.") from error
    except _Code as error:
        raise holds_code(path, str(error)) from error
    except WeightsError:
        raise
    # A damaged or foreign file fails in many ways inside zipfile, json and pickle.
    except Exception as error:
        raise damaged(path) from error


def is_safetensors(start: bytes, size: int) -> bool:
    """Whether a file of ``size`` bytes that begins so is in the safetensors format."""
    return len(start) >= 9 and start[8:9] == b"{" and 2 <= struct.unpack("<Q", start[:8])[0] <= size - 8


def damaged(path: Path) -> WeightsError:
    """The error for a file of which nothing can be made."""
    return WeightsError(
        f"The weights file {path} is damaged or not a PyTorch file. Replace it by a ResNet-18 state dict, or delete it "
        "if medpriv downloaded it."
    )


def holds_code(path: Path, what: str) -> WeightsError:
    """The error for a file with pickled objects; ``what`` names one, or is empty."""
    return WeightsError(
        f"The weights file {path} holds program code besides numbers{f' ({what})' if what else ''}, and medpriv does "
        "not run it. Save only the state dict: torch.save(model.state_dict(), file)."
    )


def _read(file: BinaryIO, path: Path) -> Any:
    start = file.read(64)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    for beginning, kind in _KINDS:
        if start.startswith(beginning):
            raise WeightsError(f"The weights file {path} is {kind}.")
    if is_safetensors(start, size):
        return _read_safetensors(file, path)
    if start.startswith(b"PK"):
        return _read_zip(file, path)
    if start.startswith(b"\x80"):
        return _read_old(file)
    raise damaged(path)


def _read_safetensors(file: BinaryIO, path: Path) -> dict[str, Header]:
    length: int = struct.unpack("<Q", file.read(8))[0]
    if length > MOST_BYTES:
        raise damaged(path)
    values = json.loads(file.read(length))
    return {
        name: Header(tuple(value["shape"]), value["dtype"]) for name, value in values.items() if name != "__metadata__"
    }


def _read_zip(file: BinaryIO, path: Path) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if any(name.endswith("constants.pkl") for name in names):
            raise WeightsError(
                f"The weights file {path} is a TorchScript program, and medpriv does not run it. Save its state dict: "
                "torch.save(torch.jit.load(file).state_dict(), other)."
            )
        (name,) = [name for name in names if name == "data.pkl" or name.endswith("/data.pkl")]
        if archive.getinfo(name).file_size > MOST_BYTES:
            raise damaged(path)
        with archive.open(name) as member:
            return _Reader(io.BytesIO(member.read(MOST_BYTES))).load()


def _read_old(file: BinaryIO) -> Any:
    """As PyTorch wrote before version 1.6: four pickles, and the numbers behind them."""
    if _Reader(file).load() != _TORCH_MAGIC:
        raise ValueError("a pickle that is not PyTorch's")
    for _ in ("protocol", "machine"):
        _Reader(file).load()
    return _Reader(file).load()


class _Anything:
    """A stand-in for an object whose content does not matter."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


class _Reader(pickle.Unpickler):
    """Reads a state dict with headers in place of tensors; raises ``_Code`` for every name that it does not know."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _tensor
        if module == "torch._utils" and name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
            return _parameter
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            return name.removesuffix("Storage")
        if (module, name) in _HARMLESS or (module == "torch" and name.islower() and name.isalnum()):  # a dtype
            return _Anything
        raise _Code(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        return pid[1]  # the kind of its numbers


def _tensor(kind: Any, _offset: int, size: Any, *_: Any) -> Header:
    return Header(tuple(size) if isinstance(size, list | tuple) else (), str(kind))


def _parameter(data: Any, *_: Any) -> Any:
    return data
