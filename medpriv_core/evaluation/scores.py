"""How good the predictions are, beyond the share of right ones, which a rare disease makes look better than it is."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import cohen_kappa_score, recall_score, roc_auc_score


def scores(probabilities: np.ndarray, labels: np.ndarray, *, ordered: bool) -> dict[str, float | None]:
    """Figures by name, from ``probabilities`` (n, classes) and ``labels`` (n,).

    balanced_accuracy  mean over the classes present of the share found
    auroc              area under the ROC curve, 0.5 for guessing; of several classes, the mean of each against the
                       rest. None where a class has no example
    kappa              of grades (``ordered``): agreement with quadratic weights, 0 for guessing, 1 at most. None where
                       only one grade occurs
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(1)
    present = np.unique(labels)
    figures: dict[str, float | None] = {
        "balanced_accuracy": float(recall_score(labels, predicted, labels=present, average="macro")),
        "auroc": None,
    }
    if len(present) == classes:
        exact = probabilities.astype(np.float64)
        exact /= exact.sum(1, keepdims=True)
        values = exact[:, 1] if classes == 2 else exact
        figures["auroc"] = float(roc_auc_score(labels, values, multi_class="ovr", average="macro"))
    if ordered:
        several = len(np.union1d(present, predicted)) > 1
        figures["kappa"] = float(cohen_kappa_score(labels, predicted, weights="quadratic")) if several else None
    return figures
