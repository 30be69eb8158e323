"""How somebody looks at the table of runs: which columns, in which groups, against which run. Kept in the data home.

The columns that nobody chose are those that tell the shown runs apart: where all have one dataset, its column says
nothing, and a setting is worth a column where runs differ in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from medpriv_core.atomic import write_json
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.records.kinds import is_text, is_texts
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import SETTINGS, RunSpec
from medpriv_core.strict_json import Unreadable, read_json_file

GroupBy = Literal["none", "seed", "sweep"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)
MOST_SETTINGS = 6  # columns that come by themselves; more can be chosen
MOST_BYTES = 1 << 16
# They have columns of their own, or are said by another.
_HAVE_COLUMNS = {"dataset", "method", "beta", "epochs", "device", "precision", "memory_mb"}


@dataclass(frozen=True)
class TableView:
    """``columns`` by their titles, None: the usual ones; ``baseline`` is the id of a run, or None."""

    columns: tuple[str, ...] | None = None
    group: GroupBy = "none"
    baseline: str | None = None


def read_view(home: DataHome) -> TableView:
    """What was kept; the usual view where nothing was, or where that cannot be read."""
    try:
        kept = read_json_file(home.table_view, most_bytes=MOST_BYTES)
    except (OSError, Unreadable):
        return TableView()
    if not isinstance(kept, dict):
        return TableView()
    columns, baseline = kept.get("columns"), kept.get("baseline")
    return TableView(
        tuple(columns) if isinstance(columns, list) and is_texts(columns) else None,
        next((group for group in GROUPS if group == kept.get("group")), "none"),
        baseline if is_text(baseline) else None,
    )


def keep_view(home: DataHome, view: TableView) -> None:
    """Remember how the table is looked at; a disk that refuses only forgets it."""
    with suppress(MedprivError, OSError):
        write_json(home.table_view, asdict(view))


def differing_settings(runs: Sequence[RunSummary]) -> list[str]:
    """The settings in which these runs differ, without those that the table has columns for anyway."""
    specs = [run.spec.canonical() for run in runs if run.spec is not None]
    return [name for name in SETTINGS if name not in _HAVE_COLUMNS and len({getattr(spec, name) for spec in specs}) > 1]


def by_seed(runs: Sequence[RunSummary]) -> list[tuple[RunSummary, ...]]:
    """Finished runs that are one but for the seed together, at the place of the first of them; others alone."""
    groups: dict[object, list[RunSummary]] = {}
    for run in runs:
        groups.setdefault(_alike(run), []).append(run)
    return [tuple(members) for members in groups.values()]


def _alike(run: RunSummary) -> RunSpec | tuple[RunSpec, int] | str:
    if run.spec is None or run.state != "finished":
        return run.id
    return run.spec.canonical(any_seed=True), run.epochs_done


def mean_lines(lines: Sequence[dict[str, Any]], means: Sequence[str]) -> dict[str, Any]:
    """The first line, with the mean of all in the columns ``means`` where all of them have a number."""
    first = dict(lines[0])
    for title in means:
        values = [line.get(title) for line in lines]
        known = [value for value in values if value is not None]
        first[title] = sum(known) / len(known) if len(known) == len(values) and known else None
    return first


def telling_columns(lines: Sequence[dict[str, Any]], *, unless_equal: Sequence[str]) -> list[str]:
    """The columns in which something stands; of those named only where lines differ in them."""
    titles = list(dict.fromkeys(title for line in lines for title in line))
    kept = []
    for title in titles:
        values = [line.get(title) for line in lines]
        equal = all(value == values[0] for value in values)
        empty = all(value in (None, "", []) for value in values)
        if len(lines) < 2 or not (empty or (equal and title in unless_equal)):
            kept.append(title)
    return kept


def differences(
    lines: Sequence[dict[str, Any]], baseline: dict[str, Any], titles: Sequence[str]
) -> list[dict[str, float | None]]:
    """Of each line, by how much it is above ``baseline`` in the columns ``titles``; None where one has no number."""
    found = []
    for line in lines:
        pairs = {title: (line.get(title), baseline.get(title)) for title in titles}
        found.append({title: None if a is None or b is None else a - b for title, (a, b) in pairs.items()})
    return found
