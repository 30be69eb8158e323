"""The guarantee of a DP-SGD run, drawn alike before a launch and after it: which epsilon holds, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.privacy.conditions import Check, State
from medpriv_core.privacy.second_accountant import Question, answer_to, ask_second_epsilon
from medpriv_core.privacy.verdict import Verdict
from medpriv_core.shown_text import for_markdown
from pages.parts.messages import explain_errors
from pages.parts.runs.watchers import refresh_s

# Colour, sign, word on a condition, and what one or several conditions do. Colour is never alone.
LIGHTS: dict[State, tuple[str, str, str, str, str]] = {
    "red": ("red", "cancel", "fails", "fails", "fail"),
    "amber": ("orange", "warning", "attention", "needs your attention", "need your attention"),
    "green": ("green", "check_circle", "holds", "holds", "hold"),
}


def draw_confirmed(
    asked: Question | None, draw: Callable[[], None], *, recorded: Mapping[str, Any] | None = None
) -> None:
    """Draw what rests on the second accountant's word; while that is awaited, again and again, and nothing else.

    It takes a tenth of a second or seconds. The rest of the page must stand still meanwhile: a list that is open
    somewhere closes when its page is made anew. The looking ends when that happens for another reason.
    """
    if asked is not None and answer_to(asked, recorded=recorded).state == "pending":
        ask_second_epsilon(asked)
        if answer_to(asked).state == "pending":
            st.fragment(run_every=refresh_s())(_draw_again)(asked, draw)
            return
    draw()


def _draw_again(asked: Question, draw: Callable[[], None]) -> None:
    with explain_errors():
        ask_second_epsilon(asked)  # once more, for of many questions that wait the oldest are given up
        draw()


def draw_verdict(verdict: Verdict, *, prefix: str = "") -> None:
    """The epsilon that holds with all it depends on, and its meaning or the claim that does not hold."""
    statement = f"**{prefix}{for_markdown(verdict.statement)}**  \n{for_markdown(verdict.sentence)}"
    if verdict.claimed_epsilon is None:
        st.markdown(statement)
    else:
        st.error(statement, icon=":material/gpp_bad:")


def draw_lights(checks: Sequence[Check], *, doubtful: DeltaGenerator | None = None) -> None:
    """How many conditions hold, then those that fail, then the doubtful ones, or these at a place of their own."""
    st.markdown(f"**What it rests on:** {summary(checks)}")
    for state in ("red", "amber"):
        with doubtful if doubtful is not None and state == "amber" else nullcontext():
            for check in checks:
                if check.state == state:
                    st.markdown(light(check))


def draw_green_lights(checks: Sequence[Check], *, key: str) -> None:
    """The conditions that hold, folded away."""
    green = [check for check in checks if check.state == "green"]
    if green:
        with st.expander(
            f"{len(green)} {'condition that holds' if len(green) == 1 else 'conditions that hold'}", key=key
        ):
            for check in green:
                st.markdown(light(check))


def summary(checks: Sequence[Check]) -> str:
    """How many conditions are in which state, as markdown: "10 hold · 2 need your attention · 1 fails"."""
    parts = []
    for state in reversed(LIGHTS):
        colour, icon, _, one, several = LIGHTS[state]
        count = sum(check.state == state for check in checks)
        if count:
            parts.append(f":{colour}[:material/{icon}: {count} {one if count == 1 else several}]")
    return " · ".join(parts)


def light(check: Check) -> str:
    """One condition as markdown: sign, colour, word, name and sentence."""
    colour, icon, word, _, _ = LIGHTS[check.state]
    return f":{colour}-badge[:material/{icon}: {word}] **{check.name}.** {for_markdown(check.sentence)}"
