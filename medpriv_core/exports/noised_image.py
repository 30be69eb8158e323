"""The noised picture itself as a PNG that says what it is.

Two kinds, never to be confused, so that the word stands in the file and in its name. A *demonstration* has noise
from a generator that can be repeated: it teaches, and protects nobody. A *release* has exact noise from a
cryptographic generator, the only kind whose ε holds outside this program.

Of a release the file tells the mechanism and its ε, which may be public, and nothing that leads back to the
original: no dataset, no class (it is the diagnosis), no number of the picture, no seed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL.PngImagePlugin import PngInfo

from medpriv_core.errors import SettingError
from medpriv_core.exports.lettering import clean
from medpriv_core.exports.rendering import as_image, encode_png
from medpriv_core.exports.settings import ExploreSettings
from medpriv_core.exports.sheet import check_picture
from medpriv_core.mechanisms.catalog import MECHANISMS

Kind = Literal["demonstration", "release"]

COMMENTS: dict[Kind, str] = {
    "demonstration": "Made for teaching, with noise that can be repeated or is not exact; never publish a patient's "
    "picture this way.",
    "release": "Exact noise from a cryptographic generator, drawn once and not kept.",
}
_PUBLIC = ("mechanism", "beta", "delta", "copies")


@dataclass(frozen=True)
class NoisedImageFile:
    """A PNG and the name to save it under, which says *demonstration* or *release*."""

    png: bytes
    file_name: str


def released_image(picture: np.ndarray, *, kind: Kind, settings: ExploreSettings, guarantee: str) -> NoisedImageFile:
    """The noised ``picture`` (uint8, shape (h, w, channels), as shown) as an 8-bit PNG with its label.

    ``guarantee`` is ε in full words: with its δ, unit, adjacency and accountant. The text chunks are Label, Comment,
    Settings (JSON), Privacy and Software. Raises ``SettingError`` for a release whose noise was drawn from a seed, or
    by a mechanism that is not fit for it.
    """
    check_picture(picture)
    if kind not in get_args(Kind):
        raise SettingError(f"A noised picture is a demonstration or a release, not {kind!r}.")
    words = clean(guarantee)
    if not words:
        raise SettingError("A noised picture needs its guarantee in words.")
    if kind == "release":
        _check_fit_for_release(settings)
    info = PngInfo()
    for key, text in {
        "Label": kind,
        "Comment": COMMENTS[kind],
        "Settings": json.dumps(_told_settings(kind, settings)),
        "Privacy": words,
        "Software": "medpriv",
    }.items():
        info.add_text(key, text)
    name = f"medpriv-{kind}-{settings.mechanism}-beta-{settings.beta:g}.png"
    return NoisedImageFile(encode_png(as_image(picture), info), name)


def _told_settings(kind: Kind, settings: ExploreSettings) -> dict[str, object]:
    told = settings.to_dict()
    return told if kind == "demonstration" else {name: told[name] for name in _PUBLIC}


def _check_fit_for_release(settings: ExploreSettings) -> None:
    if not MECHANISMS[settings.mechanism].fit_for_release:
        raise SettingError(
            f"{MECHANISMS[settings.mechanism].title} is for demonstrations: its noise is not exact. For a release "
            "choose a mechanism that is fit for it."
        )
    if settings.seed is not None:
        raise SettingError(
            "The noise of this picture was drawn from a known seed, so anybody could subtract it. Draw it anew, "
            "without a seed, for a release."
        )
