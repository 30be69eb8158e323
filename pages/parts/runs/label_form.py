"""Name, tags and notes of a run, safe against somebody else who changes them meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from medpriv_core.runs import service
from medpriv_core.runs.service import Run
from pages.parts import cached
from pages.parts.runs.actions import act


@dataclass(frozen=True)
class Labels:
    """Name, tags and notes as one visitor saw them when the form was filled."""

    name: str
    tags: tuple[str, ...]
    notes: str


def draw_labels(run: Run, known_tags: list[str]) -> None:
    """The form. It stays as the visitor left it while the run goes on, also if somebody else changes the run."""
    now = Labels(run.name, run.tags, run.notes)
    seen: Labels = st.session_state.setdefault(f"labels_seen_{run.id}", now)
    keys = [f"{what}_{run.id}_{filled(run.id)}" for what in ("name", "tags", "notes")]
    with st.form(f"labels_{run.id}", border=False):
        st.text_input("Name", seen.name, key=keys[0])
        st.multiselect(
            "Tags",
            sorted({*known_tags, *seen.tags, *st.session_state.get(keys[1], ())}),
            seen.tags,
            key=keys[1],
            accept_new_options=True,
            placeholder="Choose or type a tag",
        )
        st.text_area("Notes", seen.notes, key=keys[2], height=140)
        st.form_submit_button(
            "Save", key=f"save_{run.id}", icon=":material/save:", on_click=save, args=(run.id, keys, seen)
        )
    if now != seen:
        st.warning("Somebody else changed this run since you opened it. What it says now:", icon=":material/group:")
        st.code(f"{now.name}\n{', '.join(now.tags) or 'no tags'}\n{now.notes or 'no notes'}", language=None)
        st.button("Take what it says now", key=f"labels_again_{run.id}", on_click=forget, args=(run.id,))


def save(run_id: str, keys: list[str], seen: Labels) -> None:
    """Write what was changed in the form, unless it was changed by somebody else too."""
    home = cached.home()
    name, tags, notes = (st.session_state[key] for key in keys)

    def change() -> None:
        if name != seen.name:
            service.rename(home, run_id, name, expected=seen.name)
        if tuple(tags) != seen.tags:
            service.set_tags(home, run_id, tags, expected=seen.tags)
        if notes != seen.notes:
            service.set_notes(home, run_id, notes, expected=seen.notes)
        forget(run_id)

    act("Saved.", change)


def filled(run_id: str) -> int:
    """How often the form of this run was filled anew; each time its fields are new ones."""
    times: int = st.session_state.get(f"labels_filled_{run_id}", 0)
    return times


def forget(run_id: str) -> None:
    """Fill the form anew with what the run says."""
    st.session_state.pop(f"labels_seen_{run_id}", None)
    st.session_state[f"labels_filled_{run_id}"] = filled(run_id) + 1
