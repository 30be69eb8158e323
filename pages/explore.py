"""Explore: what does the noise hide? One picture beside its noised versions, and what an attacker gets out of them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medpriv_core.privacy.statement import image_meaning
from pages.parts.explore import copies_view, diagnosis_view, identify_view, numbers_view, take_away_view, undo_view
from pages.parts.explore.glossary import draw_terms
from pages.parts.explore.grid import take_clicked
from pages.parts.explore.loading import take_loaded
from pages.parts.explore.noise_choice import choose_noise
from pages.parts.explore.picture_choice import choose_picture
from pages.parts.explore.pictures import FIGURE_2, arranged, choose_arrangement, draw_pictures
from pages.parts.explore.scene import Scene, noised
from pages.parts.links import from_link, to_link
from pages.parts.messages import explain_errors

QUESTIONS: dict[str, Callable[[Scene], None]] = {
    "Can it be undone?": undo_view.draw,
    "Can the patient be found?": identify_view.draw,
    "Several copies": copies_view.draw,
    "And the diagnosis?": diagnosis_view.draw,
    "Formula and numbers": numbers_view.draw,
    "Take away": take_away_view.draw,
}
YOURS_PLACE = 3


def main() -> None:
    st.title("What does the noise hide?", anchor=False)
    take_clicked()
    take_loaded()
    chosen = choose_picture()
    if chosen is None:
        return
    noise = choose_noise(chosen.picture.shape)
    sentence = st.container()
    arrangement, mode = choose_arrangement()
    shown = arranged(arrangement, chosen, noise)
    draw_pictures(arrangement, chosen, shown, mode)
    st.caption(
        f"{chosen.badge} {chosen.keeping or chosen.source} The original stands beside its noised versions for teaching "
        "only: do so with public pictures or your own."
    )
    draw_terms("ε", "δ", "neighbours", "β", "values", "black or white")
    yours = noised(chosen, noise, place=YOURS_PLACE) if arrangement == FIGURE_2 else shown[-1][1]
    aside = "Figure 2 does not show your noise. " if arrangement == FIGURE_2 else ""
    sentence.info(
        aside + image_meaning(yours.guarantee, blurred_correlation=yours.panel.blurred_correlation),
        icon=":material/lightbulb:",
    )
    draw_questions(Scene(chosen, yours))


@st.fragment
def draw_questions(scene: Scene) -> None:
    """A tab for each question; only the open one computes, and what is set within it leaves the pictures alone."""
    titles = list(QUESTIONS)
    # The same at every run of this page: tabs whose default changes spring back to it.
    opened_on = st.session_state.setdefault("explore_opened_on", from_link("question", titles, titles[0]))
    tabs = st.tabs(titles, default=opened_on, key="question", on_change="rerun")
    for tab, (title, draw) in zip(tabs, QUESTIONS.items(), strict=True):
        if tab.open:
            to_link(question=None if title == titles[0] else title)
            with tab, explain_errors():
                draw(scene)


main()
