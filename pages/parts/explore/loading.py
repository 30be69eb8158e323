"""Settings from a JSON file that this page saved: checked when they come, put into the controls on the next run.

A control cannot be set once it has been drawn, so what was loaded waits in the session until the page starts again.
"""

from __future__ import annotations

import streamlit as st

from medpriv_core.datasets.viewing import images_of_class
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import DatasetError, SettingError
from medpriv_core.exports.explore_settings import OWN_PICTURE, ExploreSettings
from medpriv_core.privacy.statement import format_delta
from pages.parts import cached
from pages.parts.explore.copies_view import COPIES
from pages.parts.explore.noise_choice import BY_BETA
from pages.parts.explore.picture_choice import FROM_DATASET, OWN, WANTED_SIZE
from pages.parts.explore.scene import Scene
from pages.parts.links import to_link

WAITING, SEEN = "loaded_settings", "settings_file_seen"
UNTOLD = ("copies", "delta", "seed")  # which say nothing of what is shown now


def offer_loading(scene: Scene) -> None:
    """The place for the file. Raises ``SettingError`` or ``DatasetError`` for one that cannot be shown."""
    file = st.file_uploader(
        "Import settings (a JSON file exported here)",
        key="settings_file",
        max_upload_size=1,
        help="Shows the same dataset image with the same noise. Of an image of one's own the file holds only the "
        "noise: the image itself is never in it.",
    )
    if file is None:
        return
    settings = ExploreSettings.from_json(file.getvalue())
    _check(settings)
    if st.session_state.get(SEEN) != file.file_id:
        st.session_state[SEEN] = file.file_id
        st.session_state[WAITING] = settings
        st.rerun()
    wanted, shown = settings.to_dict(), scene.settings.to_dict()
    if all(value in (None, shown.get(name)) for name, value in wanted.items() if name not in UNTOLD):
        st.success("The page shows these settings.", icon=":material/check:")


def take_loaded() -> None:
    """Put what was loaded into the page's controls; to be called before these are drawn."""
    settings: ExploreSettings | None = st.session_state.pop(WAITING, None)
    if settings is None:
        return
    state, name = st.session_state, settings.dataset
    state["source"] = OWN if name == OWN_PICTURE else FROM_DATASET
    if name != OWN_PICTURE:
        state["dataset"] = name
        state[f"show_{name}"] = settings.class_name
        state[f"image_{name}_{settings.class_name}"] = settings.image or 1
    noise = settings.noise
    state["mechanism"], state["by"] = noise.name, BY_BETA
    # As whole numbers are written in the options and in links: 2, not 2.0.
    beta = int(noise.beta) if noise.beta.is_integer() else noise.beta
    state["beta"], state[WANTED_SIZE], state["copies"] = beta, settings.size, settings.copies
    if settings.seed is not None:
        state["noise_seed"] = settings.seed
    # Numbers that no control offers become options by being in the address.
    own = {name: getattr(noise, name) for name in noise.parameters()}
    state.update(own)
    to_link(beta=beta, size=settings.size, **own)


def _check(settings: ExploreSettings) -> None:
    """Whether this page can show them."""
    if settings.delta != DEFAULT_DELTA:
        raise SettingError(
            f"These settings are for δ = {format_delta(settings.delta)}, but this page gives ε at "
            f"δ = {format_delta(DEFAULT_DELTA)} only. Change delta in the file."
        )
    if settings.copies not in COPIES:
        raise SettingError(f"copies must be one of {', '.join(map(str, COPIES))}, but is {settings.copies}.")
    if settings.dataset == OWN_PICTURE:
        return
    entry = cached.available_datasets().get(settings.dataset)
    if entry is None:
        raise DatasetError(
            f"These settings are for the dataset “{settings.dataset}”, which is not here. Add it on the page "
            "Datasets, or load other settings."
        )
    indexes = images_of_class(cached.dataset(settings.dataset, cached.identity(entry)), settings.class_name)
    number = settings.image or 1
    if number > len(indexes):
        of_class = f" of the class {settings.class_name}" if settings.class_name else ""
        raise SettingError(
            f"These settings are for image {number:,}, but {entry.info.title} has {len(indexes):,}{of_class}."
        )
    stored = max(
        cached.viewed_image(settings.dataset, cached.identity(entry), int(indexes[number - 1])).pixels.shape[:2]
    )
    if settings.size > stored:
        raise SettingError(
            f"These settings are for {settings.size:,} pixels on the longer side, but the image has {stored:,} and "
            "is never enlarged. Change size in the file."
        )
