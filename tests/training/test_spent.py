"""The record of what a network has spent: bound to the checkpoint, whatever is stopped, killed or put back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from medpriv_core.errors import DataHomeError, RunError
from medpriv_core.figures.curves import epsilon_terms
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.progress import Cancelled
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.outcome import Outcome
from medpriv_core.runs import spent_record
from medpriv_core.runs.spent_record import FILE_NAME, read_record, read_spent, with_bond
from medpriv_core.spec import RunSpec
from tests.training.conftest import Run, StopAfter, toy_spec

DP = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3}
AN_EPOCH = 5  # steps: 40 images, 8 expected in each
MORE = 9  # questions of a first session before it has taken some steps: it also reads features


def epsilon_of(steps: int) -> float:
    return composed_epsilon([Steps(1.0, 0.2, steps)], delta=1e-3)


def stop(run: Run, spec: RunSpec, questions: int) -> None:
    with pytest.raises(Cancelled):
        run.train(spec, should_stop=StopAfter(questions))


def saved(run: Run) -> dict[str, Any]:
    return torch.load(run.directory.checkpoint, weights_only=True)


def shown(run: Run, spec: RunSpec) -> Spent | None:
    """As pages read it."""
    rows = run.directory.read_epochs()
    return read_spent(run.directory, spec, setup=run.directory.read_setup(), last=rows[-1] if rows else EpochRow())


def accounting(run: Run, spec: RunSpec) -> tuple[str, str]:
    spent = with_bond(shown(run, spec), run.directory)
    checks = check_run(spec, setup=run.directory.read_setup(), spent=spent)
    return next((check.state, check.sentence) for check in checks if check.name == "Accounting")


@pytest.mark.parametrize("epochs_before", [0, 1])
def test_a_network_stopped_in_mid_epoch_has_spent_all_its_steps(
    epochs_before: int, new_run: Callable[..., Run]
) -> None:
    run, spec = new_run(), toy_spec(epochs=3, **DP)
    if epochs_before:
        run.train(spec.changed(epochs=1))
    stop(run, spec, 6 if epochs_before else MORE)
    taken = sum(segment["steps"] for segment in saved(run)["ledger"])
    spent = shown(run, spec)
    assert epochs_before * AN_EPOCH < taken < (epochs_before + 1) * AN_EPOCH
    assert (spent.steps, spent.epochs, spent.step) == (taken, epochs_before, taken - epochs_before * AN_EPOCH)
    assert spent.epsilon == epsilon_of(taken)
    assert (spent.adjacency, spent.sampling, spent.accountant) == ("add-remove", "poisson", "pld")
    assert run_verdict(spec, setup=run.directory.read_setup(), spent=spent).epsilon == pytest.approx(spent.epsilon)
    figures = "figures are of the end of epoch 1" if epochs_before else "no figures were measured"
    assert spent.place.startswith(f"It was stopped in epoch {epochs_before + 1}, after {taken} step")
    assert spent.place.endswith(f"; {figures}.")
    assert accounting(run, spec)[0] == "green"


def test_where_a_run_without_privacy_was_stopped_is_recorded_too(new_run: Callable[..., Run]) -> None:
    run, spec = new_run(), toy_spec(epochs=3)
    stop(run, spec, MORE)
    spent = shown(run, spec)
    assert spent.epsilon is None
    assert (spent.steps, spent.place is not None) == (saved(run)["position"]["step"], True)


def test_between_two_epochs_nothing_is_said_of_a_stop(new_run: Callable[..., Run]) -> None:
    run, spec = new_run(), toy_spec(epochs=2, **DP)
    run.train(spec)
    assert (shown(run, spec).place, shown(run, spec).steps) == (None, 2 * AN_EPOCH)


def test_stop_resume_stop_forgets_no_step(new_run: Callable[..., Run]) -> None:
    run, spec, before = new_run(), toy_spec(epochs=4, **DP), 0
    for questions in (MORE, 3, 9, 2, 6):
        stop(run, spec, questions)
        spent = shown(run, spec)
        assert spent.steps == sum(segment["steps"] for segment in saved(run)["ledger"]) >= before
        assert spent.epsilon == epsilon_of(spent.steps)
        assert accounting(run, spec)[0] == "green"
        before = spent.steps
    run.train(spec)
    assert [row.steps for row in run.directory.read_epochs()] == [5, 10, 15, 20]
    assert shown(run, spec).steps == 4 * AN_EPOCH


def test_while_a_resumed_session_runs_its_lights_stay_and_its_curve_is_drawn(new_run: Callable[..., Run]) -> None:
    run, spec = new_run(), toy_spec(epochs=3, **DP)
    run.train(spec.changed(epochs=1))
    stop(run, spec, 6)
    before = shown(run, spec)
    run.open(spec)  # its setup.json is that of the new session, and no row has come yet
    assert shown(run, spec) == before
    assert accounting(run, spec)[0] == "green"
    terms = epsilon_terms(spec, setup=run.directory.read_setup(), epochs=run.directory.read_epochs())
    assert "Poisson subsampling" in (terms or "")


@pytest.mark.parametrize("refused", range(9))
def test_a_kill_between_any_two_writes_leaves_what_holds_for_the_weights_on_the_disk(
    refused: Any, monkeypatch: pytest.MonkeyPatch, new_run: Callable[..., Run]
) -> None:
    """Three files are replaced in each of three writings: announced record, checkpoint, record."""
    run, spec, calls = new_run(), toy_spec(epochs=2, **DP), 0
    replace_file, highest = spent_record.replace_file, 0

    def refuse(path: Any, content: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > refused:
            raise DataHomeError("killed here")
        replace_file(path, content)
        check()

    def check() -> None:
        nonlocal highest
        spent = shown(run, spec)
        if not run.directory.checkpoint.exists():
            assert spent is None
            return
        assert spent.steps == sum(segment["steps"] for segment in saved(run)["ledger"]) >= highest
        assert with_bond(spent, run.directory).bond == "holds"
        highest = spent.steps

    monkeypatch.setattr(spent_record, "replace_file", refuse)
    monkeypatch.setattr("medpriv_core.training.journal.WRITE_EVERY_S", 0.0)
    with suppress(DataHomeError):
        run.train(spec)
        stop(run, spec.changed(epochs=3), 6)
    monkeypatch.setattr(spent_record, "replace_file", replace_file)
    check()
    run.train(spec.changed(epochs=3))
    assert [row.steps for row in run.directory.read_epochs()] == [5, 10, 15]
    assert accounting(run, spec.changed(epochs=3))[0] == "green"


def test_a_kill_between_record_and_checkpoint_does_not_put_a_target_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, new_run: Callable[..., Run]
) -> None:
    spec = toy_spec(epochs=3, method="dp_sgd", target_epsilon=3.0, delta=1e-3)
    run, replace_file = new_run(), spent_record.replace_file
    run.train(spec.changed(epochs=1, target_epsilon=None, noise_multiplier=2.0))

    def refuse(path: Any, content: Any) -> None:
        if path == run.directory.checkpoint:
            raise DataHomeError("killed here")
        replace_file(path, content)

    monkeypatch.setattr(spent_record, "replace_file", refuse)
    with pytest.raises(DataHomeError):
        run.train(spec)
    assert shown(run, spec).steps == AN_EPOCH
    content = run.directory.checkpoint.read_bytes()
    run.directory.checkpoint.unlink()
    assert shown(run, spec).recorded is False  # the row alone
    run.directory.checkpoint.write_bytes(content)  # as a copied data home has it: the digest tells
    assert (shown(run, spec).steps, shown(run, spec).recorded) == (AN_EPOCH, True)
    monkeypatch.setattr(spent_record, "replace_file", replace_file)
    run.train(spec)
    assert run.directory.read_epochs()[-1].epsilon <= 3.0


def test_a_run_does_not_go_on_from_an_older_checkpoint_that_was_put_back(
    new_run: Callable[..., Run], tmp_path: Path
) -> None:
    run, spec = new_run(), toy_spec(epochs=3, **DP)
    run.train(spec.changed(epochs=1))
    shutil.copy(run.directory.checkpoint, tmp_path / "older.pt")
    stop(run, spec, 6)
    taken = shown(run, spec).steps
    shutil.copy(run.directory.checkpoint, tmp_path / "newer.pt")
    shutil.copy(tmp_path / "older.pt", run.directory.checkpoint)

    assert shown(run, spec).steps == taken
    state, sentence = accounting(run, spec)
    assert (state, "not the one that its record was written for" in sentence) == ("red", True)
    broken = with_bond(shown(run, spec), run.directory)
    assert run_verdict(spec, setup=run.directory.read_setup(), spent=broken) is None
    with pytest.raises(RunError, match=r"another one was put in its place\..*start a new run"):
        run.open(spec)

    shutil.copy(tmp_path / "newer.pt", run.directory.checkpoint)
    run.train(spec)
    assert [row.steps for row in run.directory.read_epochs()] == [5, 10, 15]
    assert accounting(run, spec)[0] == "green"


def test_a_checkpoint_that_is_gone_stays_spent(new_run: Callable[..., Run]) -> None:
    run, spec = new_run(), toy_spec(epochs=2, **DP)
    stop(run, spec, MORE)
    taken = shown(run, spec).steps
    run.directory.checkpoint.unlink()
    session, go = run.open(spec)
    assert f"counts 0 steps and the record of what was spent {taken}" in session.remark
    go()
    assert shown(run, spec).steps == 2 * AN_EPOCH + taken
    assert [row.epsilon for row in run.directory.read_epochs()] == [epsilon_of(steps + taken) for steps in (5, 10)]
    state, sentence = accounting(run, spec)
    assert (state, "the larger number holds" in sentence) == ("amber", True)


def test_without_checkpoint_and_record_a_run_that_has_shown_epochs_does_not_begin_anew(
    new_run: Callable[..., Run],
) -> None:
    run, spec = new_run(), toy_spec(epochs=2, **DP)
    run.train(spec.changed(epochs=1))
    run.directory.checkpoint.unlink()
    (run.directory.path / FILE_NAME).unlink()
    with pytest.raises(RunError, match=r"The checkpoint of run run-1 is gone.*start a new run"):
        run.open(spec)


def test_older_files_put_back_together_are_not_believed_beside_an_epoch_that_was_shown(
    new_run: Callable[..., Run], tmp_path: Path
) -> None:
    run, spec = new_run(), toy_spec(epochs=3, **DP)
    run.train(spec.changed(epochs=1))
    for name in ("checkpoint.pt", FILE_NAME):
        shutil.copy(run.directory.path / name, tmp_path / name)
    run.train(spec)
    for name in ("checkpoint.pt", FILE_NAME):
        shutil.copy(tmp_path / name, run.directory.path / name)
    assert shown(run, spec).epsilon == epsilon_of(3 * AN_EPOCH)
    state, sentence = accounting(run, spec)
    assert (state, "It cannot go on" in sentence) == ("amber", True)
    with pytest.raises(RunError, match="are older than what it has shown"):
        run.open(spec)


@pytest.mark.parametrize("damage", [None, "{", "[]", '{"steps": -1}', '{"epochs": 1, "step": 0, "steps": 3}'])
def test_without_its_record_the_light_is_red_until_the_run_goes_on(
    damage: str | None, new_run: Callable[..., Run]
) -> None:
    run, spec = new_run(), toy_spec(epochs=3, **DP)
    run.train(spec.changed(epochs=1))
    stop(run, spec, 6)
    taken = shown(run, spec).steps
    record = run.directory.path / FILE_NAME
    record.unlink() if damage is None else record.write_text(damage)

    assert (shown(run, spec).steps, shown(run, spec).recorded) == (AN_EPOCH, False)
    state, sentence = accounting(run, spec)
    assert (state, "is damaged or gone" in sentence) == ("red", True)
    run.directory.write_outcome(
        Outcome("cancelled", last=EpochRow(epoch=1, steps=taken, epsilon=epsilon_of(taken), delta=1e-3))
    )
    assert (shown(run, spec).steps, shown(run, spec).epsilon) == (taken, epsilon_of(taken))

    run.directory.clear_outcome()
    run.open(spec)  # the checkpoint itself says it
    assert (read_record(run.directory).steps, accounting(run, spec)[0]) == (taken, "green")
    record.unlink()
    assert (shown(run, spec).steps, shown(run, spec).recorded) == (taken, False)
