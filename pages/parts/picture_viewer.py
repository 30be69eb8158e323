"""Pictures of one size beside or on top of each other, zoomed and moved together.

The eye compares two pictures only where both show the same place at the same scale. So this widget gives all of them
one view: whoever zooms into one zooms into all, and a pixel of the picture is a square of whole screen pixels in each.
It is a component of its own because Streamlit has no such widget; the page's part is here, the browser's part in
``assets/picture_viewer.*``. Zooming and wiping happen in the browser alone and never run the page again.

The pictures travel as one binary message (Streamlit's channel for raw bytes): the length of a header, the header as
JSON, then the PNG files as they are. That is several times cheaper than base64 within JSON. ``encode_png`` stores
pixels without compressing them: noise hardly shrinks, and trying to costs 35 times as much.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import streamlit as st

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2}  # channels -> PNG's number for grey and for RGB
ASSETS = Path(__file__).parent / "assets"

Mode = Literal["side by side", "wipe"]


@dataclass(frozen=True)
class ViewerPanel:
    """One picture of the viewer and what is said about it.

    ``png``: the file, 8 bits a channel (``encode_png`` makes one). ``title``: a few words. ``alt``: what the picture
    shows, for those who cannot see it. ``lines``: the caption, with ``**bold**`` where it matters and no other markup.
    ``note``: the long form of the caption, shown on demand; for example all that an epsilon depends on.
    """

    title: str
    png: bytes
    alt: str
    lines: tuple[str, ...] = ()
    note: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the file's header says."""
        if not self.png.startswith(PNG_SIGNATURE):
            raise ValueError(f"the image {self.title!r} is not a PNG file")
        width, height = struct.unpack_from(">II", self.png, 16)
        return width, height


def picture_viewer(
    panels: Sequence[ViewerPanel],
    *,
    key: str,
    mode: Mode = "side by side",
    height: int = 512,
    room_below: int = 0,
    follows: str = "",
    label: str = "Images to compare",
) -> None:
    """Draw pictures of one size with one zoom for all.

    ``mode``: "side by side" puts all in rows; "wipe" puts two of them, chosen in the widget, on top of each other with
    a handle between. ``height``: the most that one picture takes on screen, in CSS pixels. ``room_below``: so many of
    them stay free below the viewer in the window, if pictures of a useful size fit then. ``follows``: the key of a
    slider whose positions ``dragged_to`` tells while somebody drags it, because Streamlit tells of a slider when it is
    let go. ``label``: the name of the group for screen readers. As long as ``key`` and the size of the pictures stay
    the same, zoom, place and handle stay as they were across runs of the page. Raises ValueError if there is nothing to
    compare or sizes differ.
    """
    fewest = 2 if mode == "wipe" else 1
    if len(panels) < fewest:
        raise ValueError(f"mode {mode!r} needs at least {fewest} image(s), not {len(panels)}")
    sizes = {panel.size for panel in panels}
    if len(sizes) > 1:
        raise ValueError(f"images of one viewer must have one size, not {sorted(sizes)}")
    pixels_wide, pixels_high = sizes.pop()
    header = {
        "key": key,
        "label": label,
        "mode": mode,
        "max_height": height,
        "room_below": room_below,
        "follows": follows,
        "width": pixels_wide,
        "height": pixels_high,
        "panels": [
            {
                "title": panel.title,
                "alt": panel.alt,
                "lines": panel.lines,
                "note": panel.note,
                "bytes": len(panel.png),
            }
            for panel in panels
        ],
    }
    text = json.dumps(header).encode()
    message = b"".join([struct.pack(">I", len(text)), text, *(panel.png for panel in panels)])
    _component(data=message, key=key, on_dragged_change=lambda: None)


def dragged_to(viewer: str) -> str | None:
    """What the slider that the viewer of this key follows shows while it is being dragged; None when it is not."""
    state = st.session_state.get(viewer)
    dragged = state.get("dragged") if isinstance(state, Mapping) else None
    return dragged if isinstance(dragged, str) else None


def encode_png(pixels: np.ndarray) -> bytes:
    """The PNG file of uint8 ``pixels`` of shape (h, w, 1) or (h, w, 3), stored without compression: fast, not small."""
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row begins with its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 0)), (b"IEND", b"")
    return PNG_SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A block of a PNG file: length, kind, data, checksum of the last two."""
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))])


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


# The scripts share one scope: the browser takes a component's code as a single module.
_component = st.components.v2.component(
    "picture_viewer",
    html=_read("picture_viewer.html"),
    css=_read("picture_viewer.css"),
    js="".join(
        map(
            _read,
            ("picture_viewer.js", "picture_viewer.input.js", "picture_viewer.captions.js", "picture_viewer.follow.js"),
        )
    ),
)
