"""The foot of every page: which paper, which version, how to cite it, what is protected, and the documents."""

from __future__ import annotations

import streamlit as st

from medpriv_core import __version__
from medpriv_core.citation import PAPER_ARXIV, PAPER_YEAR, bibtex

LINKS = {
    "glossary": "Glossary",
    "threat-model": "Threat model",
    "paper": "The paper and its claims",
    "dp-sgd": "DP-SGD",
}


def draw_footer() -> None:
    """One quiet line; nothing of it asks another machine for anything."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="footer"):
        st.caption(
            f"medpriv {__version__}, after Singh, Sikka, Kotti and Trask {PAPER_YEAR} (arXiv {PAPER_ARXIV})",
            width="content",
        )
        for name, title in LINKS.items():
            st.page_link("docs.py", label=title, query_params={"document": name}, width="content")
        with st.popover("Cite", type="tertiary", width="content"):
            st.code(bibtex(), language="bibtex")
