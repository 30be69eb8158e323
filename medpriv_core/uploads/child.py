"""The decoding child: limits itself, reads a file from its standard input, answers on its standard output.

It is started by ``isolation.py``, lives for one file, and imports only what this kind of file needs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from medpriv_core.pictures.kinds import Kind

MAX_MEMORY_BYTES = 704 * 2**20
MAX_CPU_S = 20


def main(kind: Kind) -> None:
    """Decode one file of this kind (``kinds.Kind``)."""
    limit_itself()
    # A C library that prints must not write into the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # pydicom would load a web client for its test data, which takes longer than all the rest.
    sys.modules["requests"] = None  # type: ignore[assignment]
    warnings.simplefilter("ignore")
    answer_with(kind, sys.stdin.buffer.read(), answer)
    answer.flush()
    # Skips tidying up, which a damaged stream may have made unsafe.
    os._exit(0)


def limit_itself() -> None:
    """Bound memory and processor time, and forbid files, where the system can (Linux: all of it)."""
    try:
        import resource
    except ImportError:  # Windows: the clock of the parent still holds
        return
    for limit, soft, hard in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES, MAX_MEMORY_BYTES),
        # At the soft limit comes the signal by which the parent knows why, at the hard one the end.
        (resource.RLIMIT_CPU, MAX_CPU_S, MAX_CPU_S + 5),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS knows no limit of address space
            resource.setrlimit(limit, (soft, hard))


def answer_with(kind: Kind, data: bytes, answer: BinaryIO) -> None:
    """Decode, and send the pixels or the sentence why there are none."""
    from medpriv_core.errors import ImageError
    from medpriv_core.pictures.decoded import TOO_MUCH_MEMORY, send, send_refusal
    from medpriv_core.pictures.decoding import decode
    from medpriv_core.pictures.frames import FOR_A_PAGE

    try:
        decoded = decode(kind, data, FOR_A_PAGE)
    except ImageError as error:
        send_refusal(str(error), answer)
    except MemoryError:
        send_refusal(TOO_MUCH_MEMORY, answer)
    else:
        send(decoded, answer)
