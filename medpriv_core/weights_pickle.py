"""The pickle of names in a PyTorch file, read without running anything in it.

Pickles are programs. Of the names that one may call, a handful is known and gets harmless stand-ins; all others are
refused. A pickle that calls nothing can still ask for any amount of memory, by a number, or of time, so its operations
are looked through before they are done. What it says of the numbers (how many, where they begin, how they are laid out)
has to fit together.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

# Bytes of a number, by the name that PyTorch's storages have for its kind.
_NUMBER_BYTES = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1, "Bool": 1,
    "ComplexDouble": 16, "ComplexFloat": 8, "QInt8": 1, "QUInt8": 1, "QInt32": 4, "QUInt4x2": 1, "QUInt2x4": 1,
    "Untyped": 1,
}  # fmt: skip
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
# What torch._utils rebuilds that is no block of numbers.
_SPECIAL = {
    "_rebuild_sparse_tensor": "sparse",
    "_rebuild_sparse_csr_tensor": "sparse",
    "_rebuild_nested_tensor": "nested",
    "_rebuild_qtensor": "quantised",
    "_rebuild_meta_tensor_no_storage": "meta, without numbers",
    "_rebuild_wrapper_subclass": "a class of their own",
    "_rebuild_device_tensor_from_numpy": "of another device",
    "_rebuild_device_tensor_from_cpu_tensor": "of another device",
    "_rebuild_xla_tensor": "of another device",
    "_rebuild_tensor_v3": "of unusual numbers",
}
# They take memory by a number that is written in the pickle, or things from outside of it.
_REFUSED = {"BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER", "EXT1", "EXT2", "EXT4"}
_LONG_NUMBERS = {"INT", "LONG", "LONG1", "LONG4"}
# Long numbers can be made so that a dictionary with n of them for keys takes n² steps.
_MOST_LONG_NUMBERS = 10_000
_MOST_PAIRS = 1_000_000
_MOST_DIMENSIONS, _LONGEST_SIDE = 16, 2**40


class Code(Exception):
    """A pickle asks for something that may be code."""


class SpecialTensor(Exception):
    """A pickle holds a tensor that is no block of numbers."""


@dataclass(frozen=True)
class Header:
    """A tensor without its numbers; ``kind`` is that of its numbers: "Float", "Half", "Long" or as safetensors says."""

    shape: tuple[int, ...]
    kind: str


class _Storage(NamedTuple):
    kind: str
    numbers: int


def checked_header(shape: Any, kind: Any) -> Header:
    """The header of a tensor; raises ``ValueError`` for a shape that no tensor has."""
    sides: list[Any] = list(shape) if isinstance(shape, list | tuple) else [None]
    if len(sides) > _MOST_DIMENSIONS or not all(type(side) is int and 0 <= side <= _LONGEST_SIDE for side in sides):
        raise ValueError("no shape")
    return Header(tuple(sides), str(kind)[:40])


class PickleReader:
    """Reads the pickles that stand one behind the other in ``data``.

    ``storages`` holds, by their names, the bytes that the blocks of numbers must have which the pickles spoke of.
    """

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)
        self._length = len(data)
        self._pairs = 0
        self.storages: dict[str, int] = {}

    def load(self) -> Any:
        """What the next pickle holds, with a ``Header`` for each tensor.

        Raises ``Code`` for names that are not known, ``SpecialTensor``, and any other exception for what is damaged.
        """
        self._check_operations()
        return _Unpickler(self._stream, self).load()

    def put_storage(self, key: Any, kind: str, numbers: Any) -> _Storage:
        """Note a block of numbers; raises ``ValueError`` if it was another one when it was named before."""
        if not isinstance(key, str) or type(numbers) is not int or numbers < 0:
            raise ValueError("no storage")
        if kind not in _NUMBER_BYTES:
            raise SpecialTensor(kind)
        size = numbers * _NUMBER_BYTES[kind]
        if self.storages.setdefault(key, size) != size:
            raise ValueError("one storage of two sizes")
        return _Storage(kind, numbers)

    def ordered(self, pairs: Any = ()) -> OrderedDict[Any, Any]:
        """An ordered dictionary; raises ``ValueError`` where far too much is put into such ones."""
        self._pairs += len(pairs)
        if self._pairs > _MOST_PAIRS:
            raise ValueError("too many pairs")
        return OrderedDict(pairs)

    def _check_operations(self) -> None:
        start = self._stream.tell()
        long_numbers = 0
        for operation, argument, _ in pickletools.genops(self._stream):
            name = operation.name
            if name in _REFUSED or (name.endswith("PUT") and int(argument or 0) > self._length):
                raise ValueError("a pickle that takes more memory than it has bytes")
            long_numbers += name in _LONG_NUMBERS
            if long_numbers > _MOST_LONG_NUMBERS:
                raise ValueError("too many long numbers")
        self._stream.seek(start)


class _Anything:
    """A stand-in for an object whose content does not matter."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, reader: PickleReader) -> None:
        super().__init__(stream)
        self._reader = reader

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return self._reader.ordered
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _tensor
        if module == "torch._utils" and name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
            return _parameter
        if module == "torch._utils" and name in _SPECIAL:
            raise SpecialTensor(_SPECIAL[name])
        if module in ("torch", "torch.storage", "torch.cuda") and name.endswith("Storage"):
            return name.removesuffix("Storage")
        if (module, name) in _HARMLESS or (module == "torch" and name.islower() and name.isalnum()):  # a dtype
            return _Anything
        raise Code(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        what, kind, key, _, numbers = pid[:5]
        if what not in ("storage", b"storage") or not isinstance(kind, str):
            raise ValueError("no storage")
        return self._reader.put_storage(key, kind, numbers)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Header:
    """The header of a tensor whose numbers all lie in its storage; raises ``ValueError`` for another."""
    if not isinstance(storage, _Storage):
        raise ValueError("no storage")
    header = checked_header(size, storage.kind)
    steps = checked_header(stride, "").shape
    if type(offset) is not int or offset < 0 or len(steps) != len(header.shape):
        raise ValueError("no layout")
    last = offset + sum((side - 1) * step for side, step in zip(header.shape, steps, strict=True))
    if 0 not in header.shape and last >= storage.numbers:
        raise ValueError("numbers beyond the end of their storage")
    return header


def _parameter(data: Any, *_: Any) -> Any:
    return data
