"""What a Local-DP run protects, said alike before and after it runs."""

from __future__ import annotations

import streamlit as st

from medpriv_core.privacy.statement import image_epsilon_statement, local_dp_meaning
from medpriv_core.results.guarantee import picture_guarantee
from medpriv_core.spec import RunSpec


def draw_local_dp(spec: RunSpec) -> None:
    """The epsilon of each training picture, and what it means."""
    guarantee = picture_guarantee(spec)
    st.markdown(f"**Each image: {image_epsilon_statement(guarantee)}**  \n{local_dp_meaning(guarantee)}")
