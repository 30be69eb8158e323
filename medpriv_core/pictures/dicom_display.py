"""How a DICOM header says that its numbers are to be shown: windows, the shape of a pixel, the area scanned.

In files of many frames these sit in *functional groups*, shared by all frames or one for each; in others at the
top of the header. Nothing of it is needed to show a picture, so nothing of it is fatal: what makes no sense is passed
over, and said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from medpriv_core.pictures.dicom_elements import element_values, numbers, whole, word
from medpriv_core.pictures.dicom_tables import read_table
from medpriv_core.pictures.windows import HeaderWindow, safe_words

_MAX_TABLES = 4
_CURVES = {"LINEAR": "linear", "LINEAR_EXACT": "linear_exact", "SIGMOID": "sigmoid"}
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_ABSURD = 1e15
_GREY_TABLE = "a table of grey levels"


def groups(dataset: Dataset, index: int, group: str) -> Iterator[Dataset]:
    """Where the attributes of this functional group may stand for frame ``index``, the nearest first."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    for item in (*per_frame[index : index + 1], *shared[:1]):
        yield from (item.get(group) or ())[:1]
    yield dataset


def frame_item(dataset: Dataset, index: int, group: str) -> Dataset:
    """The nearest of ``groups``."""
    return next(groups(dataset, index, group))


class WindowReader:
    """Reads the windows of one frame after the other; collects their tables and what there is to say of them."""

    def __init__(self, dataset: Dataset, *, little_endian: bool) -> None:
        self.tables: dict[str, tuple[float, ...]] = {}
        self.notes: list[str] = []
        self._dataset = dataset
        self._little_endian = little_endian

    def windows(self, index: int, low: float, high: float) -> tuple[HeaderWindow, ...]:
        """The windows of a frame whose values run from ``low`` to ``high``; impossible ones passed over."""
        for item in groups(self._dataset, index, "FrameVOILUTSequence"):
            found = [*self._plain(item), *self._by_table(item, low, high)]
            if found:
                # Some devices repeat one window for every frame of a series.
                return tuple(dict.fromkeys(found))
        return ()

    def _plain(self, item: Dataset) -> Iterator[HeaderWindow]:
        centres, widths = numbers(item, "WindowCenter"), numbers(item, "WindowWidth")
        curve = _CURVES.get(word(item, "VOILUTFunction").replace(" ", "_") or "LINEAR", "linear")
        words = [str(entry) for entry in element_values(item, "WindowCenterWidthExplanation")]
        stated = max(len(element_values(item, keyword)) for keyword in ("WindowCenter", "WindowWidth"))
        sound = 0
        for place, (centre, width) in enumerate(zip(centres, widths, strict=False)):
            if abs(centre) < _ABSURD and 0 < width < _ABSURD:
                sound += 1
                yield HeaderWindow(centre, width, curve, safe_words(words[place]) if place < len(words) else "")
        if sound < stated:
            self._say("It holds a window without a centre or a width above zero, which is passed over.")

    def _by_table(self, item: Dataset, low: float, high: float) -> Iterator[HeaderWindow]:
        for entry in (item.get("VOILUTSequence") or ())[:_MAX_TABLES]:
            table, why_not = read_table(entry, low=low, high=high, little_endian=self._little_endian, what=_GREY_TABLE)
            if table is None:
                self._say(why_not)
                continue
            for note in table.notes:
                self._say(note)
            shades = tuple(np.clip(table.entries / table.white, 0, 1).round(5).tolist())
            name = next((known for known, others in self.tables.items() if others == shades), "")
            name = name or f"table {len(self.tables) + 1}"
            self.tables[name] = shades
            explanation = safe_words(" ".join(str(text) for text in element_values(entry, "LUTExplanation")))
            count = len(table.entries)
            yield HeaderWindow(table.first + count / 2, float(count), name, explanation)

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def rescale(item: Dataset) -> tuple[float, float] | None:
    """Slope and intercept, 1 and 0 where the header does not say; None if they make no sense."""
    pair = []
    for keyword, otherwise in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0)):
        if not element_values(item, keyword):
            pair.append(otherwise)
            continue
        value = (numbers(item, keyword) or [math.nan])[0]
        if not abs(value) < _ABSURD:
            return None
        pair.append(value)
    return (pair[0], pair[1]) if abs(pair[0]) > 1 / _ABSURD else None


def padding(dataset: Dataset, *, signed: bool, bits: int) -> tuple[float, float] | None:
    """The stored values, ends included, that mark what was not scanned; None if the header names none."""
    if "PixelData" not in dataset:
        ends = numbers(dataset, "FloatPixelPaddingValue") or numbers(dataset, "DoubleFloatPixelPaddingValue")
        limits = numbers(dataset, "FloatPixelPaddingRangeLimit") or numbers(
            dataset, "DoubleFloatPixelPaddingRangeLimit"
        )
        return (min(ends[0], *limits[:1], ends[0]), max(ends[0], *limits[:1], ends[0])) if ends else None
    values = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        raw = dataset.get(keyword)
        value = int.from_bytes(raw[:2], "little") if isinstance(raw, bytes) else whole(dataset, keyword)
        if value is not None:
            # Its type is often that of numbers without sign, whatever those of the picture are.
            value &= 2**bits - 1
            values.append(value - 2**bits if signed and value >= 2 ** (bits - 1) else value)
    return (min(values), max(values)) if values and "PixelPaddingValue" in dataset else None


def is_hounsfield(dataset: Dataset) -> bool:
    """Whether values after rescaling are Hounsfield units: CT, not its overview pictures, of no other stated unit."""
    item = frame_item(dataset, 0, "PixelValueTransformationSequence")
    image_type = [str(value).strip().upper() for value in element_values(dataset, "ImageType")]
    return (
        word(dataset, "Modality") == "CT"
        and "RescaleIntercept" in item
        and "LOCALIZER" not in image_type
        and word(item, "RescaleType") in ("", "HU")
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
