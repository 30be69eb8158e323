"""Where the runs on screen come from, and what is missing of them."""

from __future__ import annotations

import streamlit as st

from medpriv_core.results.selection import own_ids
from medpriv_core.runs import service
from medpriv_core.runs.on_images import networks_together
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.compare.choice import Choice
from pages.parts.risk.link import draw_risk_link


def draw_together(choice: Choice) -> None:
    """What whoever gets all of one's own private networks on screen learns; last, because adding up takes time."""
    shown = own_ids(choice.here)
    runs = [run for run in service.list_runs(cached.home()) if run.id in shown]
    if sentences := networks_together(choice.dataset, runs):
        st.markdown(f"**My private networks on screen, taken together.** {for_markdown(' '.join(sentences))}")
        draw_risk_link(of="runs", runs=",".join(run.id for run in runs))


def draw_sources(choice: Choice) -> None:
    """A word on own runs and on synthetic images, and how the reference set was made."""
    if choice.synthetic:
        st.caption(":orange-badge[synthetic] These images were drawn by a program; no patient is on them.")
    if not any(group.first.source == "mine" for group in choice.groups):
        row = st.container(horizontal=True, vertical_alignment="center")
        row.caption("Your own runs appear here as they finish.")
        row.page_link("train.py", label="Set up a run", icon=":material/tune:")
    for reference in choice.references:
        if any(result.dataset == choice.dataset for result in reference.results):
            about = reference.about
            versions = ", ".join(f"{name} {version}" for name, version in dict(about["versions"]).items())
            with st.expander("How the reference set was made"):
                st.code(str(about["command"]), language=None)
                st.caption(for_markdown(f"{about['date']} · {about['machine']} · {versions}"))
                st.caption(for_markdown(f"Pretrained weights: {about['weights']}"))
