"""Caches around core functions, so that moving one control does not compute everything again."""

from __future__ import annotations

import contextvars
import functools
import gc
import io
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import streamlit as st
from PIL import Image

from medpriv_core.attacks.first_look import FirstLook, first_look
from medpriv_core.attacks.prior import Prior
from medpriv_core.datasets.base import Dataset
from medpriv_core.datasets.likeness import Measures
from medpriv_core.datasets.registry import DatasetEntry, list_datasets, open_dataset
from medpriv_core.datasets.viewing import Gallery, ViewedImage, make_gallery, pictures_of_shape, view_image
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.home import DataHome, data_home
from medpriv_core.mechanisms.comparison import NoisedPanel, noised_panel
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.priors.halves import Halves, halves_of
from medpriv_core.priors.store import PriorPlace
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.uploads.fitting import fit
from pages.parts.picture_viewer import encode_png

if TYPE_CHECKING:  # pages without charts need not load what draws them
    from medpriv_core.figures.comparison import Chart
    from medpriv_core.results.groups import Group

THUMBNAIL_SIDE = 96
T = TypeVar("T")


def home() -> DataHome:
    """The data home of this app."""
    return data_home()


def available_datasets() -> dict[str, DatasetEntry]:
    """The datasets that can be opened now, by name."""
    return {entry.info.name: entry for entry in list_datasets(home()) if entry.available}


def identity(entry: DatasetEntry) -> str | None:
    """What tells the images and classes of an added dataset from others that were, or will be, added by its name."""
    return None if entry.location is None else f"{entry.location}|{entry.content}"


@st.cache_resource(ttl=60, max_entries=16, show_spinner="Opening the dataset…")
def dataset(name: str, _location: str | None) -> Dataset:
    """An opened dataset; ``_location``, its ``identity``, keeps a re-added one from being mistaken for the old."""
    return open_dataset(home(), name)


@st.cache_data(max_size="64MB", show_spinner=False)
def viewed_image(name: str, location: str | None, index: int) -> ViewedImage:
    """One image of a dataset; ``location`` distinguishes what was added under the same name."""
    return view_image(dataset(name, location), index)


@st.cache_data(max_size="64MB", show_spinner=False)
def fitted_image(name: str, location: str | None, index: int, size: int) -> np.ndarray:
    """The pixels of one image of a dataset with at most ``size`` on the longer side."""
    return fit(viewed_image(name, location, index).pixels, size)


@st.cache_data(max_size="32MB", show_spinner=False)
def thumbnail(name: str, location: str | None, index: int) -> bytes:
    """A small PNG of one image of a dataset."""
    pixels = fit(view_image(dataset(name, location), index).pixels, THUMBNAIL_SIDE)
    return png(Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))


@st.cache_data(max_size="64MB", show_spinner="Gathering other images…")
def gallery(name: str, location: str | None, index: int, size: int) -> Gallery:
    """The image at ``index`` among others of its dataset."""
    return make_gallery(dataset(name, location), index, size=size)


@st.cache_data(max_size="64MB", show_spinner="Gathering other images…")
def pictures_to_tell_from(name: str, location: str | None, shape: tuple[int, int, int]) -> np.ndarray:
    """Images of a dataset in the shape of a picture that is not of it (which itself stays out of this cache)."""
    return pictures_of_shape(dataset(name, location), shape)


@st.cache_resource(max_entries=16, show_spinner=False)
def halves(name: str, location: str | None) -> Halves:
    """Which half of its training set each image of a dataset belongs to."""
    return halves_of(dataset(name, location))


def learned(place: PriorPlace, half: int) -> Prior | None:
    """What was learned from one half of a training set; None where nobody has, or it is damaged."""
    stamp = place.stamp
    return None if stamp is None else _learned(str(place.folder), stamp, half, place)


@st.cache_resource(max_entries=4, show_spinner=False)
def _learned(folder: str, stamp: int, half: int, _place: PriorPlace) -> Prior | None:  # noqa: ARG001  # told apart by them
    return _place.read(half)


@st.cache_data(max_entries=16, show_spinner="Looking at the training images…")
def training_measures(
    run: str,  # noqa: ARG001  # what the cache tells sets of images apart by
    location: str | None,  # noqa: ARG001
    _measure: Callable[[], Measures | None],
) -> Measures | None:
    """Sharpness, brightness and contrast of what a run learned from; None where it is not here as it was."""
    return _measure()


def panel(
    key: tuple[str | float | None, ...],
    picture: np.ndarray,
    noise: PictureNoise,
    *,
    shared: bool,
    seed: tuple[int, ...],
    progress: ProgressCallback = no_progress,
) -> tuple[NoisedPanel, bytes]:
    """The noised version of the picture that ``key`` stands for, and its PNG for the viewer.

    What ``progress`` draws is none of the result, and not kept with it.

    ``shared``: drawn once for all visitors, who see the same demonstration of the same picture anyway. A visitor's own
    picture, and a release, stay in the visitor's session.
    """

    tell = beside_caches(progress)

    def make() -> tuple[NoisedPanel, bytes]:
        noised = noised_panel(picture, noise, seed=seed, progress=tell)
        return noised, encode_png(noised.pixels)

    # Of a record, the cache would see its parameters and not which mechanism they are of.
    return (_once_for_all if shared else _once_a_visitor)(("panel", *key, *seed), noise.to_dict(), make)


def beside_caches(progress: ProgressCallback) -> ProgressCallback:
    """The same progress, to be told within a cached function, whose cache keeps nothing of what is drawn by it."""
    outside = contextvars.copy_context()

    def tell(phase: str, done: int, total: int) -> None:
        outside.run(progress, phase, done, total)

    return tell


def look(
    key: tuple[str | float | None, ...], picture: np.ndarray, panel: NoisedPanel, *, shared: bool, seed: tuple[int, ...]
) -> tuple[FirstLook, bytes]:
    """What eye and computer get out of ``panel``, and the PNG of what the computer makes of it; as ``panel``."""

    def make() -> tuple[FirstLook, bytes]:
        looked = first_look(picture, panel.pixels, panel.noise)
        return looked, encode_png(looked.undone)

    return (_once_for_all if shared else _once_a_visitor)(("look", *key, *seed), panel.noise.to_dict(), make)


@st.cache_data(max_size="64MB", show_spinner=False)
def _once_for_all(
    key: tuple[str | float | None, ...],  # noqa: ARG001  # what the cache tells pictures apart by
    settings: dict[str, str | float],  # noqa: ARG001  # and noises
    _make: Callable[[], T],
) -> T:
    return _make()


@st.cache_data(max_size="64MB", show_spinner=False, scope="session")
def _once_a_visitor(
    key: tuple[str | float | None, ...],  # noqa: ARG001  # what the cache tells pictures apart by
    settings: dict[str, str | float],  # noqa: ARG001  # and noises
    _make: Callable[[], T],
) -> T:
    return _make()


def comparison(kind: str, groups: Sequence[Group], draw: Callable[[], Chart]) -> Chart:
    """A chart of these labelled groups, drawn once: finished runs do not change, and drawing takes most of a page.

    ``kind`` says what ``draw`` draws of them.
    """
    runs = [tuple((one.source, one.id, one.final.epoch) for one in group.results) for group in groups]
    said = [(group.title, group.first.guarantee.statement) for group in groups]
    return _comparison(kind, (runs, said), draw)


@st.cache_resource(max_entries=32, show_spinner=False)
def _comparison(kind: str, key: object, _draw: Callable[[], Chart]) -> Chart:  # noqa: ARG001  # told apart by them
    return _draw()


@functools.cache
def wake_accountant() -> None:
    """Load, once and aside, what epsilon is computed with: it takes a second, and the first change must not wait."""
    threading.Thread(target=_load_accountant, daemon=True).start()


def _load_accountant() -> None:
    composed_epsilon([Steps(noise_multiplier=1.0, sample_rate=0.1, count=10)], delta=DEFAULT_DELTA)
    # What is loaded now stays until the end. Looking through all of it again and again, for garbage that cannot be
    # there, would hold up one page in a hundred for a fifth of a second.
    gc.collect()
    gc.freeze()


def png(picture: Image.Image) -> bytes:
    """The picture as PNG; barely compressed, because noise cannot be and the time is better spent."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
