"""What of the attempts is individual: beside the average image of other patients, which needs no noised image."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medpriv_core.attacks.individual import Individual, gallery_places
from medpriv_core.attacks.prior import Prior
from medpriv_core.attacks.similarity import Likeness
from medpriv_core.attacks.undo import Attempt, best_in_hindsight
from pages.parts.explore.gallery_choice import gallery_of
from pages.parts.explore.glossary import TERMS, draw_terms
from pages.parts.explore.scene import Scene

OWN_SHARE = "correlation of what is individual"


def draw_individual(scene: Scene, attempts: Sequence[Attempt], prior: Prior | None) -> None:
    """The floor, the best filter and what was learned, at the size of the latter; nothing where nobody has learned."""
    learned = next((attempt for attempt in attempts if attempt.is_learned), None)
    if prior is None or learned is None or learned.individual is None:
        return
    best = best_in_hindsight([attempt for attempt in attempts if not attempt.is_learned])
    assert best.individual is not None
    floor = learned.individual.average
    side = len(prior.mean)
    with st.container(key="individual"):
        st.markdown(
            f"**What is individual, at {side} × {side} pixels.** With what sets this image apart from the average "
            f"image of others, the learned attempt has a correlation of **{_own(learned.individual):.2f}**, the best "
            f"filter **{_own(best.individual):.2f}**. The average image alone has none, though it is like the original "
            f"(correlation {floor.correlation or 0.0:.2f})."
        )
        rows = [
            _row("average image of others", floor, 0.0),
            _row(f"best filter: {best.title}", best.individual.likeness, _own(best.individual)),
            _row(learned.title, learned.individual.likeness, _own(learned.individual)),
        ]
        found, squares = gallery_of(scene), [prior.mean.clip(0, 1), best.individual.square, learned.individual.square]
        column = ""
        if found is not None and found.gallery.pictures.shape[3] == prior.mean.shape[2]:
            places = gallery_places(squares, found.gallery.pictures, found.gallery.place)
            column = f"place among {len(found.gallery.pictures)}"
            for row, place in zip(rows, places or [], strict=False):
                row[column] = place
        st.dataframe(
            rows,
            hide_index=True,
            width="content",
            column_config={
                "PSNR (dB)": st.column_config.NumberColumn(format="%.1f", help=TERMS["PSNR"]),
                "SSIM": st.column_config.NumberColumn(format="%.2f", help=TERMS["SSIM"]),
                "correlation": st.column_config.NumberColumn(format="%.2f", help=TERMS["correlation"]),
                OWN_SHARE: st.column_config.NumberColumn(format="%.2f", help=TERMS["what is individual"]),
                column: st.column_config.NumberColumn(
                    help="Which place the right image has in the gallery, the nearest to the attempt first. 1 is "
                    "found. The likelihood, under *Can the patient be found?*, finds more."
                ),
            },
        )
        st.caption(
            "A clear image need not be the patient: what the noise hides is filled in from others. And one image says "
            "little of the next. An attacker with a trained network may see more; only ε limits every one."
        )
        draw_terms("what is individual")


def _own(individual: Individual) -> float:
    return individual.correlation or 0.0


def _row(title: str, alike: Likeness, own: float) -> dict[str, str | float | None]:
    return {
        "image": title,
        "PSNR (dB)": alike.psnr_db,
        "SSIM": alike.ssim,
        "correlation": alike.correlation,
        OWN_SHARE: own,
    }
