"""Finished epochs reach the disk together, and never before the checkpoint that counts their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from medpriv_core.datasets.base import PreparedDataset
from medpriv_core.errors import RunError
from medpriv_core.evaluation.metrics import Answers, measure
from medpriv_core.evaluation.predictions import Predictions, read_predictions
from medpriv_core.progress import Cancelled
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training import journal
from tests.training.conftest import Run, StopAfter, toy_spec
from tests.training.test_loop import same_weights, without_clocks

DP = {"method": "dp_sgd", "noise_multiplier": 2.0, "delta": 1e-3, "sampling": "full_batch"}


@pytest.fixture
def slow_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first epoch nothing is written for the sake of time alone."""
    monkeypatch.setattr(journal, "WRITE_EVERY_S", 1e6)


@pytest.fixture
def checkpoints(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of finished epochs in each checkpoint written."""
    pack, written = journal.pack_checkpoint, []

    def counted(checkpoint: Any) -> Any:
        written.append(len(checkpoint.rows))
        return pack(checkpoint)

    monkeypatch.setattr(journal, "pack_checkpoint", counted)
    return written


def saved(run: Any) -> dict[str, Any]:
    return torch.load(run.directory.checkpoint, weights_only=True)


def test_short_epochs_are_written_together(
    slow_to_write: None, checkpoints: list[int], new_run: Callable[..., Run]
) -> None:
    run = new_run()
    run.train(toy_spec(epochs=50, **DP))
    assert checkpoints == [1, 50]
    assert [row.steps for row in run.directory.read_epochs()] == list(range(1, 51))


def test_long_epochs_are_written_one_by_one(
    monkeypatch: pytest.MonkeyPatch, checkpoints: list[int], new_run: Callable[..., Run]
) -> None:
    monkeypatch.setattr(journal, "WRITE_EVERY_S", 0.0)
    new_run().train(toy_spec(epochs=4))
    assert checkpoints == [1, 2, 3, 4]


def test_an_epoch_held_back_is_written_in_the_course_of_the_next(
    monkeypatch: pytest.MonkeyPatch, checkpoints: list[int], new_run: Callable[..., Run]
) -> None:
    """The clock stands still but for one long step: the fourth of the third epoch."""
    now = 0.0
    monkeypatch.setattr(journal.time, "monotonic", lambda: now)
    run = new_run()
    session, go = run.open(toy_spec(epochs=3))
    step = session.stepper.step

    def take(*args: Any, **rest: Any) -> Any:
        nonlocal now
        if session.position.epochs_done == 2 and session.position.step == 3:
            now += 5
            assert len(run.directory.read_epochs()) == 1
        elif session.position.step == 4:
            shown.append(len(run.directory.read_epochs()))
        return step(*args, **rest)

    shown: list[Any] = []
    session.stepper.step = take
    go()
    assert shown == [0, 1, 2]
    assert checkpoints == [1, 2, 3]


def test_no_epoch_is_shown_before_the_ledger_on_the_disk_counts_its_steps(
    monkeypatch: pytest.MonkeyPatch, new_run: Callable[..., Run]
) -> None:
    append, shown = RunDirectory.append_epochs, []

    def checked(directory: Any, rows: Any) -> None:
        checkpoint = torch.load(directory.checkpoint, weights_only=True)
        steps = sum(segment["steps"] for segment in checkpoint["ledger"])
        assert all(row.steps <= steps and row.to_dict() in checkpoint["rows"] for row in rows)
        shown.extend(rows)
        append(directory, rows)

    monkeypatch.setattr(RunDirectory, "append_epochs", checked)
    for wait_s in (0.0, 0.02, 1e6):
        monkeypatch.setattr(journal, "WRITE_EVERY_S", wait_s)
        new_run().train(toy_spec(epochs=10, **DP))
    assert len(shown) == 30


def test_epochs_that_a_kill_loses_were_never_shown_and_are_trained_once_more(
    slow_to_write: None, new_run: Callable[..., Run]
) -> None:
    run = new_run()
    session, go = run.open(toy_spec(epochs=5))
    step = session.stepper.step

    def kill(*args: Any, **rest: Any) -> Any:
        if session.position.epochs_done == 3:
            raise SystemExit
        return step(*args, **rest)

    session.stepper.step = kill
    with pytest.raises(SystemExit):
        go()
    assert len(saved(run)["rows"]) == len(run.directory.read_epochs()) == len(session.rows) == 1
    whole = new_run()
    expected = whole.train(toy_spec(epochs=5))
    assert same_weights(run.train(toy_spec(epochs=5)).trained, expected.trained)
    lines = (run.directory.path / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 5
    assert without_clocks(run.directory.read_epochs()) == without_clocks(whole.directory.read_epochs())


def test_a_stop_writes_the_epochs_held_and_the_step_reached(slow_to_write: None, new_run: Callable[..., Run]) -> None:
    run = new_run()
    with pytest.raises(Cancelled):
        run.train(toy_spec(epochs=20, batch_size=8), should_stop=StopAfter(40))
    position = saved(run)["position"]
    assert position["epochs_done"] == len(run.directory.read_epochs()) == len(saved(run)["rows"]) > 1
    assert position["step"] > 0


def test_a_failure_writes_the_epochs_before_it_with_the_network_they_ended_in(
    slow_to_write: None, new_run: Callable[..., Run]
) -> None:
    run = new_run()
    session, go = run.open(toy_spec(epochs=5, average_last=1.0, batch_size=10))
    step = session.stepper.step

    def diverge(*args: Any, **rest: Any) -> Any:
        tally = step(*args, **rest)
        if session.position.epochs_done == 3:
            torch.nn.init.constant_(session.trained.weight, torch.nan)  # type: ignore[arg-type]
        return tally

    session.stepper.step = diverge
    with pytest.raises(RunError, match="diverged"):
        go()
    expected = new_run().train(toy_spec(epochs=3, average_last=1.0, batch_size=10))
    assert [row.epoch for row in run.directory.read_epochs()] == [1, 2, 3]
    assert saved(run)["position"]["epochs_done"] == 3
    assert torch.equal(saved(run)["trained"]["weight"], expected.trained.weight)  # type: ignore[arg-type]
    assert saved(run)["average"]["count"] == 12
    assert torch.equal(saved(run)["average"]["network"]["weight"], expected.result.weight)  # type: ignore[arg-type]


def kept_predictions(run: Any) -> Predictions:
    predictions = read_predictions(run.directory.path / "predictions.npz")
    assert predictions is not None
    return predictions


def test_the_predictions_are_those_behind_the_last_row(
    slow_to_write: None, new_run: Callable[..., Run], noised_toy: PreparedDataset
) -> None:
    run = new_run(noised_toy)
    session = run.train(toy_spec(epochs=5, method="local_dp", beta=1.0))
    predictions, row = kept_predictions(run), run.directory.read_epochs()[-1]
    assert predictions.epoch == row.epoch == 5
    assert np.array_equal(predictions.labels, session.tests["test"].labels)
    for name, probabilities in predictions.test_sets.items():
        figures = getattr(row, name)
        assert (probabilities.argmax(1) == predictions.labels).mean() == figures.accuracy
        assert measure(Answers(probabilities, predictions.labels), ordered=False, loss=figures.loss) == figures


def test_predictions_are_written_with_their_rows_and_after_the_checkpoint(
    monkeypatch: pytest.MonkeyPatch, new_run: Callable[..., Run]
) -> None:
    run, seen = new_run(), []

    def checked(path: Any, predictions: Any) -> None:
        assert [row["epoch"] for row in saved(run)["rows"]] == list(range(1, predictions.epoch + 1))
        assert run.directory.read_epochs()[-1].epoch == predictions.epoch
        seen.append(predictions.epoch)

    monkeypatch.setattr(journal, "write_predictions", checked)
    monkeypatch.setattr(journal, "WRITE_EVERY_S", 0.0)
    run.train(toy_spec(epochs=4))
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", [None, b"torn"])
def test_predictions_lost_to_a_kill_are_made_anew_on_resume(damage: Any, new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.train(toy_spec(epochs=2))
    before, file = kept_predictions(run), run.directory.path / "predictions.npz"
    file.unlink() if damage is None else file.write_bytes(damage)
    run.train(toy_spec(epochs=2))
    assert kept_predictions(run).epoch == 2
    assert np.array_equal(kept_predictions(run).test, before.test)
    assert run.directory.read_progress()["phase"] == "Epoch 2 of 2"


def test_a_resumed_run_ends_with_the_predictions_of_an_uninterrupted_one(
    slow_to_write: None, new_run: Callable[..., Run]
) -> None:
    whole, parts = new_run(), new_run()
    whole.train(toy_spec(epochs=4))
    with pytest.raises(Cancelled):
        parts.train(toy_spec(epochs=4), should_stop=StopAfter(16))
    stopped = kept_predictions(parts)
    assert stopped.epoch == len(parts.directory.read_epochs()) < 4
    parts.train(toy_spec(epochs=4))
    assert kept_predictions(parts).epoch == 4
    assert np.array_equal(kept_predictions(parts).test, kept_predictions(whole).test)
