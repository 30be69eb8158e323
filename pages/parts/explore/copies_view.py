"""Several copies: how noised versions of the same picture average out, and what each more costs."""

from __future__ import annotations

import streamlit as st

from medpriv_core.attacks.copies import average_copies
from medpriv_core.attacks.similarity import likeness
from medpriv_core.attacks.statement import copies_statement
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import format_delta, format_epsilon, image_epsilon_statement
from pages.parts.explore.glossary import draw_terms
from pages.parts.explore.pictures import full_guarantee, original_panel
from pages.parts.explore.scene import Scene
from pages.parts.picture_viewer import ViewerPanel, encode_png, picture_viewer

COPIES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MOST_VALUES = 20_000_000  # drawn at once: about half a second


def draw(scene: Scene) -> None:
    """A slider for the number of copies, the average of them, and ε of all together."""
    st.markdown(
        "If an image is handed out more than once with fresh noise (or as the frames of a video, or once a year), "
        "anyone who has the copies can average the noise away. Every copy adds to ε."
    )
    noise = scene.yours.noise
    copies = int(st.select_slider("Copies of the image", COPIES, value=8, key="copies", width=420))
    guarantee = noise.guarantee(scene.picture.shape, delta=DEFAULT_DELTA, copies=copies)
    st.info(copies_statement(scene.yours.guarantee, guarantee), icon=":material/content_copy:")
    if copies * scene.picture.size > MOST_VALUES:
        st.caption(
            "The average is not drawn here, because so many random numbers would take too long. Choose fewer copies "
            "or a smaller image to see it; ε above holds all the same."
        )
        return
    average = average_copies(scene.picture, noise, copies=copies, seed=(scene.yours.seed, 100))
    alike = likeness(scene.picture, average)
    correlation = "" if alike.correlation is None else f"correlation {alike.correlation:.2f}"
    picture_viewer(
        [
            original_panel(scene.chosen),
            ViewerPanel(
                "One copy",
                scene.yours.png,
                "One noised copy of the image",
                (_epsilon("the image", scene.yours.guarantee),),
                full_guarantee(scene.yours.guarantee),
            ),
            ViewerPanel(
                f"{copies} copies, averaged" if copies > 1 else "The same, faded greys stretched back",
                encode_png(average),
                f"The average of {copies} noised copies",
                (
                    _epsilon("all copies", guarantee),
                    *([correlation] if correlation else []),
                ),
                f"All copies: {image_epsilon_statement(guarantee)}.",
            ),
        ],
        key="copies_pictures",
        label="The image, one noised copy, and the average of several",
    )
    draw_terms("ε", "δ", "correlation")


def _epsilon(what: str, guarantee: ImageGuarantee) -> str:
    return f"ε of {what}: **{format_epsilon(guarantee.epsilon_image)}** (δ = {format_delta(guarantee.delta)})"
