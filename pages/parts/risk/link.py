"""The way to the risk page from where an ε stands."""

from __future__ import annotations

import streamlit as st

# In the address, that what stands there counts and not what was chosen earlier in this visit.
ASKED = "asked"


def draw_risk_link(**parameters: str) -> None:
    """A link to what an attacker finds, of what ``parameters`` say in the address of that page."""
    st.page_link(
        "risk.py",
        label="What would an attacker find?",
        icon=":material/person_search:",
        query_params=parameters | {ASKED: "1"},
    )
