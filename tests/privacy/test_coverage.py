"""What epsilon covers: the list knows every name that a run writes, and no name stands on both sides."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.evaluation.metrics import METRICS, Scores
from medpriv_core.home import DataHome
from medpriv_core.privacy.coverage import (
    NAMES_LEFT_OUT,
    coverage_in_words,
    exported_part,
    is_withheld,
    left_out_of,
)
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.records.kinds import covered_names
from medpriv_core.records.setup import Setup
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE
from tests.small_data import add_small_dataset
from tests.trained_runs import TINY, train_run


def test_a_name_is_covered_or_left_out_and_never_both() -> None:
    recorded = {one.name for record in (EpochRow, Setup) for one in fields(record)} - {"train", "others"}
    covered = covered_names(EpochRow) | covered_names(Setup)
    of_training = {f"train_{metric.name}" for metric in METRICS.values() if "train" in metric.parts}
    of_the_run = {"started_at", "ended_at"}

    assert set(NAMES_LEFT_OUT) == recorded - covered | of_training | of_the_run


def test_every_name_that_a_private_run_writes_is_on_one_of_the_lists(home: DataHome, tmp_path: Path) -> None:
    """A name that is on neither is left out, so a new fact about the guarantee would be lost without a word."""
    add_small_dataset(home, tmp_path)
    directory = train_run(home, "private", TINY.changed(method="dp_sgd", noise_multiplier=1.0, delta=1e-3))

    outcome = directory.read_outcome()
    assert outcome is not None
    records: list[Any] = [*directory.read_epochs(), directory.read_setup(), outcome.last]
    for record in records:
        assert set(left_out_of(record)) <= set(NAMES_LEFT_OUT)
    assert {"train_loss", "train_accuracy", "images_per_s", "elapsed_s", "finished_at"} <= set(outcome.to_dict())


def test_what_nobody_has_thought_about_stays_at_home() -> None:
    row = read_row({"epoch": 1, "test_auroc": 0.9, "test_of_a_later_version": 0.5, "gradient_norm": 3.0})

    assert set(row.covered_part().to_dict()) == {"epoch", "test_auroc", "test_of_a_later_version"}


@pytest.mark.parametrize("spec", [PLAIN, LOCAL])
def test_other_methods_are_handed_on_whole(spec: Any) -> None:
    row = EpochRow(epoch=1, train=Scores(loss=0.5))

    assert exported_part(row, spec) == row
    assert not is_withheld(spec)
    assert coverage_in_words(spec).statements == ()


def test_a_run_whose_method_cannot_be_read_is_taken_for_private() -> None:
    assert exported_part(EpochRow(epoch=1, train=Scores(loss=0.5)), None) == EpochRow(epoch=1)


def test_what_is_left_out_is_said_with_its_reason_and_so_is_what_was_asked_for() -> None:
    left_out, included = (coverage_in_words(PRIVATE, with_training_figures=too) for too in (False, True))
    said, asked = (" ".join([coverage.heading, *coverage.statements]) for coverage in (left_out, included))

    for words in ("loss and accuracy on the training images", "each class", "times of the training", "whatever ε is"):
        assert words in said
    assert "ε does not cover them" in asked
    assert "What is left out" in said
    assert "left out" not in asked.lower()
