"""What the authors did in another way, beside their curves."""

from __future__ import annotations

import streamlit as st

from medpriv_core.results.authors import DIFFERENCES, SOURCE


def draw_differences() -> None:
    """The differences of protocol as a table, with the source of the curves."""
    with st.expander("Where the authors' runs differ from medpriv's", icon=":material/difference:"):
        lines = ["| | The authors | medpriv |", "| --- | --- | --- |"]
        lines += [f"| **{each.name}** | {each.authors} | {each.here} |" for each in DIFFERENCES]
        st.markdown("\n".join(lines))
        st.caption(f"Source of the grey curves: {SOURCE}.")
