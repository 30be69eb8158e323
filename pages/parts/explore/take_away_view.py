"""Take away: slides of what is shown, the noised picture itself, and the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

import streamlit as st

from medpriv_core.exports.noised_image import kind_of, released_image
from medpriv_core.exports.rendering import Theme
from medpriv_core.mechanisms.discrete_laplace import DiscreteLaplace
from medpriv_core.privacy.statement import image_neighbours, image_release_statement
from pages.parts.explore.loading import offer_loading
from pages.parts.explore.pictures import ARRANGEMENTS
from pages.parts.explore.scene import Scene
from pages.parts.explore.slides import SLIDES, all_slides, content_key, offered, one_slide
from pages.parts.links import named_in_link
from pages.parts.making_view import offer_made

PACKS = {
    "PowerPoint": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "PDF": "application/pdf",
}
ENDINGS = {"PowerPoint": "pptx", "PDF": "pdf"}
SINGLE = {"PNG": "image/png", "SVG": "image/svg+xml"}


def draw(scene: Scene) -> None:
    """Everything as a download; slides are made when the button is pressed."""
    names = offered(scene)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    theme: Theme = row.segmented_control(
        "Background", ("light", "dark"), default="light", required=True, format_func=str.capitalize, key="slide_theme"
    )
    for kind, mime in PACKS.items():
        with row:
            offer_made(
                f"All {len(names)} slides, {kind}",
                partial(all_slides, scene, theme=theme, kind=kind),
                f"medpriv-slides.{ENDINGS[kind]}",
                mime,
                key=f"slides_{kind}",
                content_key=content_key(scene, theme, kind),
            )
    st.caption(
        "Each slide's title is what was found, computed from its images. Text can be changed in PowerPoint and "
        "LibreOffice; settings, ε in full and the source stand in the notes, in the PDF on its last pages."
    )
    row = st.container(horizontal=True, vertical_alignment="bottom")
    shown = ARRANGEMENTS[named_in_link("compare", ARRANGEMENTS, "yours")]
    which = row.selectbox("One slide", names, index=names.index(shown), key="slide", width=260)
    name = f"medpriv-{which.lower().replace(' ', '-').strip('?')}"
    for kind, mime in SINGLE.items():
        with row:
            offer_made(
                kind,
                partial(one_slide, which, scene, theme=theme, kind=kind),
                f"{name}.{kind.lower()}",
                mime,
                key=f"slide_{kind}",
                content_key=content_key(scene, theme, which, kind),
            )
    st.caption(SLIDES[which])
    if scene.chosen.dataset is None:
        st.caption(
            ":material/verified_user: No slide holds the name of your file or anything of its header. Show a patient's "
            "image only if the patient has agreed to it."
        )

    image = released_image(
        scene.yours.panel.pixels,
        kind=kind_of(scene.yours.noise),
        settings=scene.settings,
        guarantee=image_release_statement(scene.yours.guarantee, scene.picture.shape),
    )
    row = st.container(horizontal=True, vertical_alignment="bottom")
    _button(row, "The noised image", lambda: image.png, image.file_name, "image/png")
    _button(row, "Settings (JSON)", scene.settings.to_json, "medpriv-explore.json", "application/json")
    if scene.yours.noise.fit_for_release:
        st.caption(
            "The noised image is labelled *release*: its noise is exact and was drawn once. What is released is this "
            "one image; every further one drawn adds its ε. Neighbours are "
            f"{image_neighbours(scene.picture.shape)}. A release says nothing of text burned into the image."
        )
    else:
        st.caption(
            "The noised image is labelled *demonstration*: its noise can be repeated and is not exact, so do not "
            "hand out patients' images made this way. A release takes exact noise, the discrete Laplace noise."
        )
        st.button(
            "Choose exact noise, for a release",
            key="choose_exact",
            icon=":material/verified:",
            on_click=_choose_exact,
        )
    if scene.chosen.dataset is not None:
        st.markdown("**Link** to these settings: the address of this page.")
        st.code(_address(), "text")
    offer_loading(scene)


def _choose_exact() -> None:
    st.session_state["mechanism"] = DiscreteLaplace.name


def _address() -> str:
    return f"{(st.context.url or '').partition('?')[0]}?{urlencode(st.query_params.to_dict())}"


def _button(
    row: st.delta_generator.DeltaGenerator, label: str, make: Callable[[], bytes | str], file_name: str, mime: str
) -> None:
    row.download_button(
        label, make, file_name, mime, key=f"download_{label}", icon=":material/download:", on_click="ignore"
    )
