"""Gradient inversion on an image of a dataset: what comes back without DP, with clipping alone, and with noise."""

from __future__ import annotations

import streamlit as st

from medpriv_core.attacks.inversion_panels import Inversion, Panel, invert
from medpriv_core.attacks.inversion_statement import (
    WHAT_IT_DOES_NOT_SAY,
    best_noised,
    format_psnr,
    inversion_notes,
    inversion_statement,
)
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.privacy.reconstruction import full_batch_epsilon
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.messages import explain_errors
from pages.parts.picture_viewer import ViewerPanel, encode_png, picture_viewer
from pages.parts.risk.corridor_view import draw_corridor

SIDE = 64
BATCH = 8
# Three a decade, from where images come back nearly whole to the strongest noise of the usual settings.
NOISES = (0.0, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
USUAL_NOISE = 1.0
LINES = {
    "original": "what the attacker is after",
    "no_dp": "imprint layer, a batch of images",
    "clipped": "imprint layer, each gradient clipped",
    "noised": "imprint layer, as DP-SGD does it",
    "best_estimate": "known scale, rows averaged",
    "denoised": "the filter chosen as an attacker can",
}


def draw_inversion() -> None:
    """Choice of an image and of the noise, the finding, the six panels, and their numbers."""
    with explain_errors():
        st.caption("A server that chose the model gets the gradient of a training image. What does it see?")
        chosen = _choose()
        if chosen is None:
            st.info("This needs a dataset: add one on the page Datasets.", icon=":material/add_photo_alternate:")
            return
        name, location, index = chosen
        sigma = st.select_slider(
            "Noise multiplier σ",
            NOISES,
            USUAL_NOISE,
            format_func=lambda one: "no noise (no DP)" if one == 0 else f"{one:g}",
            key="inversion_noise",
            persist_state="session",
            help="DP-SGD adds noise of σ times the clipping norm to the sum of the clipped gradients. Trainings use "
            "0.5 to 4.",
        )
        found = _inversion(name, location, index, float(sigma))
        st.info(inversion_statement(found), icon=":material/image_search:")
        for note in inversion_notes(found, wanted_batch=BATCH):
            st.caption(for_markdown(note))
        _draw_panels(found)
        st.caption(_beside(found))
        st.caption(WHAT_IT_DOES_NOT_SAY)
        with st.expander("The same numbers, and more"):
            _draw_table(found)
        if sigma:
            draw_corridor(float(sigma), shape=(SIDE, SIDE, found.panels[0].image.shape[2]), key="inversion_corridor")


def _choose() -> tuple[str, str | None, int] | None:
    """Name and identity of the dataset and index of the training image."""
    entries = cached.available_datasets()
    if not entries:
        return None
    names = list(entries)
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    several = [one for one in names if sum(entries[one].train_counts or ()) > 1]
    name = row.selectbox(
        "Dataset",
        names,
        index=names.index(several[0]) if several else 0,
        format_func=lambda key: entries[key].info.title,
        key="inversion_dataset",
        persist_state="session",
        width=420,
    )
    entry = entries[name]
    count = len(cached.dataset(name, cached.identity(entry)).split("train").labels)
    number = 1
    if count > 1:
        number = int(
            row.number_input(
                f"Image of {count:,}",
                1,
                count,
                key=f"inversion_image_{name}",
                persist_state="session",
                width=140,
            )
        )
    row.markdown(origin_badge(entry.info))
    return name, cached.identity(entry), number - 1


@st.cache_data(max_entries=64, show_spinner="Running the attack…")
def _inversion(name: str, location: str | None, index: int, sigma: float) -> Inversion:
    gallery = cached.gallery(name, location, index, SIDE)
    return invert(gallery.pictures, gallery.place, noise_multiplier=sigma, batch_size=BATCH)


def _draw_panels(found: Inversion) -> None:
    picture_viewer(
        [
            ViewerPanel(
                panel.title,
                encode_png(panel.image),
                alt=f"{panel.title}: PSNR {format_psnr(panel.psnr_db)}",
                lines=_lines(panel, found),
            )
            for panel in found.panels
        ],
        key="inversion_panels",
        label="Original, and what the attacker makes of its gradient",
    )


def _lines(panel: Panel, found: Inversion) -> tuple[str, ...]:
    if panel.name == "original":
        return (LINES[panel.name],)
    measured = f"**PSNR {format_psnr(panel.psnr_db)}**"
    if panel.name == "best_estimate" and found.bound is not None and found.noise_multiplier > 0:
        unclamped = format_psnr(panel.unclamped_db or 0.0)
        return (
            f"{measured}; {unclamped} before it is cut off, bound {format_psnr(found.bound.psnr_db)}",
            LINES[panel.name],
        )
    return (measured, f"filter: {found.denoiser}" if panel.name == "denoised" else LINES[panel.name])


def _beside(found: Inversion) -> str:
    """The floor, and the guarantee that this noise gives."""
    floor = "" if found.floor is None else f"The average of the other images has {format_psnr(found.floor.psnr_db)}. "
    if found.noise_multiplier == 0:
        return f"{floor}Without noise there is no ε."
    epsilon = full_batch_epsilon(found.noise_multiplier, delta=DEFAULT_DELTA)
    return (
        f"{floor}One full-batch step with this noise has ε = {format_epsilon(epsilon)} "
        f"(δ = {format_delta(DEFAULT_DELTA)}; one image added or removed; exact)."
    )


def _draw_table(found: Inversion) -> None:
    panels = [*found.panels[1:], *found.single, *([found.floor] if found.floor else [])]
    best = best_noised(found)
    st.dataframe(
        [
            {
                "image": panel.title,
                "PSNR": format_psnr(panel.psnr_db),
                "SSIM": None if panel.ssim is None else round(panel.ssim, 3),
                "correlation": None if panel.correlation is None else round(panel.correlation, 3),
                "": "best of the noised" if panel is best else "",
            }
            for panel in panels
        ],
        hide_index=True,
        width="content",
        key="inversion_numbers",
    )
    st.caption(
        f"Batch of {found.batch_size}, clipping norm {found.clipping_norm:g}, {SIDE} × {SIDE} pixels. Of the imprint "
        "layer's answers the nearest is shown, which no attacker could choose. "
        f"Filter: {for_markdown(found.denoiser)}."
    )
