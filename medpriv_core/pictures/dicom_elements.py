"""Elements of a DICOM header read with patience: wrong types, padding and spelling do not hide what is meant."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

_SPELLINGS = (
    "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT",
    "YBR_PARTIAL_422", "YBR_PARTIAL_420", "HSV", "ARGB", "CMYK",
)  # fmt: skip


def element_values(item: Dataset, keyword: str) -> list[object]:
    """The values of an element, raw texts where pydicom cannot make sense of them; empty if it is missing."""
    try:
        value = item.get(keyword)
    except Exception:  # a text where a number belongs; pydicom's message would quote it
        tag = tag_for_keyword(keyword)
        raw = item.get_item(tag) if tag is not None else None
        value = getattr(raw, "value", None)
    if value is None:
        return []
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return [part for part in (text.strip(" \0\r\n\t") for text in value.split("\\")) if part]
    if isinstance(value, Iterable):
        return list(value)
    return [value]


def numbers(item: Dataset, keyword: str) -> list[float]:
    """All numbers of an element; none if it is missing or one of them cannot be read."""
    try:
        return [_number(value) for value in element_values(item, keyword)]
    except (ValueError, TypeError, OverflowError):
        return []


def whole(item: Dataset, keyword: str) -> int | None:
    """The first whole number of an element, None if there is none."""
    for value in element_values(item, keyword):
        try:
            number = _number(value)
        except (ValueError, TypeError, OverflowError):
            return None
        return int(number) if math.isfinite(number) and number == int(number) else None
    return None


def word(item: Dataset, keyword: str) -> str:
    """The first text of an element in capitals, without blanks around it; empty if it is missing."""
    for value in element_values(item, keyword):
        return str(value).strip(" \0").upper()
    return ""


def interpretation(item: Dataset) -> str:
    """The photometric interpretation as the standard spells it; empty if it is missing or no term of it."""
    found = word(item, "PhotometricInterpretation")
    letters = _letters(found)
    return next((name for name in _SPELLINGS if _letters(name) == letters), "")


def put(item: Dataset, keyword: str, value: object) -> None:
    """Set an element with the type that the standard gives it."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    kind = dictionary_VR(tag)
    item.add_new(tag, kind, value)


def _letters(text: str) -> str:
    return "".join(letter for letter in text.upper() if letter.isalnum()).replace("COLOUR", "COLOR")


def _number(value: object) -> float:
    # Some devices write a decimal comma.
    return float(str(value).strip(" \0").replace(",", "."))
