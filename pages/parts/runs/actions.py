"""Doing something to runs, saying what happened, and taking a deletion back.

Nothing that can be undone is asked about first. What happened is said in a bar at the lower edge of the window, which
is in view wherever the button was and moves nothing on the page. It goes by itself where there is nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from medpriv_core.errors import MedprivError
from medpriv_core.runs import service
from pages.parts import cached
from pages.parts.messages import OUR_FAULT, log
from pages.parts.runs.address import choose, chosen_ids
from pages.parts.words import sentence

SAID, ACTED, COUNT = "runs_said", "runs_acted", "runs_said_count"
SAID_S = 8


@dataclass(frozen=True)
class Said:
    """What the bar says; ``deleted`` are the ids that *Undo* brings back, ``shown`` those then on the chart.

    ``number`` counts what was said in this session: each bar is a new one, and its time begins anew.
    """

    text: str
    failed: bool = False
    deleted: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    number: int = 0


def act(done: str, action: Callable[[], object]) -> None:
    """Do something to a run; say that it was ``done`` (as markdown), or why it could not be."""
    try:
        action()
    except MedprivError as error:
        _say(Said(sentence(error), failed=True))
    except Exception:
        # Callbacks run before the page and its messages.
        log.exception("A button failed")
        _say(Said(OUR_FAULT, failed=True))
    else:
        _say(Said(done))


def delete(ids: Sequence[str]) -> None:
    """Put runs away and take them off the chart; those that cannot be are left, with the reason."""
    shown = chosen_ids()
    deleted, reasons = [], []
    for run_id in ids:
        try:
            service.delete(cached.home(), run_id)
        except MedprivError as error:
            reasons.append(sentence(error))
        else:
            deleted.append(run_id)
    choose([run_id for run_id in shown if run_id not in deleted])
    text = " ".join([*([f"Removed {count(deleted)}."] if deleted else []), *dict.fromkeys(reasons)])
    _say(Said(text, failed=bool(reasons), deleted=tuple(deleted), shown=tuple(shown)))


def restore(ids: Sequence[str], shown: Sequence[str]) -> None:
    """Bring deleted runs back, and onto the chart those that were ``shown``."""

    def bring_back() -> None:
        for run_id in ids:
            service.restore(cached.home(), run_id)
        choose(shown)

    act(f"{count(ids).capitalize()} {'is' if len(ids) == 1 else 'are'} back.", bring_back)


def purge(ids: Sequence[str]) -> None:
    """Remove ended runs for good and take them off the chart."""

    def remove() -> None:
        for run_id in ids:
            service.purge(cached.home(), run_id, at_once=True)

    choose([run_id for run_id in chosen_ids() if run_id not in ids])
    act(f"{count(ids).capitalize()} removed for good.", remove)


def count(ids: Sequence[str]) -> str:
    """How many runs, in words."""
    return "1 run" if len(ids) == 1 else f"{len(ids)} runs"


def draw_said() -> None:
    """The bar, if there is something to say."""
    said: Said | None = st.session_state.get(SAID)
    if said is None:
        return
    stays = said.failed or said.deleted
    st.html(
        "<style>[class*='st-key-runs_bar'] {position: fixed; left: 50%; bottom: 1.25rem; transform: translateX(-50%); "
        "z-index: 1000; width: max-content; max-width: calc(100vw - 2rem); padding: 0.4rem 0.9rem; "
        "border-radius: 0.5rem; background: #2B333B; box-shadow: 0 2px 12px #0006;} "
        "[class*='st-key-runs_bar'] :is(p, button) {color: #fff;} "
        f".st-key-runs_bar_passing_{said.number} {{animation: passing 0s {SAID_S}s forwards;}} "
        "@keyframes passing {to {visibility: hidden;}}</style>"
    )
    key = f"runs_bar_{'staying' if stays else 'passing'}_{said.number}"
    with st.container(key=key, horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/{'error' if said.failed else 'check_circle'}: {said.text}", width="content")
        if said.deleted:
            st.button(
                "Undo",
                key="undo",
                icon=":material/undo:",
                type="tertiary",
                on_click=restore,
                args=(said.deleted, said.shown),
            )
        st.button("", key="close_said", icon=":material/close:", help="Close", type="tertiary", on_click=_close)


def touched() -> None:
    """Something was done here that the rest of the page shows too."""
    st.session_state[ACTED] = True


def begin_page() -> None:
    """At the start of the whole page: everything that was done is about to be shown."""
    st.session_state.pop(ACTED, None)


def begin_fragment() -> None:
    """At the start of a fragment: what was done in it concerns the rest of the page too."""
    if st.session_state.pop(ACTED, False):
        st.rerun()


def _say(said: Said) -> None:
    st.session_state[COUNT] = st.session_state.get(COUNT, 0) + 1
    st.session_state[SAID] = replace(said, number=st.session_state[COUNT])
    st.session_state[ACTED] = True


def _close() -> None:
    st.session_state.pop(SAID, None)
    st.session_state[ACTED] = True
