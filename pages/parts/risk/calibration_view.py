"""Choose by risk: which noise keeps the hits, or the advantage, below what is accepted."""

from __future__ import annotations

import math

import streamlit as st

from medpriv_core.datasets.registry import dataset_title
from medpriv_core.privacy.plan import DpSgdPlan
from medpriv_core.privacy.risk_calibration import noise_for_risk
from medpriv_core.privacy.statement import format_delta, format_epsilon, of_hundred
from medpriv_core.privacy.tradeoff import FALSE_ALARM_RATES
from medpriv_core.results.result import SOURCE_TITLES
from medpriv_core.results.selection import gather_results
from medpriv_core.shown_text import for_cell, for_markdown
from pages.parts import cached
from pages.parts.links import to_link
from pages.parts.run_presets import apply_preset

# By this factor the ε of a run may differ from what is asked.
NEAR = 1.3
MOST_RUNS = 8
ADVANTAGE = "advantage"
HITS = (1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 90)


def draw_calibration(plan: DpSgdPlan | None, *, epochs: int, batch: int) -> None:
    """What is accepted, and the noise for the training on the left, of so many ``epochs`` in batches of ``batch``."""
    if plan is None:
        st.info("Choose *A training* on the left: the noise is found for its records, batches and epochs.")
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        by = st.segmented_control(
            "Accept so many found",
            (*FALSE_ALARM_RATES, ADVANTAGE),
            default="0.01",
            format_func=lambda name: name if name == ADVANTAGE else f"at {100 * float(name):g}% false alarms",
            required=True,
            key="risk_accept_by",
            persist_state="session",
        )
        accepted = st.select_slider(
            "At most, of 100",
            HITS,
            value=5,
            key="risk_accepted",
            persist_state="session",
            help="An advantage of 5 of 100 means that hits and false alarms differ by at most 5 of 100.",
        )
    with right:
        chosen = noise_for_risk(
            accepted=accepted / 100,
            at=None if by == ADVANTAGE else float(by),
            sample_rate=plan.sample_rate,
            steps=plan.steps,
            delta=plan.delta,
            sensitivity=plan.mechanism.sensitivity,
        )
        st.markdown(
            f"**σ = {chosen.noise_multiplier:g}** is enough, which is ε = {format_epsilon(chosen.epsilon)} "
            f"(δ = {format_delta(plan.delta)}, otherwise as on the left). Then of 100 "
            f"{'images' if plan.mechanism.unit == 'image' else 'patients'} in the training set at most "
            f"{for_markdown(of_hundred(chosen.risk.at_one_percent))} are found, for one false alarm in 100 others."
        )
        row = st.container(horizontal=True)
        row.button(
            "Take this noise",
            key="risk_take",
            icon=":material/keyboard_return:",
            on_click=_take,
            args=(chosen.noise_multiplier,),
            help="The training on the left gets it.",
        )
        if row.button(
            "Train with it",
            key="risk_train",
            icon=":material/tune:",
            type="primary",
            on_click=_fill_form,
            args=(chosen.noise_multiplier, plan, epochs, batch),
            help="Opens the train page with this noise, batch size, epochs and sampling; choose the images there.",
        ):
            st.switch_page("train.py")
        draw_expected(chosen.epsilon)
    st.caption(
        for_markdown(
            "What this does not say: how good such a network is. More noise costs accuracy; runs show how much. An "
            "accepted risk is a decision of people, not of this page."
        )
    )


def draw_expected(epsilon: float) -> None:
    """How good finished runs are that spent about as much: one's own, and the reference set's."""
    known = gather_results(cached.home()).results
    near = [
        result
        for result in (*known["mine"], *known["reference"])
        if result.method == "dp_sgd"
        and math.isfinite(result.guarantee.epsilon)
        and epsilon / NEAR <= result.guarantee.epsilon <= epsilon * NEAR
        and None not in (result.final.test.auroc, result.final.test.accuracy)
    ]
    if not near:
        st.caption("No finished run has spent about as much, so no accuracy can be expected from runs.")
        return
    st.markdown("**Finished runs that spent about as much**")
    near.sort(key=lambda one: (one.dataset, abs(one.guarantee.epsilon - epsilon)))
    st.dataframe(
        [
            {
                "dataset": for_cell(dataset_title(result.dataset)),
                "whose": SOURCE_TITLES[result.source],
                "run": for_cell(result.name),
                "ε": f"{format_epsilon(result.guarantee.epsilon)} (δ = {format_delta(result.guarantee.delta or 0.0)})",
                "test AUROC": f"{result.final.test.auroc:.3f}",
                "test accuracy": f"{result.final.test.accuracy:.1%}",
            }
            for result in near[:MOST_RUNS]
        ],
        hide_index=True,
        height="content",
    )


def _fill_form(noise: float, plan: DpSgdPlan, epochs: int, batch: int) -> None:
    """Before the train page is drawn: the recipe of sound DP, with this noise, batch and length."""
    apply_preset("sound")
    st.session_state.update(
        train_method="dp_sgd",
        train_privacy_by="noise_multiplier",
        train_noise_multiplier=noise,
        train_sampling=plan.mechanism.sampling,
        train_delta=plan.delta,
        train_epochs=epochs,
        train_batch_size=batch,
    )


def _take(noise: float) -> None:
    """Before the page is drawn anew: the slider gets a stop there."""
    st.session_state.setdefault("linked_sigma", set()).add(noise)
    st.session_state["risk_sigma"] = noise
    to_link(sigma=noise)
