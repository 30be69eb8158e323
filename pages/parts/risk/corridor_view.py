"""Could an image be rebuilt from scratch at this epsilon? A chart from a small epsilon to a billion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.figures.corridor import corridor_figure, corridor_in_words
from medpriv_core.privacy.reconstruction import (
    LARGEST_EPSILON,
    SMALLEST_EPSILON,
    USUAL_RMS,
    CorridorPoint,
    corridor,
    noise_multiplier_for_epsilon,
    noise_multiplier_for_psnr,
)
from medpriv_core.privacy.statement import format_delta, format_epsilon
from pages.parts.charts import draw_chart
from pages.parts.messages import explain_errors

PER_DECADE = 5
RECOGNISED_DB = 20
CAVEAT = (
    "**What this does not say.** A very large ε already stops a reconstruction from scratch, by somebody who knows "
    "nothing of images. A common noise filter already does better than this bound, and who has seen other chest X-rays "
    "passes it by 9 to 28 dB (measured at 64 × 64 pixels). An ε of a million or a billion is no privacy guarantee: it "
    "gives none against finding out who was in the training set."
)


def draw_corridor(
    noise_multiplier: float,
    *,
    participations: int = 1,
    shape: tuple[int, int, int] = (224, 224, 1),
    delta: float = DEFAULT_DELTA,
    key: str = "corridor",
) -> None:
    """The curve for images of ``shape`` = (h, w, channels), with a star at one's own noise.

    ``noise_multiplier``: sigma, above 0. ``participations``: in how many full-batch steps an image is used with a model
    that the attacker chose. ``key``: of the chart and its downloads, once on a page.
    """
    with explain_errors():
        size = math.prod(shape)
        points = _curve(participations, size, delta)
        enough = noise_multiplier_for_psnr(RECOGNISED_DB, size=size, norm=_norm(size), participations=participations)
        own, recognised = _at([noise_multiplier, enough], participations, size, delta)
        st.markdown(_statement(own, recognised, participations))
        pixels = f"{shape[1]} × {shape[0]} pixels" + (" in colour" if shape[2] == 3 else "")
        basis = (
            f"Images of {pixels}, root mean square {USUAL_RMS:g} of white; δ = {format_delta(delta)}; one image added "
            "or removed; full-batch steps; exact"
        )
        draw_chart(
            corridor_figure(points, own),
            key=key,
            name="Rebuilding an image from scratch",
            alt=corridor_in_words(_decades(points), own),
            caption=(basis,),
        )
        st.caption(f"{basis}. The words at 10, 20 and 30 dB are conventions. {CAVEAT}")
        with st.expander("The same numbers"):
            st.dataframe(
                [_row(point, "") for point in _decades(points)] + [_row(own, "this setting")],
                hide_index=True,
                width="content",
                key=f"{key}_numbers",
            )


# It does not depend on one's own noise, so moving that need not wait for it.
@st.cache_data(max_entries=64, show_spinner=False)
def _curve(participations: int, size: int, delta: float) -> list[CorridorPoint]:
    low, high = math.log10(SMALLEST_EPSILON), math.log10(LARGEST_EPSILON)
    count = round((high - low) * PER_DECADE)
    epsilons = [min(10 ** (low + place / PER_DECADE), LARGEST_EPSILON) for place in range(count + 1)]
    sigmas = [noise_multiplier_for_epsilon(one, delta=delta, participations=participations) for one in epsilons]
    return _at(sigmas, participations, size, delta)


def _at(sigmas: Sequence[float], participations: int, size: int, delta: float) -> list[CorridorPoint]:
    return corridor(sigmas, size=size, norm=_norm(size), delta=delta, participations=participations)


def _norm(size: int) -> float:
    """Euclidean length of a usual image."""
    return USUAL_RMS * math.sqrt(size)


def _decades(points: list[CorridorPoint]) -> list[CorridorPoint]:
    return points[::PER_DECADE]


def _statement(own: CorridorPoint, recognised: CorridorPoint, participations: int) -> str:
    steps = "one step" if participations == 1 else f"{participations:,} steps"
    setting = (
        f"Of {steps} at noise multiplier {own.noise_multiplier:g} (ε = {format_epsilon(own.epsilon)}) the expected "
        f"PSNR is {own.psnr_db:.1f} dB. An image is recognised from about {RECOGNISED_DB} dB on, which takes "
        f"ε = {format_epsilon(recognised.epsilon)}."
    )
    if own.psnr_db >= RECOGNISED_DB:
        return f"**An attacker who knows nothing of images can rebuild one.** {setting}"
    return f"**An attacker who knows nothing of images rebuilds nothing that is recognised.** {setting}"


def _row(point: CorridorPoint, words: str) -> dict[str, str]:
    return {
        "": words,
        "ε": format_epsilon(point.epsilon),
        "σ": f"{point.noise_multiplier:.3g}",
        "PSNR expected": f"{point.psnr_db:.1f} dB",
        "correlation at most": f"{point.most_correlation:.3f}",
    }
