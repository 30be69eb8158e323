"""Writing large arrays into the data home without filling memory, and reading them.

Threads work on batches of images (Pillow and numpy let go of Python's lock while they do), one thread writes the rows
in order; only the images on their way are in memory. Rows are written and not memory-mapped, because a full disk then
raises an error; a process that touches a mapped page with no disk behind it is killed.

A checksum is taken on the way. Whoever stores an array keeps it, and compares it when the array is opened.
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from medpriv_core.checksums import Summing, file_checksum
from medpriv_core.private_files import open_private

Result = TypeVar("Result")


def write_images(path: Path, shape: tuple[int, ...], batches: Iterable[Iterable[np.ndarray]]) -> str:
    """Write an npy file of ``uint8`` and this shape from its rows, which come in order; returns its checksum."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with open_private(path, "wb") as file:
        summing = Summing(file)
        summing.write(header.getvalue())
        for rows in batches:
            for row in rows:
                summing.write(np.ascontiguousarray(row).data)
    return summing.checksum


def read_array(path: Path, *, dtype: type[np.generic], checksum: str | None) -> np.ndarray | None:
    """The array in an npy file, mapped and read-only; None where it is missing, damaged, or of another kind.

    ``checksum`` is what was kept when it was written; of files of earlier versions it is None, and only what the file
    says of itself is looked at. Reads the whole file once.
    """
    try:
        if checksum is not None and file_checksum(path) != checksum:
            return None
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    # A damaged header fails inside numpy in many ways: ValueError, EOFError, TokenError, TypeError, OverflowError, ...
    except Exception:
        return None
    # Order is part of the header too: the same bytes in the other order are other pictures.
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.flags.c_contiguous
    return array if fits else None


def work_in_order(work: Callable[[int], Result], starts: Iterable[int]) -> Iterator[Result]:
    """``work(start)`` for each start, in order, by as many threads as there are processors and little ahead."""
    workers = os.cpu_count() or 1
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for start in starts:
                pending.append(pool.submit(work, start))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
