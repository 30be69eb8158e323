"""Can it be undone? What an attacker makes of your noised picture, one attempt after the other."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from medpriv_core.attacks.statement import undoing_statement
from medpriv_core.attacks.undo import Attempt, attackers_choice, best_in_hindsight, undo
from medpriv_core.mechanisms.laplace import to_unit
from pages.parts.explore.glossary import TERMS, draw_terms
from pages.parts.explore.individual_view import draw_individual
from pages.parts.explore.others_view import Others, draw_others, others_of
from pages.parts.explore.pictures import original_panel
from pages.parts.explore.scene import Scene
from pages.parts.picture_viewer import ViewerPanel, encode_png, picture_viewer

KEPT = "undone"
THUMBNAIL = 150


def draw(scene: Scene) -> None:
    """All attempts as they arrive, then the best of them beside the original."""
    st.markdown(
        "Anyone who gets the noised image also knows how the noise was made, and can average it away. Each attempt "
        "smooths the image in another way and then stretches the faded greys back."
    )
    if not st.toggle("Try to undo the noise", key="undoing", help="Takes a few seconds after every change."):
        return
    others = others_of(scene)  # once: what is learned while the attempts are made is for the next drawing of the page
    draw_others(others)
    summary = st.empty()
    strip = st.container(horizontal=True, gap="small", key="pixels_attempts")
    attempts: list[Attempt] = []
    kept = kept_attempts(scene, others)
    with summary:
        bar = st.progress(0.0, "Trying to undo the noise…") if kept is None else None
    for attempt in kept or _begin(scene, others):
        attempts.append(attempt)
        if bar:
            bar.progress(min(len(attempts) / 16, 1.0), f"Tried: {attempt.title}")
        place = strip.container(width=THUMBNAIL, gap="xsmall")
        place.image(encode_png(attempt.picture), width=THUMBNAIL, alt=f"Attempt: {attempt.title}")
        place.caption(f"**{attempt.title}**  \n{_numbers(attempt)}")
    st.session_state[KEPT] = (_key(scene, others), attempts)
    best, chosen = best_in_hindsight(attempts), attackers_choice(attempts)
    with summary.container():
        st.info(undoing_statement(best), icon=":material/visibility:")
        picture_viewer(
            [
                original_panel(scene.chosen),
                ViewerPanel("Noised", scene.yours.png, "Your noised image", ("your noise",)),
                _panel("Best with hindsight", best),
                _panel("Best that an attacker could choose", chosen),
            ],
            key="undone_pictures",
            label="The image, its noised version and the best attempts to undo the noise",
        )
        st.caption(
            "**Best with hindsight** is the attempt most like the original (highest SSIM): nobody without the original "
            "can pick it. **Best that an attacker could choose** predicts hidden values of the noised image best, "
            "which needs no original. The privacy of an image is that of the best attempt, never that of the noised "
            "image itself. Trained networks can do better still, so a poor best attempt proves nothing; only ε does."
            f"{_reduced(best, scene)}"
        )
        draw_terms("PSNR", "SSIM", "correlation")
    draw_individual(scene, attempts, others.prior)
    st.expander("The numbers of all attempts").dataframe(
        [
            {
                "attempt": attempt.title,
                "PSNR (dB)": attempt.likeness.psnr_db,
                "SSIM": attempt.likeness.ssim,
                "correlation": attempt.likeness.correlation,
            }
            for attempt in attempts
        ],
        hide_index=True,
        width="content",
        column_config={
            "PSNR (dB)": st.column_config.NumberColumn(format="%.1f", help=TERMS["PSNR"]),
            "SSIM": st.column_config.NumberColumn(format="%.2f", help=TERMS["SSIM"]),
            "correlation": st.column_config.NumberColumn(format="%.2f", help=TERMS["correlation"]),
        },
    )


def attempts_of(scene: Scene) -> list[Attempt]:
    """All attempts at your noised picture, tried now if they were not yet."""
    others = others_of(scene)
    kept = kept_attempts(scene, others)
    if kept is None:
        kept = list(_begin(scene, others))
        st.session_state[KEPT] = (_key(scene, others), kept)
    return kept


def kept_attempts(scene: Scene, others: Others) -> list[Attempt] | None:
    """All attempts at your noised picture with what was learned from ``others``, where they were tried."""
    key, attempts = st.session_state.get(KEPT, (None, None))
    return attempts if key == _key(scene, others) else None


def _begin(scene: Scene, others: Others) -> Iterator[Attempt]:
    return undo(scene.picture, to_unit(scene.yours.panel.pixels), scene.yours.noise, others.prior)


def _key(scene: Scene, others: Others) -> tuple[object, ...]:
    return scene.chosen.key, scene.yours.noise, scene.yours.seed, others.key


def _reduced(attempt: Attempt, scene: Scene) -> str:
    height, width = attempt.judged_at
    if (height, width) == scene.picture.shape[:2]:
        return ""
    return f" To be quick, this was done and measured on a copy of {width} × {height} pixels."


def _panel(title: str, attempt: Attempt) -> ViewerPanel:
    return ViewerPanel(
        title, encode_png(attempt.picture), f"{title}: {attempt.title}", (attempt.title, _numbers(attempt))
    )


def _numbers(attempt: Attempt) -> str:
    alike = attempt.likeness
    parts = [f"PSNR {alike.psnr_db:.1f} dB"]
    if alike.ssim is not None:
        parts.append(f"SSIM {alike.ssim:.2f}")
    if alike.correlation is not None:
        parts.append(f"correlation {alike.correlation:.2f}")
    return ", ".join(parts)
