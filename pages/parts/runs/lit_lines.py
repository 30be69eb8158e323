"""The line of the run under the pointer stands out of the chart of runs; a component without a picture of its own."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_SCRIPT = Path(__file__).parents[1] / "assets" / "lit_lines.js"
_component = st.components.v2.component("lit_lines", html="", js=_SCRIPT.read_text(encoding="utf-8"))


def light_lines() -> None:
    """Have the browser fade the other lines while the pointer is on one of them, or on its entry in the legend."""
    _component(key="lit_lines")
