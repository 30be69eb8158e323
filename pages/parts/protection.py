"""What a Local-DP run protects, said alike before and after it runs."""

from __future__ import annotations

import streamlit as st

from medpriv_core.patients import PatientCount
from medpriv_core.privacy.statement import image_epsilon_statement, local_dp_meaning, several_images_statement
from medpriv_core.results.guarantee import picture_guarantee
from medpriv_core.spec import RunSpec


def draw_local_dp(spec: RunSpec, patients: PatientCount | None) -> None:
    """The epsilon of each training picture, what it means, and that of the patient who has the most of them."""
    guarantee = picture_guarantee(spec)
    st.markdown(f"**Each image: {image_epsilon_statement(guarantee)}**  \n{local_dp_meaning(guarantee)}")
    if patients is not None and patients.largest > 1:
        several = picture_guarantee(spec, images=patients.largest)
        st.caption(several_images_statement(several, patients.largest))
