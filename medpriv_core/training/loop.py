"""A fine-tuning run, epoch after epoch.

Every epoch ends with accuracy and loss on the test images as they are and, under Local-DP, on noised ones
too. The figures on training images are running averages over the epoch, while the network still
changes. Under DP-SGD epsilon covers the network and what it predicts, not these figures: they are counted
on patients' images without noise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from medpriv_core.errors import RunError
from medpriv_core.evaluation.metrics import Answers, Scores, measure
from medpriv_core.evaluation.predictions import Predictions
from medpriv_core.jobs.process import Reporter
from medpriv_core.progress import Cancelled
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training.checkpoint import Position
from medpriv_core.training.device import using_threads
from medpriv_core.training.evaluation import Evaluation, Tally, evaluate
from medpriv_core.training.examples import Batch
from medpriv_core.training.journal import Journal
from medpriv_core.training.sampling import augmentation_generator
from medpriv_core.training.session import Session

# A diverged run is noticed at the end of the epoch, or after this long: looking waits for the device.
READ_EVERY_S = 10.0

DIVERGED = (
    "Training diverged: the loss is no longer a finite number. Lower the learning rate (ten times is a good "
    "first try) and start a new run."
)


def train(
    session: Session,
    directory: RunDirectory,
    *,
    report: Reporter,
    log: Callable[[str], None] = lambda _line: None,
) -> None:
    """Train up to the last epoch of the specification, writing checkpoint, metrics and progress.

    When ``report`` raises ``Cancelled``, even between two passes of a step, the checkpoint is written and the
    exception goes on. Raises ``RunError`` if training diverges and ``DataHomeError`` if the disk refuses.
    """
    journal = Journal(session, directory, log=lambda row: log(_in_words(row, session.spec.epochs)))
    try:
        with using_threads(session.threads):
            clock = _Clock(session, report)
            # Between two epochs the network is still the one that the last epoch's predictions came from.
            if journal.lacks_predictions and session.position.step == 0:
                journal.replace_predictions(_predictions(_evaluations(session, clock), session.position.epochs_done))
            _train_epochs(session, clock, journal)
    except Cancelled:
        journal.save()
        raise
    except Exception:
        journal.write_held()  # the epochs before the failure are sound
        raise
    journal.write_held()


def _train_epochs(session: Session, clock: _Clock, journal: Journal) -> None:
    while session.position.epochs_done < session.spec.epochs:
        _train_epoch(session, clock, journal)
        evaluations = _evaluations(session, clock)
        row = _epoch_row(session, clock, evaluations)
        done, elapsed_s = session.position.epochs_done + 1, session.position.elapsed_s
        session.position = Position(epochs_done=done, elapsed_s=elapsed_s)
        journal.add(row, _predictions(evaluations, done))


def reached(session: Session) -> EpochRow:
    """The last epoch on the disk, and under DP-SGD what the network in the checkpoint has spent, for the outcome."""
    last, spent = session.rows[-1] if session.rows else EpochRow(), session.spent
    if session.ledger is None or spent is None or spent.epsilon is None:
        return last
    return replace(last, epsilon=spent.epsilon, delta=session.spec.delta, steps=spent.steps)


class _Clock:
    """Adds up time worked, and tells the reporter how much is left."""

    def __init__(self, session: Session, report: Reporter) -> None:
        self._session = session
        self._report = report
        self._steps_taken = 0
        self._started = self._last = time.monotonic()

    def check(self) -> None:
        """Report where the run is; raises ``Cancelled`` if it is to stop."""
        session, position = self._session, self._session.position
        done = position.epochs_done * session.steps + position.step
        total = session.spec.epochs * session.steps
        left_s = None
        if self._steps_taken:
            left_s = (time.monotonic() - self._started) / self._steps_taken * (total - done)
        # After the last epoch, predictions that were lost may have to be made anew.
        phase = f"Epoch {min(position.epochs_done + 1, session.spec.epochs)} of {session.spec.epochs}"
        self._report(phase, done, total, seconds_left=left_s)

    def step_taken(self) -> None:
        """Count the time since the last call as a step's."""
        self._steps_taken += 1
        self.training_done()

    def training_done(self) -> None:
        """Count the time since the last call as work on the epoch's steps."""
        self._session.position.epoch_s += self.work_done()

    def work_done(self) -> float:
        """Count the time since the last call as work; returns it in seconds."""
        now = time.monotonic()
        spent, self._last = now - self._last, now
        self._session.position.elapsed_s += spent
        return spent


def _train_epoch(session: Session, clock: _Clock, journal: Journal) -> None:
    """Take the steps of the current epoch that are still to be taken."""
    position = session.position
    trained = Tally(loss_sum=position.loss_sum, correct=position.correct, seen=position.seen)
    read_at = time.monotonic()
    try:
        for indices in batches_to_come(session):
            clock.check()
            trained.merge(_take_step(session, indices, clock))
            clock.step_taken()
            journal.write_due()
            if time.monotonic() - read_at >= READ_EVERY_S:
                _check_finite(trained)
                read_at = time.monotonic()
    finally:
        position.loss_sum, position.correct, position.seen = trained.loss_sum, trained.correct, trained.seen
        clock.training_done()
    _check_finite(trained)


def _take_step(session: Session, indices: np.ndarray, clock: _Clock) -> Tally:
    spec, position = session.spec, session.position
    generator = None
    if spec.augment:
        generator = augmentation_generator(spec, epoch=position.epochs_done, step=position.step)
    tally = session.stepper.step(Batch(session.train, indices, generator, clock.check, session.patients))
    if session.ledger is not None:
        session.ledger.count_step()
    position.step += 1
    if session.average is not None:
        session.average.step_taken(position.epochs_done * session.steps + position.step)
    return tally


def batches_to_come(session: Session) -> Iterator[np.ndarray]:
    """Who is in each of the steps of the current epoch that are still to be taken."""
    position = session.position
    return session.sampler.batches(epoch=position.epochs_done, first=position.step, steps=session.steps)


def _evaluations(session: Session, clock: _Clock) -> dict[str, Evaluation]:
    """What the network, as it is now, makes of each test set; raises ``RunError`` if it diverged."""
    evaluations = {}
    for name, examples in session.tests.items():
        evaluations[name] = evaluate(
            session.result, examples, batch_size=session.evaluation_size, mixed=session.mixed, check=clock.check
        )
        _check_finite(evaluations[name].tally)
    return evaluations


def _predictions(evaluations: dict[str, Evaluation], epoch: int) -> Predictions:
    # Noised images come in the order of the clean ones, with their labels.
    return Predictions(
        epoch,
        evaluations["test"].labels,
        **{name: evaluation.probabilities for name, evaluation in evaluations.items()},
    )


def _epoch_row(session: Session, clock: _Clock, evaluations: dict[str, Evaluation]) -> EpochRow:
    """Put the epoch's figures together."""
    position = session.position
    trained = Tally(loss_sum=position.loss_sum, correct=position.correct, seen=position.seen)
    tested = {
        name: measure(
            Answers(evaluation.probabilities, evaluation.labels), ordered=session.ordered, loss=evaluation.tally.loss
        )
        for name, evaluation in evaluations.items()
    }
    row = EpochRow(
        epoch=position.epochs_done + 1,
        train=Scores(accuracy=trained.accuracy, loss=trained.loss),
        test=tested["test"],
        test_noised=tested.get("test_noised", Scores()),
    )
    if session.ledger is not None:
        ledger = session.ledger
        row = replace(row, epsilon=ledger.epsilon(), delta=session.spec.delta, steps=ledger.steps)
    clock.work_done()
    return replace(
        row,
        images_per_s=position.seen / position.epoch_s if position.epoch_s else None,
        elapsed_s=position.elapsed_s,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _check_finite(tally: Tally) -> None:
    if not math.isfinite(tally.loss_sum):
        raise RunError(DIVERGED)


def _in_words(row: EpochRow, epochs: int) -> str:
    figures = ", ".join(
        f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in row.to_dict().items()
        if name.endswith(("accuracy", "loss", "epsilon")) and value is not None
    )
    return f"epoch {row.epoch} of {epochs}: {figures}"
