"""Tabs of which one is open: the address has its name, and only what is in it is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.parts.links import named_in_link, to_link


def open_tab(
    titles: Mapping[str, str], *, key: str, parameter: str, first: str | None = None
) -> tuple[str, st.delta_generator.DeltaGenerator]:
    """Draw a strip of tabs; returns the name of the open one and its place.

    ``titles`` by name. ``parameter`` of the address names the open one. Where it does not, ``first`` is open, or the
    first of all, which then is not written there.
    """
    unwritten = next(iter(titles)) if first is None else None
    first = first or next(iter(titles))
    # The same at every run of this page: tabs whose default changes spring back to it.
    opened_on = st.session_state.setdefault(f"{key}_opened_on", named_in_link(parameter, titles, first))
    tabs = st.tabs(list(titles.values()), default=titles[opened_on], key=key, on_change="rerun")
    name, place = next(((name, tab) for name, tab in zip(titles, tabs, strict=True) if tab.open), (first, tabs[0]))
    to_link(**{parameter: None if name == unwritten else name})
    return name, place
