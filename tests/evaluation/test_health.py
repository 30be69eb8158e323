"""Trainings that came to nothing are noticed, and sound ones are left in peace."""

from __future__ import annotations

import math
from typing import Any

import pytest

from medpriv_core.evaluation.health import judge
from medpriv_core.records.epoch import EpochRow, read_row
from medpriv_core.results.reference import read_references
from medpriv_core.spec import RunSpec

PLAIN = RunSpec(dataset="synthetic_chest", weights="none", learning_rate=0.5)
PRIVATE = PLAIN.changed(method="dp_sgd", target_epsilon=1.0)
COUNTS = (234, 390)


def row(**changes: Any) -> EpochRow:
    """The last epoch of a sound run."""
    sound = {"epoch": 50, "train_loss": 0.1, "test_loss": 0.3, "test_accuracy": 0.9, "test_auroc": 0.96}
    return read_row(sound | {"test_balanced_accuracy": 0.88, "test_class_recall": [0.8, 0.96]} | changes)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"train_loss": 4050.0, "test_auroc": 0.51}, "blown_up"),
        ({"test_loss": 4050.0, "test_auroc": 0.51, "test_class_recall": [0.0, 1.0]}, "blown_up"),
        ({"train_loss": 2.0}, "unsettled"),
        ({"test_class_recall": [0.0, 1.0], "test_balanced_accuracy": 0.5}, "one_class"),
        ({"test_auroc": 0.51, "test_balanced_accuracy": 0.5, "test_loss": 0.7}, "guessing"),
        ({"test_auroc": 0.3, "test_balanced_accuracy": 0.4, "test_loss": 0.7}, "guessing"),
        ({"test_loss": 1.2}, "overconfident"),
        ({}, None),
        ({"test_loss": 0.95, "test_auroc": 0.9}, None),
        ({"test_loss": None}, None),
    ],
)
def test_each_kind_is_told_from_the_others(changes: dict[str, Any], kind: str | None) -> None:
    finding = judge(row(**changes), PLAIN, class_counts=COUNTS)
    assert (finding and finding.kind) == kind


def test_it_says_what_guessing_has_and_what_to_try() -> None:
    finding = judge(row(train_loss=4050.0), PLAIN, class_counts=COUNTS)
    assert finding is not None
    assert finding.title == "blew up"
    assert "the training loss is 4,050, where guessing has 0.69" in finding.sentence
    assert "[learning_rate] of 0.05 (a tenth)" in finding.advice


def test_figures_on_training_images_of_a_private_run_are_not_looked_at() -> None:
    assert judge(row(train_loss=4050.0), PRIVATE, class_counts=COUNTS) is None
    finding = judge(row(train_loss=4050.0, test_loss=90.0), PRIVATE, class_counts=COUNTS)
    assert finding is not None
    assert "the test loss is 90.00" in finding.sentence
    assert "4,050" not in finding.words
    assert "spends its own ε" in finding.advice


def test_what_is_guessing_depends_on_how_many_images_there_are() -> None:
    near = {"test_auroc": 0.56, "test_balanced_accuracy": 0.54, "test_loss": 0.69}
    assert judge(row(**near), PLAIN, class_counts=(20, 20)).kind == "guessing"
    assert judge(row(**near), PLAIN, class_counts=(2000, 2000)) is None
    # Grades that agree beyond chance are no guess, however few there are.
    grades = row(
        test_auroc=0.59,
        test_balanced_accuracy=0.25,
        test_kappa=0.44,
        test_loss=1.6,
        test_class_recall=[0.9, 0.0, 0.4, 0.0, 0.0],
    )
    assert judge(grades, PLAIN, class_counts=(34, 5, 32, 19, 13)) is None


def test_the_shipped_runs_are_judged_as_they_deserve() -> None:
    key: tuple[str, str, str]
    judged: dict[tuple[str, str, str], set[str]] = {}
    for result in (result for reference in read_references().sets for result in reference.results):
        assert result.spec is not None
        finding = judge(
            result.final, result.spec, class_counts=COUNTS if len(result.classes) == 2 else (34, 5, 32, 19, 13)
        )
        strength = f"{result.target_epsilon or result.noise_multiplier or result.beta or 0:g}"
        key = (result.dataset, result.method, f"{result.trainable} {strength} {result.noise_draw or ''}".strip())
        judged.setdefault(key, set()).add(finding.kind if finding else "fine")
    for key, kinds in judged.items():
        dataset, method, how = key
        if dataset == "chest_xray" and (
            method == "none" or (how in ("head 1", "head 3", "head 8") and method == "dp_sgd")
        ):
            assert kinds == {"fine"}, key
    assert judged["chest_xray", "dp_sgd", "all 19.55"] == {"blown_up"}
    assert judged["chest_xray", "local_dp", "head 2 per_pixel"] == {"one_class"}
    assert judged["chest_xray", "local_dp", "all 1 per_pixel"] == {"guessing"}
    assert judged["idrid", "none", "all 0"] == judged["idrid", "dp_sgd", "head 1"] == {"fine"}
    assert judged["idrid", "dp_sgd", "head 3"] == judged["idrid", "dp_sgd", "head 8"] == {"fine"}


def test_guessing_is_not_taken_for_more() -> None:
    assert judge(row(test_loss=math.log(2), train_loss=math.log(2)), PLAIN, class_counts=COUNTS) is None
