"""How a DICOM header says that its numbers are to be shown: windows, tables, palettes, the shape of a pixel.

In files of many frames these sit in *functional groups*, shared by all frames or one for each; in others at the
top of the header. ``frame_item`` finds the right place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from medpriv_core.errors import ImageError
from medpriv_core.uploads.decoded import DAMAGED
from medpriv_core.uploads.windows import HeaderWindow, safe_words

_MAX_TABLES = 4
_CURVES = {"LINEAR": "linear", "LINEAR_EXACT": "linear_exact", "SIGMOID": "sigmoid"}
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@dataclass(frozen=True)
class Table:
    """A lookup table: ``entries[i]`` belongs to stored value ``first + i``; further ones take the nearest end."""

    first: int
    entries: np.ndarray
    bits: int

    def of(self, stored: np.ndarray) -> np.ndarray:
        """The entry of every value: the shape of ``stored``, followed by that of one entry."""
        low, high = min(0, int(stored.min())), int(stored.max())
        if high - low > 2**16:
            raise ImageError(DAMAGED)
        # A table that starts at the smallest value is looked up without arithmetic on every pixel.
        places = np.clip(np.arange(low, high + 1) - self.first, 0, len(self.entries) - 1)
        return self.entries[places][stored.astype(np.int32) - low if low else stored]


def number(item: Dataset, keyword: str, otherwise: float) -> float:
    """A number of the header, ``otherwise`` if it is missing; ``ImageError`` if it is infinite or none."""
    value = item.get(keyword)
    if value is None or value == "":
        return otherwise
    if not math.isfinite(float(value)):
        raise ImageError(DAMAGED)
    return float(value)


def numbers(item: Dataset, keyword: str) -> list[float]:
    """All numbers of an element; none if it is missing or cannot be read."""
    try:
        value = item.get(keyword)
        if value is None or value == "":
            return []
        return [float(entry) for entry in value] if isinstance(value, Sequence) else [float(value)]
    except (ValueError, TypeError, OverflowError):
        return []


def frame_item(dataset: Dataset, index: int, group: str) -> Dataset:
    """Where the attributes of this functional group stand for frame ``index``."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    for groups in (*per_frame[index : index + 1], *shared[:1]):
        if groups.get(group):
            return groups[group][0]
    return dataset


def header_windows(dataset: Dataset) -> tuple[tuple[HeaderWindow, ...], dict[str, tuple[float, ...]]]:
    """The windows of the first frame and the tables that some of them name as their curve; impossible ones skipped."""
    item = frame_item(dataset, 0, "FrameVOILUTSequence")
    curve = _CURVES.get(str(item.get("VOILUTFunction", "LINEAR")), "linear")
    words = _texts(item, "WindowCenterWidthExplanation")
    windows = [
        HeaderWindow(centre, width, curve, safe_words(words[place]) if place < len(words) else "")
        for place, (centre, width) in enumerate(
            zip(numbers(item, "WindowCenter"), numbers(item, "WindowWidth"), strict=False)
        )
        if math.isfinite(centre) and math.isfinite(width) and width > 0
    ]
    tables = {}
    for place, entry in enumerate((dataset.get("VOILUTSequence") or ())[:_MAX_TABLES], start=1):
        table, name = read_table(entry), f"table {place}"
        shades = table.entries / (2**table.bits - 1)
        tables[name] = tuple(np.clip(shades, 0, 1).round(5).tolist())
        explanation = safe_words(" ".join(_texts(entry, "LUTExplanation")))
        count = len(table.entries)
        windows.append(HeaderWindow(table.first + count / 2, float(count), name, explanation))
    # Some devices repeat one window for every frame of a series.
    return tuple(dict.fromkeys(windows)), tables


def is_hounsfield(dataset: Dataset) -> bool:
    """Whether values after rescaling are Hounsfield units: CT, not its overview pictures, of no other stated unit."""
    item = frame_item(dataset, 0, "PixelValueTransformationSequence")
    image_type = dataset.get("ImageType") or ()
    return (
        dataset.get("Modality") == "CT"
        and "RescaleIntercept" in item
        and "LOCALIZER" not in image_type
        and item.get("RescaleType") in (None, "", "HU")
    )


def pixel_aspect(dataset: Dataset) -> float:
    """Height of a pixel over its width; 1 where the header does not say."""
    measures = frame_item(dataset, 0, "PixelMeasuresSequence")
    for item, keyword in ((dataset, "PixelAspectRatio"), *((measures, keyword) for keyword in _SPACINGS)):
        sizes = numbers(item, keyword)
        if len(sizes) == 2 and all(math.isfinite(size) and size > 0 for size in sizes):
            ratio = sizes[0] / sizes[1]
            # Spacings are rounded decimals; a stretch by less than a pixel in a hundred would only blur.
            return 1.0 if abs(ratio - 1) < 0.01 else ratio
    return 1.0


def read_table(item: Dataset) -> Table:
    """A modality or VOI table (PS3.3 C.11.1.1), entries ``uint8`` or ``uint16``."""
    count, first, bits = _descriptor(item, "LUTDescriptor")
    data = item.LUTData
    if isinstance(data, bytes):
        entries = np.frombuffer(data, "<u2" if len(data) >= 2 * count else "u1")
    else:
        entries = np.atleast_1d(np.asarray(data, np.uint16))
    if len(entries) < count or not 1 <= bits <= 16:
        raise ImageError(DAMAGED)
    return Table(first, entries[:count].astype(np.uint8 if bits <= 8 else np.uint16), bits)


def read_palette(dataset: Dataset) -> Table:
    """A colour palette as a table of ``uint8`` triples (PS3.3 C.7.6.3.1.5)."""
    count, first, bits = _descriptor(dataset, "RedPaletteColorLookupTableDescriptor")
    if "SegmentedRedPaletteColorLookupTableData" in dataset and "RedPaletteColorLookupTableData" not in dataset:
        entries = apply_color_lut(np.arange(first, first + count), dataset)[:, :3]
    else:
        channels = []
        for colour in ("Red", "Green", "Blue"):
            data = dataset[f"{colour}PaletteColorLookupTableData"].value
            channels.append(np.frombuffer(data, "<u2" if len(data) >= 2 * count else "u1")[:count])
        entries = np.stack(channels, axis=1)
    if len(entries) < count:
        raise ImageError(DAMAGED)
    # Some writers put 8-bit colours into 16 bits without moving them up.
    if entries.dtype.itemsize == 2 and entries.max() > 255:
        entries = entries >> 8
    return Table(first, entries.astype(np.uint8), 8 if bits == 8 else 16)


def _descriptor(item: Dataset, keyword: str) -> tuple[int, int, int]:
    """Number of entries (0 means 65,536), first value mapped, bits of an entry."""
    count, first, bits = (int(value) for value in item[keyword].value)
    return count or 2**16, first, bits


def _texts(item: Dataset, keyword: str) -> list[str]:
    value = item.get(keyword)
    return [] if value is None else [value] if isinstance(value, str) else [str(entry) for entry in value]
