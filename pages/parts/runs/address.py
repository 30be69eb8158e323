"""What the runs page shows, as its address holds it: a reload, or a link sent to somebody, shows the same."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medpriv_core.figures.curves import MEASURES, Part
from medpriv_core.figures.dashboard import View
from pages.parts.links import from_link, number_from_link, to_link

MOST_SMOOTHING = 95  # percent
FEW_RUNS = 3


def chosen_ids() -> list[str]:
    """The runs that the address names, in its order."""
    wanted = st.query_params.get("runs") or st.query_params.get("run") or ""
    return list(dict.fromkeys(name for name in wanted.split(",") if name))


def choose(ids: Sequence[str]) -> None:
    """Put these runs into the address."""
    to_link(run=ids[0] if len(ids) == 1 else None, runs=",".join(ids) if len(ids) > 1 else None)


def view_from_link(*, runs: int, offered: Sequence[Part]) -> View:
    """How the address wants that many runs looked at; what it does not say is as in a first look.

    ``offered`` are the sets of images that the visitor can choose from.
    """
    default = View(parts=first_parts(runs, offered))
    axes = st.query_params.get("log", "")
    images = st.query_params.get("images")
    return View(
        measure=from_link("figure", list(MEASURES), default.measure),
        against=from_link("against", ("epoch", "time"), default.against),
        parts=default.parts if images is None else tuple(part for part in offered if part in images.split(",")),
        smoothing=number_from_link("smooth", low=0, high=MOST_SMOOTHING, default=0) / 100,
        log_x="x" in axes,
        log_y="y" in axes,
        marks=st.query_params.get("marks") != "off",
        hidden=frozenset(name for name in st.query_params.get("hide", "").split(",") if name),
        highlighted=st.query_params.get("highlight"),
    )


def view_to_link(view: View, *, runs: int, offered: Sequence[Part]) -> None:
    """Put a view into the address, without what a first look shows anyway."""
    default = View(parts=first_parts(runs, offered))
    to_link(
        figure=None if view.measure == default.measure else view.measure,
        against=None if view.against == default.against else view.against,
        images=None if set(view.parts) == set(default.parts) else ",".join(view.parts) or "none",
        smooth=round(100 * view.smoothing) or None,
        log=("x" if view.log_x else "") + ("y" if view.log_y else "") or None,
        marks=None if view.marks else "off",
        hide=",".join(sorted(view.hidden)) or None,
        highlight=view.highlighted,
    )


def first_parts(runs: int, offered: Sequence[Part]) -> tuple[Part, ...]:
    """The images whose curves are drawn at first: of many runs the test images alone, or nobody could follow them."""
    return tuple(offered) if runs <= FEW_RUNS else ("test",)
