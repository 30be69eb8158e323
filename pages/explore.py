"""Explore: what does the noise hide? One picture beside its noised versions, with the epsilon of each."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st
from PIL import Image

from medpriv_core.datasets.viewing import ViewedImage, images_of_class
from medpriv_core.mechanisms.comparison import PAPER_BETAS, NoisedPanel
from medpriv_core.privacy.image_epsilon import ImageGuarantee, image_guarantee
from medpriv_core.privacy.statement import format_delta, format_epsilon, image_epsilon_statement, image_statement
from medpriv_core.spec import NoiseDraw
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.links import from_link, number_from_link, to_link

SHOWN_PX = 224  # on screen; every size divides it, so that no pixel is smoothed by the browser
SIZES = (56, 112, 224)
BETAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 25, 50, 100, 250, 500, 1000)
DRAWS: dict[NoiseDraw, str] = {"per_pixel": "Every pixel its own noise", "per_image": "One number for the picture"}
DRAW_HELP = (
    "**Every pixel its own noise**: the Laplace mechanism of the paper's text.  \n"
    "**One number for the picture**: what the authors' published code did, a shift of brightness."
)
DELTA = 1e-5


def main() -> None:
    st.title("What does the noise hide?", anchor=False)
    entries = cached.available_datasets()
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    names = list(entries)
    name = controls.selectbox(
        "Dataset",
        names,
        index=names.index(from_link("dataset", names, "retina_photo")),
        format_func=lambda key: entries[key].info.title,
        key="dataset",
        persist_state="session",
        width=320,
    )
    entry = entries[name]
    dataset = cached.dataset(name, entry.location)
    class_name, number, index = choose_image(controls, dataset)
    size = controls.segmented_control(
        "Pixels a side",
        SIZES,
        default=from_link("size", SIZES, SHOWN_PX),
        required=True,
        key="size",
        persist_state="session",
        help="More pixels mean more values to protect, so a larger ε for the whole picture.",
    )
    noise_controls = st.container(horizontal=True, vertical_alignment="bottom")
    draw = noise_controls.segmented_control(
        "Noise",
        list(DRAWS),
        default=from_link("draw", list(DRAWS), "per_pixel"),
        required=True,
        format_func=lambda key: DRAWS[key],
        key="draw",
        persist_state="session",
        help=DRAW_HELP,
    )
    beta = noise_controls.select_slider(
        "Your amount of noise (Laplace scale β): sharper ← → more noise",
        BETAS,
        value=from_link("beta", BETAS, 0.5),
        key="beta",
        persist_state="session",
        width=420,
    )
    if noise_controls.button("Draw the noise again", icon=":material/casino:", key="redraw"):
        st.session_state["noise_seed"] = st.session_state.get("noise_seed", 0) + 1
    to_link(dataset=name, show=class_name, image=number, size=size, draw=draw, beta=beta)

    image = cached.viewed_image(name, entry.location, index, size)
    seed = st.session_state.get("noise_seed", 0)
    panels = [
        cached.panel(name, entry.location, index, size, beta=float(value), draw=draw, seed=(seed, place))
        for place, value in enumerate((*PAPER_BETAS, beta))
    ]
    sentence = st.container()
    captions = draw_row(image, panels, origin_badge(entry.info))
    # The pictures are on their way to the screen before the accountant starts.
    guarantees = [
        image_guarantee(beta=panel.beta, values=image.pixels.size, draw=draw, delta=DELTA) for panel in panels
    ]
    for caption, panel, guarantee in zip(captions, panels, guarantees, strict=True):
        # The short form under the picture; all that epsilon depends on when the pointer rests on it.
        caption.caption(describe(panel, guarantee), help=f"The picture: {image_epsilon_statement(guarantee)}.")
    yours, guarantee = panels[-1], guarantees[-1]
    sentence.info(
        image_statement(
            guarantee,
            beta=yours.beta,
            blank_share=math.exp(-1 / yours.beta),
            blurred_correlation=yours.blurred_correlation,
        ),
        icon=":material/lightbulb:",
    )
    st.caption(entry.info.source)
    draw_numbers(panels, guarantees)


def choose_image(
    controls: st.delta_generator.DeltaGenerator, dataset: cached.Dataset
) -> tuple[str | None, int | None, int]:
    """Class, number within the class, and index of the image that the visitor chose."""
    if len(dataset.split("train").labels) == 1:
        return None, None, 0
    classes = [None, *dataset.info.classes]
    class_name = controls.selectbox(
        "Show",
        classes,
        index=classes.index(from_link("show", classes, None)),
        format_func=lambda value: value or "All classes",
        key=f"show_{dataset.info.name}",
        persist_state="session",
        width=180,
    )
    indexes = images_of_class(dataset, class_name)
    number = int(
        controls.number_input(
            f"Image (1 to {len(indexes):,})",
            1,
            len(indexes),
            number_from_link("image", low=1, high=len(indexes), default=1),
            key=f"image_{dataset.info.name}_{class_name}",
            persist_state="session",
            width=180,
        )
    )
    return class_name, number, int(indexes[number - 1])


def draw_row(image: ViewedImage, panels: list[NoisedPanel], badge: str) -> list[st.delta_generator.DeltaGenerator]:
    """Original and noised pictures side by side; returns a place for the caption of each noised one."""
    row = st.container(horizontal=True, gap="small", key="pixels_row")
    first = row.container(width=SHOWN_PX, gap="xsmall")
    show_pixels(first, image.pixels, f"Original image: {image.label}")
    first.markdown(f"**Original** · {image.label}  \n{badge}")
    captions = []
    for place, panel in enumerate(panels):
        column = row.container(width=SHOWN_PX, gap="xsmall")
        show_pixels(column, panel.pixels, f"The same image with Laplace noise of scale {panel.beta:g}")
        title = "yours, " if place == len(panels) - 1 else ""
        column.markdown(f"**{title}β = {panel.beta:g}**")
        captions.append(column.container())
    return captions


def show_pixels(place: st.delta_generator.DeltaGenerator, pixels: np.ndarray, alt: str) -> None:
    """The pixels at a whole multiple of their size."""
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    place.image(cached.png(picture), width=SHOWN_PX, alt=alt)


def describe(panel: NoisedPanel, guarantee: ImageGuarantee) -> str:
    """The numbers under one noised picture."""
    saturated = f"{panel.saturated_share:.0%} of values black or white"
    if math.isinf(guarantee.epsilon_image):
        return f"No finite ε, for a pixel or for the picture  \n{saturated}"
    return (
        f"ε of one pixel: **{format_epsilon(guarantee.epsilon_pixel)}**  \n"
        f"ε of the picture: **{format_epsilon(guarantee.epsilon_image)}** (δ = {format_delta(guarantee.delta)}), "
        f"{format_epsilon(guarantee.epsilon_image_pure)} (δ = 0)  \n{saturated}"
    )


def draw_numbers(panels: list[NoisedPanel], guarantees: list[ImageGuarantee]) -> None:
    """The same numbers as a table, and how they come about."""
    with st.expander("The numbers, and how they come about"):
        st.dataframe(
            [
                {
                    "β": panel.beta,
                    "ε of one pixel": format_epsilon(guarantee.epsilon_pixel),
                    "ε of the picture (δ = 0)": format_epsilon(guarantee.epsilon_image_pure),
                    f"ε of the picture (δ = {format_delta(DELTA)})": format_epsilon(guarantee.epsilon_image),
                    "black or white": f"{panel.saturated_share:.1%}",
                    "correlation after blurring": panel.blurred_correlation,
                }
                for panel, guarantee in zip(panels, guarantees, strict=True)
            ],
            hide_index=True,
            width="content",
            column_config={"correlation after blurring": st.column_config.NumberColumn(format="%.2f")},
        )
        st.markdown(
            f"""
Each of the picture's {guarantees[0].values:,} values (pixels × colour channels, from 0 = black to 1 = white)
gets a random number from the Laplace distribution of scale β added. Then everything below 0 is shown black and
everything above 1 white, which changes the looks but not the protection.

- **ε of one pixel** is 1/β: it holds if two pictures differ in a single value.
- **ε of the picture** counts any two pictures as neighbours, as Local-DP demands: (number of values)/β with
  certainty (δ = 0); at δ = {format_delta(DELTA)} the privacy losses of all values are composed (PLD or RDP
  accountant, the smaller; never too low, at most 0.5 % too high).
- A further noised copy of the same picture adds its ε to that of the first.
- The noise here is repeatable and made for teaching; do not publish patients' pictures with it.
"""
        )


main()
