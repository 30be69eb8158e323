"""What a weights file holds, told from its headers in milliseconds: names and shapes, no numbers, no torch, no code.

A run can then be refused before it is queued, and by the web process. PyTorch's files are a pickle of names beside raw
numbers. Pickles can run code, so this one is read by a reader that knows a handful of names, gives harmless stand-ins
for them and refuses all others (``weights_pickle``). What it says of the numbers is held against what is there: torch
reads as many as it is told, also beyond the end of a record. ``medpriv_core.training.weights`` reads the numbers, with
torch's own safe reader.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from medpriv_core.errors import WeightsError
from medpriv_core.regular_file import open_regular, regular_pieces, stat_regular
from medpriv_core.weights_names import COUNTER, Found, find_resnet18
from medpriv_core.weights_pickle import Code, Header, PickleReader, SpecialTensor, checked_header
from medpriv_core.zips import open_zip

MOST_FILE_BYTES = 2 << 30
MOST_NAMES_BYTES = 4 << 20  # a ResNet's are some kilobytes
MOST_UNPACKED_BYTES = 512 << 20  # of what is packed in a zip; PyTorch packs nothing
_MOST_MEMBERS = 100_000
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


def look_into(path: Path) -> Found:
    """The ResNet-18 that a weights file holds, as ``Header``s; raises ``WeightsError`` that says what else it is.

    Looks at the same file only once.
    """
    if not os.path.lexists(path):
        raise WeightsError(f"There is no weights file at {path}. Correct the path, or choose imagenet or none.")
    found = stat_regular(path, called=called(path), error=WeightsError, most_bytes=MOST_FILE_BYTES)
    return _look_into(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=32)
def _look_into(path: Path, _mtime_ns: int, _size: int) -> Found:
    content = read_headers(path)
    try:
        found = find_resnet18(content, file=str(path))
    except WeightsError:
        raise
    except Exception as error:  # whatever a forged file may hold in place of names and tensors
        raise damaged(path) from error
    for name, header in found.entries.items():
        if not isinstance(header, Header):
            raise damaged(path)
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
        with open_regular(path, called=called(path), error=WeightsError, most_bytes=MOST_FILE_BYTES) as file:
            return _read(file, path)
    except Code as error:
        raise holds_code(path, str(error)) from error
    except SpecialTensor as error:
        raise special(path, str(error)) from error
    except WeightsError:
        raise
    # A damaged or foreign file fails in many ways inside zipfile, json and pickle.
    except Exception as error:
        raise damaged(path) from error


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of a weights file, in hexadecimal digits; None where there is none that can be read."""
    digest = hashlib.sha256()
    try:
        for piece in regular_pieces(path, called=called(path), error=WeightsError, most_bytes=MOST_FILE_BYTES):
            digest.update(piece)
    except WeightsError:
        return None
    return digest.hexdigest()


def is_safetensors(start: bytes, size: int) -> bool:
    """Whether a file of ``size`` bytes that begins so is in the safetensors format."""
    return len(start) >= 9 and start[8:9] == b"{" and 2 <= struct.unpack("<Q", start[:8])[0] <= size - 8


def called(path: Path) -> str:
    """What sentences call the file."""
    return f"the weights file {path}"


def special(path: Path, kind: str) -> WeightsError:
    """The error for a file with tensors that are more, or less, than a block of numbers."""
    return WeightsError(
        f"The weights file {path} holds tensors of a special kind ({kind}), and medpriv reads ordinary ones only. Save "
        "the state dict of the network with ordinary tensors, or choose another file, imagenet or none."
    )


def damaged(path: Path) -> WeightsError:
    """The error for a file of which nothing can be made."""
    return WeightsError(
        f"The weights file {path} is damaged or not a PyTorch file. Replace it by a ResNet-18 state dict, or remove it "
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
        return _read_old(file, size)
    raise damaged(path)


def _read_safetensors(file: BinaryIO, path: Path) -> dict[str, Header]:
    length: int = struct.unpack("<Q", file.read(8))[0]
    if length > MOST_NAMES_BYTES:
        raise damaged(path)
    values = json.loads(file.read(length))
    return {
        name: checked_header(value["shape"], value["dtype"]) for name, value in values.items() if name != "__metadata__"
    }


def _read_zip(file: BinaryIO, path: Path) -> Any:
    with open_zip(file, most_members=_MOST_MEMBERS) as archive:
        names = archive.namelist()
        if any(name.endswith("constants.pkl") for name in names):
            raise WeightsError(
                f"The weights file {path} is a TorchScript program, and medpriv does not run it. Save its state dict: "
                "torch.save(torch.jit.load(file).state_dict(), other)."
            )
        (name,) = [name for name in names if name == "data.pkl" or name.endswith("/data.pkl")]
        _check_members(archive.infolist(), path)
        if archive.getinfo(name).file_size > MOST_NAMES_BYTES:
            raise damaged(path)
        with archive.open(name) as member:
            reader = PickleReader(member.read(MOST_NAMES_BYTES))
        content = reader.load()
        for key, count in reader.storages.items():
            if archive.getinfo(f"{name.removesuffix('data.pkl')}data/{key}").file_size != count:
                raise ValueError("a record is not as long as its numbers")
        return content


def _check_members(members: Sequence[zipfile.ZipInfo], path: Path) -> None:
    """Raise ``WeightsError`` or ``ValueError`` for a zip that torch should not be given."""
    if len({member.filename for member in members}) < len(members):
        raise ValueError("two records of one name: which of them torch reads is not what is looked at here")
    packed = [member for member in members if member.compress_type != zipfile.ZIP_STORED]
    if sum(member.file_size for member in packed) > MOST_UNPACKED_BYTES:
        raise WeightsError(
            f"The weights file {path} unpacks to more than {MOST_UNPACKED_BYTES >> 20} MB. Save it again by "
            "torch.save, which packs nothing, or choose another file, imagenet or none."
        )
    stored = (member for member in members if member.compress_type == zipfile.ZIP_STORED)
    if any(member.file_size != member.compress_size for member in stored):
        raise ValueError("a record states two lengths")


def _read_old(file: BinaryIO, size: int) -> Any:
    """As PyTorch wrote before version 1.6: four pickles, and the numbers behind them."""
    reader = PickleReader(file.read(MOST_NAMES_BYTES))
    if reader.load() != _TORCH_MAGIC:
        raise ValueError("a pickle that is not PyTorch's")
    for _ in ("protocol", "machine"):
        reader.load()
    content = reader.load()
    if sum(reader.storages.values()) > size:
        raise ValueError("fewer numbers than the names speak of")
    return content
