"""What epsilon covers: the list knows every name that a run writes, and no name stands on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medpriv_core.home import DataHome
from medpriv_core.privacy.coverage import (
    COVERED,
    NAMES_LEFT_OUT,
    coverage_in_words,
    covered_part,
    exported_part,
    is_withheld,
    left_out_of,
)
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE
from tests.small_data import add_small_dataset
from tests.trained_runs import TINY, train_run


def test_a_name_is_covered_or_left_out_and_never_both() -> None:
    assert not COVERED & set(NAMES_LEFT_OUT)
    assert not any(name.startswith("test_") for name in NAMES_LEFT_OUT)


def test_every_name_that_a_private_run_writes_is_on_one_of_the_lists(home: DataHome, tmp_path: Path) -> None:
    """A name that is on neither is left out, so a new fact about the guarantee would be lost without a word."""
    add_small_dataset(home, tmp_path)
    directory = train_run(home, "private", TINY.changed(method="dp_sgd", noise_multiplier=1.0, delta=1e-3))

    outcome = directory.read_outcome() or {}
    for record in (*directory.read_epochs(), directory.read_setup(), outcome):
        assert set(left_out_of(record)) <= {*NAMES_LEFT_OUT, "message"}
    assert {"train_loss", "train_accuracy", "images_per_s", "elapsed_s", "finished_at"} <= set(outcome)


def test_what_nobody_has_thought_about_stays_at_home() -> None:
    assert covered_part({"test_auroc": 0.9, "gradient_norm": 3.0}) == {"test_auroc": 0.9}


@pytest.mark.parametrize("spec", [PLAIN, LOCAL])
def test_other_methods_are_handed_on_whole(spec: Any) -> None:
    row = {"epoch": 1, "train_loss": 0.5}

    assert exported_part(row, spec) == row
    assert not is_withheld(spec)
    assert coverage_in_words(spec).statements == ()


def test_a_run_whose_method_cannot_be_read_is_taken_for_private() -> None:
    assert exported_part({"epoch": 1, "train_loss": 0.5}, None) == {"epoch": 1}


def test_what_is_left_out_is_said_with_its_reason_and_so_is_what_was_asked_for() -> None:
    left_out, included = (coverage_in_words(PRIVATE, with_training_figures=too) for too in (False, True))
    said, asked = (" ".join([coverage.heading, *coverage.statements]) for coverage in (left_out, included))

    for words in ("loss and accuracy on the training images", "each class", "times of the training", "whatever ε is"):
        assert words in said
    assert "ε does not cover them" in asked
    assert "What is left out" in said
    assert "left out" not in asked.lower()
