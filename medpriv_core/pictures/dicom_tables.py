"""Lookup tables of DICOM headers: of grey levels (VOI), of units (modality) and of colours (palettes).

A table says how many entries it has, which value the first belongs to and how many bits an entry has. All three are
wrong in files of well-known devices, and so are the byte order and the sign of the first value; the entries tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from medpriv_core.errors import ImageError
from medpriv_core.pictures.decoded import DAMAGED
from medpriv_core.pictures.dicom_elements import element_values

_CLEARLY_SMOOTHER = 4


@dataclass(frozen=True)
class Table:
    """A lookup table: ``entries[i]`` belongs to stored value ``first + i``; further ones take the nearest end.

    ``white`` is the entry that means white.
    """

    first: int
    entries: np.ndarray
    bits: int
    white: float
    notes: tuple[str, ...] = ()

    def of(self, stored: np.ndarray) -> np.ndarray:
        """The entry of every value: the shape of ``stored``, followed by that of one entry."""
        low, high = int(stored.min()), int(stored.max())
        if high - low > 2**16:
            return self.entries[np.clip(stored.astype(np.int64) - self.first, 0, len(self.entries) - 1)]
        # A table that starts at the smallest value is looked up without arithmetic on every pixel.
        low = min(0, low)
        places = np.clip(np.arange(low, high + 1) - self.first, 0, len(self.entries) - 1)
        return self.entries[places][stored.astype(np.int32) - low if low else stored]


def read_table(item: Dataset, *, low: float, high: float, little_endian: bool, what: str) -> tuple[Table | None, str]:
    """A modality or VOI table (PS3.3 C.11.1.1), or None and the note that says why it is passed over.

    ``low`` and ``high`` are the ends of the values that it shall map, which settle the sign of its first value.
    """
    try:
        descriptor = _descriptor(item, "LUTDescriptor", little_endian=little_endian)
        count, _, bits = descriptor or (0, 0, 0)
        entries = _entries(item, "LUTData", little_endian=little_endian, count=count, bits=bits)
    except Exception:
        descriptor, entries = None, np.zeros(0, np.uint16)
    if descriptor is None or len(entries) < 2:
        return None, f"It holds {what} without entries, which is passed over."
    count, first, bits = descriptor
    notes = []
    if len(entries) < count:
        notes.append(f"It holds {what} that is shorter than it says; its last entry is used beyond.")
    entries = entries[:count]
    turned = entries.byteswap()
    if entries.max() > 255 and _CLEARLY_SMOOTHER * _roughness(turned) < _roughness(entries):
        entries = turned
        notes.append(f"It holds {what} in the other byte order; its bytes are swapped.")
    highest = int(entries.max())
    if not 1 <= bits <= 16 or highest >= 2**bits:
        bits = max(8, highest.bit_length())
    white = float(2**bits - 1)
    if 0 < highest < 2 ** (bits - 1):
        notes.append(f"It holds {what} that declares {bits} bits and ends at {highest}; that is shown as white.")
        white = float(highest)
    return Table(_signed(first, count, low, high), entries, bits, white, tuple(notes)), ""


def read_palette(dataset: Dataset, *, low: float, high: float, little_endian: bool) -> Table:
    """A colour palette as a table of ``uint8`` triples (PS3.3 C.7.6.3.1.5). Raises ``ImageError`` without one."""
    descriptor = _descriptor(dataset, "RedPaletteColorLookupTableDescriptor", little_endian=little_endian)
    if descriptor is None:
        raise ImageError(
            "This DICOM has no table of its colours (palette). Export it again from its source, or as RGB."
        )
    count, first, bits = descriptor
    first = _signed(first, count, low, high)
    if "SegmentedRedPaletteColorLookupTableData" in dataset and "RedPaletteColorLookupTableData" not in dataset:
        entries = apply_color_lut(np.arange(first, first + count), dataset)[:, :3]
    else:
        names = [f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")]
        if any(name not in dataset for name in names):
            raise ImageError(
                "This DICOM has no table of its colours (palette). Export it again from its source, or as RGB."
            )
        entries = np.stack(
            [_entries(dataset, name, little_endian=little_endian, count=count, bits=bits)[:count] for name in names],
            axis=1,
        )
    if not len(entries):
        raise ImageError(DAMAGED)
    # Some writers put 8-bit colours into 16 bits without moving them up.
    if entries.max() > 255:
        entries = entries >> 8
    return Table(first, entries.astype(np.uint8), 8 if bits == 8 else 16, 255.0)


def _descriptor(item: Dataset, keyword: str, *, little_endian: bool) -> tuple[int, int, int] | None:
    """Number of entries (0 means 65,536), first value mapped as 16 bits without sign, bits of an entry."""
    raw = item.get(keyword)
    if isinstance(raw, bytes):  # its type depends on another element, which may be missing
        values: list[object] = np.frombuffer(raw[:6], "<u2" if little_endian else ">u2").tolist()
    else:
        values = element_values(item, keyword)
    if len(values) < 3:
        return None
    count, first, bits = (int(float(str(value))) & 0xFFFF for value in values[:3])
    return count or 2**16, first, bits


def _entries(item: Dataset, keyword: str, *, little_endian: bool, count: int, bits: int) -> np.ndarray:
    """The entries as ``uint16``; those of 8 bits may lie two in a word."""
    value = item.get(keyword)
    order = "<" if little_endian else ">"
    if not isinstance(value, bytes):
        whole = np.array([int(float(str(entry))) & 0xFFFF for entry in element_values(item, keyword)], np.uint16)
        if len(whole) >= count or 2 * len(whole) < count:
            return whole
        value = whole.astype("<u2").tobytes()
        order = "<"
    # Neither a word nor a byte for each entry: it is shorter than it says, and its bits decide.
    if len(value) >= 2 * count or (bits > 8 and len(value) not in (count, count + 1)):
        return np.frombuffer(value[: len(value) // 2 * 2], f"{order}u2").astype(np.uint16)
    if order == ">" and len(value) % 2 == 0:
        value = np.frombuffer(value, ">u2").astype("<u2").tobytes()
    return np.frombuffer(value, np.uint8).astype(np.uint16)


def _signed(first: int, count: int, low: float, high: float) -> int:
    """The first value mapped, with the sign by which the table covers more of the values there are."""

    def covered(start: int) -> float:
        return min(high, start + count - 1) - max(low, start)

    return max((first, first - 2**16) if first >= 2**15 else (first,), key=covered)


def _roughness(entries: np.ndarray) -> int:
    return int(np.abs(np.diff(entries.astype(np.int64))).sum())
