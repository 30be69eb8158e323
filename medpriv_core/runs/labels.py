"""What people call a run: its name, tags and notes, and whether they have put it away.

They are kept in the table and mirrored in ``labels.json`` of the run directory, so that they outlive the table. Two
people may look at the same run: whoever says what they saw (``expected``) is refused if it has changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.printable import storable
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RowChange, RunRow, RunStore

LONGEST_NAME = 120
LONGEST_TAG = 80
MOST_TAGS = 20
LONGEST_NOTES = 10_000


def labels_of(row: RunRow) -> dict[str, Any]:
    """What ``labels.json`` holds for a run."""
    return {
        "name": row.name,
        "tags": list(row.tags),
        "notes": row.notes,
        "created_at": row.created_at,
        "deleted_at": row.deleted_at,
    }


def rename(home: DataHome, run_id: str, name: str, *, expected: str | None = None) -> None:
    """Give a run another name.

    Raises ``RunError`` for an empty or overlong name, and where ``expected``, the name that the caller saw, is no
    longer its name.
    """
    name = clean_name(name)
    with RunStore(home).changing(run_id) as change:
        _check_unchanged("name", expected, change.row.name, shown=change.row.name)
        put_labels(home, change, name=name)


def set_tags(home: DataHome, run_id: str, tags: Iterable[str], *, expected: Sequence[str] | None = None) -> None:
    """Give a run these tags in place of those it has; ``expected`` and the errors are as for ``rename``."""
    tags = clean_tags(tags)
    with RunStore(home).changing(run_id) as change:
        seen = None if expected is None else tuple(expected)
        _check_unchanged("tags", seen, change.row.tags, shown=", ".join(change.row.tags) or "none")
        put_labels(home, change, tags=tags)


def set_notes(home: DataHome, run_id: str, notes: str, *, expected: str) -> None:
    """Write the notes of a run anew; ``expected`` is what the caller saw, the errors are as for ``rename``."""
    notes = storable(notes)
    if len(notes) > LONGEST_NOTES:
        raise RunError(f"The notes of a run may have {LONGEST_NOTES:,} characters, but these have {len(notes):,}.")
    with RunStore(home).changing(run_id) as change:
        _check_unchanged("notes", expected, change.row.notes, shown=change.row.notes or "nothing")
        put_labels(home, change, notes=notes)


def clean_name(name: str) -> str:
    """The name on one line without outer blanks; raises ``RunError`` for an empty or overlong one."""
    name = " ".join(storable(name).split())
    if not name:
        raise RunError("A run needs a name: type at least one letter.")
    if len(name) > LONGEST_NAME:
        raise RunError(f"The name of a run may have {LONGEST_NAME} characters, but this one has {len(name)}.")
    return name


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Each tag once, without outer blanks; raises ``RunError`` for too many or overlong ones."""
    cleaned = tuple(dict.fromkeys(filter(None, (" ".join(storable(tag).split()) for tag in tags))))
    if len(cleaned) > MOST_TAGS:
        raise RunError(f"A run may have {MOST_TAGS} tags, but these are {len(cleaned)}.")
    for tag in cleaned:
        if len(tag) > LONGEST_TAG:
            raise RunError(f"A tag may have {LONGEST_TAG} characters, but {tag[:LONGEST_TAG]}… has {len(tag)}.")
    return cleaned


def _check_unchanged(what: str, expected: object, now: object, *, shown: str) -> None:
    if expected is not None and expected != now:
        raise RunError(
            f"Somebody else changed the {what} of this run meanwhile, which now says: {shown}. Look at it, then change "
            "it again."
        )


def put_labels(home: DataHome, change: RowChange, **values: Any) -> None:
    """Put values into the columns of a run and into its ``labels.json``; ``DataHomeError`` if the disk refuses."""
    change.put(**values)
    directory = RunDirectory(home.runs / change.row.id)
    if directory.path.is_dir() and not directory.path.is_symlink():
        # Within the transaction: if the disk refuses, the table keeps the old labels too.
        directory.write_labels(labels_of(change.row) | values)
