"""One entry of the browser's history for each page, however often its address changes: Back leaves the page.

Streamlit makes an entry whenever a page writes into the address, so that Back would go through every amount of noise
that somebody tried, while the page itself stays as it is.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "one_entry", html="", js=(Path(__file__).parent / "assets" / "one_entry.js").read_text(encoding="utf-8")
)


def keep_one_entry() -> None:
    """Have the browser put a changed address of this page in the place of the last one; to be called by the frame."""
    _component(key="one_entry")
