"""Arrays in an npz file from anywhere: each header is held against the bytes that are there before memory is taken.

An npz is a zip of npy files. The header of each states a shape, for which numpy takes memory at once: a file of a
kilobyte can ask for terabytes. Arrays of Python objects are pickles, which run code when they are loaded; they are
never read. (``numpy.load`` does the second, and not the first.)
"""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass

import numpy as np

from medpriv_core.zips import head, pieces

_HEAD_BYTES = 10_240  # numpy refuses headers of more than 10,000


@dataclass(frozen=True)
class ArrayHeader:
    """What a member says of its array, and the zip of the member.

    shape, dtype   of the array; ``dtype.hasobject`` means pickles
    fortran_order  whether the first axis runs fastest
    file_size      unpacked bytes; of a sound array the header and its numbers
    crc            CRC-32 of the unpacked bytes
    start          bytes before the numbers
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    file_size: int
    crc: int
    start: int


def read_header(archive: zipfile.ZipFile, name: str) -> ArrayHeader:
    """The header of the array ``name``; raises ``ValueError`` for one that is none or asks for more than is there.

    Raises ``KeyError`` where there is no such array, and what zipfile raises for damage.
    """
    member = archive.getinfo(f"{name}.npy")
    start = io.BytesIO(head(archive, member, _HEAD_BYTES))
    try:
        version = np.lib.format.read_magic(start)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(start)
    except Exception as error:  # numpy lets through what Python's tokenizer and parser raise
        raise ValueError(f"{name} is not an array") from error
    header = ArrayHeader(shape, dtype, fortran_order, member.file_size, member.CRC, start.tell())
    if dtype.hasobject:
        return header
    numbers = math.prod(shape) * dtype.itemsize
    if min(shape, default=1) < 0 or not dtype.itemsize or dtype.subdtype or header.start + numbers != member.file_size:
        raise ValueError(f"{name} states another size than it has")
    return header


def read_array(archive: zipfile.ZipFile, name: str, header: ArrayHeader) -> np.ndarray:
    """The array whose header was read; raises ``ValueError`` if it is of objects or ends early, or as zipfile does."""
    if header.dtype.hasobject:
        raise ValueError(f"{name} holds pickled objects")
    values = np.empty(math.prod(header.shape), header.dtype)
    wanted = values.view(np.uint8).data if values.size else memoryview(bytearray())
    skipped = header.start
    for piece in pieces(archive, archive.getinfo(f"{name}.npy")):
        numbers = piece[min(skipped, len(piece)) :]
        skipped -= len(piece) - len(numbers)
        if len(numbers) > len(wanted):
            raise ValueError(f"{name} holds more than it states")
        wanted[: len(numbers)] = numbers
        wanted = wanted[len(numbers) :]
    if len(wanted) or skipped:
        raise ValueError(f"{name} ends early")
    if header.fortran_order:
        return values.reshape(header.shape[::-1]).transpose()
    return values.reshape(header.shape)
