"""``runs groups``: how good a network is for groups in the data, and what privacy costs each."""

from __future__ import annotations

from collections.abc import Sequence

from medpriv_core.cli.output import print_json, say
from medpriv_core.results.class_costs import ClassCosts
from medpriv_core.results.group_figures import PARITY_WORDS, SEEDS, WHAT_GROUPS, GroupTable


def print_groups(tables: Sequence[GroupTable], costs: ClassCosts | None, *, as_json: bool) -> None:
    """Print a table for each column of groups, and what privacy costs each class."""
    if as_json:
        classes = None if costs is None else costs.to_dict()
        print_json({"columns": [table.to_dict() for table in tables], "by_class": classes})
        return
    for table in tables:
        say(f"By {table.column}, {table.intervals}:")
        _say_rows(table.rows())
        if table.other is not None:
            say(f"This network less {table.other}, which is the same without privacy:")
            _say_rows(table.cost_rows())
        if table.why_left_out is not None:
            say(table.why_left_out)
        say("")
    if costs is not None:
        say(f"By class, less {costs.other}, which is the same without privacy:")
        _say_rows([{"group": row.pop("class"), **row} for row in costs.rows(with_training_images=False)])
        say("")
    if tables:
        say(WHAT_GROUPS, PARITY_WORDS)
    if any(table.other for table in tables):
        say(SEEDS)


def _say_rows(rows: Sequence[dict[str, str]]) -> None:
    for row in rows:
        told = [f"{heading} {words}" for heading, words in row.items() if words and heading != "group"]
        say(f"  {row['group']}: {', '.join(told)}")
