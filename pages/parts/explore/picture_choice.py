"""Which picture: one of a dataset, by its class, or one of the visitor's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.datasets.viewing import images_of_class
from medpriv_core.exports.explore_settings import OWN_PICTURE
from medpriv_core.pictures.frames import MIN_SIDE
from medpriv_core.uploads.fitting import fit
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.explore.grid import browse
from pages.parts.explore.own_picture import choose_own
from pages.parts.links import from_link, number_from_link, to_link, with_linked

SIZES = (64, 128, 256, 512, 1024)
USUAL_SIZE = 256
FROM_DATASET, OWN = "A dataset", "My own image"
WANTED_SIZE = "wanted_size"  # of settings that were loaded


@dataclass(frozen=True, eq=False)
class Chosen:
    """The picture on screen."""

    picture: np.ndarray  # uint8, shape (h, w, channels)
    key: tuple[str | float | None, ...]  # no other picture of this session has it
    label: str  # the class in plain words
    badge: str  # whether it shows a patient, as markdown
    source: str  # where it comes from, and its licence
    dataset: DatasetEntry | None  # None: the visitor's own
    keeping: str = ""  # what becomes of an own picture, in a sentence
    class_name: str | None = None
    number: int | None = None  # within the class, from 1
    index: int | None = None  # within the training split

    @property
    def dataset_name(self) -> str:
        """As settings and links name it."""
        return OWN_PICTURE if self.dataset is None else self.dataset.info.name


def choose_picture(below: DeltaGenerator) -> Chosen | None:
    """The controls for it; None as long as there is none. What can wait stands ``below`` those of the noise."""
    source = st.segmented_control(
        "Image from",
        (FROM_DATASET, OWN),
        default=FROM_DATASET,
        required=True,
        key="source",
        persist_state="session",
        label_visibility="collapsed",
        width="stretch",
    )
    if source == OWN:
        to_link(dataset=None, show=None, image=None)
        own = choose_own(below)
        if own is None:
            return None
        size = choose_size(st.container(), max(own.picture.shape[:2]))
        return Chosen(
            picture=fit(own.picture, size),
            key=(*own.key, size),
            label="your own image",
            badge=":blue-badge[own]",
            source="Own image of the presenter.",
            keeping="Your own image stays in this app's memory, for this tab alone, until you close or reload it.",
            dataset=None,
        )
    return _choose_from_dataset()


def choose_size(row: DeltaGenerator, stored: int) -> int:
    """Pixels on the longer side, never more than the picture has: a smaller one than all sizes stays as it is."""
    stored = max(stored, MIN_SIDE)
    usual_sizes = [size for size in SIZES if size < stored] + ([stored] if stored <= SIZES[-1] else [])
    options = with_linked(usual_sizes, "size", low=MIN_SIDE, high=min(stored, SIZES[-1]))
    usual = max((size for size in usual_sizes if size <= USUAL_SIZE), default=usual_sizes[0])
    wanted = st.session_state.pop(WANTED_SIZE, None)
    if wanted in options:
        st.session_state[f"size_{stored}"] = wanted
    return int(
        row.selectbox(
            "Pixels on the longer side",
            options,
            index=options.index(from_link("size", options, usual)),
            key=f"size_{stored}",
            persist_state="session",
            help="More pixels mean more values to protect, so a larger ε for the whole image. "
            "Images are never enlarged.",
        )
    )


def _choose_from_dataset() -> Chosen:
    entries = cached.available_datasets()
    names = list(entries)
    name = st.selectbox(
        "Dataset",
        names,
        index=names.index(from_link("dataset", names, "retina_photo")),
        format_func=lambda key: entries[key].info.title,
        key="dataset",
        persist_state="session",
    )
    entry = entries[name]
    dataset = cached.dataset(name, cached.identity(entry))
    class_name, number, index = None, None, 0
    if len(dataset.split("train").labels) > 1:
        class_name, number, index = _choose_within(entry, dataset)
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")
    viewed = cached.viewed_image(name, cached.identity(entry), index)
    size = choose_size(row, max(viewed.pixels.shape[:2]))
    if number is not None and row.button("Browse", key="browse", help="All images, by class."):
        browse(entry, dataset, class_name=class_name)
    to_link(dataset=name, show=class_name, image=number, size=size)
    return Chosen(
        picture=cached.fitted_image(name, cached.identity(entry), index, size),
        key=(name, cached.identity(entry), index, size),
        label=viewed.label,
        badge=origin_badge(entry.info),
        source=entry.info.source,
        dataset=entry,
        class_name=class_name,
        number=number,
        index=index,
    )


def _choose_within(entry: DatasetEntry, dataset: cached.Dataset) -> tuple[str | None, int, int]:
    """Class (None: all), number within it, and index of the image."""
    name = entry.info.name
    row = st.container(horizontal=True, gap="xsmall")
    classes = [None, *entry.info.classes]
    class_name = row.selectbox(
        "Show",
        classes,
        index=classes.index(from_link("show", classes, None)),
        format_func=lambda value: value or "All classes",
        key=f"show_{name}",
        persist_state="session",
        width=148,
    )
    indexes = images_of_class(dataset, class_name)
    # The grid puts what was clicked here, before this widget is drawn again.
    key = f"image_{name}_{class_name}"
    number = int(
        row.number_input(
            f"Image of {len(indexes):,}",
            1,
            len(indexes),
            number_from_link("image", low=1, high=len(indexes), default=1),
            key=key,
            persist_state="session",
            width=100,
        )
    )
    return class_name, number, int(indexes[number - 1])
