"""What is on screen: a picture, its noise, and the noised pictures with the ε of each."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.attacks.first_look import FirstLook
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.exports.explore_settings import ExploreSettings
from medpriv_core.mechanisms.catalog import USUAL
from medpriv_core.mechanisms.comparison import NoisedPanel
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.progress import ProgressCallback, format_duration, no_progress
from pages.parts import cached
from pages.parts.explore.noise_choice import noise_seed
from pages.parts.explore.picture_choice import Chosen
from pages.parts.links import to_link

EXACT_VALUE_S = 11e-6  # that exact noise takes for one value, on one core
QUICK_VALUES = 70_000
YOURS_PLACE = 3  # of your noise; the paper's amounts come before it


@dataclass(frozen=True, eq=False)
class Noised:
    """One noised picture with its guarantee."""

    noise: PictureNoise
    seed: int  # of the noise, where it is a demonstration
    panel: NoisedPanel
    png: bytes  # of the panel's pixels, for the viewer
    guarantee: ImageGuarantee


@dataclass(frozen=True, eq=False)
class Scene:
    """The picture and *your* noised version of it, about which the questions below the pictures are asked."""

    chosen: Chosen
    yours: Noised
    look: FirstLook  # what eye and computer get out of it
    undone_png: bytes  # of the latter, for the viewer

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
            noise=noise,
            delta=DEFAULT_DELTA,
            seed=None if noise.fit_for_release else self.yours.seed,
        )


def is_quick(noise: PictureNoise | type[PictureNoise], chosen: Chosen) -> bool:
    """Whether the noise is drawn in less than a second, and so for every picture of a row."""
    return not noise.fit_for_release or chosen.picture.size <= QUICK_VALUES


def exact_noise_s(chosen: Chosen) -> float:
    """About how long exact noise takes for this picture."""
    return chosen.picture.size * EXACT_VALUE_S


def noised(chosen: Chosen, noise: PictureNoise, *, place: int) -> Noised:
    """The noised picture; ``place`` gives pictures beside each other different noise."""
    seed = noise_seed()

    def drawn(progress: ProgressCallback = no_progress) -> tuple[NoisedPanel, bytes]:
        shared = _shared(chosen, noise)
        return cached.panel(chosen.key, chosen.picture, noise, shared=shared, seed=(seed, place), progress=progress)

    if is_quick(noise, chosen):
        panel, png = drawn()
    else:
        bar = st.empty()
        panel, png = drawn(_exact_progress(bar))
        bar.empty()
    return Noised(noise, seed, panel, png, noise.guarantee(chosen.picture.shape, delta=DEFAULT_DELTA))


def _exact_progress(place: DeltaGenerator) -> ProgressCallback:
    """How far exact noise is, how long it will take, and a way out; any other choice on the page ends it, too."""
    began_at = time.monotonic()
    bars: list[DeltaGenerator] = []

    def progress(phase: str, done: int, total: int) -> None:
        left_s = (time.monotonic() - began_at) / done * (total - done)
        said = f"{phase}: {done:,} of {total:,} values, {format_duration(left_s)} left"
        if not bars:
            row = place.container(horizontal=True, vertical_alignment="center", key="exact_noise")
            bars.append(row.progress(0.0))
            row.button("Stop", key="stop_exact", icon=":material/stop:", on_click=_give_up_exact)
        # Drawing on a page whose visitor has chosen something else meanwhile ends this run of it.
        bars[0].progress(done / total, said)

    return progress


def _give_up_exact() -> None:
    """Back to the noise that is drawn at once."""
    st.session_state["mechanism"] = USUAL
    to_link(mechanism=USUAL)


def scene_of(chosen: Chosen, noise: PictureNoise) -> Scene:
    """Your noised version of the picture, and the first look at it."""
    yours = noised(chosen, noise, place=YOURS_PLACE)
    look, undone_png = cached.look(
        chosen.key, chosen.picture, yours.panel, shared=_shared(chosen, noise), seed=(yours.seed, YOURS_PLACE)
    )
    return Scene(chosen, yours, look, undone_png)


def _shared(chosen: Chosen, noise: PictureNoise) -> bool:
    """Whether all visitors see the same, so that it is drawn once for all."""
    return chosen.dataset is not None and not noise.fit_for_release
