"""The budget of a dataset's images: what is left of it, and on the datasets page its ledger and its limit."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import MedprivError
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.runs.budget import budget_state, mark_released, read_budget, set_budget
from medpriv_core.runs.image_ledger import LedgerLine, read_ledger
from medpriv_core.runs.summary import RunSummary
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.messages import explain_errors
from pages.parts.words import sentence

ELSEWHERE = "What other data homes or programs spent on copies of these images is not known here."


def draw_left(entry: DatasetEntry) -> None:
    """What is spent of the budget, where there is one."""
    with explain_errors():
        if entry.content and read_budget(cached.home(), entry.content).limited:
            st.caption(for_markdown(budget_state(cached.home(), entry).sentence))


def draw_budget(entry: DatasetEntry, runs: Sequence[RunSummary]) -> None:
    """Who took what from the images, and what all may take; ``runs`` are ``all_runs``."""
    if not entry.content or not entry.info.trainable:
        return
    place = st.expander(
        "Privacy budget and ledger",
        icon=":material/account_balance:",
        key=f"budget_{entry.info.name}",
        on_change="rerun",
    )
    if not place.open:
        return
    with place, explain_errors():
        state = budget_state(cached.home(), entry, runs=runs)
        st.markdown(for_markdown(state.sentence))
        if state.copies:
            st.caption(f"Of it, ε = {format_epsilon(state.copies)} for noised copies under Local-DP.")
        draw_ledger(entry, runs)
        draw_limit(entry, state.budget.epsilon if state.budget.limited else None, state.budget.delta)


def draw_ledger(entry: DatasetEntry, runs: Sequence[RunSummary]) -> None:
    """A line for each DP-SGD network."""
    ledger = read_ledger(cached.home(), entry, runs)
    if ledger.lines:
        st.dataframe(
            [
                {
                    "run": line.name or line.run,
                    "state": line.state,
                    "ε": "not known" if line.epsilon is None else format_epsilon(line.epsilon),
                    "δ": None if line.delta is None else format_delta(line.delta),
                    "protects": None if line.unit is None else f"one {line.unit}",
                    "given away": line.released,
                }
                for line in ledger.lines
            ],
            hide_index=True,
        )
        draw_given_away(entry, ledger.lines)
    if ledger.released is not None:
        st.markdown(f"Given away together: {for_markdown(ledger.released.statement)}.")
    st.caption(f"{ELSEWHERE} Networks trained without privacy are not counted: they must not be given away.")


def draw_given_away(entry: DatasetEntry, lines: Sequence[LedgerLine]) -> None:
    """Note of a network that it was given away, or that it was not after all."""
    name, by_id = entry.info.name, {line.run: line for line in lines}
    row = st.container(horizontal=True, vertical_alignment="bottom")
    run_id = row.selectbox(
        "A network",
        by_id,
        format_func=lambda one: f"{by_id[one].name} ({one})" if by_id[one].name else one,
        key=f"given_{name}",
    )
    given = by_id[run_id].released is not None
    word, icon = ("Not given away", ":material/undo:") if given else ("Given away", ":material/outbox:")
    if row.button(word, key=f"given_button_{name}", icon=icon, help="Notes it in this ledger; nothing is sent."):
        mark_released(cached.home(), entry, run_id, released=not given)
        st.rerun()


def draw_limit(entry: DatasetEntry, epsilon: float | None, delta: float) -> None:
    """Set the limit, or take it off."""
    name = entry.info.name
    row = st.container(horizontal=True, vertical_alignment="bottom")
    wanted = row.number_input(
        "All networks together may cost ε",
        min_value=0.01,
        value=epsilon,
        key=f"budget_epsilon_{name}",
        placeholder="no limit",
        width=220,
        help="Runs that would exceed it are refused on this computer.",
    )
    at = row.number_input(
        "at δ", value=delta or DEFAULT_DELTA, format="%.1e", step=1e-6, key=f"budget_delta_{name}", width=130
    )
    if row.button("Set", key=f"budget_set_{name}", icon=":material/check:"):
        try:
            set_budget(cached.home(), entry, epsilon=wanted, delta=at)
        except MedprivError as error:
            st.error(sentence(error), icon=":material/error:")
        else:
            st.rerun()
