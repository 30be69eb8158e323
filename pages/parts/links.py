"""The address bar as memory: a link shows the same thing to somebody else, or after a reload.

Streamlit can bind widgets to the address itself, but writes the label of a choice there instead of its
name, so a link would break whenever a title is reworded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import streamlit as st

V = TypeVar("V")
FORMER_TITLES = {"Take away": "Export", "ε of the picture": "ε of the image"}


def from_link(name: str, options: Sequence[V], default: V) -> V:
    """The option that the address names, else ``default``."""
    wanted = st.query_params.get(name)
    return next((option for option in options if str(option) == wanted), default)


def named_in_link(parameter: str, titles: Mapping[str, str], default: str) -> str:
    """The name of the choice that the address names, else ``default``; ``titles`` by name.

    Earlier versions wrote titles into the address; they are understood, also those that have another name now.
    """
    wanted = st.query_params.get(parameter)
    wanted = FORMER_TITLES.get(wanted or "", wanted)
    return next((name for name, title in titles.items() if wanted in (name, title)), default)


def with_linked(options: Sequence[float], name: str, *, low: float, high: float) -> tuple[float, ...]:
    """``options`` in order, and every number between the bounds that the address asked for in this session.

    Those stay, because a control whose options change forgets what was chosen.
    """
    asked: set[float] = st.session_state.setdefault(f"linked_{name}", set())
    try:
        number = float(st.query_params.get(name, ""))
    except ValueError:
        number = math.nan
    if low <= number <= high:
        asked.add(int(number) if number.is_integer() else number)
    return tuple(sorted({*options, *(number for number in asked if low <= number <= high)}))


def number_from_link(name: str, *, low: int, high: int, default: int) -> int:
    """The whole number in the address if it is within bounds, else ``default``."""
    wanted = st.query_params.get(name, "")
    return int(wanted) if wanted.isdecimal() and low <= int(wanted) <= high else default


def to_link(**values: object) -> None:
    """Put these choices into the address; None leaves a name out."""
    for name, value in values.items():
        if value is None:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != str(value):
            st.query_params[name] = str(value)


def say_link_again() -> None:
    """Put the address as this run of a page has it into the address bar once more, at its end.

    Who clicks twice in quick succession asks the second time with the address of before the first: what the page then
    finds there already, it does not write, though the first answer has changed it in the browser meanwhile.
    """
    st.query_params.from_dict(st.query_params.to_dict())
