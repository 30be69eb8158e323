"""A scale to hold an ε to: where usual promises lie, and how far from them this one is."""

from __future__ import annotations

import math

import streamlit as st

from medpriv_core.privacy.statement import STRONG_EPSILON, format_epsilon

FIRST, LAST = 0.1, 1e6
MARKS = (0.1, 1, 8, 100, 10_000, 1_000_000)


def draw_epsilon_scale(epsilon: float, *, what: str) -> None:
    """One line from 0.1 to a million, on which ε is a point; ``what`` it is the ε of."""
    place = _place(epsilon)
    words = format_epsilon(epsilon)
    ticks = "".join(f'<span style="left:{_place(mark):.1f}%">{mark:,.10g}</span>' for mark in MARKS)
    st.html(
        f'<div class="epsilon-scale" role="img" aria-label="ε of {what}: {words}, on a scale on which usual promises '
        f'are below {STRONG_EPSILON}">'
        f'<div class="line"><i style="width:{_place(STRONG_EPSILON):.1f}%"></i>'
        f'<b style="left:{place:.1f}%"></b></div>'
        f'<div class="ticks">{ticks}</div></div>'
    )


def _place(epsilon: float) -> float:
    """Percent of the way along the line."""
    if math.isinf(epsilon):
        return 100.0
    share = math.log(max(epsilon, FIRST) / FIRST) / math.log(LAST / FIRST)
    return 100 * min(share, 1.0)
