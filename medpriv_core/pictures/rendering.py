"""From decoded values to the picture on screen: which windows there are, which one is shown, and its pixels.

Page, command line and datasets all get their pixels here, so a file looks the same wherever it is read.
"""

from __future__ import annotations

import numpy as np

from medpriv_core.errors import ImageError
from medpriv_core.pictures.decoded import Decoded
from medpriv_core.pictures.kinds import Kind
from medpriv_core.pictures.reading import Window
from medpriv_core.pictures.windows import Preset, all_values, presets_of, shade

_SAMPLES = 257
_COARSE = 2**10  # with steps of 2**-23, a span this much smaller still has thousands of them


def presets_at(kind: Kind, decoded: Decoded, frame: int) -> tuple[Preset, ...]:
    """The windows to offer for one frame, that which is shown first; none where there is nothing to choose."""
    return _ordered(kind, decoded, frame)[0]


def window_notes(kind: Kind, decoded: Decoded) -> tuple[str, ...]:
    """A sentence if a window of the file would show nothing, so that another is shown in its place."""
    for frame in range(min(len(decoded.windows), len(decoded.frames)) if decoded.windowed else 0):
        presets, passed_over = _ordered(kind, decoded, frame)
        if passed_over is not None:
            preset, shown = passed_over
            which = f" of frame {frame + 1}" if min(len(decoded.windows), len(decoded.frames)) > 1 else ""
            return (
                f"The window “{preset.name}”{which} (centre {preset.centre:g}, width {preset.width:g}) would show "
                f"every pixel {shown}, so “{presets[0].name}” is shown instead.",
            )
    return ()


def rendered(
    decoded: Decoded, frame: int, *, centre: float | None, width: float | None, curve: str | None, first: Preset | None
) -> np.ndarray:
    """The picture of one frame, ``uint8`` (h, w, c) with c = 1 or 3.

    ``first`` is the preset to use where centre, width or curve are not given; None for what has no windows.
    """
    stored = decoded.frames[frame]
    if first is None:
        return stored[:, :, np.newaxis] if stored.ndim == 2 else stored
    slope, intercept = decoded.scales[frame]
    largest, span = max(abs(decoded.low), abs(decoded.high)), decoded.high - decoded.low
    # In single precision, small differences of large numbers would be steps on screen.
    exact = stored.dtype == np.float32 or largest > _COARSE * span
    real = np.float64 if exact else np.float32
    grey = shade(
        stored.astype(real) * real(slope) + real(intercept),
        centre=first.centre if centre is None else centre,
        width=first.width if width is None else width,
        curve=curve or first.curve,
        tables=decoded.tables,
    )
    if decoded.inverted:
        grey = 1 - grey
    return np.rint(grey * 255).astype(np.uint8)[:, :, np.newaxis]


def first_picture(kind: Kind, decoded: Decoded, window: Window = "file") -> np.ndarray:
    """The first frame that was kept, ``uint8`` (h, w, c), in a window, or as it is shown before anybody chooses one.

    Raises ``ImageError`` for a window of CT where the values are no Hounsfield units.
    """
    first = _chosen(kind, decoded, window) if decoded.windowed else None
    return rendered(decoded, 0, centre=None, width=None, curve=None, first=first)


def _chosen(kind: Kind, decoded: Decoded, window: Window) -> Preset:
    if window == "file":
        return presets_at(kind, decoded, 0)[0]
    if window == "percentiles":
        slope, intercept = decoded.scales[0]
        values = decoded.frames[0].astype(np.float64) * slope + intercept
        scanned = values[(values >= decoded.ends[0][0]) & (values <= decoded.ends[0][1])]  # without padding
        low, high = np.percentile(scanned if scanned.size else values, (1, 99)).tolist()
        # Of one value, nearly everywhere, the rest would be the same grey as it.
        return all_values(low, high) if low < high else all_values(*decoded.ends[0])
    if not decoded.hounsfield:
        raise ImageError(
            f"The window of CT that was chosen ({window}) needs Hounsfield units, which this image has not. Choose "
            "another window for its dataset."
        )
    return next(preset for preset in presets_at(kind, decoded, 0) if preset.name.lower() == window)


def _ordered(kind: Kind, decoded: Decoded, frame: int) -> tuple[tuple[Preset, ...], tuple[Preset, str] | None]:
    """The presets, those that show nothing last; and the first of these with what it shows, if it lost its place."""
    if not decoded.windowed:
        return (), None
    by_frame = len(decoded.windows) > 1
    # What is outside a window that all frames share may be inside in another frame.
    low, high = decoded.ends[frame] if by_frame else (decoded.low, decoded.high)
    presets = presets_of(
        decoded.windows[frame if by_frame else 0],
        low=decoded.low,
        high=decoded.high,
        hounsfield=decoded.hounsfield,
        full_scale=_full_scale(kind, decoded),
    )
    if low == high:  # a frame of one value shows one grey in any window
        return presets, None
    values = np.linspace(low, high, _SAMPLES)
    useful, useless, passed_over = [], [], None
    for preset in presets:
        levels = np.rint(
            255 * shade(values, centre=preset.centre, width=preset.width, curve=preset.curve, tables=decoded.tables)
        )
        if levels.min() < levels.max():
            useful.append(preset)
            continue
        useless.append(preset)
        if not useful and passed_over is None:
            level = 255 - levels[0] if decoded.inverted else levels[0]
            passed_over = preset, {0: "black", 255: "white"}.get(int(level), "in the same grey")
    return (*useful, *useless), passed_over


def _full_scale(kind: Kind, decoded: Decoded) -> float | None:
    """The largest value that the bits of the file hold, if it means white and not only a limit of the device."""
    unsigned = decoded.frames.dtype in (np.uint8, np.uint16)
    if not unsigned or set(decoded.scales) != {(1.0, 0.0)} or not (decoded.bits == 8 or kind != "DICOM"):
        return None
    return 2.0**decoded.bits - 1
