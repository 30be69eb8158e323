"""What a comparison gives out as CSV: a row for each run, with all that its epsilon depends on."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from medpriv_core.results.groups import Group
from medpriv_core.results.result import Protocol

# column of the metrics -> title
FIGURES = {
    "test_accuracy": "test accuracy",
    "train_accuracy": "training accuracy",
    "test_balanced_accuracy": "balanced accuracy",
    "test_auroc": "AUROC",
    "test_noised_accuracy": "test accuracy, noised images",
}


def export_rows(groups: Sequence[Group], protocol: Protocol) -> list[dict[str, Any]]:
    """A row for each run, with full digits and all that its epsilon depends on."""
    rows = []
    for group in groups:
        for result in group.results:
            held = result.guarantee
            row: dict[str, Any] = {
                "group": group.label,
                "source": result.source,
                "id": result.id,
                "dataset": result.dataset,
                "synthetic": result.synthetic,
                "method": result.method,
                "beta": result.beta,
                "noise_draw": result.noise_draw,
                "noise_multiplier": result.noise_multiplier,
                "target_epsilon": result.target_epsilon,
                "trainable": result.trainable,
                "image_size": result.image_size,
                "seed": result.seed,
                "epsilon": held.epsilon if held.established else "not established",
                "delta": held.delta,
                "epsilon_unit": held.unit,
                "adjacency": held.adjacency,
                "sampling": held.sampling,
                "accountant": held.accountant,
                "epoch": result.final["epoch"] if protocol == "last_epoch" else "best on test images",
                "majority_rate": result.majority_rate,
                "test_size": result.test_size,
            }
            rows.append(row | {column: result.figure(column, protocol) for column in FIGURES})
    return rows


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Comma-separated text with a header; empty without rows."""
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
