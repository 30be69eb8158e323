"""Take away: slides of what is shown, the noised picture itself, and the settings."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import streamlit as st

from medpriv_core.attacks.undo import attackers_choice, best_in_hindsight
from medpriv_core.exports.layout import SLIDE_WIDTH, arrange
from medpriv_core.exports.noised_image import kind_of, released_image
from medpriv_core.exports.rendering import Theme, to_png, to_svg
from medpriv_core.exports.sheet import Cell, Row, Sheet, figure2_sheet
from medpriv_core.mechanisms.comparison import PAPER_BETAS
from medpriv_core.privacy.statement import image_epsilon_statement, image_neighbours, image_release_statement
from pages.parts.explore.loading import offer_loading
from pages.parts.explore.pictures import AMOUNTS, ARRANGEMENTS, FIGURE_2, KINDS, arranged, describe
from pages.parts.explore.scene import Noised, Scene
from pages.parts.explore.undo_view import attempts_of
from pages.parts.links import named_in_link

UNDONE = "Can it be undone?"
SHEETS: dict[str, str] = {
    AMOUNTS: "The original beside β = 1, 2, 4 and yours.",
    KINDS: "The original beside every mechanism at your β.",
    FIGURE_2: "Figure 2 of the paper: what its text says above what its published code did.",
    UNDONE: "The original, your noised image, and the best attempts to undo the noise.",
}


def draw(scene: Scene) -> None:
    """Everything as a download; slides are drawn when the button is pressed."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    shown = ARRANGEMENTS[named_in_link("compare", ARRANGEMENTS, "amounts")]
    first = list(SHEETS).index(shown) if shown in SHEETS else 0
    which = row.selectbox("Slide", list(SHEETS), index=first, key="slide", width=260)
    theme: Theme = row.segmented_control(
        "Background", ("light", "dark"), default="light", required=True, format_func=str.capitalize, key="slide_theme"
    )
    with st.spinner("Composing the slide…"):
        sheet = sheet_of(which, scene)
        # What does not fit is said here, and not by a download that fails.
        arrange(sheet, SLIDE_WIDTH)
    name = f"medpriv-{which.lower().replace(' ', '-').strip('?')}"
    _button(row, "PNG", lambda: to_png(sheet, theme=theme), f"{name}.png", "image/png")
    _button(row, "SVG", lambda: to_svg(sheet, theme=theme), f"{name}.svg", "image/svg+xml")
    st.caption(f"{SHEETS[which]} With settings, ε in full and the source of the image below.")

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
            "hand out patients' images made this way. For a release choose the discrete Laplace noise."
        )
    if scene.chosen.dataset is not None:
        st.markdown("**Link** to these settings: the address of this page.")
        st.code(_address(), "text")
    offer_loading(scene)


def _address() -> str:
    return f"{(st.context.url or '').partition('?')[0]}?{urlencode(st.query_params.to_dict())}"


def sheet_of(which: str, scene: Scene) -> Sheet:
    """The slide of that name."""
    if which == UNDONE:
        return _undone_sheet(scene)
    shown = arranged(which, scene)
    if which == FIGURE_2:
        cells = [Cell(one.panel.pixels, (f"β = {one.noise.beta:g}", *_plain(one))) for _, one in shown]
        count = len(PAPER_BETAS)
        return figure2_sheet(
            scene.picture,
            per_pixel=dict(zip(PAPER_BETAS, cells[:count], strict=True)),
            per_image=dict(zip(PAPER_BETAS, cells[count:], strict=True)),
            settings=_settings(scene),
            guarantee=_guarantees([(title, one) for title, one in shown[:count]])
            + " Laplace per image: no finite ε for what it shows.",
            source=scene.chosen.source,
        )
    original = Cell(scene.picture, ("Original", scene.chosen.label))
    return Sheet(
        title="What does the noise hide?",
        rows=(Row((original, *(Cell(one.panel.pixels, (title, *_plain(one))) for title, one in shown))),),
        settings=_settings(scene),
        guarantee=_guarantees(shown),
        source=scene.chosen.source,
    )


def _undone_sheet(scene: Scene) -> Sheet:
    attempts = attempts_of(scene)
    best, picked = best_in_hindsight(attempts), attackers_choice(attempts)
    return Sheet(
        title="Can the noise be undone?",
        rows=(
            Row(
                (
                    Cell(scene.picture, ("Original", scene.chosen.label)),
                    Cell(scene.yours.panel.pixels, ("Noised", *_plain(scene.yours))),
                    Cell(best.picture, ("Best with hindsight", best.title)),
                    Cell(picked.picture, ("Best an attacker could choose", picked.title)),
                )
            ),
        ),
        settings=_settings(scene),
        guarantee=_guarantees([("The noised image", scene.yours)]),
        source=scene.chosen.source,
    )


def _plain(one: Noised) -> tuple[str, ...]:
    return tuple(line.replace("**", "") for line in describe(one))


def _settings(scene: Scene) -> str:
    noise, (height, width, channels) = scene.yours.noise, scene.picture.shape
    colours = "grey" if channels == 1 else "colour"
    # Whatever the noise: beside its original, a noised picture protects nobody.
    return f"{noise.title}: {noise.formula}; {width} × {height} pixels, {colours}; demonstration"


def _guarantees(shown: list[tuple[str, Noised]]) -> str:
    return "; ".join(f"{title}: {image_epsilon_statement(one.guarantee)}" for title, one in shown) + "."


def _button(
    row: st.delta_generator.DeltaGenerator, label: str, make: Callable[[], bytes | str], file_name: str, mime: str
) -> None:
    row.download_button(
        label, make, file_name, mime, key=f"download_{label}", icon=":material/download:", on_click="ignore"
    )
