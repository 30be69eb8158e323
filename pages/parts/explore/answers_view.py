"""What everybody comes for, under the pictures: four answers about your noised picture, and a scale to hold ε to."""

from __future__ import annotations

import streamlit as st

from medpriv_core.attacks.first_look import (
    Answer,
    Level,
    epsilon_answer,
    found_answer,
    seen_answer,
    undone_answer,
)
from pages.parts.epsilon_scale import draw_epsilon_scale
from pages.parts.explore.gallery_choice import TRIALS, gallery_of, successes
from pages.parts.explore.noise_choice import VIEWER
from pages.parts.explore.scene import Scene
from pages.parts.picture_viewer import dragged_to

# The words carry the meaning; colour and sign repeat it.
SIGNS: dict[Level, str] = {
    "open": ":red[:material/lock_open:]",
    "partly": ":orange[:material/lock_open_right:]",
    "closed": ":green[:material/lock:]",
}


def draw_answers(scene: Scene) -> st.delta_generator.DeltaGenerator:
    """Four answers side by side; returns the place of the one that ``draw_found`` fills, because it takes a while."""
    row = st.container(key="answers", horizontal=True, gap="small")
    places = [row.empty() for _ in range(4)]
    _draw(places[0], seen_answer(scene.look))
    _draw(places[1], undone_answer(scene.look))
    _draw(places[2], Answer("Patient found among others?", "…", "trying it many times", "partly"))
    _draw(places[3], epsilon_answer(scene.yours.guarantee))
    draw_epsilon_scale(scene.yours.guarantee.epsilon_image, what="the whole picture")
    return places[2]


def draw_found(place: st.delta_generator.DeltaGenerator, scene: Scene) -> None:
    """How often the patient is found, counted while the trials run."""
    if dragged_to(VIEWER) is not None:
        return  # until the slider is let go
    found = gallery_of(scene)
    if found is None:
        nobody = Answer("Patient found?", "not tried", "needs pictures of several patients", "closed")
        _draw(place, nobody)
        return
    pictures = len(found.gallery.pictures)
    waiting = Answer(f"Patient found among {pictures}?", "…", f"trying {TRIALS} times", "partly")
    for success in successes(scene, found, waiting=lambda: _draw(place, waiting)):
        # What is drawn here also lets a newer choice of the visitor end this run of the page.
        _draw(place, found_answer(success, pictures=pictures, planned=TRIALS))


def _draw(place: st.delta_generator.DeltaGenerator, answer: Answer) -> None:
    place.container(gap="xxsmall", width="stretch").markdown(
        f"{answer.question}  \n{SIGNS[answer.level]} **{answer.word}**  \n:small[{answer.detail}]"
    )
