"""Runs in every state, as runner and worker leave them, for the tests of the runs page."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.privacy.facts import planned_facts
from medpriv_core.privacy.plan import plan_run
from medpriv_core.records.epoch import read_row
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunState, RunStore
from medpriv_core.spec import RunSpec
from tests.privacy.findings import RAN
from tests.results.chosen_results import spent_of

OpenPage = Callable[..., AppTest]
TRAIN_SIZE = 640
SPEC = RunSpec(dataset="synthetic_chest", weights="none", epochs=5)


def add_run(home: DataHome, run_id: str = "r1", spec: RunSpec = SPEC, epochs: int = 2) -> RunDirectory:
    directory = RunDirectory(home.runs / run_id)
    directory.create(spec)
    setup = {"majority_rate": 0.6, "device": "cpu", "weights": "No pretrained weights.", "train_size": TRAIN_SIZE}
    directory.write_setup(Setup.from_dict(setup))
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "train_accuracy": 0.7, "test_accuracy": 0.8, "train_loss": 0.5, "test_loss": 0.6}
        row |= {"images_per_s": 100.0, "elapsed_s": 1.0 * epoch}
        if spec.method == "dp_sgd":
            row |= {"epsilon": 1.0 * epoch, "delta": 1e-5, "steps": 10 * epoch}
        directory.append_epoch(read_row(row))
    RunStore(home).add(run_id, name=f"name of {run_id}", slot="cpu")
    return directory


def put_in_state(home: DataHome, run_id: str, state: RunState, message: str | None = None) -> None:
    store = RunStore(home)
    if state != "queued":
        store.claim_next()
    if state not in ("queued", "running"):
        store.end(run_id, state, message)


def add_recorded_run(home: DataHome, spec: RunSpec, run_id: str = "r1") -> RunDirectory:
    """A finished DP-SGD run that recorded what it did and what that cost."""
    directory = add_run(home, run_id, spec, epochs=0)
    guarantee = replace(planned_facts(spec, train_size=TRAIN_SIZE), **RAN).to_dict()
    directory.write_setup(Setup.from_dict({"train_size": TRAIN_SIZE, "guarantee": guarantee}))
    for epoch in range(1, spec.epochs + 1):
        plan = plan_run(spec.changed(epochs=epoch), train_size=TRAIN_SIZE)
        row = {"epoch": epoch, "train_accuracy": 0.7, "test_accuracy": 0.8, "delta": spec.delta}
        row |= {"epsilon": plan.epsilon if math.isfinite(plan.epsilon) else None}
        directory.append_epoch(read_row(row | {"steps": epoch * plan.mechanism.steps_per_epoch}))
    noise = plan_run(spec, train_size=TRAIN_SIZE).noise_multiplier
    write_record(directory, spent_of(spec.changed(noise_multiplier=noise, target_epsilon=None), epochs=spec.epochs))
    put_in_state(home, run_id, "finished")
    return directory


def open_tab(page: AppTest, title: str) -> AppTest:
    """Open one of the tabs on a run's details."""
    page.session_state["runs_details"] = title
    return page.run()
