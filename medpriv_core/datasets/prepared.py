"""Datasets converted once to square ``uint8`` arrays, so that a second start is instant.

``<data home>/prepared/<content key>-<size>/`` holds images and labels of both splits as npy files and a
``meta.json``. The key is the dataset's content, so a changed dataset gets a folder of its own, and the
same images read from a folder or from a zip share one.

Threads decode (Pillow lets go of Python's lock while it does), one thread writes in order; only the images
on their way are in memory. The rows are written, not memory-mapped, because a full disk then raises an
error; a process that touches a mapped page with no disk behind it is killed.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from medpriv_core.datasets.base import Dataset, DatasetInfo, PreparedDataset, PreparedSplit, Split, SplitName
from medpriv_core.datasets.files import FileSplit
from medpriv_core.datasets.images import to_square
from medpriv_core.datasets.registry import open_dataset, remember_content
from medpriv_core.errors import DataHomeError, ImageError
from medpriv_core.home import DataHome, explain_disk_errors, read_json, write_json
from medpriv_core.locks import hold_lock
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.spec import check_bound

PHASE = "Reading images"
_SPLITS: tuple[SplitName, ...] = ("train", "test")
# A thread reads this much at a time, between two calls of the progress callback: few hand-overs, little memory.
_BATCH_IMAGES = 16
_BATCH_BYTES = 2 * 1024**2
_SPARE_BYTES = 16 * 1024**2  # left free on the disk


def prepare_dataset(
    home: DataHome, name_or_dataset: str | Dataset, *, image_size: int, progress: ProgressCallback = no_progress
) -> PreparedDataset:
    """The dataset as arrays of ``image_size`` pixels a side, converted now unless it has been before.

    Raises ``DatasetError`` (and ``ImageError`` for unreadable images, naming the first), ``SettingError``
    for an impossible size, and ``DataHomeError`` if the disk is full or read-only. Whatever goes wrong,
    also ``Cancelled``, leaves no half-written arrays behind.
    """
    check_bound("image_size", image_size)
    dataset = open_dataset(home, name_or_dataset) if isinstance(name_or_dataset, str) else name_or_dataset
    content = dataset.content_key()
    if isinstance(name_or_dataset, str):
        remember_content(home, name_or_dataset, content)
    key = f"{content}-{image_size}"
    folder = home.prepared / key
    prepared = _read_prepared(folder, dataset.info, key, image_size)
    if prepared is not None:
        return prepared
    lock = home.prepared / f"{key}.lock"
    with hold_lock(lock, progress=progress, phase="Waiting for another process that reads the same images"):
        prepared = _read_prepared(folder, dataset.info, key, image_size)
        if prepared is None:
            with explain_disk_errors(folder):
                _convert(dataset, folder, image_size, progress)
            prepared = _read_prepared(folder, dataset.info, key, image_size)
    if prepared is None:
        raise DataHomeError(f"The arrays just written to {folder} cannot be read back. Check the disk.")
    return prepared


def _convert(dataset: Dataset, folder: Path, size: int, progress: ProgressCallback) -> None:
    for leftover in folder.parent.glob(f".{folder.name}.*.part"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    splits = {name: dataset.split(name) for name in _SPLITS}
    total = sum(len(split.labels) for split in splits.values())
    _check_space(folder.parent, total * size * size * dataset.info.channels)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    part.mkdir()
    unreadable: list[ImageError] = []
    try:
        done = 0
        for name, split in splits.items():
            shape = (len(split.labels), size, size, dataset.info.channels)
            with open(part / f"{name}_images.npy", "wb") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for rows in _squares(split, size, _batch_length(shape)):
                    unreadable += [row for row in rows if isinstance(row, ImageError)]
                    file.writelines(row.data for row in rows if isinstance(row, np.ndarray))
                    done += len(rows)
                    progress(PHASE, done, total)
            np.save(part / f"{name}_labels.npy", np.asarray(split.labels, dtype=np.int64))
        if unreadable:
            others = f" {len(unreadable) - 1:,} more images cannot be read either." if len(unreadable) > 1 else ""
            raise ImageError(f"{unreadable[0]}{others}")
        write_json(part / "meta.json", {"dataset": dataset.info.name, "image_size": size})
        shutil.rmtree(folder, ignore_errors=True)  # damaged arrays
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _squares(split: Split, size: int, batch: int) -> Iterator[list[np.ndarray | ImageError]]:
    """The images in order, a batch at a time, as contiguous arrays or why one cannot be read."""

    def read(index: int) -> np.ndarray | ImageError:
        try:
            if isinstance(split, FileSplit):
                return np.ascontiguousarray(split.square(index, size))
            return np.ascontiguousarray(to_square(split.image(index), size))
        except ImageError as error:
            return error

    def read_batch(start: int) -> list[np.ndarray | ImageError]:
        return [read(index) for index in range(start, min(start + batch, len(split.labels)))]

    workers = os.cpu_count() or 1
    pending: deque[Future[list[np.ndarray | ImageError]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for start in range(0, len(split.labels), batch):
                pending.append(pool.submit(read_batch, start))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _batch_length(shape: tuple[int, int, int, int]) -> int:
    _, height, width, channels = shape
    return max(1, min(_BATCH_IMAGES, _BATCH_BYTES // (height * width * channels)))


def _read_prepared(folder: Path, info: DatasetInfo, key: str, size: int) -> PreparedDataset | None:
    """The stored arrays, or None where there are none or they are damaged."""
    if read_json(folder / "meta.json") != {"dataset": info.name, "image_size": size}:
        return None
    splits = {}
    for name in _SPLITS:
        try:
            images = np.load(folder / f"{name}_images.npy", mmap_mode="r", allow_pickle=False)
            labels = np.load(folder / f"{name}_labels.npy", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if images.dtype != np.uint8 or images.shape != (len(labels), size, size, info.channels):
            return None
        labels.setflags(write=False)
        splits[name] = PreparedSplit(images, labels)
    return PreparedDataset(info, key, size, folder, train=splits["train"], test=splits["test"])


def _check_space(place: Path, needed: int) -> None:
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE_BYTES:
        raise DataHomeError(
            f"The images need {needed / 1e6:,.0f} MB in {place}, but the disk has {free / 1e6:,.0f} MB free. Free some "
            "space, choose a smaller image size, or point MEDPRIV_HOME to another disk."
        )
