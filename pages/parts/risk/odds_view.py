"""Odds: how likely it was before that a record was used, and how likely it is of those that the attacker names."""

from __future__ import annotations

import streamlit as st

from medpriv_core.privacy.risk_subject import RiskSubject
from medpriv_core.privacy.risk_words import PRIORS, chance_after, odds_sentence
from medpriv_core.privacy.tradeoff import FALSE_ALARM_RATES
from medpriv_core.shown_text import for_markdown
from pages.parts.links import from_link, to_link, with_linked

SIDE = 10


def draw_odds(subject: RiskSubject) -> None:
    """A slider for how common it is, a sentence, and a hundred whom he names as dots."""
    left, right = st.columns([2, 3], gap="large")
    with left:
        priors = with_linked(PRIORS, "prior", low=0.0001, high=0.9999)
        prior = float(
            st.select_slider(
                "How many were used, of those that he looks at",
                priors,
                value=from_link("prior", priors, 0.01),
                format_func=lambda share: f"{100 * share:g} of 100",
                key="risk_prior",
                persist_state="session",
                help="In a small hospital an attacker may know that half of all patients took part; of a whole country "
                "it is one in thousands.",
            )
        )
        rate = st.segmented_control(
            "Others who are named wrongly",
            FALSE_ALARM_RATES,
            default=from_link("rate", FALSE_ALARM_RATES, "0.01"),
            format_func=lambda share: f"{100 * float(share):g} of 100",
            required=True,
            key="risk_rate",
            persist_state="session",
        )
        to_link(prior=prior if prior != 0.01 else None, rate=rate if rate != "0.01" else None)
    with right:
        st.markdown(f"**{for_markdown(odds_sentence(subject, prior, rate))}**")
        before, after = st.columns(2)
        with before:
            _draw_dots(prior, "Of 100 that he names by guessing")
        with after:
            _draw_dots(chance_after(subject, prior, rate), "Of 100 that he names after seeing what was released")
    st.caption(
        "What this does not say: that such an attacker exists. He knows all other records and the settings; the dots "
        "are the most that he can be right about."
    )


def _draw_dots(share: float, title: str) -> None:
    """A hundred dots, of which as many are full as are right; a part of one is drawn as a whole one."""
    full = min(100, -(-round(share * 1_000_000) // 10_000))
    dots = "".join(
        f'<circle cx="{10 * (place % SIDE) + 5}" cy="{10 * (place // SIDE) + 5}" r="3.6" '
        f'class="{"right" if place < full else "wrong"}"/>'
        for place in range(SIDE * SIDE)
    )
    words = f"{title}: at most {100 * share:.3g} are right"
    st.html(
        f'<figure class="odds-dots"><svg viewBox="0 0 100 100" role="img" aria-label="{words}">{dots}</svg>'
        f"<figcaption>{title}: <strong>{100 * share:.3g}</strong> right, at most</figcaption></figure>"
    )
