"""The documents of the project and the glossary: reached from the foot of every page."""

from __future__ import annotations

import streamlit as st

from medpriv_core.documents import TITLES, document
from pages.parts.explore.glossary import draw_glossary
from pages.parts.links import from_link, to_link

GLOSSARY = "glossary"
CHOICES = {GLOSSARY: "Glossary"} | TITLES


def main() -> None:
    """Draw the document that the address names; without one, the glossary."""
    name = st.selectbox(
        "Document",
        list(CHOICES),
        index=list(CHOICES).index(from_link("document", list(CHOICES), GLOSSARY)),
        format_func=lambda name: CHOICES[name],
        width=320,
    )
    to_link(document=name)
    if name == GLOSSARY:
        draw_glossary()
    else:
        st.markdown(document(name, address="docs?document="))


main()
