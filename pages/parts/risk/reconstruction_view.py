"""Reconstruction: could an image be rebuilt from scratch, of the training that is asked about?"""

from __future__ import annotations

import math

import streamlit as st

from medpriv_core.privacy.risk_subject import RiskSubject
from pages.parts.risk.corridor_view import draw_corridor

SIDES = (28, 64, 112, 224, 512)


def draw_reconstruction(subject: RiskSubject) -> None:
    """The corridor at the training's own noise; for an image that took part as often as one does on average."""
    if subject.stretches is None:
        st.info(
            "Choose a training, or a DP-SGD run that recorded its steps: the chart goes by noise and steps. Of noised "
            "images, the tab *Can it be undone?* of the page Explore tries it."
        )
        return
    noise = min(taken.noise_multiplier for taken in subject.stretches)
    if noise <= 0:
        st.info("Without noise an image comes back exactly: see the tab *Gradient inversion*.")
        return
    often = max(1, round(math.fsum(taken.sample_rate * taken.count for taken in subject.stretches)))
    row = st.container(horizontal=True, vertical_alignment="bottom")
    side = int(row.selectbox("Side of an image", SIDES, index=SIDES.index(224), key="risk_corridor_side", width=160))
    channels = int(
        row.selectbox(
            "Colours",
            (1, 3),
            format_func=lambda count: "grey" if count == 1 else "red, green, blue",
            key="risk_corridor_channels",
            width=200,
        )
    )
    seen = int(
        row.number_input(
            "Steps with a chosen model",
            1,
            10_000,
            min(often, 10_000),
            key=f"risk_corridor_steps_{often}",
            width=220,
            help="In how many steps the image takes part while the attacker chooses the model. Begins with the number "
            "of this training.",
        )
    )
    draw_corridor(noise, participations=seen, shape=(side, side, channels), delta=subject.delta, key="risk_corridor")
