"""What ``run`` prints about the guarantee of a DP-SGD run when it has ended."""

from __future__ import annotations

import math

import pytest

from medpriv_core.cli import run as run_command
from medpriv_core.home import DataHome
from medpriv_core.privacy.facts import planned_facts
from medpriv_core.privacy.plan import plan_run
from medpriv_core.records.epoch import read_row
from medpriv_core.records.outcome import Outcome
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.service import Run
from medpriv_core.runs.store import RunStore
from tests.cli.conftest import Command

TRAIN_SIZE = 640  # of the synthetic radiographs
PRIVATE = ("run", "--dataset", "synthetic_chest", "--weights", "none", "--method", "dp_sgd", "--epochs", 1)


@pytest.fixture(autouse=True)
def trained_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a worker: the run has ended as planned, and recorded it."""

    def end(home: DataHome, run_id: str) -> Run:
        directory = RunDirectory(home.runs / run_id)
        spec = directory.read_spec()
        plan = plan_run(spec, train_size=TRAIN_SIZE)
        facts = planned_facts(spec.changed(noise_multiplier=plan.noise_multiplier), train_size=TRAIN_SIZE)
        directory.write_setup(Setup.from_dict({"train_size": TRAIN_SIZE, "guarantee": facts.to_dict()}))
        epsilon = plan.epsilon if math.isfinite(plan.epsilon) else None
        row = {"epoch": 1, "test_accuracy": 0.8, "epsilon": epsilon, "delta": spec.delta}
        directory.append_epoch(read_row(row | {"steps": plan.mechanism.steps_per_epoch}))
        store = RunStore(home)
        store.claim_next()
        store.end(run_id, "finished", None)
        directory.write_outcome(Outcome("finished"))
        return service.load_run(home, run_id)

    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    monkeypatch.setattr(run_command, "_watch", end)


def test_a_sound_run_says_its_epsilon_and_what_it_means(medpriv: Command, home: DataHome) -> None:
    lines = medpriv(*PRIVATE, "--noise-multiplier", 20, "--sampling", "full_batch").out.splitlines()
    assert lines[0] == "finished after epoch 1: test accuracy 0.8000"
    # One Gaussian mechanism of mu = 1/20 (Balle and Wang 2018): delta is 1e-5 at epsilon 0.16004, told rounded up.
    assert lines[1] == (
        "ε = 0.161 (δ = 1e-5; one image replaced by an empty one; full batch; exact Gaussian accountant)"
    )
    # The share of hits is Φ(1/20 + Φ⁻¹(0.01)) = 0.01142.
    assert lines[2] == (
        "Protects single images: anyone who has the model finds at most 1.15 of 100 images that were in the training "
        "set, while wrongly naming 1 of 100 that were not."
    )
    assert len(lines) == 3


def test_the_authors_way_says_what_fails(medpriv: Command, home: DataHome) -> None:
    authors = ("--engine", "microbatch", "--microbatch-size", 4, "--sampling", "shuffled", "--norm", "batch_norm")
    answer = medpriv(*PRIVATE, "--noise-multiplier", 5.002, "--trainable", "all", *authors)
    lines = answer.out.splitlines()
    assert lines[1].startswith("ε = ∞ (")
    assert lines[2].startswith("No ε holds for this run: ε = ")
    assert [line.split(":")[0] for line in lines[3:]] == [
        "Sampling fails",
        "Clipping fails",
        "Images kept apart fails",
    ]
    assert answer.code == 0
