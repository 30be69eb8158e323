"""Runs: how is it going? The curve of one run, live, and the list of all."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from medpriv_core.figures.curves import accuracy_figure
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.progress import format_duration
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory, epsilon_spent
from medpriv_core.runs.service import Run, RunSummary
from medpriv_core.runs.store import RunState
from medpriv_core.spec import RunSpec
from pages.parts import cached
from pages.parts.guarantee import draw_green_lights, draw_lights, draw_verdict
from pages.parts.messages import explain_errors
from pages.parts.protection import draw_local_dp

REFRESH_S = 1.0
MOST_ROWS = 100
PERCENT = "%.1f %%"
STATE_LABELS: dict[RunState, tuple[str, str]] = {
    "queued": ("waiting", "gray"),
    "running": ("running", "blue"),
    "finished": ("finished", "green"),
    "failed": ("failed", "red"),
    "cancelled": ("stopped", "orange"),
}
COLUMNS = {
    "epoch": "epoch",
    "train_accuracy": "train accuracy",
    "test_accuracy": "test accuracy",
    "test_balanced_accuracy": "test balanced accuracy",
    "test_auroc": "test AUROC",
    "test_kappa": "test kappa",
    "test_noised_accuracy": "test accuracy, noised images",
    "train_loss": "train loss",
    "test_loss": "test loss",
    "epsilon": "ε so far",
    "images_per_s": "images a second",
}


def main() -> None:
    st.title("How is it going?", anchor=False)
    runs = service.list_runs(cached.home())
    if not runs:
        st.info("No runs yet. A quick one takes less than a minute.", icon=":material/hourglass_empty:")
        st.page_link("train.py", label="Set up a run", icon=":material/tune:")
        return
    wanted = st.query_params.get("run")
    known = {run.id: run for run in runs}
    if wanted is not None and wanted not in known:
        st.warning(f"There is no run {wanted} on this machine; this is the newest one.", icon=":material/search_off:")
    chosen = known.get(wanted or "") or next((run for run in runs if run.state == "running"), runs[0])
    refreshing = None if chosen.ended else REFRESH_S
    st.fragment(run_every=refreshing)(draw_run)(chosen.id, chosen.ended)
    st.subheader("All runs", anchor=False)
    busy = any(not run.ended for run in runs)
    st.fragment(run_every=2 * REFRESH_S if busy else None)(draw_list)(chosen.id, busy)


def draw_run(run_id: str, was_ended: bool) -> None:
    """One run: progress, curve, guarantee, table and log."""
    with explain_errors():
        run = service.load_run(cached.home(), run_id)
        if run.ended != was_ended:
            st.rerun()  # the whole page, so that the refreshing ends or begins
        draw_head(run)
        draw_progress(run)
        draw_curve(run)
        draw_guarantee(run)
        draw_epochs(run)
        with st.expander("What the worker printed"):
            st.code(service.read_log(cached.home(), run_id) or "Nothing yet.", language=None)


def draw_head(run: Run) -> None:
    """Name, state and what can be done."""
    row = st.container(horizontal=True, vertical_alignment="center")
    label, colour = STATE_LABELS[run.state]
    row.markdown(f"### {run.name} :{colour}-badge[{'stopping' if run.stopping else label}]")
    if not run.ended:
        row.button(
            "Stop",
            icon=":material/stop:",
            key="stop",
            disabled=run.stopping,
            on_click=act,
            args=(service.cancel, run.id),
            help="The checkpoint is kept; you can resume later.",
        )
    if run.resumable:
        row.button(
            "Resume",
            icon=":material/resume:",
            key="resume",
            on_click=act,
            args=(service.resume, run.id),
            type="primary",
        )
    if run.message:
        st.error(run.message, icon=":material/error:")


def act(action: service.Action, run_id: str) -> None:
    """Do something to a run and say so if that is not possible."""
    with explain_errors():
        action(cached.home(), run_id)


def draw_progress(run: Run) -> None:
    """What the worker is doing right now, and how long it will take."""
    if run.state == "queued":
        st.caption("Waiting for the runs before it, or for a worker to start.")
    if run.state != "running":
        return
    progress = run.progress
    if not progress:
        st.progress(0.0, "Starting the worker…")
        return
    share = min(1.0, progress["done"] / progress["total"]) if progress["total"] else 0.0
    left = progress["seconds_left"]
    st.progress(share, f"{progress['phase']}" + (f" · {format_duration(left)} left" if left else ""))


def draw_curve(run: Run) -> None:
    """Accuracy against epoch; an empty frame until the first epoch is done, if there will be one."""
    if run.spec is None or (run.ended and not run.epochs):
        return
    figure = accuracy_figure(
        run.epochs,
        method=run.spec.method,
        total_epochs=run.spec.epochs,
        majority_rate=run.setup.get("majority_rate"),
        epoch_title=epoch_title(run.spec),
    )
    last = run.epochs[-1] if run.epochs else None
    alt = "Accuracy against epoch, no epoch yet."
    if last:
        alt = (
            f"Accuracy against epoch; after epoch {last['epoch']}: train {share(last.get('train_accuracy'))}, "
            f"test {share(last.get('test_accuracy'))}."
        )
    st.plotly_chart(figure, key=f"curve_{run.id}", alt=alt, config={"displaylogo": False})
    speed = f" · {last['images_per_s']:,.0f} images a second" if last and last.get("images_per_s") else ""
    facts = [METHOD_STYLES[run.spec.method].title, run.setup.get("device"), run.setup.get("weights", "").rstrip(".")]
    st.caption(" · ".join(fact for fact in facts if fact) + speed)


def share(value: float | None) -> str:
    """A share in percent; an epoch of empty batches has none."""
    return "unknown" if value is None else f"{value:.1%}"


def draw_guarantee(run: Run) -> None:
    """What holds for the network as it is now, and why, by what the run recorded about itself."""
    if run.spec is None:
        return
    if run.spec.method == "local_dp":
        draw_local_dp(run.spec)
    if run.spec.method != "dp_sgd":
        return
    # An outcome also counts the steps of an epoch that was stopped half-way.
    outcome = RunDirectory(cached.home().runs / run.id).read_outcome() or {}
    last = outcome if outcome.get("steps") else run.epochs[-1] if run.epochs else {}
    verdict = run_verdict(run.spec, setup=run.setup, last=last)
    if verdict is not None:
        draw_verdict(verdict, prefix="Spent: " if run.ended else "Spent so far: ")
        st.caption("The curves themselves are computed without noise and are for your eyes: ε does not cover them.")
    elif last:
        st.warning("This run did not record enough to say which ε holds.", icon=":material/warning:")
    if checks := check_run(run.spec, setup=run.setup, last=last):
        draw_lights(checks)
        draw_green_lights(checks, key=f"lights_{run.id}")


def draw_epochs(run: Run) -> None:
    """The numbers of the curve; of many epochs, some."""
    if not run.epochs:
        return
    columns = {name: title for name, title in COLUMNS.items() if any(name in row for row in run.epochs)}
    every = -(-len(run.epochs) // MOST_ROWS)
    shown = [row for row in run.epochs[:-1] if row["epoch"] % every == 0] + run.epochs[-1:]
    with st.expander("The same numbers as a table", expanded=False):
        if every > 1:
            st.caption(f"One epoch in {every}, and the last one; all are in metrics.jsonl of the run's folder.")
        st.dataframe(
            [
                {title: spent(row) if name == "epsilon" else number(row, name) for name, title in columns.items()}
                for row in reversed(shown)
            ],
            hide_index=True,
            column_config={
                title: st.column_config.NumberColumn(
                    format=PERCENT if "accuracy" in name else "%.0f" if name == "images_per_s" else "%.4g"
                )
                for name, title in columns.items()
                if name not in ("epoch", "epsilon")
            },
        )


def epoch_title(spec: RunSpec) -> str:
    """What an epoch is in this run."""
    return "epoch (one step)" if spec.sampling_scheme == "full_batch" else "epoch"


def draw_list(chosen_id: str, was_busy: bool) -> None:
    """Every run, one line each; choosing a line shows it above."""
    with explain_errors():
        runs = service.list_runs(cached.home())
        if was_busy != any(not run.ended for run in runs):
            st.rerun()
        position = [run.id for run in runs].index(chosen_id)
        selection = st.dataframe(
            [describe(run) for run in runs],
            hide_index=True,
            # A selection is a row number: it must not outlive the list that it was made in.
            key=f"run_list_{chosen_id}_{len(runs)}",
            selection_default={"selection": {"rows": [position]}},
            on_select="rerun",
            selection_mode="single-row",
            placeholder="",
            column_config={
                "test accuracy": st.column_config.NumberColumn(format=PERCENT),
                "AUROC": st.column_config.NumberColumn(format="%.3f"),
            },
        )
        rows = selection["selection"]["rows"]
        if rows and runs[rows[0]].id != chosen_id:
            st.query_params["run"] = runs[rows[0]].id
            st.rerun()


def number(epoch: dict[str, Any], name: str) -> float | None:
    """One number of an epoch, shares in percent."""
    value = epoch.get(name)
    return 100 * value if value is not None and "accuracy" in name else value


def spent(epoch: dict[str, Any]) -> str:
    """Epsilon after an epoch with its delta, rounded up; empty where the method has none."""
    epsilon = epsilon_spent(epoch)
    return "" if epsilon is None else f"{format_epsilon(epsilon)} (δ = {format_delta(epoch['delta'])})"


def describe(run: RunSummary) -> dict[str, object]:
    """One line of the list."""
    last = run.last
    of = f"/{run.spec.epochs}" if run.spec else ""
    return {
        "run": run.name,
        "state": "stopping" if run.stopping else STATE_LABELS[run.state][0],
        "epoch": f"{last.get('epoch', 0)}{of}",
        "test accuracy": number(last, "test_accuracy"),
        "AUROC": last.get("test_auroc"),
        "ε spent": spent(last),
        "begun": time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_at)),
        "message": run.message or "",
    }


main()
