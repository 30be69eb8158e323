"""How long a run will take: from like runs on this machine, else from a rough table."""

from __future__ import annotations

import os
from dataclasses import dataclass

from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunRow, RunStore
from medpriv_core.spec import RunSpec

# Seconds an image on one core at 64 x 64 pixels, measured on two cores of a server and doubled:
# one forward pass; a training step of all layers; the same with per-sample gradients.
FORWARD_S = 2 / 450
TRAIN_S = 2 / 120
PRIVATE_TRAIN_S = 2 / 18
HEAD_STEP_S = 2 / 60_000
START_S = 8.0  # loading torch and the weights
LIKE_RUNS = 200  # how far back to look


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds for a run; ``measured`` if like runs on this machine stand behind it."""

    seconds: float
    measured: bool


def estimate_time(home: DataHome, spec: RunSpec, *, train_size: int, test_size: int) -> TimeEstimate:
    """The time that ``spec`` will take once it starts, without the wait in the queue."""
    rough = _rough_seconds(spec, train_size, test_size)
    longest = None
    for row in RunStore(home).all()[:LIKE_RUNS]:
        timed = _timed(home, row, spec)
        # The longest like run says most: a short one is all start.
        if timed is not None and (longest is None or timed[0] > longest[0]):
            longest = timed
    if longest is None:
        return TimeEstimate(rough, measured=False)
    took, expected = longest
    # The table knows how sizes and epochs scale; the like run says how fast this machine is.
    factor = max(took - START_S, 1.0) / (expected - START_S)
    return TimeEstimate(START_S + factor * (rough - START_S), measured=True)


def _timed(home: DataHome, row: RunRow, spec: RunSpec) -> tuple[float, float] | None:
    """How long a finished like run took and how long the table says it takes; None for any other run."""
    directory = RunDirectory(home.runs / row.id)
    setup = directory.read_setup()
    whole = row.state == "finished" and setup.get("resumed_from_epoch") is None
    if not whole or "train_size" not in setup or row.started_at is None or row.ended_at is None:
        return None
    other = directory.read_spec()
    if _kind(other) != _kind(spec):
        return None
    return row.ended_at - row.started_at, _rough_seconds(other, setup["train_size"], setup["test_size"])


def _kind(spec: RunSpec) -> tuple[object, ...]:
    return (spec.method, spec.trainable, spec.augment, spec.device, spec.precision)


def _rough_seconds(spec: RunSpec, train_size: int, test_size: int) -> float:
    scale = (spec.input_size / 64) ** 2 / (os.cpu_count() or 1)
    evaluations = test_size * (2 if spec.method == "local_dp" else 1)
    if spec.trainable == "head" and not spec.augment:
        once = (train_size + evaluations) * FORWARD_S * scale
        return START_S + once + spec.epochs * (train_size + evaluations) * HEAD_STEP_S
    step_s = PRIVATE_TRAIN_S if spec.method == "dp_sgd" else TRAIN_S
    if spec.trainable == "head":
        step_s = FORWARD_S
    return START_S + spec.epochs * (train_size * step_s + evaluations * FORWARD_S) * scale
