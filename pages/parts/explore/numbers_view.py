"""The numbers behind the pictures: ε in every unit, how it comes about, and how often each brightness occurs."""

from __future__ import annotations

import streamlit as st

from medpriv_core.figures.histogram import histogram_alt, histogram_figure
from medpriv_core.privacy.statement import (
    format_delta,
    format_epsilon,
    image_epsilon_statement,
    image_unit_statement,
)
from pages.parts.charts import draw_chart
from pages.parts.explore.glossary import draw_terms
from pages.parts.explore.scene import Scene
from pages.parts.risk.link import draw_risk_link


def draw(scene: Scene) -> None:
    """The table, the statement for a finding of some size, and the histogram."""
    guarantee, panel, noise = scene.yours.guarantee, scene.yours.panel, scene.yours.noise
    height, width, channels = scene.picture.shape
    st.markdown(f"**{noise.title}**: {noise.explanation}  \n`{noise.formula}`")
    st.table(
        [
            {"what": "β", "value": f"{noise.beta:g} ({noise.beta_term})"},
            {"what": "noised values", "value": f"{guarantee.values:,} ({width} × {height} pixels × {channels})"},
            {"what": f"ε of {guarantee.unit}", "value": image_unit_statement(guarantee)},
            {
                "what": "ε of the image, with certainty",
                "value": f"{format_epsilon(guarantee.epsilon_image_pure)} (δ = 0; for any two images)",
            },
            {"what": "ε of the image", "value": image_epsilon_statement(guarantee)},
            {"what": "black or white", "value": f"{panel.saturated_share:.1%} of the values"},
        ],
        hide_index=True,
        width="content",
    )
    draw_risk_link(
        of="images",
        mechanism=noise.name,
        beta=f"{noise.beta:.12g}",
        size=f"{width}x{height}",
        channels=str(channels),
        delta=format_delta(guarantee.delta),
    )
    _draw_lesion(scene)
    st.markdown("**Brightness before and after**")
    draw_chart(
        histogram_figure(scene.picture, panel.pixels),
        key="histogram",
        name="Brightness before and after the noise",
        alt=histogram_alt(scene.picture, panel.pixels),
        caption=(
            f"{noise.title}, β = {noise.beta:.4g}. The image: {image_epsilon_statement(guarantee)}.",
            f"Source: {scene.chosen.source}",
        ),
    )
    st.markdown(
        f"""
- Every value of the image lies between 0 (black) and 1 (white). After the noise, what is below 0 is shown black and
  what is above 1 white; that changes the looks, but not the protection.
- **ε of {guarantee.unit}** holds for two images that differ in no more than that.
- **ε of the image** counts any two images as neighbours, as Local-DP demands: the losses of all noised values add
  up. At δ = {format_delta(guarantee.delta)} it is an upper bound, never too low and at most 0.5% too high, or exact.
- A further noised copy of the same image adds its ε to that of the first.
- Labels, file headers and text within the image are not protected by any of this.
"""
    )


def _draw_lesion(scene: Scene) -> None:
    st.markdown("**How well is a finding hidden?**")
    draw_terms("metric privacy")
    row = st.container(horizontal=True, vertical_alignment="bottom")
    area = row.number_input("Its area (pixels)", 1, scene.picture.size, 100, key="lesion_area", width=170)
    contrast = row.slider("Its contrast (share of black to white)", 0.01, 1.0, 0.3, key="lesion_contrast", width=300)
    channels = scene.picture.shape[2]
    st.markdown(scene.yours.noise.finding_statement(area_pixels=area, contrast=contrast, channels=channels))
