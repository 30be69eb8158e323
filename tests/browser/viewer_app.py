"""A page with nothing but the picture viewer, for the browser to try.

The pictures are chosen so that what is on screen tells which place of which picture it is: the colours of *ramp* name
column and row, *inverted* is its opposite, pixel by pixel.
"""

from __future__ import annotations

import numpy as np
import streamlit as st  # noqa: TID251 - a page, if only for tests

from pages.parts.picture_viewer import ViewerPanel, encode_png, picture_viewer


def ramp(side: int, blue: int) -> np.ndarray:
    """Red counts columns, green rows; blue is the same everywhere."""
    steps = np.arange(side, dtype=np.uint8)
    return np.dstack([*np.meshgrid(steps, steps), np.full((side, side), blue, np.uint8)])


st.set_page_config(layout="wide")
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.write(f"runs of the page: {st.session_state['runs']}")
mode = st.segmented_control("Mode", ["side by side", "wipe"], default="side by side", required=True, key="mode")
blue = st.slider("Blue", 0, 255, 0, key="blue")
side = st.segmented_control("Side", [64, 48], default=64, required=True, key="side")
first = ramp(side, blue)
pictures = {"ramp": first, "inverted": 255 - first, "third": first, "fourth": first, "fifth": first}
picture_viewer(
    [
        ViewerPanel(
            title=name,
            png=encode_png(pixels),
            alt=f"Test image {name}",
            lines=("two **bold** words", "<b>no markup</b>"),
            note="" if name == "ramp" else f"All about {name}",
        )
        for name, pixels in pictures.items()
    ],
    key="viewer",
    mode=mode,  # type: ignore[arg-type]
    height=256,
    label="Test images",
)
for line in range(40):
    st.write(f"more to scroll to: {line}")
