"""Grey values of any type, brought to the few types in which frames are kept, without losing what the eye could see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.errors import ImageError

NOT_NUMBERS = "Some of its values are not finite numbers; they are shown as the smallest one that is."
_EXACT_IN_FLOAT32 = 2**24
_SAFE_FLOAT32 = 1e30  # below its largest, so that filters do not overflow
_ABSURD = 1e300


@dataclass(frozen=True)
class Kept:
    """``stored * slope + intercept`` are the values; ``stored`` is ``uint8``, ``uint16``, ``int16`` or ``float32``."""

    stored: np.ndarray
    slope: float = 1.0
    intercept: float = 0.0
    notes: tuple[str, ...] = ()


def kept(values: np.ndarray) -> Kept:
    """Grey values (h, w) of any real type; raises ``ImageError`` if none of them is a finite number."""
    values = np.asarray(values)
    if values.dtype == np.bool_:
        return Kept(values.astype(np.uint8))
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    if native.dtype.kind == "f":
        return _floats(native)
    if native.dtype == np.int8:
        return Kept(native.astype(np.int16))
    if native.dtype.itemsize <= 2:
        return Kept(native)
    low, high = int(native.min()), int(native.max())
    if max(abs(low), abs(high)) <= _EXACT_IN_FLOAT32:
        return Kept(native.astype(np.float32))
    # Differences of signed numbers may need one bit more, which the unsigned type has.
    unsigned = np.dtype(f"u{native.dtype.itemsize}")
    distance = native.view(unsigned) - np.array(low, native.dtype).view(unsigned)
    return Kept(distance.astype(np.float32), intercept=float(low))


def _floats(values: np.ndarray) -> Kept:
    notes: tuple[str, ...] = ()
    sound = np.isfinite(values)
    if not sound.all():
        if not sound.any():
            raise ImageError("None of the values in this image is a number. Export it again from its source.")
        values = np.where(sound, values, values[sound].min())
        notes = (NOT_NUMBERS,)
    low, high = float(values.min()), float(values.max())
    span, largest = high - low, max(abs(low), abs(high))
    if largest > _ABSURD:
        raise ImageError("Its values reach beyond 1e300, which no measurement does. Export it again from its source.")
    narrow = values.dtype.itemsize > 4 and span < largest / 1000
    if largest < _SAFE_FLOAT32 and not narrow and (span == 0 or span > 1 / _SAFE_FLOAT32):
        return Kept(values.astype(np.float32), notes=notes)
    unit = 1.0 if 1 / _SAFE_FLOAT32 < span < _SAFE_FLOAT32 else span or 1.0
    distance = (values.astype(np.float64) - low) / unit
    return Kept(distance.astype(np.float32), slope=unit, intercept=low, notes=notes)
