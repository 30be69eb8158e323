"""Who may have a picture decoded now: a few at once, each visitor one.

Every decoder may take hundreds of megabytes and a minute, so the server has places for a few. A visitor whose picture
is being read waits for it before the next begins; nobody can take all places, and nobody waits without end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from medpriv_core.errors import ImageError

MAX_WAIT_S = 60.0
# At least two, so that a slow picture of one visitor holds up nobody else.
DECODERS = max(2, min(4, os.cpu_count() or 1))

STILL_READING = "Your last image is still being read. Wait until it has been, and choose this one again."
ALL_BUSY = "The images of others are being read right now. Try again in a minute."


class Places:
    """So many places; safe to use from several threads."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, visitor: str, *, within_s: float) -> Iterator[None]:
        """A place for the length of the block; raises ``ImageError`` if there is none within so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_free(visitor), within_s):
                raise ImageError(STILL_READING if visitor in self._taken else ALL_BUSY)
            self._taken.add(visitor)
        try:
            yield
        finally:
            with self._changed:
                self._taken.discard(visitor)
                self._changed.notify_all()

    def _is_free(self, visitor: str) -> bool:
        return visitor not in self._taken and len(self._taken) < self._count


PLACES = Places(DECODERS)
