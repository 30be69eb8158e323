"""The pictures of known patients among which the noised one is looked for, and how often it is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from medpriv_core.attacks import trials
from medpriv_core.attacks.reidentification import success_soon
from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.datasets.viewing import Gallery
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.uploads.fitting import fit
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.explore.scene import Scene

LARGEST_SIDE = 224
TRIALS = 100
CHOSEN = "gallery_of"  # the dataset whose pictures another one is put among
WORST = (
    "Each trial noises another of them, and the attacker holds the very image that was noised: the worst case, in "
    "which nothing but the noise protects."
)


@dataclass(frozen=True, eq=False)
class Found:
    """A gallery, the dataset that it is of, its badge, and words on it."""

    gallery: Gallery
    name: str
    badge: str
    words: str


def gallery_names(scene: Scene) -> list[str]:
    """Datasets that could lend theirs, the likest first; empty where the picture's own dataset has several."""
    entry, index = scene.chosen.dataset, scene.chosen.index
    if entry is not None and index is not None and _has_several(entry):
        return []
    entries = {name: one for name, one in cached.available_datasets().items() if _has_several(one)}
    return sorted(entries, key=lambda one: _unlike(entries[one], scene))


def has_gallery(scene: Scene) -> bool:
    """Whether there is a gallery for this picture."""
    return bool(gallery_names(scene)) or _among_its_own(scene)


def _among_its_own(scene: Scene) -> bool:
    entry = scene.chosen.dataset
    return entry is not None and scene.chosen.index is not None and _has_several(entry)


def gallery_of(scene: Scene) -> Found | None:
    """The gallery for this picture, of the dataset that was chosen for it; None if no dataset has several pictures."""
    entry, index = scene.chosen.dataset, scene.chosen.index
    names = gallery_names(scene)
    if not names:
        if entry is None or index is None or not _has_several(entry):
            return None
        size = min(max(scene.picture.shape[:2]), LARGEST_SIDE)
        gallery = cached.gallery(entry.info.name, cached.identity(entry), index, size)
        whose = "each of another patient" if gallery.by_patient else "whose they are is not known"
        words = (
            f"Gallery: {len(gallery.pictures)} training images of {entry.info.title} ({whose}), squashed to "
            f"{size} × {size} pixels. {WORST}"
        )
        return Found(gallery, entry.info.name, origin_badge(entry.info), words)
    name = _lender(scene) or names[0]
    lender = cached.available_datasets()[name]
    picture = fit(scene.picture, LARGEST_SIDE)
    height, width, channels = picture.shape
    others = cached.pictures_to_tell_from(name, cached.identity(lender), (height, width, channels))
    info = lender.info
    words = (
        f"Gallery: the image above and {len(others)} training images of {info.title}, squashed "
        f"to its {width} × {height} pixels{' and turned grey' if channels == 1 < info.channels else ''}. {WORST} The "
        "less the image above is like them (another device, another part of the body), the easier it is to find."
    )
    return Found(Gallery(np.concatenate([picture[np.newaxis], others]), 0), name, origin_badge(info), words)


def dataset_of_others(scene: Scene) -> str | None:
    """The dataset that has other patients' images: the picture's own, or the one chosen for it; None if none has."""
    if _among_its_own(scene) and scene.chosen.dataset is not None:
        return scene.chosen.dataset.info.name
    return _lender(scene)


def trials_key(scene: Scene, noise: PictureNoise | None = None) -> tuple[object, ...]:
    """All that the number of patients found depends on, but for the pictures of an own file; ``noise``: not yours."""
    noise = noise or scene.yours.noise
    return (*scene.chosen.key, _lender(scene), *noise.to_dict().items(), scene.yours.seed)


def trials_of(scene: Scene, noise: PictureNoise | None = None) -> trials.Begin:
    """Starts the trials with this picture, wherever it is called; the gallery is fetched by the page that asks.

    Nothing comes where no dataset has several pictures. ``noise``: another one than yours.
    """
    found = gallery_of(scene)
    noise, seed = noise or scene.yours.noise, scene.yours.seed
    if found is None:
        return lambda: iter(())
    pictures = found.gallery.pictures
    return lambda: success_soon(pictures, noise, draws=TRIALS, seed=seed)


def _lender(scene: Scene) -> str | None:
    """The dataset whose pictures another one is put among; None where the picture's own has several, or none has."""
    names = gallery_names(scene)
    wanted = st.session_state.get(CHOSEN)
    return wanted if wanted in names else names[0] if names else None


def _unlike(entry: DatasetEntry, scene: Scene) -> tuple[bool, bool]:
    """The least for real pictures of as many colours."""
    return entry.info.channels != scene.picture.shape[2], entry.info.synthetic


def _has_several(entry: DatasetEntry) -> bool:
    return sum(entry.train_counts or ()) > 1
