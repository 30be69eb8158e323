"""An opened upload: frames in memory, and the picture that each gives in a window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from medpriv_core.errors import SettingError
from medpriv_core.uploads.decoded import Decoded
from medpriv_core.uploads.signatures import Kind
from medpriv_core.uploads.windows import Preset, presets_of, shade

BURNED_IN_TEXT = "Text that is part of the picture itself, such as a name or a date in its corner, is not removed."


@dataclass(frozen=True, eq=False)
class Upload:
    """A file that somebody opened, without its name and without anything of its header but what is listed here.

    - ``kind``: "PNG", "JPEG", "TIFF" or "DICOM".
    - ``frames``: how many there are; ``render`` counts them from 0.
    - ``size``: width and height in pixels as stored, before anything was shrunk; ``bits`` of one channel as stored.
    - ``channels``: 1 (grey, also if it was stored as colour) or 3.
    - ``presets``: windows to choose from, the best first; empty where there is nothing to choose.
    - ``unit``: of centre and width; "HU" (Hounsfield units) or "" where the file's values have none.
    - ``centre_range``, ``width_range``, ``step``: for sliders; every preset lies within.
    - ``notes``: sentences that the page shows beside the picture; the last is always that of burned-in text.
    """

    kind: Kind
    frames: int
    size: tuple[int, int]
    bits: int
    channels: int
    unit: str
    presets: tuple[Preset, ...]
    centre_range: tuple[float, float]
    width_range: tuple[float, float]
    step: float
    notes: tuple[str, ...]
    _decoded: Decoded = field(repr=False)

    def render(
        self, frame: int = 0, centre: float | None = None, width: float | None = None, *, curve: str | None = None
    ) -> np.ndarray:
        """The picture of one frame, ``uint8`` (h, w, c), its longer side at most 1024 pixels.

        Without ``centre`` and ``width`` it is shown by the first preset; with them, by ``curve`` (that of a
        preset; the first one's if not given). All three are ignored where ``presets`` is empty. Raises
        ``SettingError`` if there is no such frame, window or curve.
        """
        if not 0 <= frame < self.frames:
            raise SettingError(f"There is no frame {frame + 1}; this file has {self.frames}.")
        stored = self._decoded.frames[frame]
        if not self.presets:
            return stored[:, :, np.newaxis] if stored.ndim == 2 else stored
        first = self.presets[0]
        slope, intercept = self._decoded.scales[frame]
        grey = shade(
            stored.astype(np.float32) * np.float32(slope) + np.float32(intercept),
            centre=first.centre if centre is None else centre,
            width=first.width if width is None else width,
            curve=curve or first.curve,
            tables=self._decoded.tables,
        )
        if self._decoded.inverted:
            grey = 1 - grey
        return np.rint(grey * 255).astype(np.uint8)[:, :, np.newaxis]


def make_upload(kind: Kind, decoded: Decoded) -> Upload:
    """The upload that a page works with, from what its decoder found."""
    presets: tuple[Preset, ...] = ()
    if decoded.windowed:
        presets = presets_of(
            decoded.windows,
            low=decoded.low,
            high=decoded.high,
            hounsfield=decoded.hounsfield,
            full_scale=_full_scale(kind, decoded),
        )
    span = decoded.high - decoded.low
    integral = decoded.frames.dtype != np.float32 and all(slope == int(slope) for slope, _ in decoded.scales)
    step = 1.0 if integral and span >= 1 else (span or 1.0) / 1000
    return Upload(
        kind=kind,
        frames=len(decoded.frames),
        size=(decoded.width, decoded.height),
        bits=decoded.bits,
        channels=1 if decoded.frames.ndim == 3 else 3,
        unit="HU" if decoded.hounsfield else "",
        presets=presets,
        centre_range=(
            min([decoded.low, *(preset.centre for preset in presets)]),
            max([decoded.high, *(preset.centre for preset in presets)]),
        ),
        width_range=(
            min([step, *(preset.width for preset in presets)]),
            max([2 * step, span, *(preset.width for preset in presets)]),
        ),
        step=step,
        notes=(*decoded.notes, BURNED_IN_TEXT),
        _decoded=decoded,
    )


def _full_scale(kind: Kind, decoded: Decoded) -> float | None:
    """The largest value that the bits of the file hold, if it means white and not only a limit of the device."""
    unsigned = decoded.frames.dtype in (np.uint8, np.uint16)
    if not unsigned or set(decoded.scales) != {(1.0, 0.0)} or not (decoded.bits == 8 or kind != "DICOM"):
        return None
    return 2.0**decoded.bits - 1
