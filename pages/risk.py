"""Risk: what would an attacker find? From a setting, a run or several, to hits, odds and the whole curve."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medpriv_core.shown_text import for_markdown
from pages.parts.exposure_view import draw_exposure, meaning_of_subject
from pages.parts.messages import explain_errors
from pages.parts.risk.calibration_view import draw_calibration
from pages.parts.risk.curve_view import draw_curve, draw_numbers
from pages.parts.risk.deployments_view import draw_deployments
from pages.parts.risk.inversion_view import draw_inversion
from pages.parts.risk.membership_view import draw_membership
from pages.parts.risk.odds_view import draw_odds
from pages.parts.risk.reconstruction_view import draw_reconstruction
from pages.parts.risk.statement_view import draw_statement
from pages.parts.risk.subject_choice import Asked, choose_subject
from pages.parts.tabs import open_tab


def main() -> None:
    st.title("What would an attacker find?", anchor=False)
    controls, answer = st.columns([1, 3], gap="medium")
    asked = Asked(None)
    with controls, explain_errors():
        asked = choose_subject()
    with answer:
        if asked.subject is None:
            return
        draw_answer(asked)
    draw_more(asked)


def draw_answer(asked: Asked) -> None:
    """People as dots with the sentence, and the curve beside them."""
    subject = asked.subject
    assert subject is not None
    for note in asked.notes:
        st.caption(for_markdown(note))
    people, curve = st.container(key="risk_answer").columns([5, 6], gap="medium")
    with people:
        draw_exposure(meaning_of_subject(subject), key="risk_exposure")
    with curve:
        draw_curve(subject)


def draw_more(asked: Asked) -> None:
    """The tabs; only the open one is computed."""
    subject = asked.subject
    assert subject is not None
    drawings: dict[str, tuple[str, Callable[[], None]]] = {
        "odds": ("Odds", lambda: draw_odds(subject)),
        "numbers": ("Numbers", lambda: draw_numbers(subject)),
        "rebuilt": ("Reconstruction", lambda: draw_reconstruction(subject)),
        "inverted": ("Gradient inversion", draw_inversion),
        "others": ("What others promise", lambda: draw_deployments(subject)),
        "accept": ("Choose by risk", lambda: draw_calibration(asked.plan, epochs=asked.epochs, batch=asked.batch)),
    }
    if (run := asked.run) is not None:
        drawings |= {
            "membership": ("Attack this run", lambda: draw_membership(run)),
            "statement": ("Statement", lambda: draw_statement(run)),
        }
    titles = {name: title for name, (title, _) in drawings.items()}
    name, place = open_tab(titles, key="risk_more", parameter="about_risk")
    with place, explain_errors():
        drawings[name][1]()


main()
