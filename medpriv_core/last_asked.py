"""Questions answered aside, in one thread, the last one first.

A page asks something that takes longer than it may wait, shows what is known, and asks again. What is asked while
somebody drags a slider is passed at once: the last question is the one whose answer is looked at, and the oldest are
given up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger("medpriv")

Key = TypeVar("Key", bound=Hashable)
MOST_WAITING = 20  # questions; the oldest is given up, for nobody looks at its answer any more


class LastAsked(Generic[Key]):
    """A thread called ``name`` that answers questions, and ends where none is left."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: dict[Key, Callable[[], object]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self, key: Key, answer: Callable[[], object]) -> None:
        """Have a question answered before all others; one that waits already is moved to the front.

        Args:
            key: What tells questions apart.
            answer: Called in the thread; it keeps its result itself. What it raises is logged.
        """
        with self._lock:
            self._waiting.pop(key, None)
            self._waiting[key] = answer
            for oldest in list(self._waiting)[:-MOST_WAITING]:
                del self._waiting[oldest]
            if self._thread is None:
                self._thread = threading.Thread(target=self._answer_all, name=self._name, daemon=True)
                self._thread.start()

    def _answer_all(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                _, answer = self._waiting.popitem()
            try:
                answer()
            except Exception:
                log.exception("A question asked of %s was not answered.", self._name)
