"""What ``labels.json`` may hold, by name and type, whoever wrote it.

The records of the training itself say so with their fields (``medpriv_core.records``). What a name of another version
of medpriv stands for, nobody here knows; its value may be any that JSON has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from medpriv_core.records.kinds import as_object, is_text, is_texts, is_time, unfit

Fits = Callable[[Any], bool]


def _or_null(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


_LABELS: Mapping[str, Fits] = {
    "name": is_text,
    "tags": is_texts,
    "notes": is_text,
    "created_at": _or_null(is_time),
    "deleted_at": _or_null(is_time),
}


def check_labels(values: Any) -> dict[str, Any]:
    """``labels.json`` as it is; raises ``Unreadable``."""
    return _checked(values, _LABELS)


def _checked(values: Any, table: Mapping[str, Fits]) -> dict[str, Any]:
    found = as_object(values)
    for name, value in found.items():
        if name in table and not table[name](value):
            raise unfit(name, value)
    return found
