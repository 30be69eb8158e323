"""Explore: what does the noise hide? One picture beside its noised versions, and what an attacker gets out of them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medpriv_core.shown_text import for_markdown
from pages.parts.explore import (
    copies_view,
    diagnosis_view,
    enough_view,
    identify_view,
    numbers_view,
    take_away_view,
    undo_view,
)
from pages.parts.explore.answers_view import draw_answers, draw_found
from pages.parts.explore.glossary import draw_terms
from pages.parts.explore.grid import take_clicked
from pages.parts.explore.loading import take_loaded
from pages.parts.explore.noise_choice import choose_noise
from pages.parts.explore.picture_choice import choose_picture
from pages.parts.explore.pictures import FIGURE_2, choose_arrangement, draw_pictures
from pages.parts.explore.scene import Scene, scene_of
from pages.parts.messages import explain_errors
from pages.parts.tabs import open_tab

QUESTIONS: dict[str, tuple[str, Callable[[Scene], None]]] = {
    "undo": ("Can it be undone?", undo_view.draw),
    "enough": (enough_view.TITLE, enough_view.draw),
    "identify": ("Can the patient be found?", identify_view.draw),
    "copies": ("Several copies", copies_view.draw),
    "diagnosis": ("And the diagnosis?", diagnosis_view.draw),
    "numbers": ("Formula and numbers", numbers_view.draw),
    "take": ("Export", take_away_view.draw),
}


def main() -> None:
    with st.container(key="explore_title"):  # by which the style knows the page before anything of it is painted
        st.title("What does the noise hide?", anchor=False)
    take_clicked()
    take_loaded()
    narrow, wide = st.columns([1, 4], gap="medium")
    with narrow, st.container(key="controls", gap="xsmall"):
        picture_controls, noise_controls, below = (st.container(gap="xsmall") for _ in range(3))
        with picture_controls:
            chosen = choose_picture(below)
        with noise_controls:
            noise = choose_noise(chosen.picture.shape) if chosen is not None else None
            if noise is not None:
                enough_view.offer_enough()
    if chosen is None or noise is None:
        return
    with wide, explain_errors():
        arrangement, mode = choose_arrangement()
        scene = scene_of(chosen, noise)
        draw_pictures(arrangement, scene, mode)
        if arrangement == FIGURE_2:
            st.caption("Figure 2 does not show your noise. These answers are about yours:")
        found = draw_answers(scene)
    draw_about(scene)
    # Last, because it takes trials; whatever came before is on the screen meanwhile.
    with explain_errors():
        draw_found(found, scene)


def draw_about(scene: Scene) -> None:
    """What is below the first window: the source, the noise in words, the terms, and questions to go on with."""
    chosen, noise = scene.chosen, scene.yours.noise
    st.caption(
        f"{chosen.badge} {chosen.keeping or for_markdown(chosen.source)} The original stands beside its noised "
        f"versions for teaching only: do so with public images or your own.  \n{noise.explanation} "
        f"In a formula: `{noise.formula}`  \n{scene.yours.guarantee.why_none}"
    )
    draw_terms("ε", "δ", "neighbours", "β", "values", "black or white")
    draw_questions(scene)


@st.fragment
def draw_questions(scene: Scene) -> None:
    """A tab for each question; only the open one computes, and what is set within it leaves the pictures alone."""
    titles = {name: title for name, (title, _) in QUESTIONS.items()}
    name, place = open_tab(titles, key=enough_view.QUESTION, parameter="question")
    with place, explain_errors():
        QUESTIONS[name][1](scene)


main()
