"""The visitor's own picture: uploaded, kept in this session's memory only, and shown in a window if it is a DICOM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from medpriv_core.pictures.kinds import READABLE_IN_WORDS
from medpriv_core.uploads.opening import open_upload
from medpriv_core.uploads.upload import Upload

KEPT = "own_picture"


@dataclass(frozen=True, eq=False)
class OwnPicture:
    """One frame of an upload, rendered."""

    picture: np.ndarray  # uint8, shape (h, w, channels)
    key: tuple[str | float, ...]


@dataclass(frozen=True, eq=False)
class _Kept:
    file_id: str
    upload: Upload


def choose_own() -> OwnPicture | None:
    """The uploader and what belongs to it; None before there is an upload. Raises ``ImageError``."""
    limit_mb = st.get_option("server.maxUploadSize")
    file = st.file_uploader(
        f"A picture of yours ({READABLE_IN_WORDS})",
        key="upload",
        help="The picture stays in the memory of this app, for this browser tab only. It is not stored, not logged "
        "and sent nowhere.",
    )
    if file is not None and (KEPT not in st.session_state or st.session_state[KEPT].file_id != file.file_id):
        st.session_state.pop(KEPT, None)
        with st.spinner("Reading the picture…"):
            st.session_state[KEPT] = _Kept(file.file_id, open_upload(file.name, file.getvalue()))
    if KEPT not in st.session_state:
        st.info(
            "Choose a picture, or drop one here: a photograph, a radiograph, a DICOM file. For teaching only: take "
            f"public pictures or your own. A file of more than {limit_mb} MB turns red and is not read: export it "
            "smaller.",
            icon=":material/upload:",
        )
        return None
    kept: _Kept = st.session_state[KEPT]
    frame, centre, width, curve = _choose_view(kept)
    st.caption(f":material/info: {' '.join(kept.upload.notes)}")
    return OwnPicture(
        picture=kept.upload.render(frame, centre, width, curve=curve),
        key=("own", kept.file_id, frame, centre or 0.0, width or 0.0, curve or ""),
    )


def _choose_view(kept: _Kept) -> tuple[int, float | None, float | None, str | None]:
    """Frame and window."""
    upload, name = kept.upload, kept.file_id
    row = st.container(horizontal=True, vertical_alignment="bottom")
    kind = f"{upload.kind}, {upload.size[0]:,} × {upload.size[1]:,} pixels, {upload.bits} bits"
    frame = 0
    if upload.frames > 1:
        frame = row.slider(f"Frame (1 to {upload.frames})", 1, upload.frames, key=f"frame_{name}", width=220) - 1
    centre = width = curve = None
    presets = upload.presets_at(frame)
    if presets:
        if upload.windows_by_frame:
            name = f"{name}_{frame}"
        preset = row.selectbox(
            "Window (grey values shown)",
            presets,
            format_func=lambda one: one.name,
            key=f"window_{name}",
            width=240,
            help="  \n".join(f"**{one.name}**: {one.explanation}" for one in presets),
        )
        # Another preset moves both sliders: the key carries its name.
        centre, width = (
            row.slider(
                f"{title} ({upload.unit})" if upload.unit else title,
                *bounds,
                value=float(value),
                step=upload.step,
                format="%g",
                key=f"{title}_{name}_{preset.name}",
                width=220,
                help=words,
            )
            for title, words, bounds, value in (
                ("Centre", "What is shown as medium grey.", upload.centre_range, preset.centre),
                (
                    "Width",
                    "The range from black to white. Narrower: more contrast; what lies outside is lost before any "
                    "noise is added.",
                    upload.width_range,
                    preset.width,
                ),
            )
        )
        curve = preset.curve
    row.caption(kind)
    return frame, centre, width, curve
