"""Removing runs for good, which cannot be undone and is therefore asked about first; and the room that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medpriv_core.errors import DiskFullError, MedprivError
from medpriv_core.runs import service
from medpriv_core.runs.deletion import bytes_of
from medpriv_core.runs.service import RunLine
from pages.parts import cached
from pages.parts.runs.actions import count, purge
from pages.parts.runs.states import distinct_names


def draw_removal(place: Any, ids: Sequence[str], *, key: str) -> None:
    """A button in ``place`` that asks first."""
    with place.popover("Remove for good", icon=":material/delete_forever:", disabled=not ids, key=f"{key}_ask"):
        st.markdown("This cannot be undone. What the runs have spent on their images stays counted.")
        st.button(f"Remove {count(ids)} for good", key=key, type="primary", on_click=purge, args=(tuple(ids),))


def draw_full_disk(runs: Sequence[RunLine]) -> None:
    """On a full disk: which runs take most of it, to be removed without putting them away first."""
    home = cached.home()
    try:
        home.check_writable()
        return
    except DiskFullError:
        pass
    except MedprivError:  # said above the page
        return
    names = distinct_names(service.load_runs(home, [run.id for run in runs if run.ended]))
    sizes = {run_id: bytes_of(home, run_id) / 1e6 for run_id in names}
    if not sizes:
        return
    with st.container(border=True, key="runs_room"):
        chosen = st.multiselect(
            "Make room on the disk",
            sorted(sizes, key=lambda run_id: -sizes[run_id]),
            format_func=lambda run_id: f"{names.get(run_id, run_id)} · {sizes.get(run_id, 0):,.1f} MB",
            key="runs_make_room",
            placeholder="Choose runs to remove for good; the largest come first",
        )
        draw_removal(st, chosen, key="make_room")
