"""How good one run's network is on its test images: mistakes by class, calibration, and where to draw the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from medpriv_core.evaluation.calibration import perfect_error, reliability_bins
from medpriv_core.evaluation.confusion import class_table, confusion_matrix
from medpriv_core.evaluation.intervals import Interval
from medpriv_core.evaluation.metrics import EVALUATED
from medpriv_core.evaluation.predictions import FILE_NAME, Predictions, read_predictions
from medpriv_core.evaluation.report import Figure, report
from medpriv_core.evaluation.statement import (
    accuracy_sentence,
    calibration_sentence,
    in_words,
    interval_in_words,
)
from medpriv_core.evaluation.thresholds import RocCurve, at_threshold, roc_curve, youden_threshold
from medpriv_core.figures.calibration import reliability_alt, reliability_figure
from medpriv_core.figures.confusion import confusion_alt, confusion_figure
from medpriv_core.figures.roc import roc_alt, roc_figure
from medpriv_core.home import DataHome
from medpriv_core.runs.summary import RunSummary
from medpriv_core.shown_text import for_cell, for_markdown
from pages.parts.charts import draw_chart
from pages.parts.messages import explain_errors

CHART_WIDTH = 720  # pixels; these charts are about as wide as high
TEST_SETS = {"test": "as they are", "test_noised": "with noise"}
NOT_COVERED = (
    "Counted exactly, without noise: for your eyes, and not covered by any ε. Intervals are about "
    "other images of the same kind, not about another training run, and take every image for another patient's."
)


def draw_evaluation(home: DataHome, run: RunSummary) -> None:
    """All that a run's predictions on its test images say; a sentence where it kept none."""
    with explain_errors():
        predictions = run_predictions(home, run.id)
        if run.spec is None:
            st.caption("Without its settings, nothing can be said about this run.")
            return
        if predictions is None:
            st.info(
                "There are no predictions of this run to evaluate: it has not finished an epoch, or an earlier version "
                "of medpriv trained it. A run with the same settings will keep its predictions.",
                icon=":material/fact_check:",
            )
            return
        test_set = choose_test_set(predictions, key=f"evaluation_set_{run.id}")
        probabilities, labels = predictions.test_sets[test_set], predictions.labels
        names = class_names(run, probabilities.shape[1])
        ordered = run.last.test.kappa is not None
        figures = cached_report(str(predictions_path(home, run.id)), _version(home, run.id), test_set, ordered)
        about = f"{run.name}, epoch {predictions.epoch}, {len(labels):,} test images {TEST_SETS[test_set]}"
        _draw_figures(figures, labels, names)
        _draw_confusion(run, probabilities, labels, names, about)
        _draw_calibration(run, figures, probabilities, labels, about)
        if len(names) == 2 and len(np.unique(labels)) == 2:
            st.fragment(_draw_threshold)(run, probabilities[:, 1], labels, names, about, figures)
        st.caption(f"After epoch {predictions.epoch}. {NOT_COVERED}")


def choose_test_set(predictions: Predictions, *, key: str) -> str:
    """Which test images to look at: where there are noised ones, the visitor chooses."""
    if len(predictions.test_sets) == 1:
        return "test"
    chosen = st.segmented_control(
        "Test images",
        list(predictions.test_sets),
        format_func=TEST_SETS.__getitem__,
        default="test",
        key=key,
        required=True,
    )
    return chosen or "test"


def predictions_path(home: DataHome, run_id: str) -> Path:
    """Where a run keeps its predictions."""
    return home.runs / run_id / FILE_NAME


def run_predictions(home: DataHome, run_id: str) -> Predictions | None:
    """A run's predictions, read again only when the file was replaced; None if there are none."""
    version = _version(home, run_id)
    return None if version is None else _cached_predictions(str(predictions_path(home, run_id)), version)


def class_names(run: RunSummary, classes: int) -> list[str]:
    """What the classes are called; by number where the run did not record it."""
    names = list(run.setup.classes)
    return names if len(names) == classes else [f"class {number}" for number in range(classes)]


def _version(home: DataHome, run_id: str) -> tuple[int, int] | None:
    try:
        found = predictions_path(home, run_id).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_ino


@st.cache_data(max_size="64MB", show_spinner=False)
def _cached_predictions(path: str, version: tuple[int, int]) -> Predictions | None:  # noqa: ARG001
    return read_predictions(Path(path))


@st.cache_data(max_entries=200, show_spinner="Computing the intervals…")
def cached_report(path: str, version: tuple[int, int] | None, test_set: str, ordered: bool) -> list[Figure]:
    """All figures of a run with their intervals; ``version`` is that of the file at ``path``."""
    assert version is not None
    predictions = _cached_predictions(path, version)
    assert predictions is not None
    return report(predictions.test_sets[test_set], predictions.labels, ordered=ordered)


def _draw_figures(figures: list[Figure], labels: np.ndarray, names: list[str]) -> None:
    counts = np.bincount(labels, minlength=len(names))
    accuracy = figures[0]
    assert accuracy.value is not None
    sentence = accuracy_sentence(
        accuracy.value,
        accuracy.interval,
        images=len(labels),
        majority=names[int(counts.argmax())],
        majority_rate=float(counts.max() / len(labels)),
    )
    st.markdown(for_markdown(sentence))
    st.dataframe(
        [
            {
                "figure": EVALUATED[figure.name].title,
                "value": in_words(figure.name, figure.value),
                "95% interval": interval_in_words(figure.name, figure.interval),
                "what it means": EVALUATED[figure.name].meaning,
            }
            for figure in figures
        ],
        hide_index=True,
    )


def _draw_confusion(
    run: RunSummary, probabilities: np.ndarray, labels: np.ndarray, names: list[str], about: str
) -> None:
    st.markdown("**What was taken for what**")
    matrix = confusion_matrix(probabilities.argmax(1), labels, classes=len(names))
    with st.container(width=CHART_WIDTH):
        draw_chart(
            confusion_figure(matrix, names),
            key=f"confusion_{run.id}",
            name=f"Confusion matrix, {run.name}",
            alt=confusion_alt(matrix, names),
            caption=[about],
        )
    st.dataframe(
        [
            {
                "class": for_cell(row.name),
                "images": row.images,
                "found (recall)": share(row.recall),
                "recall, 95% interval": span(row.recall_interval),
                "called so": row.called,
                "of these right (precision)": share(row.precision),
                "precision, 95% interval": span(row.precision_interval),
            }
            for row in class_table(matrix, names)
        ],
        hide_index=True,
    )


def _draw_calibration(
    run: RunSummary, figures: list[Figure], probabilities: np.ndarray, labels: np.ndarray, about: str
) -> None:
    assert run.spec is not None
    st.markdown("**Is it right as often as it is sure?**")
    bins = reliability_bins(probabilities, labels)
    error = next(figure for figure in figures if figure.name == "calibration_error")
    assert error.value is not None
    sentence = calibration_sentence(error.value, error.interval, bins, perfect=perfect_error(probabilities))
    st.markdown(sentence)
    with st.container(width=CHART_WIDTH):
        draw_chart(
            reliability_figure(bins, classes=probabilities.shape[1], method=run.spec.method),
            key=f"reliability_{run.id}",
            name=f"Calibration, {run.name}",
            alt=reliability_alt(bins),
            caption=[about, sentence],
        )
    with st.expander("The same numbers", key=f"bins_{run.id}"):
        st.dataframe(
            [
                {
                    "how sure": f"{of.low:.1%} to {of.high:.1%}",
                    "answers": of.count,
                    "mean confidence": share(of.confidence),
                    "share right": share(of.accuracy),
                    "95% interval": span(of.interval),
                }
                for of in bins
            ],
            hide_index=True,
        )


def _draw_threshold(
    run: RunSummary,
    values: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    about: str,
    figures: list[Figure],
) -> None:
    assert run.spec is not None
    negative, positive = names
    curve = roc_curve(values, labels)
    st.markdown(f"**From which probability on is an image called {for_markdown(positive)}?**")
    key = f"threshold_{run.id}"
    st.session_state.setdefault(key, 0.5)
    threshold = st.slider(
        f"Called {for_markdown(positive)} above this probability",
        min_value=0.0,
        max_value=1.0,
        step=0.01,
        key=key,
        help="The network itself draws the line at 0.5.",
    )
    _draw_best(curve, key)
    row = at_threshold(values, labels, threshold=threshold)
    intervals = row.intervals()
    kinds = (
        ("sensitivity", row.sensitivity, f"of {positive}, called so"),
        ("specificity", row.specificity, f"of {negative}, not called {positive}"),
        ("precision", row.precision, f"of those called {positive}, right"),
    )
    st.dataframe(
        [
            {
                "figure": name.capitalize(),
                "value": share(value),
                "95% interval": span(intervals[name]),
                "what it means": for_cell(meaning),
            }
            for name, value, meaning in kinds
        ],
        hide_index=True,
    )
    st.markdown(
        f"{row.false_negatives:,} images of {for_markdown(positive)} are missed, {row.false_positives:,} of "
        f"{for_markdown(negative)} are alarmed. "
        "A threshold that was chosen by looking at these images will do worse on others: these figures are then too "
        "good."
    )
    area = next(figure.value for figure in figures if figure.name == "auroc")
    with st.container(width=CHART_WIDTH):
        draw_chart(
            roc_figure(curve, row, positive=positive, method=run.spec.method),
            key=f"roc_{run.id}",
            name=f"ROC curve, {run.name}",
            alt=roc_alt(row, positive=positive, auroc=area or 0.0),
            caption=[about],
        )


def _draw_best(curve: RocCurve, key: str) -> None:
    # The slider moves in steps of a hundredth, so the best threshold is as good as its nearest step.
    best = round(youden_threshold(curve), 2)
    st.button(
        f"Best balance on these images: {best:.2f}",
        key=f"{key}_best",
        icon=":material/balance:",
        help="Youden's J: the highest sensitivity + specificity. Chosen on these very images, so it flatters.",
        on_click=st.session_state.__setitem__,
        args=(key, best),
    )


def share(value: float | None) -> str:
    """A share in percent; "unknown" where there is nothing to share."""
    return "unknown" if value is None else f"{value:.1%}"


def span(interval: Interval | None) -> str:
    """An interval in percent; empty where there is none."""
    return "" if interval is None else f"{interval.low:.1%} to {interval.high:.1%}"
