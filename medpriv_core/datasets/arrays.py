"""Writing large arrays into the data home: whole or not at all, without filling memory, and with a word on a full disk.

Threads work on batches of images (Pillow and numpy let go of Python's lock while they do), one thread writes the rows
in order; only the images on their way are in memory. Rows are written and not memory-mapped, because a full disk then
raises an error; a process that touches a mapped page with no disk behind it is killed.

A checksum is taken on the way. Whoever stores an array keeps it, and compares it when the array is opened.
"""

from __future__ import annotations

import glob
import io
import os
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from medpriv_core.checksums import Summing, file_checksum
from medpriv_core.errors import DataHomeError
from medpriv_core.private_files import link_refused, make_folder, open_private, remove_whole

Result = TypeVar("Result")

_SPARE_BYTES = 16 * 1024**2  # left free on the disk


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into that takes the place of ``folder`` at the end of the block; nothing is left on an error.

    What processes that were killed left behind is removed first, so only one process at a time may do this.
    """
    name = glob.escape(folder.name)
    if folder.parent.is_symlink():
        raise DataHomeError(link_refused(folder.parent))
    for leftover in [*folder.parent.glob(f".{name}.*.part"), *folder.parent.glob(f"{name}.*.part")]:
        with suppress(OSError):
            remove_whole(leftover)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    make_folder(part)
    try:
        yield part
        remove_whole(folder)  # damaged arrays
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


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


def check_space(place: Path, needed: int) -> None:
    """Raise ``DataHomeError`` if the disk that holds ``place`` has no room for ``needed`` bytes of images."""
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE_BYTES:
        raise DataHomeError(
            f"The images need {needed / 1e6:,.0f} MB in {place}, but the disk has {free / 1e6:,.0f} MB free. Free some "
            "space, choose a smaller image size, or point MEDPRIV_HOME to another disk."
        )
