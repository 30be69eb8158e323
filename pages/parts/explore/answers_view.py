"""What everybody comes for, under the pictures: four answers about your noised picture, and a scale to hold ε to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import streamlit as st

from medpriv_core.attacks import trials
from medpriv_core.attacks.first_look import (
    Answer,
    Level,
    epsilon_answer,
    found_answer,
    seen_answer,
    undone_answer,
)
from medpriv_core.attacks.trials import Counted
from pages.parts.epsilon_scale import draw_epsilon_scale
from pages.parts.explore.gallery_choice import TRIALS, trials_key, trials_of
from pages.parts.explore.noise_choice import VIEWER
from pages.parts.explore.scene import Scene
from pages.parts.messages import explain_errors
from pages.parts.picture_viewer import dragged_to

LOOK_EVERY_S = 0.6
ASKED_FROM = 1  # the look from which on trials are asked for: not for amounts of noise that somebody only passes
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
    _draw(places[2], _answer(Counted(None, done=False)))
    _draw(places[3], epsilon_answer(scene.yours.guarantee))
    draw_epsilon_scale(scene.yours.guarantee.epsilon_image, what="the whole image")
    return places[2]


def draw_found(place: st.delta_generator.DeltaGenerator, scene: Scene) -> None:
    """How often the patient is found, counted while the trials run."""
    if dragged_to(VIEWER) is not None:
        return  # until the slider is let go
    key = trials_key(scene)
    if scene.chosen.dataset is None:  # nothing of an own picture is kept beyond this visit
        for success in trials_of(scene)():
            # What is drawn here also lets a newer choice of the visitor end this run of the page.
            _draw(place, _answer(Counted(success, done=success.draws == TRIALS)))
        return
    # The thread that counts belongs to no visitor: it gets the pictures, and asks no page for them.
    with place.container():
        known = trials.known_of(key)
        if known is not None and known.done:
            _draw(st.empty(), _answer(known))
        else:
            st.fragment(run_every=LOOK_EVERY_S)(_draw_again)(scene, key, itertools.count())


def _draw_again(scene: Scene, key: tuple[object, ...], looks: Iterator[int]) -> None:
    with explain_errors():
        if next(looks) < ASKED_FROM:
            _draw(st.empty(), _answer(trials.known_of(key) or Counted(None, done=False)))
            return
        # Asked again and again until it is there, for of many questions that wait the oldest are given up.
        counted = trials.known_of(key) or trials.count_aside(key, trials_of(scene))
        _draw(st.empty(), _answer(counted))
        if counted.done:
            st.rerun()  # nothing is left to look for


def _answer(counted: Counted) -> Answer:
    if counted.success is not None:
        return found_answer(counted.success, pictures=round(1 / counted.success.chance), planned=TRIALS)
    if counted.done:
        return Answer("Patient found?", "not tried", "needs images of several patients", "closed")
    return Answer("Patient found among others?", "…", "trying it many times", "partly")


def _draw(place: st.delta_generator.DeltaGenerator, answer: Answer) -> None:
    place.container(gap="xxsmall", width="stretch").markdown(
        f"{answer.question}  \n{SIGNS[answer.level]} **{answer.word}**  \n:small[{answer.detail}]"
    )
