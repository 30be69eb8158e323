"""Before a sweep is launched: how many runs, how long, how large, and what all of them give away together."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from medpriv_core.datasets.registry import dataset_title
from medpriv_core.errors import MedprivError
from medpriv_core.extras import why_missing
from medpriv_core.progress import format_duration
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import SETTINGS
from medpriv_core.sweeps import service
from medpriv_core.sweeps.cost import SweepPlan, plan_sweep
from medpriv_core.sweeps.preset_notes import PresetNotes
from pages.parts import cached
from pages.parts.sweep.request import NEXT_VIEW, Request
from pages.parts.words import format_size, in_words, sentence


def draw_refusal(error: MedprivError) -> None:
    """Why there is nothing to launch, and the button greyed."""
    st.error(f"This cannot be launched: {sentence(error)}", icon=":material/block:")
    st.button(
        "Launch", type="primary", icon=":material/play_arrow:", key="sweep_launch", disabled=True, width="stretch"
    )


def draw_summary(request: Request) -> None:
    """What the grid would take, and the button."""
    try:
        with st.spinner("Working out what it would take…", show_time=False):
            plan = plan_sweep(cached.home(), request.grid)
    except MedprivError as error:
        draw_refusal(error)
        return
    draw_runs(plan)
    draw_preset(plan.preset)
    draw_cost(plan)
    draw_launch(plan, request)
    draw_privacy(plan)


def draw_runs(plan: SweepPlan) -> None:
    """How many, how many are there already, and what is left out."""
    st.markdown(f"**{_runs(len(plan.runs))}**, {plan.to_train:,} to train")
    if plan.reused:
        private = any(run.reused and run.spec.method == "dp_sgd" for run in plan.runs)
        st.markdown(
            f":material/recycling: {plan.reused:,} with the same settings {'is' if plan.reused == 1 else 'are'} there "
            f"already and will not be trained again{', which spends no further ε' if private else ''}."
        )
    if plan.impossible:
        with st.expander(f"{len(plan.impossible):,} combinations left out", icon=":material/block:", key="sweep_out"):
            for other in plan.impossible[:50]:
                st.markdown(f"**{for_markdown(other.name)}.** {sentence(other.reason)}")


def draw_preset(notes: PresetNotes | None) -> None:
    """Where the preset says different things in different runs, and what the grid has otherwise."""
    if notes is None:
        return
    lines = []
    for part in notes.parts:
        where = " or ".join(filter(None, map(_settings, part.where))) or "The others"
        lines.append(f"- {where}: {_settings(part.settings)}")
    if lines:
        st.markdown("\n".join([f"**{notes.title}**, as it is for each run", "", *lines]))
    for other in notes.overrides:
        whose = "all runs" if other.runs == other.of else f"{other.runs:,} of {other.of:,} runs"
        values, instead = (
            for_markdown(" or ".join(in_words(other.setting, it) for it in them))
            for them in (other.values, other.preset)
        )
        st.caption(
            f"Other than *{notes.title}* in {whose}: {SETTINGS[other.setting].label}: {values} instead of {instead}."
        )


def _settings(settings: dict[str, Any]) -> str:
    """ "Epochs 50, Learning rate 9"; the title of a dataset by itself."""
    said = [
        dataset_title(value) if name == "dataset" else f"{SETTINGS[name].label} {in_words(name, value)}"
        for name, value in settings.items()
    ]
    return for_markdown(", ".join(said))


def draw_cost(plan: SweepPlan) -> None:
    """Time, memory and disk of what is to be trained."""
    if not plan.to_train:
        return
    basis = "going by like runs on this machine" if plan.measured else "in part a rough guess"
    st.markdown(
        f"**Time:** about {format_duration(plan.seconds)}, one run after the other ({basis})  \n"
        f"**Memory:** about {format_size(plan.memory_mb)} for the largest · **Disk:** about "
        f"{format_size(plan.disk.own_mb)}, and up to {format_size(plan.disk.shared_mb)} that runs share, counted once"
    )


def draw_launch(plan: SweepPlan, request: Request) -> None:
    """The button, and what happens when it is pressed."""
    label = f"Launch {_runs(plan.to_train)}" if plan.to_train else "Show the runs that are there as a sweep"
    untrainable = why_missing("train") if plan.to_train else None
    if untrainable:
        st.warning(for_markdown(untrainable), icon=":material/extension_off:")
    place = st.container()
    if not st.button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        key="sweep_launch",
        disabled=untrainable is not None,
        width="stretch",
    ):
        return
    bar = place.progress(0.0, service.PHASE)

    def show(phase: str, done: int, total: int) -> None:
        bar.progress(done / max(1, total), f"{for_markdown(phase)}: {done} of {total}")

    try:
        service.submit(cached.home(), request.grid, title=request.title, progress=show)
    except MedprivError as error:
        bar.empty()
        place.error(sentence(error), icon=":material/error:")
    else:
        st.session_state[NEXT_VIEW] = "sweeps"
        st.rerun()


def draw_privacy(plan: SweepPlan) -> None:
    """What whoever sees all of it learns about single training images."""
    if plan.dp_sgd or plan.local_dp:
        st.markdown("**What they give away together**")
    several = len({run.spec.dataset for run in plan.runs}) > 1
    for cost in plan.dp_sgd:
        prefix = f"{for_markdown(cached.available_datasets()[cost.together.dataset].info.title)}: " if several else ""
        text = prefix + for_markdown(" ".join(cost.sentences))
        if math.isinf(cost.together.epsilon):
            st.error(f"No ε holds for all of them. {text}", icon=":material/gpp_bad:")
        else:
            st.markdown(text)
    for copies in plan.local_dp:
        prefix = f"{for_markdown(cached.available_datasets()[copies.dataset].info.title)}, " if several else ""
        st.markdown(
            f"Each image's noised copies ({prefix}{copies.image_size} pixels), drawn once and shared by all seeds. "
            f"{for_markdown(copies.statement)}"
        )
    if plan.dp_sgd and plan.local_dp:
        st.caption("Anyone who sees both, networks and noised copies, learns from both: their ε add up.")
    if plan.unprotected:
        st.caption(
            f"{_runs(plan.unprotected)} without privacy: nothing bounds what these networks give away. No ε on this "
            "page covers them."
        )


def _runs(count: int) -> str:
    return f"{count:,} {'run' if count == 1 else 'runs'}"
