"""The pictures beside each other, in three arrangements, and what stands under each."""

from __future__ import annotations

import math

import streamlit as st

from medpriv_core.mechanisms.additive import LaplacePerImage, LaplacePerPixel
from medpriv_core.mechanisms.catalog import MECHANISMS, own_parameters, picture_noise
from medpriv_core.mechanisms.comparison import PAPER_BETAS
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import (
    format_delta,
    format_epsilon,
    image_epsilon_statement,
    image_unit_statement,
)
from pages.parts.explore.noise_choice import VIEWER
from pages.parts.explore.picture_choice import Chosen
from pages.parts.explore.scene import YOURS_PLACE, Noised, Scene, exact_noise_s, is_quick, noised
from pages.parts.links import named_in_link, to_link
from pages.parts.picture_viewer import Mode, ViewerPanel, encode_png, picture_viewer

YOURS, AMOUNTS, KINDS, FIGURE_2 = "Your noise", "Amounts of noise", "Kinds of noise", "Figure 2 of the paper"
ARRANGEMENTS = {"yours": YOURS, "amounts": AMOUNTS, "kinds": KINDS, "figure-2": FIGURE_2}
ANSWERS_HEIGHT = 175  # CSS pixels, of what stands below the pictures and shall be in view with them
MODES: tuple[Mode, ...] = ("side by side", "wipe")


def choose_arrangement() -> tuple[str, Mode]:
    """Which pictures stand beside the original, and whether side by side or on top of each other."""
    row = st.container(horizontal=True, vertical_alignment="center")
    arrangement = row.segmented_control(
        "Compare",
        list(ARRANGEMENTS.values()),
        default=ARRANGEMENTS[named_in_link("compare", ARRANGEMENTS, "yours")],
        required=True,
        key="arrangement",
        persist_state="session",
        label_visibility="collapsed",
        help=f"**{YOURS}**: your noised image, and what a computer makes of it.  \n"
        f"**{AMOUNTS}**: the paper's β = 1, 2, 4 and yours.  \n**{KINDS}**: every mechanism at your β.  \n"
        f"**{FIGURE_2}**: what its text says above what its published code did.",
    )
    mode = row.segmented_control(
        "View",
        MODES,
        default="side by side",
        required=True,
        format_func=str.capitalize,
        key="viewer_mode",
        persist_state="session",
        label_visibility="collapsed",
        help="**Wipe**: two images on top of each other, with a handle between them; arrow keys move it.",
    )
    name = next(name for name, title in ARRANGEMENTS.items() if title == arrangement)
    to_link(compare=None if arrangement == YOURS else name)
    return arrangement, mode


def arranged(arrangement: str, scene: Scene) -> list[tuple[str, Noised]]:
    """The noised pictures of an arrangement with their titles; yours is the last unless the paper's are shown."""
    return [
        (title, scene.yours if place == YOURS_PLACE else noised(scene.chosen, noise, place=place))
        for title, noise, place in planned(arrangement, scene)
    ]


def planned(arrangement: str, scene: Scene) -> list[tuple[str, PictureNoise, int]]:
    """Title, noise and place of each noised picture of an arrangement; yours has ``YOURS_PLACE``."""
    chosen, noise = scene.chosen, scene.yours.noise
    if arrangement == FIGURE_2:
        return [
            (f"β = {beta:g}, {words}", kind(beta), place + row)
            for row, kind, words in ((0, LaplacePerPixel, "per pixel"), (10, LaplacePerImage, "per image"))
            for place, beta in enumerate(PAPER_BETAS)
        ]
    if arrangement == KINDS:
        others = [
            picture_noise(name, beta=noise.beta, **own_parameters(name, noise.to_dict()))
            for name, kind in MECHANISMS.items()
            if name != noise.name and is_quick(kind, chosen)
        ]
        return [
            *((other.title, other, 20 + place) for place, other in enumerate(others)),
            (f"yours: {noise.title}", noise, YOURS_PLACE),
        ]
    papers = PAPER_BETAS if arrangement == AMOUNTS and is_quick(noise, chosen) else ()
    return [
        *((f"β = {b:g}", noise.changed(beta=b), place) for place, b in enumerate(papers)),
        (f"yours, β = {noise.beta:.4g}", noise, YOURS_PLACE),
    ]


def draw_pictures(arrangement: str, scene: Scene, mode: Mode) -> None:
    """The original (in Figure 2 at the head of both rows), its noised versions, and what yours was undone to."""
    chosen, shown = scene.chosen, arranged(arrangement, scene)
    panels = [original_panel(chosen), *(noised_panel_of(title, one) for title, one in shown)]
    if arrangement == FIGURE_2:
        panels.insert(1 + len(PAPER_BETAS), panels[0])
    if arrangement == YOURS:
        panels.append(undone_panel(scene))
    wanted = MECHANISMS.values() if arrangement == KINDS else [one.noise for _, one in shown]
    if arrangement != YOURS and not all(is_quick(one, chosen) for one in wanted):
        takes = (
            f"Exact noise (discrete Laplace) for {chosen.picture.size:,} values takes about "
            f"{exact_noise_s(chosen):.0f} seconds"
        )
        if shown[-1][1].noise.fit_for_release:
            st.caption(f"{takes}, so it is drawn for your image alone. With fewer pixels the others are drawn, too.")
        else:
            st.caption(
                f"{takes}, so it is missing here. It is drawn if you choose it as the kind of noise, and always with "
                "fewer pixels."
            )
    with st.container(key="picture_room"):  # has room for them before they are there
        picture_viewer(
            panels,
            key=VIEWER,
            mode=mode,
            room_below=ANSWERS_HEIGHT,
            follows="epsilon" if "epsilon" in st.query_params else "beta",
            label="The image and its noised versions",
        )


def original_panel(chosen: Chosen) -> ViewerPanel:
    """The original as the viewer shows it."""
    height, width, channels = chosen.picture.shape
    kind = "grey" if channels == 1 else "colour"
    return ViewerPanel(
        title="Original",
        png=encode_png(chosen.picture),
        alt=f"Original: {chosen.label}",
        lines=(chosen.label, f"{width} × {height} pixels, {kind}"),
    )


def noised_panel_of(title: str, one: Noised) -> ViewerPanel:
    """A noised picture as the viewer shows it: ε in short under it, all that it depends on in the note."""
    return ViewerPanel(
        title=title,
        png=one.png,
        alt=f"The same image with noise: {one.noise.title}, β = {one.noise.beta:.4g}",
        lines=describe(one),
        note=full_guarantee(one.guarantee),
    )


def undone_panel(scene: Scene) -> ViewerPanel:
    """What a computer makes of your noised picture at once."""
    agreed = scene.look.agreed
    return ViewerPanel(
        title="Undone by a computer",
        png=scene.undone_png,
        alt=f"What a computer makes of your noised image: {scene.look.attempt}",
        lines=(
            scene.look.attempt,
            *([f"likeness to the original: **{max(agreed, 0):.2f}**"] if agreed is not None else []),
        ),
        note="One attempt that takes a moment, by somebody who has nothing but the noised image and knows how the "
        "noise was made. “Can it be undone?” below tries all of them.",
    )


def full_guarantee(guarantee: ImageGuarantee) -> str:
    """Both epsilons with all that they depend on."""
    unit = guarantee.unit
    return (
        f"The image: {image_epsilon_statement(guarantee)}. {unit[0].upper()}{unit[1:]}: "
        f"{image_unit_statement(guarantee)}."
    )


def describe(one: Noised) -> tuple[str, ...]:
    """The lines under a noised picture."""
    guarantee, saturated = one.guarantee, f"{one.panel.saturated_share:.0%} of values black or white"
    if math.isinf(guarantee.epsilon_image):
        return ("No finite ε, for a pixel or for the image", saturated)
    delta = f" (δ = {format_delta(guarantee.delta)})"
    return (
        f"ε of {guarantee.unit}: **{format_epsilon(guarantee.unit_epsilon)}**{delta if guarantee.unit_delta else ''}",
        f"ε of the image: **{format_epsilon(guarantee.epsilon_image)}**{delta}",
        saturated,
    )
