"""What an ε on screen means for people: of one's own choice among the private runs."""

from __future__ import annotations

import math

import streamlit as st

from medpriv_core.results.cost import TALKED_ABOUT_EPSILON
from medpriv_core.results.groups import Group
from medpriv_core.results.guarantee import picture_guarantee
from medpriv_core.shown_text import for_cell
from pages.parts.compare.choice import Choice
from pages.parts.exposure_view import Meaning, draw_exposure, meaning_of_images, meaning_of_training

TINY = 1e-9


def draw_meaning(choice: Choice) -> None:
    """A hundred people as dots, for one of the runs on screen whose ε is known; nothing where there is none."""
    found = {group.label: meaning for group in choice.here if (meaning := _meaning(group)) is not None}
    if not found:
        return
    st.header("What does such an ε mean?", anchor=False)
    labels = sorted(found, key=lambda label: found[label].own.epsilon)
    # The sentence at the head of the page speaks of that, too.
    usual = min(labels, key=lambda label: abs(math.log(max(found[label].own.epsilon, TINY) / TALKED_ABOUT_EPSILON)))
    label = st.selectbox(
        "Of",
        labels,
        index=labels.index(usual),
        format_func=for_cell,
        key=f"compare_meaning_{choice.dataset}",
        width=420,
    )
    draw_exposure(found[label], key="compare_exposure")


def _meaning(group: Group) -> Meaning | None:
    """Of the run of a group that has spent most."""
    run = max(group.results, key=lambda result: result.epsilon)
    if run.guarantee.verdict is not None:
        return meaning_of_training(run.guarantee.verdict)
    if run.method == "local_dp" and run.spec is not None:
        return meaning_of_images(picture_guarantee(run.spec))
    return None
