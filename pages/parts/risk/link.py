"""The way to the risk page from where an ε stands."""

from __future__ import annotations

import streamlit as st

from medpriv_core.shown_text import for_markdown

# In the address, that what stands there counts and not what was chosen earlier in this visit.
ASKED = "asked"


def draw_risk_link(label: str = "What would an attacker find?", /, **parameters: str) -> None:
    """A link to the risk page, of what ``parameters`` say in its address."""
    st.page_link(
        "risk.py",
        label=for_markdown(label),
        icon=":material/person_search:",
        query_params=parameters | {ASKED: "1"},
    )
