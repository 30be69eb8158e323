"""What a Local-DP run protects, said alike before and after it runs."""

from __future__ import annotations

import streamlit as st

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.privacy.image_epsilon import image_guarantee
from medpriv_core.privacy.statement import image_epsilon_statement, local_dp_meaning
from medpriv_core.spec import RunSpec


def draw_local_dp(spec: RunSpec) -> None:
    """The epsilon of each training picture, and what it means."""
    assert spec.beta is not None
    values = spec.image_size**2 * dataset_info(spec.dataset).channels
    guarantee = image_guarantee(beta=spec.beta, values=values, draw=spec.noise_draw, delta=spec.delta)
    st.markdown(f"**Each picture: {image_epsilon_statement(guarantee)}**  \n{local_dp_meaning(guarantee)}")
