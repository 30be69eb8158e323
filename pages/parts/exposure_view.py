"""ε in people: a hundred as dots, how many an attacker finds and how many are falsely accused, and a slider over ε.

A component of its own, for the dots follow the slider while it moves, and no run of the page is fast enough for that.
It begins at the ε that holds. What the same training would give away at others takes a second to compute, so it is
computed when somebody reaches for the slider, and told to the browser as a whole; sentences are made here, the browser
draws.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.privacy.exposure import ALARMS, EPSILONS, NAMED, Exposure, exposure_of, exposures
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.risk_subject import RiskSubject, said_of, subject_of_images
from medpriv_core.privacy.statement import (
    format_delta,
    format_epsilon,
    found_statement,
    of_hundred,
)
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.verdict import Verdict
from pages.parts.messages import explain_errors

ASSETS = Path(__file__).parent / "assets"
SAME = 0.01  # by this share of ε, a named one is the one that holds

BY_STEPS = "At most: no attacker does better on these steps, not even one who knows everything but the one {unit}."
BY_POINT = "At most: by ε and δ alone, for no more is known. The truth may be lower."
BY_CURVE = "At most: no attacker does better, not even one who knows everything else."
BY_NOTHING = "Nothing limits what an attacker finds."
IMAGES_OF_TWO = (("recognised", "of noised images of one patient"), ("mistaken", "of another’s, for that patient’s"))
ONE_EACH = "One image each; a patient with several is found more easily."
ALL_OF_EACH = "All images of a patient together, however many they are."


@dataclass(frozen=True)
class Meaning:
    """What is drawn: of whom, by what, and how it is said.

    own        what holds
    delta      at which
    stretches  the steps whose noise the slider changes; None: by ε and δ alone
    says       the sentence at an ε and a rate of false alarms
    captions   under the two crowds, after the numbers: what becomes of people, and of which
    basis      what all figures rest on
    """

    own: Exposure
    delta: float
    stretches: tuple[Steps, ...] | None
    says: Callable[[Exposure, str], str]
    captions: tuple[tuple[str, str], tuple[str, str]]
    basis: str


def meaning_of_training(verdict: Verdict) -> Meaning:
    """Of a DP-SGD network: whose images were in the training set."""
    by = BY_POINT if verdict.stretches is None else BY_STEPS.format(unit=verdict.unit)
    used, each = ("image was", ONE_EACH) if verdict.unit == "image" else ("images were", ALL_OF_EACH)
    return Meaning(
        own=exposure_of(verdict.risk, epsilon=verdict.epsilon),
        delta=verdict.delta,
        stretches=verdict.stretches,
        says=functools.partial(found_statement, unit=verdict.unit),
        captions=(("found", f"of those whose {used} used"), ("falsely accused", f"of those whose {used} not")),
        basis=f"{by} {each} {verdict.statement}.",
    )


def meaning_of_images(guarantee: ImageGuarantee) -> Meaning:
    """Of noised training images: whose they are, for somebody who wavers between two."""
    return meaning_of_subject(subject_of_images(guarantee))


def meaning_of_subject(subject: RiskSubject) -> Meaning:
    """Of anything whose curve is known."""
    by = BY_POINT if subject.basis == "point" else BY_CURVE if subject.limited else BY_NOTHING
    if subject.asked == "membership":
        used, each = ("image was", ONE_EACH) if subject.unit == "image" else ("images were", ALL_OF_EACH)
        captions = (("found", f"of those whose {used} used"), ("falsely accused", f"of those whose {used} not"))
        by = by if subject.stretches is None or not subject.limited else BY_STEPS.format(unit=subject.unit)
        basis = f"{by} {each} {subject.statement}."
    elif subject.asked == "image":
        captions = IMAGES_OF_TWO
        basis = f"{by} The attacker may know both originals. Each image: {subject.statement}."
    else:
        captions = (("recognised", "of black pixels"), ("mistaken", "of white ones, for black ones"))
        basis = f"{by} One pixel: {subject.statement}."
    return Meaning(
        own=subject.exposure,
        delta=subject.delta or DEFAULT_DELTA,
        stretches=subject.stretches,
        says=functools.partial(said_of, asked=subject.asked, unit=subject.unit),
        captions=captions,
        basis=basis,
    )


@st.fragment
def draw_exposure(meaning: Meaning, *, key: str, small: bool = False) -> None:
    """The dots with their slider. ``small``: two lines of dots, the slider on demand."""
    with explain_errors():
        if _reached_for(key):
            st.session_state[f"{key}_asked"] = meaning.stretches
        asked = st.session_state.get(f"{key}_asked") == meaning.stretches
        others = exposures(meaning.stretches, delta=meaning.delta) if asked or meaning.stretches is None else None
        _component(
            data=_data(meaning, others, key=key, small=small),
            key=key,
            on_wanted_change=lambda: None,
        )


def _reached_for(key: str) -> bool:
    """Whether somebody has just reached for the slider."""
    state = st.session_state.get(key)
    return isinstance(state, Mapping) and bool(state.get("wanted"))


def _data(meaning: Meaning, others: tuple[Exposure, ...] | None, *, key: str, small: bool) -> dict[str, Any]:
    own = meaning.own
    near = [each for each in EPSILONS if not math.isinf(own.epsilon) and abs(own.epsilon / each - 1) < SAME]
    stops = [_stop(meaning, own, named=bool(set(near) & set(NAMED)), own=True)]
    for place, epsilon in enumerate(EPSILONS):
        if epsilon not in near:
            told = Exposure(epsilon, {}) if others is None else others[place]
            stops.append(_stop(meaning, told, named=epsilon in NAMED, own=False))
    stops.sort(key=lambda stop: stop["epsilon"])
    for stop in stops:
        del stop["epsilon"]  # JSON has no infinity
    return {
        "key": key,
        "small": small,
        "stops": stops,
        "alarms": [{"rate": rate, "of_hundred": of_hundred(float(rate))} for rate in ALARMS],
        "captions": meaning.captions,
        "basis": meaning.basis,
    }


def _stop(meaning: Meaning, told: Exposure, *, named: bool, own: bool) -> dict[str, Any]:
    label = format_epsilon(told.epsilon)
    if own:
        about = "what holds here"
    elif meaning.stretches is None:
        about = f"any mechanism with this ε (δ = {format_delta(meaning.delta)})"
    else:
        about = f"the same training with the noise that this ε needs (δ = {format_delta(meaning.delta)})"
    return {
        "epsilon": told.epsilon,
        "label": label,
        "named": named,
        "own": own,
        "about": about,
        "found": {rate: of_hundred(share) for rate, share in told.found.items()},
        "says": {rate: meaning.says(told, rate) for rate in told.found},
    }


_component = st.components.v2.component(
    "exposure",
    html=(ASSETS / "exposure.html").read_text(encoding="utf-8"),
    css=(ASSETS / "exposure.css").read_text(encoding="utf-8"),
    js=(ASSETS / "exposure.js").read_text(encoding="utf-8"),
)
