"""The noised picture itself as a PNG that says what it is.

Two kinds, never to be confused, so that the word stands in the file and in its name. A *demonstration* has noise
from a generator that can be repeated: it teaches, and protects nobody. A *release* has exact noise from a
cryptographic generator, the only kind whose ε holds outside this program.

Of a release the file tells the mechanism and its ε, which may be public, and nothing that leads back to the
original: no dataset, no class (it is the diagnosis), no number of the picture, no seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL.PngImagePlugin import PngInfo

from medpriv_core.errors import SettingError
from medpriv_core.exports.explore_settings import ExploreSettings
from medpriv_core.exports.rendering import as_image, encode_png
from medpriv_core.exports.sheet import check_picture
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.shown_text import for_picture

Kind = Literal["demonstration", "release"]

COMMENTS: dict[Kind, str] = {
    "demonstration": "Made for teaching, with noise that can be repeated or is not exact; never publish a patient's "
    "image this way.",
    "release": "Exact noise from a cryptographic generator, drawn once and not kept.",
}


@dataclass(frozen=True)
class NoisedImageFile:
    """A PNG and the name to save it under, which says *demonstration* or *release*."""

    png: bytes
    file_name: str


def kind_of(noise: PictureNoise) -> Kind:
    """Whether this noise makes a release or a demonstration."""
    return "release" if noise.fit_for_release else "demonstration"


def released_image(picture: np.ndarray, *, kind: Kind, settings: ExploreSettings, guarantee: str) -> NoisedImageFile:
    """The noised ``picture`` (uint8, shape (h, w, channels), as shown) as an 8-bit PNG with its label.

    ``guarantee`` is ε in full words, as of ``label_texts``. Raises ``SettingError`` for a release whose noise was drawn
    from a seed, or by a mechanism that is not fit for it.
    """
    check_picture(picture)
    if kind == "release":
        _check_fit_for_release(settings)
    label = label_texts(kind, settings=_told_settings(kind, settings), guarantee=guarantee)
    name = f"medpriv-{kind}-{settings.noise.name}-beta-{settings.noise.beta:g}.png"
    return NoisedImageFile(labelled_png(picture, label), name)


def label_texts(kind: Kind, *, settings: Mapping[str, object], guarantee: str) -> dict[str, str]:
    """What a file says of itself, by the names of its text chunks: Label, Comment, Settings (JSON), Privacy, Software.

    ``settings`` are those that may be told: of a release nothing that leads back to the original. ``guarantee`` is ε in
    full words: with its δ, unit, adjacency and accountant. Raises ``SettingError`` for another label, or without words.
    """
    if kind not in get_args(Kind):
        raise SettingError(f"A noised image is a demonstration or a release, not {kind!r}.")
    words = for_picture(guarantee)
    if not words:
        raise SettingError("A noised image needs its guarantee in words.")
    return {
        "Label": kind,
        "Comment": COMMENTS[kind],
        "Settings": json.dumps(dict(settings)),
        "Privacy": words,
        "Software": "medpriv",
    }


def labelled_png(picture: np.ndarray, label: Mapping[str, str]) -> bytes:
    """``picture`` (uint8, shape (h, w, channels)) as an 8-bit PNG with these texts; nothing else is in it, no date."""
    info = PngInfo()
    for name, text in label.items():
        info.add_text(name, text)
    return encode_png(as_image(picture), info)


def _told_settings(kind: Kind, settings: ExploreSettings) -> dict[str, object]:
    if kind == "demonstration":
        return settings.to_dict()
    return public_settings(settings.noise, delta=settings.delta, copies=settings.copies)


def public_settings(noise: PictureNoise, *, delta: float, copies: int = 1) -> dict[str, object]:
    """What of a release's settings may be told: the mechanism with all its parameters, which may be public."""
    return {**noise.to_dict(), "delta": delta, "copies": copies}


def _check_fit_for_release(settings: ExploreSettings) -> None:
    if not settings.noise.fit_for_release:
        raise SettingError(
            f"{settings.noise.title} is for demonstrations: its noise is not exact. For a release "
            "choose a mechanism that is fit for it."
        )
    if settings.seed is not None:
        raise SettingError(
            "The noise of this image was drawn from a known seed, so anybody could subtract it. Draw it anew, "
            "without a seed, for a release."
        )
