"""Windows: which range of values is spread from black to white.

A radiograph has 4096 grey levels and a CT more; a screen shows 256. A *window* says which part is shown: its
*centre* becomes middle grey, and everything further away than half its *width* becomes black or white. How grey
rises in between is its *curve*, by DICOM PS3.3 C.11.2.1: ``linear``, ``linear_exact``, ``sigmoid``, or a table
from the file (``VOI LUT``), here stretched along with the width when somebody moves the slider.

>>> shade(np.array([-200.0, 40.0, 300.0]), centre=40, width=400, curve="linear_exact").tolist()
[0.0, 0.5, 1.0]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medpriv_core.errors import SettingError

# Windows of textbooks for CT, whose values are Hounsfield units (water 0, air -1000): centre and width.
_CT_WINDOWS = (
    ("Soft tissue", "organs, muscle and fat", 40.0, 400.0),
    ("Lung", "air-filled lung with its vessels and airways", -600.0, 1500.0),
    ("Bone", "bone with its cortex and marrow", 400.0, 1800.0),
    ("Brain", "grey and white matter", 40.0, 80.0),
)

# Free text in a header can hold a name, so only words of this list are ever shown of a window's explanation.
_KNOWN_WORDS = """
    abdomen abdominal algo angio bone bones brain breast cardiac cerebrum chest contrast default dental enhanced
    face fat full hard harder head heart high inner ear kidney larynx liver low lung lungs mammo mediastinum medium
    muscle narrow neck neuro normal orbit original pelvis petrous preset range sinus skeleton skull soft softer
    spine standard stroke subdural thorax tissue user vascular vessel vessels voi wide window
"""


@dataclass(frozen=True)
class HeaderWindow:
    """A window as a header gives it; ``words`` are those of its explanation that are safe to show."""

    centre: float
    width: float
    curve: str
    words: str


@dataclass(frozen=True)
class Preset:
    """A window to choose by name. ``centre`` and ``width`` are in the file's units (Hounsfield units in CT)."""

    name: str
    explanation: str
    centre: float
    width: float
    curve: str


def shade(
    values: np.ndarray,
    *,
    centre: float,
    width: float,
    curve: str,
    tables: Mapping[str, Sequence[float]] | None = None,
) -> np.ndarray:
    """Grey in [0, 1] (same shape; ``float64`` for such values, else ``float32``) of the values in this window.

    ``linear`` is defined from a width of 1 up, and is ``linear_exact`` below. ``tables`` holds, by the name of its
    curve, the grey of evenly spaced values. Raises ``SettingError`` if the window has no width or an unknown curve.
    """
    if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
        raise SettingError("A window needs a centre and a width above zero. Choose a preset, or move the sliders.")
    real = np.float64 if values.dtype == np.float64 else np.float32
    values = values.astype(real, copy=False)
    if curve == "linear" and width >= 1:
        # The standard counts steps between whole values: w values have w - 1 steps.
        return np.clip((values - real(centre - 0.5)) / real(max(width - 1, 1e-6)) + 0.5, 0, 1)
    if curve in ("linear", "linear_exact"):
        return np.clip((values - real(centre)) / real(width) + 0.5, 0, 1)
    if curve == "sigmoid":
        steepness = np.clip(-4 * (values - real(centre)) / real(width), -80, 80)
        return 1 / (1 + np.exp(steepness))
    if tables is None or curve not in tables:
        raise SettingError("The window has a curve that is not in this file. Choose one of its presets.")
    table = np.asarray(tables[curve], np.float32)
    # At the table's own centre and width, value number i falls on entry i.
    place = (values - real(centre)) / real(width) * len(table) + len(table) / 2
    return table[np.clip(np.rint(place), 0, len(table) - 1).astype(np.int32)]


def safe_words(explanation: str) -> str:
    """The explanation if it consists of well-known words and numbers up to 99 only, else nothing.

    >>> safe_words("SOFT_TISSUE 2"), safe_words("Dr Miller chest")
    ('soft tissue 2', '')
    """
    words = explanation.replace("_", " ").replace("-", " ").lower().split()
    known = _KNOWN_WORDS.split()
    safe = all(word in known or (word.isascii() and word.isdigit() and len(word) <= 2) for word in words)
    return " ".join(words[:4]) if safe else ""


def presets_of(
    windows: Sequence[HeaderWindow], *, low: float, high: float, hounsfield: bool, full_scale: float | None
) -> tuple[Preset, ...]:
    """Windows to offer, the best first: the header's, those of CT, all values, and the range of the file's bits.

    ``low`` and ``high`` are the extreme values of the picture; ``full_scale`` is the largest that its bits allow,
    or None where that says nothing. Pictures of 8 bits were meant to be shown at full scale, deeper ones seldom
    use it. Names are unique.
    """
    presets = []
    for number, window in enumerate(windows, start=1):
        suffix = f" {number}" if len(windows) > 1 else ""
        words = f": {window.words}" if window.words else ""
        source = "A table of grey levels" if window.curve not in ("linear", "linear_exact", "sigmoid") else "The window"
        explanation = f"{source} that the device or the radiographer stored in the file."
        presets.append(Preset(f"From the file{suffix}{words}", explanation, window.centre, window.width, window.curve))
    if hounsfield:
        presets += [
            Preset(name, f"Shows {what}: Hounsfield units around {centre:g}, {width:g} wide.", centre, width, "linear")
            for name, what, centre, width in _CT_WINDOWS
        ]
    presets.append(all_values(low, high))
    if full_scale is not None and (low, high) != (0, full_scale):
        whole = _from_to("Full scale", "Every value that the file's bits could hold.", 0, full_scale)
        presets.insert(len(presets) - (full_scale <= 255), whole)
    return tuple(presets)


def all_values(low: float, high: float) -> Preset:
    """From the one value, black, to the other, white."""
    return _from_to("All values", "From the smallest value in the file to its largest.", low, high)


def _from_to(name: str, explanation: str, low: float, high: float) -> Preset:
    # A picture of one value has no width of its own; it becomes middle grey.
    return Preset(name, explanation, (low + high) / 2, high - low or 1.0, "linear_exact")
