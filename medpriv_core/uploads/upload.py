"""An opened upload: frames in memory, and the picture that each gives in a window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from medpriv_core.errors import SettingError
from medpriv_core.pictures.decoded import Decoded
from medpriv_core.pictures.kinds import Kind
from medpriv_core.pictures.rendering import presets_at, rendered, window_notes
from medpriv_core.pictures.windows import Preset

BURNED_IN_TEXT = "Text that is part of the image itself, such as a name or a date in its corner, is not removed."


@dataclass(frozen=True, eq=False)
class Upload:
    """A file that somebody opened, without its name and without anything of its header but what is listed here.

    - ``kind``: "PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP" or "DICOM".
    - ``frames``: how many there are; ``render`` counts them from 0.
    - ``size``: width and height in pixels as stored, before anything was shrunk; ``bits`` of one channel as stored.
    - ``channels``: 1 (grey) or 3, as the header says it, whatever the pixels are.
    - ``presets``: windows to choose from, the best first; empty where there is nothing to choose. Those of the first
      frame: with ``windows_by_frame`` the others have their own (``presets_at``).
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
    windows_by_frame: bool
    centre_range: tuple[float, float]
    width_range: tuple[float, float]
    step: float
    notes: tuple[str, ...]
    _decoded: Decoded = field(repr=False)

    def render(
        self, frame: int = 0, centre: float | None = None, width: float | None = None, *, curve: str | None = None
    ) -> np.ndarray:
        """The picture of one frame, ``uint8`` (h, w, c), its longer side at most 1024 pixels.

        Without ``centre`` and ``width`` it is shown by the frame's first preset; with them, by ``curve`` (that of a
        preset; the first one's if not given). All three are ignored where ``presets`` is empty. Raises
        ``SettingError`` if there is no such frame, window or curve.
        """
        presets = self.presets_at(frame)
        return rendered(
            self._decoded, frame, centre=centre, width=width, curve=curve, first=presets[0] if presets else None
        )

    def presets_at(self, frame: int) -> tuple[Preset, ...]:
        """The windows of one frame: files of several frames may hold a window for each.

        Raises ``SettingError`` if there is no such frame.
        """
        if not 0 <= frame < self.frames:
            raise SettingError(f"There is no frame {frame + 1}; this file has {self.frames}.")
        return presets_at(self.kind, self._decoded, frame) if self.windows_by_frame else self.presets


def make_upload(kind: Kind, decoded: Decoded) -> Upload:
    """The upload that a page works with, from what its decoder found."""
    by_frame = len(decoded.windows) > 1
    presets = presets_at(kind, decoded, 0)
    every = [preset for frame in range(len(decoded.windows)) for preset in presets_at(kind, decoded, frame)]
    span = decoded.high - decoded.low
    integral = decoded.frames.dtype != np.float32 and all(slope == int(slope) for slope, _ in decoded.scales)
    # A picture of one value has no span; the sliders need room all the same, in numbers of its size.
    step = 1.0 if integral and span >= 1 else (span or max(1.0, abs(decoded.high) / 1000)) / 1000
    low = min([decoded.low, *(preset.centre for preset in every)])
    high = max([decoded.high, *(preset.centre for preset in every)])
    room = 0.0 if high - low > step else max(1.0, 100 * step)
    return Upload(
        kind=kind,
        frames=len(decoded.frames),
        size=(decoded.width, decoded.height),
        bits=decoded.bits,
        channels=1 if decoded.frames.ndim == 3 else 3,
        unit="HU" if decoded.hounsfield else "",
        presets=presets,
        windows_by_frame=by_frame,
        centre_range=(low - room, high + room),
        width_range=(
            min([step, *(preset.width for preset in every)]),
            max([2 * step, span, 2 * room, *(preset.width for preset in every)]),
        ),
        step=step,
        notes=(*decoded.notes, *window_notes(kind, decoded), BURNED_IN_TEXT),
        _decoded=decoded,
    )
