"""Intervals over the test images of one run: the same as on the run's own page, and none where nothing supports one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.evaluation.predictions import FILE_NAME, Predictions, write_predictions
from medpriv_core.evaluation.report import report
from medpriv_core.home import DataHome
from medpriv_core.results.groups import Group, group_results
from medpriv_core.results.image_intervals import image_interval
from medpriv_core.results.own_runs import read_own_runs
from medpriv_core.runs import service
from tests.results.chosen_results import PLAIN, result
from tests.results.stored import store_run

EPOCH = 2


def predictions(*, classes: int = 2, images: int = 80, epoch: int = EPOCH, seed: int = 0) -> Predictions:
    """Of a network that is often right, with ties."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images, dtype=np.int64) % classes
    scores = rng.integers(1, 6, (images, classes)) + 2.0 * (labels[:, None] == np.arange(classes))
    return Predictions(epoch, labels, (scores / scores.sum(1, keepdims=True)).astype(np.float32))


@pytest.mark.parametrize("classes", [2, 4])
def test_the_interval_is_the_one_on_the_runs_own_page(tmp_path: Path, classes: int) -> None:
    path = tmp_path / FILE_NAME
    made = predictions(classes=classes)
    write_predictions(path, made)

    shown = {figure.name: figure.interval for figure in report(made.test, made.labels, ordered=True)}

    assert image_interval(path, "test_auroc", epoch=EPOCH) == pytest.approx(shown["auroc"])
    assert image_interval(path, "test_balanced_accuracy", epoch=EPOCH) == pytest.approx(shown["balanced_accuracy"])
    assert image_interval(path, "test_kappa", epoch=EPOCH) == pytest.approx(shown["kappa"])


def test_without_predictions_of_that_epoch_and_figure_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    assert image_interval(path, "test_auroc", epoch=EPOCH) is None
    write_predictions(path, predictions())
    assert image_interval(path, "test_auroc", epoch=EPOCH + 1) is None
    assert image_interval(path, "train_accuracy", epoch=EPOCH) is None

    path.write_bytes(b"broken")
    assert image_interval(path, "test_auroc", epoch=EPOCH) is None


def test_predictions_that_were_replaced_are_read_anew(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    write_predictions(path, predictions())
    before = image_interval(path, "test_auroc", epoch=EPOCH)
    write_predictions(path, predictions(seed=5))
    os.utime(path, ns=(1, 1))

    assert image_interval(path, "test_auroc", epoch=EPOCH) != before


def test_one_run_of_the_data_home_has_an_interval_and_says_what_it_rests_on(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    directory = store_run(home, "a", PLAIN, auroc=0.9)
    write_predictions(directory.path / FILE_NAME, predictions())

    (group,) = group_results(read_own_runs(home))
    found = group.estimate("test_auroc")

    assert found is not None
    assert found.words == "the interval of one run for other test images"
    assert found.low < found.mean == 0.9 <= found.high
    best = group.estimate("test_auroc", "best_on_test")
    assert best is not None
    assert best.kind == "none"


def test_several_seeds_keep_their_t_interval_and_shipped_runs_get_none(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    write_predictions(path, predictions())
    own = [
        replace(result(PLAIN.changed(seed=seed), auroc=auroc, run_id=str(seed)), predictions=path)
        for seed, auroc in enumerate((0.8, 0.9))
    ]

    seeds = Group(tuple(own)).estimate("test_auroc")
    shipped = Group((result(PLAIN, source="reference"),)).estimate("test_auroc")

    assert seeds is not None
    assert shipped is not None
    assert (seeds.kind, shipped.kind) == ("seeds", "none")
