"""A page on which something waits for the second accountant, who answers when the browser's test says so."""

from __future__ import annotations

import os
import time
from pathlib import Path

import streamlit as st  # noqa: TID251 - a page, if only for tests

from medpriv_core.privacy import second_accountant
from medpriv_core.privacy.second_accountant import answer_to, question
from medpriv_core.privacy.steps import Steps
from pages.parts.guarantee import draw_confirmed

ANSWER = Path(os.environ["MEDPRIV_HOME"]) / "answer"
ASKED = question([Steps(2.0, 0.1, 100)], delta=1e-5)


def answer_when_told(asked: second_accountant.Question) -> float:
    while not ANSWER.exists():
        time.sleep(0.01)
    return asked.first_epsilon


second_accountant._composed_by_the_other = answer_when_told
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.write(f"runs of the page: {st.session_state['runs']}")
outside = st.container()
st.selectbox("A list", ["first", "last"])


def draw() -> None:
    state = answer_to(ASKED).state
    with outside:
        st.write(f"above: {state}")
    st.write(f"below: {state}")


draw_confirmed(ASKED, draw)
