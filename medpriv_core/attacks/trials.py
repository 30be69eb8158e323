"""How often patients are found, counted aside: one thread for all who ask, the last question first.

A hundred trials against a hundred pictures take hundredths of a second or seconds, by the noise and the size. No page
is to wait for that, and what one visitor has asked need not be counted again for the next. So a question has a key that
says all it depends on, and what is known of it is kept.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.last_asked import LastAsked

log = logging.getLogger("medpriv")

MOST_KNOWN = 5000

Begin = Callable[[], Iterator[SuccessRate]]


@dataclass(frozen=True)
class Counted:
    """What is known by now: ``success`` of the trials so far (None before the first, or where they failed)."""

    success: SuccessRate | None
    done: bool


_known: dict[Hashable, Counted] = {}
_lock = threading.Lock()
_questions: LastAsked[Hashable] = LastAsked("trials")


def known_of(key: Hashable) -> Counted | None:
    """What is known of a question by now; None if nothing is."""
    return _known.get(key)


def count_aside(key: Hashable, begin: Begin) -> Counted:
    """Tell what is known of a question by now, and have it counted where it is not known in full.

    Args:
        key: All that the result depends on, and nothing of a visitor's own: it is kept as long as the program runs.
        begin: Starts the trials, as ``reidentification.success_soon`` does; called in another thread.

    Returns:
        What is known; to be asked again until it is ``done``.
    """
    found = _known.get(key)
    if found is not None:
        return found
    _questions.ask(key, lambda: _count_or_fail(key, begin))
    return Counted(None, done=False)


def count_now(key: Hashable, begin: Begin) -> Counted:
    """As ``count_aside``, but wait for the result.

    Args:
        key: As there.
        begin: As there; called in this thread.

    Returns:
        The result.
    """
    found = _known.get(key)
    return found if found is not None and found.done else _count(key, begin)


def _count_or_fail(key: Hashable, begin: Begin) -> None:
    try:
        _count(key, begin)
    except Exception:
        log.exception("Trials could not be counted.")
        _keep(key, Counted(None, done=True))


def _count(key: Hashable, begin: Begin) -> Counted:
    success = None
    for success in begin():
        _keep(key, Counted(success, done=False))
    counted = Counted(success, done=True)
    _keep(key, counted)
    return counted  # what was kept may be forgotten by now


def _keep(key: Hashable, counted: Counted) -> None:
    with _lock:
        if len(_known) >= MOST_KNOWN and key not in _known:
            _known.clear()
        _known[key] = counted
