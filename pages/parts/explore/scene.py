"""What is on screen: a picture, its noise, and the noised pictures with the ε of each."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import streamlit as st

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.exports.settings import ExploreSettings
from medpriv_core.mechanisms.catalog import MECHANISMS
from medpriv_core.mechanisms.comparison import NoisedPanel
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from pages.parts import cached
from pages.parts.explore.noise_choice import Noise
from pages.parts.explore.picture_choice import Chosen

EXACT_VALUE_S = 11e-6  # that exact noise takes for one value, on one core
QUICK_VALUES = 70_000


@dataclass(frozen=True, eq=False)
class Noised:
    """One noised picture with its guarantee."""

    noise: Noise
    panel: NoisedPanel
    png: bytes  # of the panel's pixels, for the viewer
    guarantee: ImageGuarantee


@dataclass(frozen=True, eq=False)
class Scene:
    """The picture and *your* noised version of it, about which the questions below the pictures are asked."""

    chosen: Chosen
    yours: Noised

    @property
    def picture(self) -> np.ndarray:
        """uint8, shape (h, w, channels)"""
        return self.chosen.picture

    @property
    def settings(self) -> ExploreSettings:
        """What a link or a JSON file needs to show this again."""
        chosen, noise = self.chosen, self.yours.noise
        return ExploreSettings(
            dataset=chosen.dataset_name,
            class_name=chosen.class_name,
            image=chosen.number,
            size=max(self.picture.shape[:2]),
            mechanism=noise.name,
            beta=noise.beta,
            block=noise.block,
            changed_pixels=noise.changed_pixels,
            delta=DEFAULT_DELTA,
            seed=None if MECHANISMS[noise.name].fit_for_release else noise.seed,
        )


def is_quick(name: str, chosen: Chosen) -> bool:
    """Whether the noise is drawn in less than a second, and so for every picture of a row."""
    return not MECHANISMS[name].fit_for_release or chosen.picture.size <= QUICK_VALUES


def exact_noise_s(chosen: Chosen) -> float:
    """About how long exact noise takes for this picture."""
    return chosen.picture.size * EXACT_VALUE_S


def noised(chosen: Chosen, noise: Noise, *, place: int) -> Noised:
    """The noised picture; ``place`` gives pictures beside each other different noise."""
    patience: AbstractContextManager[None] = nullcontext()
    if not is_quick(noise.name, chosen):
        patience = st.spinner(
            f"Drawing exact noise for {chosen.picture.size:,} values: about {exact_noise_s(chosen):.0f} seconds, more "
            "if the machine is busy…",
            show_time=True,
        )
    with patience:
        panel, png = cached.panel(
            chosen.key,
            chosen.picture,
            shared=chosen.dataset is not None and not MECHANISMS[noise.name].fit_for_release,
            mechanism=noise.name,
            beta=noise.beta,
            block=noise.block,
            changed_pixels=noise.changed_pixels,
            seed=(noise.seed, place),
        )
    return Noised(noise, panel, png, panel.mechanism.guarantee(chosen.picture.shape, delta=DEFAULT_DELTA))
