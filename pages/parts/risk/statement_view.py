"""The privacy statement of a run on a page: what it says, and the files to download."""

from __future__ import annotations

import streamlit as st

from medpriv_core.exports.privacy_statement import Blanks, read_statement
from medpriv_core.exports.privacy_statement_files import SUFFIXES, statement_file
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.guarantee import draw_green_lights, draw_lights
from pages.parts.messages import explain_errors

_MIME = {".html": "text/html", ".json": "application/json", ".yaml": "application/yaml"}


def draw_statement(run_id: str) -> None:
    """The three boxes, the table and the downloads of a run's statement, with what only people know to be filled in."""
    key = f"statement_{run_id}"
    with st.container(horizontal=True):
        recipient = st.text_input("Recipient", key=f"{key}_recipient", placeholder="a blank line")
        purpose = st.text_input("Purpose", key=f"{key}_purpose", placeholder="a blank line")
        retention = st.text_input("Retention", key=f"{key}_retention", placeholder="a blank line")
    with explain_errors():
        blanks = Blanks(recipient or None, purpose or None, retention or None)
        figures = st.toggle(
            "With the figures of attacks",
            key=f"{key}_figures",
            help="They are counted on training records without noise, so ε does not cover them.",
        )
        statement = read_statement(cached.home(), run_id, blanks=blanks, with_attack_figures=figures)
        with st.container(horizontal=True):
            for suffix in SUFFIXES:
                st.download_button(
                    for_markdown(suffix[1:].upper()),
                    statement_file(statement, suffix),
                    f"medpriv-statement-{run_id}{suffix}",
                    _MIME[suffix],
                    key=f"{key}_{suffix[1:]}",
                    icon=":material/download:",
                    on_click="ignore",
                )
        st.caption("Open the HTML and print it: it is made for one A4 page. YAML has the fields of OpenDP's registry.")
        for column, box in zip(st.columns(3), statement.boxes, strict=True):
            with column.container(border=True):
                st.markdown(f"**{for_markdown(box.title)}**")
                for sentence in box.sentences:
                    st.markdown(for_markdown(sentence))
        st.table(
            [
                {"": for_markdown(line.label), "this run": for_markdown(line.value), "NIST SP 800-226": line.nist}
                for line in statement.lines
            ],
            hide_index=True,
        )
        left, right = st.columns(2)
        with left:
            st.markdown("**What people promise**")
            for promise in statement.promises:
                st.markdown(f"- {for_markdown(promise)}")
        with right:
            st.markdown("**Attacks that were run**")
            for said in statement.attacks_in_words:
                st.markdown(f"- {for_markdown(said)}")
        if statement.checks:
            draw_lights(statement.checks)
            draw_green_lights(statement.checks, key=f"{key}_lights")
