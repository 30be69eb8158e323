"""What a visitor brought, out of the server's memory.

Letting go of an object frees its memory and leaves what stood in it, until something else is written there; in a server
that idles this may take hours. On Linux with glibc the allocator itself can be told to overwrite whatever is freed,
which costs a fraction of the time in which pictures are computed.

Two kinds of small pieces it does not reach: those of up to 512 bytes lie in Python's own pools, and a few of up to
1,032 bytes are kept back for the next who wants one. ``forget`` writes over those that are free when it is called.
Names of files are such pieces, pictures and headers are not.
"""

from __future__ import annotations

import ctypes
import gc
import sys

# From malloc.h.
_M_PERTURB = -6
_FREED = 0xFF  # new memory is filled with the opposite: zeros
_SMALL_BYTES = range(16, 1040, 16)
_PIECES = 4_000  # of each size: 4 MB of the largest
_HEADER_BYTES = sys.getsizeof(b"")


def overwrite_what_is_freed() -> bool:
    """Have the allocator overwrite all memory that is freed from now on; says whether it can (glibc only)."""
    mallopt = getattr(_libc(), "mallopt", None)
    return mallopt is not None and mallopt(_M_PERTURB, _FREED) == 1


def forget() -> None:
    """Free what nothing refers to any more, write over small pieces, and give whole pages back to the system.

    To be called by the thread that serves: small pieces are kept back for each thread by itself. Takes a tenth of a
    second or two, in which everybody waits.
    """
    kept_for_good = gc.get_freeze_count()
    if kept_for_good:
        # A visitor may have been there when everything was declared to be kept for good.
        gc.unfreeze()
    gc.collect()
    if kept_for_good:
        gc.freeze()
    for size in _SMALL_BYTES:
        # Multiplied, not bytes(number): that would pass over what the allocator keeps back for this thread.
        pieces = [b"\0" * max(1, size - _HEADER_BYTES) for _ in range(_PIECES)]
        del pieces
    trim = getattr(_libc(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform.startswith("linux") else None
