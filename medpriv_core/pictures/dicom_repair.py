"""A DICOM file whose elements name types that there are not, such as "us" for "US".

Each element of an explicit file names its type in two letters, and the type says how its length is written. After an
unknown one pydicom loses the thread, and finds no pixels in a file that has them.
"""

from __future__ import annotations

from pydicom.datadict import dictionary_VR
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_AFTER_MARK, _UNDEFINED = 132, 0xFFFFFFFF
_END_OF_SEQUENCE = b"\xfe\xff\xdd\xe0\0\0\0\0"
_SHORT = {str(kind.value).encode() for kind in EXPLICIT_VR_LENGTH_16}
_LONG = {str(kind.value).encode() for kind in EXPLICIT_VR_LENGTH_32}


def with_known_types(data: bytes) -> bytes | None:
    """The file with the types of the standard in place of unknown ones; None if it cannot be followed to its pixels.

    Explicit little-endian files only.
    """
    repaired = bytearray(data)
    place = _AFTER_MARK if data[128:132] == b"DICM" else 0
    while place + 8 <= len(data):
        tag = int.from_bytes(data[place : place + 2], "little") << 16 | int.from_bytes(
            data[place + 2 : place + 4], "little"
        )
        kind = data[place + 4 : place + 6]
        if kind not in _SHORT | _LONG:
            kind = _type_of(tag, kind)
            repaired[place + 4 : place + 6] = kind
        if tag in _PIXELS:
            return bytes(repaired)
        start = place + 8 if kind in _SHORT else place + 12
        length = int.from_bytes(data[place + 6 : start] if kind in _SHORT else data[place + 8 : start], "little")
        if length == _UNDEFINED:
            end = data.find(_END_OF_SEQUENCE, start)
            if end < 0:
                return None
            start, length = end, len(_END_OF_SEQUENCE)
        place = start + length
    return None


def _type_of(tag: int, named: bytes) -> bytes:
    if named.upper() in _SHORT | _LONG:
        return named.upper()
    try:
        return dictionary_VR(tag).split(" ")[0].encode()
    except KeyError:
        return b"LO"  # a private element; nearly all types write their length as this one
