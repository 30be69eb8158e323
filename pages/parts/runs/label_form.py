"""Name, tags and notes of a run, safe against somebody else who changes them meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from medpriv_core.runs import service
from medpriv_core.runs.service import Run
from pages.parts import cached
from pages.parts.runs.acts import act


@dataclass(frozen=True)
class Labels:
    """Name, tags and notes as one visitor saw them when the form was filled."""

    name: str
    tags: tuple[str, ...]
    notes: str


def draw_labels(run: Run, known_tags: list[str]) -> None:
    """The form. It stays as the visitor left it while the run goes on, also if somebody else changes the run."""
    now, seen_key = Labels(run.name, run.tags, run.notes), f"labels_seen_{run.id}"
    keys = {what: f"label_{what}_{run.id}" for what in ("name", "tags", "notes")}
    seen: Labels = st.session_state.get(seen_key, now)
    if seen_key not in st.session_state or keys["name"] not in st.session_state:
        seen = now
        st.session_state.update(
            {seen_key: now, keys["name"]: now.name, keys["tags"]: list(now.tags), keys["notes"]: now.notes}
        )
    with st.form(f"labels_{run.id}", border=False):
        st.text_input("Name", key=keys["name"])
        st.multiselect(
            "Tags",
            sorted({*known_tags, *st.session_state[keys["tags"]]}),
            key=keys["tags"],
            accept_new_options=True,
            placeholder="Choose or type a tag",
        )
        st.text_area("Notes", key=keys["notes"], height=140)
        st.form_submit_button("Save", icon=":material/save:", on_click=save, args=(run.id, seen))
    if now != seen:
        st.warning("Somebody else changed this run since you opened it. What it says now:", icon=":material/group:")
        st.code(f"{now.name}\n{', '.join(now.tags) or 'no tags'}\n{now.notes or 'no notes'}", language=None)
        st.button("Take what it says now", key=f"labels_again_{run.id}", on_click=forget, args=(run.id,))


def save(run_id: str, seen: Labels) -> None:
    """Write what was changed in the form, unless it was changed by somebody else too."""
    home = cached.home()
    name, tags, notes = (st.session_state[f"label_{what}_{run_id}"] for what in ("name", "tags", "notes"))

    def change() -> None:
        if name != seen.name:
            service.rename(home, run_id, name, expected=seen.name)
        if tuple(tags) != seen.tags:
            service.set_tags(home, run_id, tags, expected=seen.tags)
        if notes != seen.notes:
            service.set_notes(home, run_id, notes, expected=seen.notes)
        forget(run_id)

    act("Saved.", change)


def forget(run_id: str) -> None:
    """Fill the form anew with what the run says."""
    st.session_state.pop(f"labels_seen_{run_id}", None)
