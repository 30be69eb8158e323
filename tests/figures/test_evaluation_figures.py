"""Charts of the evaluation: that they show the numbers they were given, in words too, and can be exported."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from medpriv_core.evaluation.calibration import BINS, reliability_bins
from medpriv_core.evaluation.multiplicity import abstention_curve, compare_seeds
from medpriv_core.evaluation.thresholds import at_threshold, roc_curve
from medpriv_core.exports.charts import to_svg
from medpriv_core.figures.calibration import reliability_alt, reliability_figure
from medpriv_core.figures.confusion import confusion_alt, confusion_figure
from medpriv_core.figures.multiplicity import (
    abstention_alt,
    abstention_figure,
    consensus_alt,
    consensus_counts,
    consensus_figure,
)
from medpriv_core.figures.roc import roc_alt, roc_figure

MATRIX = np.array([[8, 2, 0], [1, 4, 0], [0, 0, 0]])
NAMES = ["normal", "ill", "doubtful"]
CALLS = np.array([[1, 0, 1, 0, 1], [1, 1, 1, 0, 0], [1, 0, 1, 0, 1]])
LABELS = np.array([1, 0, 0, 0, 0])


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (200, 2) and labels."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 200)
    second = np.clip(random.random(200) * 0.7 + 0.3 * labels, 0, 1)
    return np.stack([1 - second, second], 1), labels


def test_the_map_has_true_classes_down_and_called_ones_across() -> None:
    (cells,) = confusion_figure(MATRIX, NAMES).data
    assert list(cells.x) == list(cells.y) == NAMES
    assert np.allclose(cells.z, [[0.8, 0.2, 0], [0.2, 0.8, 0], [0, 0, 0]])  # type: ignore[arg-type]
    assert cells.text[0][1] == "2<br>20%"
    assert cells.text[2][2] == "0"
    assert (cells.zmin, cells.zmax) == (0, 1)


def test_the_map_in_words() -> None:
    assert confusion_alt(MATRIX[:2, :2], NAMES[:2]) == (
        "Confusion matrix of 15 images. Of 10 images of normal: 8 called normal, 2 called ill. "
        "Of 5 images of ill: 1 called normal, 4 called ill."
    )


def test_the_reliability_diagram_shows_each_bin_with_its_interval_and_count(
    answers: tuple[np.ndarray, np.ndarray],
) -> None:
    bins = reliability_bins(*answers)
    line, points, _key, counts = reliability_figure(bins, classes=2, method="none").data
    assert list(line.x) == list(line.y)
    assert list(points.x) == [of.confidence for of in bins]
    assert list(points.y) == [of.accuracy for of in bins]
    for of, up, down in zip(bins, points.error_y.array, points.error_y.arrayminus, strict=True):
        assert of.accuracy + up == pytest.approx(of.interval.high)
        assert of.accuracy - down == pytest.approx(of.interval.low)
    assert sum(counts.y) == 200
    assert counts.yaxis == "y2"
    assert line.line.dash != "solid"
    assert f"{bins[0].confidence:.0%} sure, {bins[0].accuracy:.0%} right" in reliability_alt(bins)


@pytest.mark.parametrize(("classes", "lowest"), [(2, 7 / BINS), (5, 3 / BINS)])
def test_the_diagram_begins_where_the_surest_of_several_answers_can_lie(classes: int, lowest: float) -> None:
    assert lowest <= 1 / classes
    assert reliability_figure([], classes=classes, method="none").data[0].x[0] == pytest.approx(lowest)


def test_the_roc_curve_marks_the_chosen_threshold(answers: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = answers
    curve, row = roc_curve(probabilities[:, 1], labels), at_threshold(probabilities[:, 1], labels, threshold=0.4)
    _, line, point = roc_figure(curve, row, positive="ill", method="dp_sgd").data
    assert np.array_equal(line.y, curve.found)
    assert (point.x[0], point.y[0]) == (1 - row.specificity, row.sensitivity)
    assert any(np.allclose([point.x[0], point.y[0]], place) for place in zip(line.x, line.y, strict=True))
    words = roc_alt(row, positive="ill", auroc=0.9)
    assert "area 0.900" in words
    assert f"At threshold 0.40, {row.sensitivity:.1%} are found" in words


def test_the_abstention_curve_leaves_out_points_without_an_answer() -> None:
    points = abstention_curve(CALLS, LABELS)
    line, _key = abstention_figure(points, networks=3, method="none").data
    assert list(zip(line.x, line.y, line.text, strict=True)) == [(1, 0.6, "2 of 3"), (0.6, 2 / 3, "3 of 3")]
    assert "if 3 of 3 must agree, 60.0% of the images get an answer and 66.7% of these are right" in abstention_alt(
        points, networks=3
    )
    nothing = abstention_curve(np.array([[0, 1], [1, 0]]), np.array([0, 0]))
    assert not abstention_figure(nothing, networks=2, method="none").data[0].x
    assert abstention_alt(nothing, networks=2).endswith("0.0% of the images get an answer.")


def test_the_consensus_counts_every_image_once() -> None:
    found = compare_seeds(CALLS)
    assert consensus_counts(found) == {2: 2, 3: 3}
    (bars,) = consensus_figure(found, method="none").data
    assert list(bars.x) == ["2 of 3", "3 of 3"]
    assert list(bars.y) == [2, 3]
    assert consensus_alt(found) == "How many networks agree: 2 of 3 on 2 images; 3 of 3 on 3 images."


def test_each_can_be_taken_away(answers: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = answers
    row = at_threshold(probabilities[:, 1], labels, threshold=0.5)
    figures: list[go.Figure] = [
        confusion_figure(MATRIX, NAMES),
        reliability_figure(reliability_bins(*answers), classes=2, method="local_dp"),
        roc_figure(roc_curve(probabilities[:, 1], labels), row, positive="ill", method="none"),
        abstention_figure(abstention_curve(CALLS, LABELS), networks=3, method="none"),
        consensus_figure(compare_seeds(CALLS), method="none"),
    ]
    for figure in figures:
        assert to_svg(figure, title="A chart").startswith(b"<?xml")
