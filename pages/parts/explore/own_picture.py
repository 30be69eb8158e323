"""The visitor's own picture: uploaded, kept in this session's memory only, and shown in a window if it is a DICOM.

Of the file nothing is kept but what the decoding child sent back: its bytes are dropped as soon as they have been read,
also those of a file that is refused. Streamlit then shows the file's name in the uploader and says that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.typing import UploadedFile

from medpriv_core.errors import ImageError
from medpriv_core.pictures.kinds import READABLE_IN_WORDS
from medpriv_core.shown_text import for_markdown
from medpriv_core.uploads.fitting import to_grey
from medpriv_core.uploads.opening import open_upload
from medpriv_core.uploads.upload import Upload
from pages.parts.serving import drop_upload, visitor

KEPT = "own_picture"
UPLOADER = "upload"
IN_COLOUR, IN_GREY = "in colour, as stored", "in grey"


@dataclass(frozen=True, eq=False)
class OwnPicture:
    """One frame of an upload, rendered."""

    picture: np.ndarray  # uint8, shape (h, w, channels)
    key: tuple[str | float, ...]


@dataclass(eq=False)
class _Kept:
    """What is kept of a file: the picture, or the sentence why there is none."""

    file_id: str
    upload: Upload | None = None
    refusal: str = ""

    @property
    def is_read(self) -> bool:
        """Whether the file has been read; a click while the page was at it ends that run of the page."""
        return self.upload is not None or bool(self.refusal)


def choose_own() -> OwnPicture | None:
    """The uploader and what belongs to it; None before there is an upload. Raises ``ImageError``."""
    kept: _Kept | None = st.session_state.get(KEPT)
    if kept is None or kept.upload is None:
        kept = _ask_for_it()
    if kept is None:
        return None
    if kept.upload is None:
        raise ImageError(kept.refusal)
    row = st.container(horizontal=True, vertical_alignment="center", gap="xsmall")
    row.markdown(
        ":green[:material/verified_user:] Your file. Name, number and dates in its header were not taken over."
    )
    row.button(
        "Remove",
        icon=":material/delete:",
        key="remove_own",
        on_click=_forget,
        help="Remove this image.",
    )
    frame, centre, width, curve = _choose_view(kept.upload, kept.file_id)
    st.caption(f":material/info: {for_markdown(' '.join(kept.upload.notes))}")
    picture = kept.upload.render(frame, centre, width, curve=curve)
    if picture.shape[2] == 3:
        picture = _choose_mode(picture, kept.file_id)
    return OwnPicture(
        picture=picture,
        key=("own", kept.file_id, frame, centre or 0.0, width or 0.0, curve or "", picture.shape[2]),
    )


def _read(file: UploadedFile) -> None:
    """Keep the picture of a file that is not known yet, or why it has none, and drop the file."""
    kept: _Kept | None = st.session_state.get(KEPT)
    if kept is not None and kept.is_read and kept.file_id == file.file_id:
        drop_upload(file, UPLOADER)
        return
    # In its place before the file is read: after that, a click meanwhile ends this run where it would be put there.
    kept = st.session_state[KEPT] = _Kept(file.file_id)
    with st.spinner("Reading the image…"):
        try:
            kept.upload = open_upload(file.name, file.getvalue(), visitor=visitor())
        except ImageError as error:
            kept.refusal = str(error)
        finally:
            drop_upload(file, UPLOADER)


def _ask_for_it() -> _Kept | None:
    """The place for the file; None as long as there is none that was read."""
    limit_mb = st.get_option("server.maxUploadSize")
    place = st.empty()
    file = place.file_uploader(
        f"An image of yours ({READABLE_IN_WORDS})",
        key=UPLOADER,
        on_change=_forget_removed,
        help="The image stays in the memory of this app, for this browser tab only. It is not stored, not logged "
        "and sent nowhere.",
    )
    if file is not None:
        _read(file)
    kept: _Kept | None = st.session_state.get(KEPT)
    if kept is None or not kept.is_read:
        st.info(
            "Choose an image, or drop one here: a photograph, a radiograph, a DICOM file. For teaching only: take "
            "public images, your own, or a patient's who has agreed to it. A file of more than "
            f"{limit_mb} MB turns red and is not read: export it smaller.",
            icon=":material/upload:",
        )
        return None
    if kept.upload is not None:
        place.empty()  # it would show the file's name, which may be the patient's
    return kept


def _forget_removed() -> None:
    """Where the visitor has taken the file out of the uploader, its picture goes too."""
    if st.session_state.get(UPLOADER) is None:
        _forget()


def _forget() -> None:
    st.session_state.pop(KEPT, None)


def _choose_mode(picture: np.ndarray, name: str) -> np.ndarray:
    """A picture that is stored in colour, in colour or in grey: as the visitor says, for the pixels have no say.

    Were it turned grey where all colours are equal, one value would decide on the shape of a release, and no ε hold.
    """
    mode = st.segmented_control(
        "Noise it",
        (IN_COLOUR, IN_GREY),
        default=IN_COLOUR,
        required=True,
        key=f"mode_{name}",
        help="In colour, each pixel has three values that get their own noise; in grey it has one, its brightness "
        "(Rec. 601 luma).",
    )
    if mode == IN_GREY:
        return to_grey(picture)
    if (picture == picture[:, :, :1]).all():
        st.caption(
            "The three colours of this image are equal everywhere. As it is stored, each pixel counts as three "
            "values, with an ε for three times as many; choose grey to count it once."
        )
    return picture


def _choose_view(upload: Upload, name: str) -> tuple[int, float | None, float | None, str | None]:
    """Frame and window; ``name`` tells the controls of one file from those of another."""
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
            help="  \n".join(f"**{for_markdown(one.name)}**: {one.explanation}" for one in presets),
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
