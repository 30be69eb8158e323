"""What the figures say in words is what they are."""

from __future__ import annotations

import numpy as np
import pytest

from medpriv_core.evaluation.calibration import reliability_bins
from medpriv_core.evaluation.intervals import Interval
from medpriv_core.evaluation.metrics import EVALUATED
from medpriv_core.evaluation.multiplicity import abstention_curve, compare_seeds
from medpriv_core.evaluation.report import report
from medpriv_core.evaluation.statement import (
    abstention_sentence,
    accuracy_sentence,
    calibration_sentence,
    in_words,
    interval_in_words,
    multiplicity_sentence,
)


def test_every_figure_of_the_report_has_words() -> None:
    probabilities = np.full((4, 2), 0.5)
    assert {figure.name for figure in report(probabilities, np.arange(4) % 2, ordered=True)} == set(EVALUATED)
    assert all(metric.title and metric.meaning for metric in EVALUATED.values())


def test_shares_are_percent_and_what_is_not_known_is_said() -> None:
    assert in_words("accuracy", 0.9022) == "90.2%"
    assert in_words("auroc", 0.9022) == "0.902"
    assert in_words("auroc", None) == "unknown"
    assert interval_in_words("accuracy", Interval(0.88, 0.925)) == "88.0% to 92.5%"
    assert interval_in_words("accuracy", None) == ""


def test_accuracy_stands_beside_what_never_looking_gets() -> None:
    sentence = accuracy_sentence(0.9, Interval(0.87, 0.92), images=624, majority="pneumonia", majority_rate=0.625)
    assert sentence == (
        "Of 624 test images, 90.0% were called right (95% interval 87.0% to 92.0%). Anyone who called every image "
        "“pneumonia” would be right for 62.5%."
    )


@pytest.mark.parametrize(
    ("confidence", "words"), [(0.95, "too sure"), (0.55, "not sure enough"), (0.75, "as sure as it is right")]
)
def test_who_is_too_sure_is_told(confidence: float, words: str) -> None:
    probabilities = np.tile([confidence, 1 - confidence], (8, 1))
    bins = reliability_bins(probabilities, np.array([0, 0, 0, 1] * 2))
    sentence = calibration_sentence(0.1, None, bins, perfect=0.0312)
    assert words in sentence
    assert "is right for 75.0% of the images" in sentence
    assert "a perfect network would show about 3.1%" in sentence
    assert "endlessly" not in sentence
    told = calibration_sentence(0.1, Interval(0.0, 0.14), bins, perfect=0.0312)
    assert told.endswith("On endlessly many it would be 0.0% to 14.0% (95% interval).")


def test_the_share_whose_diagnosis_hangs_on_the_seed() -> None:
    calls = np.array([[1, 0, 1, 0, 1], [1, 1, 1, 0, 0], [1, 0, 1, 0, 1]])
    sentence = multiplicity_sentence(compare_seeds(calls), [0.6, 0.8, 0.6])
    assert sentence.startswith("For 40.0% of the 5 test images (95% interval 11.8% to 76.9%)")
    assert "between 60.0% and 80.0%" in sentence


def test_networks_that_never_differ_are_not_said_to() -> None:
    sentence = multiplicity_sentence(compare_seeds(np.tile([0, 1, 1, 0], (3, 10))), [0.6, 0.6, 0.6])
    assert sentence.startswith("All 3 networks agree on all 40 test images")
    assert "at most 8.8%" in sentence


def test_what_unanimity_costs_and_brings() -> None:
    calls, labels = np.array([[1, 0, 1], [1, 1, 1], [1, 0, 1]]), np.array([1, 0, 0])
    sentence = abstention_sentence(abstention_curve(calls, labels))
    assert "33.3% of the images are left to a human being, and 50.0% of the answers are right" in sentence
    assert "by majority, 66.7% of the answers for 100.0%" in sentence
    of_two = abstention_sentence(abstention_curve(calls[:2], labels))
    assert of_two.endswith("and 50.0% of the answers are right.")
    assert "never all agree" in abstention_sentence(abstention_curve(np.array([[0], [1]]), np.array([0])))
