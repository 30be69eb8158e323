"""What a comparison gives out: rows for each run or group, with all that an epsilon depends on, and CSV of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medpriv_core.records.epoch import LISTED
from medpriv_core.results.groups import Group
from medpriv_core.results.labels import learned_in
from medpriv_core.results.result import Protocol, Result
from medpriv_core.shown_text import csv_table


def export_rows(groups: Sequence[Group], protocol: Protocol) -> list[dict[str, Any]]:
    """A row for each run, with full digits and all that its epsilon depends on."""
    rows = []
    for group in groups:
        for result in group.results:
            row = _settings(group, result)
            row |= {
                "id": result.id,
                "seed": result.seed,
                **_guarantee(result, result.epsilon),
                "epoch": result.final.epoch if protocol == "last_epoch" else "best on test images",
                "majority_rate": result.majority_rate,
                "test_size": result.test_size,
            }
            rows.append(row | {column: result.figure(column, protocol) for column in LISTED})
    return rows


def group_rows(groups: Sequence[Group], protocol: Protocol) -> list[dict[str, Any]]:
    """A row for each group: the mean of each figure and its interval of 95 %, which only that of the last epoch has."""
    rows = []
    for group in groups:
        first = group.first
        row = _settings(group, first) | {"runs": len(group.results), "learned": learned_in(group.results)}
        row |= {**_guarantee(first, group.epsilon), "statement": first.guarantee.statement}
        for column in LISTED:
            found = group.estimate(column, protocol)
            row[column] = found.mean if found else None
            sure = found if found and protocol == "last_epoch" and found.kind != "none" else None
            row[f"{column}_low"] = sure.low if sure else None
            row[f"{column}_high"] = sure.high if sure else None
            row[f"{column}_interval"] = sure.words if sure else None
        rows.append(row)
    return rows


def _settings(group: Group, result: Result) -> dict[str, Any]:
    return {
        "group": group.label,
        "source": result.source,
        "dataset": result.dataset,
        "synthetic": result.synthetic,
        "method": result.method,
        "beta": result.beta,
        "noise_draw": result.noise_draw,
        "noise_multiplier": result.noise_multiplier,
        "target_epsilon": result.target_epsilon,
        "trainable": result.trainable,
        "image_size": result.image_size,
    }


def _guarantee(result: Result, epsilon: float) -> dict[str, Any]:
    held = result.guarantee
    return {
        "epsilon": epsilon if held.established else "not established",
        "delta": held.delta,
        "epsilon_unit": held.unit,
        "adjacency": held.adjacency,
        "sampling": held.sampling,
        "accountant": held.accountant,
    }


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Comma-separated text with a header; empty without rows."""
    return csv_table(list(rows[0]), rows) if rows else ""
