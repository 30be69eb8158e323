"""What privacy costs each class, and Pearson's r only where it means something."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from medpriv_core.datasets.registry import open_dataset
from medpriv_core.evaluation.by_class import class_aurocs, losses_by_size
from medpriv_core.evaluation.predictions import FILE_NAME, read_predictions
from medpriv_core.home import DataHome
from medpriv_core.results.class_costs import ClassCosts, class_costs
from medpriv_core.runs import service
from medpriv_core.spec import RunSpec
from tests.results.grouped import add_run

PLAIN = RunSpec(dataset="synthetic_fundus", weights="none", epochs=3)
PRIVATE = PLAIN.changed(method="dp_sgd", noise_multiplier=4.0)


@pytest.mark.parametrize("seed", range(5))
def test_pearsons_r_as_scipy_has_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses, sizes = rng.normal(size=5 + seed), rng.integers(5, 900, 5 + seed)
    found, known = losses_by_size(losses.tolist(), sizes.tolist()), stats.pearsonr(losses, sizes)
    assert found is not None
    assert found.r == pytest.approx(known.statistic)
    assert tuple(found.interval) == pytest.approx(tuple(known.confidence_interval(0.95)))
    assert found.points == 5 + seed


def test_of_fewer_than_five_classes_or_of_equal_ones_there_is_none() -> None:
    assert losses_by_size([0.1, 0.2, 0.3, 0.1], [1, 2, 3, 4]) is None
    assert losses_by_size([0.1] * 6, [1, 2, 3, 4, 5, 6]) is None
    assert losses_by_size([0.1, 0.2, 0.3, 0.1, 0.2], [7] * 5) is None
    perfect = losses_by_size([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert perfect is not None
    assert perfect.interval.low <= perfect.r == pytest.approx(1)


def costs_of(home: DataHome, run_id: str) -> ClassCosts | None:
    return class_costs(home, service.load_run(home, run_id), service.list_runs(home))


def test_each_class_against_all_others_beside_the_run_without_privacy(home: DataHome) -> None:
    add_run(home, "plain", PLAIN, better=0.9)
    add_run(home, "private", PRIVATE, better=0.2)
    assert costs_of(home, "plain") is None
    costs = costs_of(home, "private")
    assert costs is not None
    labels = open_dataset(home, PLAIN.dataset).split("test").labels
    predictions = read_predictions(home.runs / "private" / FILE_NAME)
    known = [roc_auc_score(labels == number, predictions.test[:, number]) for number in range(5)]
    assert class_aurocs(predictions.test, labels) == pytest.approx(known)
    assert costs.private == pytest.approx(known)
    assert all(plain > private for plain, private in zip(costs.plain, costs.private, strict=True))
    assert f"Pearson's r = {costs.correlation.r:.2f}".replace("-", "\N{MINUS SIGN}") in costs.sentence
    rows = costs.rows(with_training_images=True)
    assert rows[0]["training images"] == "288"
    # Fewer than 20 test images of a class say next to nothing.
    assert [row["AUROC"] == "too few (below 20)" for row in rows] == [count < 20 for count in costs.tested]
    assert set(costs.to_dict()) == {"held_against", "classes", "auroc", "auroc_without_privacy"}
    assert [area is None for area in costs.to_dict()["auroc"]] == [count < 20 for count in costs.tested]


def test_of_two_classes_nothing_is_correlated(home: DataHome) -> None:
    two = PLAIN.changed(dataset="synthetic_chest")
    add_run(home, "plain", two, better=0.9)
    add_run(home, "private", two.changed(method="dp_sgd", noise_multiplier=4.0))
    assert costs_of(home, "private") is None
