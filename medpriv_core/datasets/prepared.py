"""Datasets converted once to square ``uint8`` arrays, so that a second start is instant.

``<data home>/prepared/<content key>-<size>/`` holds images and labels of both splits as npy files and a
``meta.json``. The key is the dataset's content, so a changed dataset gets a folder of its own, and the
same images read from a folder or from a zip share one. ``meta.json`` keeps a checksum of each file; where one does not
fit, the images are read anew.

How they are written: ``arrays.py``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from medpriv_core.atomic import atomic_folder
from medpriv_core.checksums import file_checksum, read_sealed, write_sealed
from medpriv_core.datasets.arrays import read_array, work_in_order, write_images
from medpriv_core.datasets.base import Dataset, PreparedDataset, PreparedSplit, Split, SplitName
from medpriv_core.datasets.files import FileSplit, square_of
from medpriv_core.datasets.patients import patient_numbers, patients_of
from medpriv_core.datasets.registry import open_dataset, remember_content
from medpriv_core.errors import DataHomeError, ImageError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import hold_lock
from medpriv_core.pictures.reading import Fit
from medpriv_core.pictures.wide_colours import PNG_HEADER, is_deep_png
from medpriv_core.private_files import open_private
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.spec import check_bound

PHASE = "Reading images"
_SPLITS: tuple[SplitName, ...] = ("train", "test")
# 0.1.0 read pictures of 16 bits as all but black: its arrays, features and noised copies are not taken for these.
_DEEP = "-16bit"
# A thread reads this much at a time, between two calls of the progress callback: few hand-overs, little memory.
_BATCH_IMAGES = 16
_BATCH_BYTES = 2 * 1024**2
_FILES = tuple(f"{split}_{part}.npy" for split in _SPLITS for part in ("images", "labels"))

DAMAGED = "The stored arrays of these images were damaged. The images are read anew."
UNCHECKED = (
    "The stored arrays of these images have no checksums, because an earlier version wrote them. Whether they are as "
    "they were written is not known."
)


def prepare_dataset(
    home: DataHome,
    name_or_dataset: str | Dataset,
    *,
    image_size: int,
    progress: ProgressCallback = no_progress,
    say: Callable[[str], None] = lambda _: None,
) -> PreparedDataset:
    """The dataset as arrays of ``image_size`` pixels a side, converted now unless it has been before.

    Reads the stored arrays once, to compare them with their checksums. ``say`` gets a sentence where they were damaged,
    and where it is not known whether they are.

    Raises ``DatasetError`` (and ``ImageError`` for unreadable images, naming the first), ``SettingError``
    for an impossible size, and ``DataHomeError`` if the disk is full or read-only. Whatever goes wrong,
    also ``Cancelled``, leaves no half-written arrays behind.
    """
    check_bound("image_size", image_size)
    dataset = open_dataset(home, name_or_dataset) if isinstance(name_or_dataset, str) else name_or_dataset
    content = dataset.content_key()
    if isinstance(name_or_dataset, str):
        remember_content(home, name_or_dataset, content)
    key = f"{content}-{image_size}{_DEEP if _has_deep_pictures(dataset) else ''}"
    folder = home.prepared / key
    prepared = _read_prepared(folder, dataset, key, image_size)
    if prepared is not None:
        if _checksums(folder) is None:
            say(UNCHECKED)
        return _with_patients(prepared, dataset)
    lock = home.prepared / f"{key}.lock"
    with hold_lock(lock, progress=progress, phase="Waiting for another process that reads the same images"):
        prepared = _read_prepared(folder, dataset, key, image_size)
        if prepared is None:
            if folder.is_dir():
                say(DAMAGED)
            with explain_disk_errors(folder):
                _convert(dataset, folder, image_size, progress)
            prepared = _read_prepared(folder, dataset, key, image_size)
    if prepared is None:
        raise DataHomeError(f"The arrays just written to {folder} cannot be read back. Check the disk.")
    return _with_patients(prepared, dataset)


def _with_patients(prepared: PreparedDataset, dataset: Dataset) -> PreparedDataset:
    """Whose images they are is read from the dataset each time, and not kept with the arrays."""
    train, test = (patient_numbers(dataset, name) for name in _SPLITS)
    return replace(
        prepared,
        patients=patients_of(dataset),
        train=replace(prepared.train, patients=train),
        test=replace(prepared.test, patients=test),
    )


def _has_deep_pictures(dataset: Dataset) -> bool:
    """Whether a PNG of 16 bits is among the images; of each PNG the header is looked at."""
    splits = [split for split in map(dataset.split, _SPLITS) if isinstance(split, FileSplit)]
    pngs = [(split, name) for split in splits for name in split.names if name.lower().endswith(".png")]
    return any(is_deep_png(split.files.head(name, PNG_HEADER)) for split, name in pngs)


def _convert(dataset: Dataset, folder: Path, size: int, progress: ProgressCallback) -> None:
    splits = {name: dataset.split(name) for name in _SPLITS}
    total = sum(len(split.labels) for split in splits.values())
    room_bytes = total * size * size * dataset.info.channels
    unreadable: list[ImageError] = []
    stopped = threading.Event()
    done = 0

    def readable(batches: Iterator[list[np.ndarray | ImageError]]) -> Iterator[list[np.ndarray]]:
        nonlocal done
        try:
            for rows in batches:
                unreadable.extend(row for row in rows if isinstance(row, ImageError))
                done += len(rows)
                yield [row for row in rows if isinstance(row, np.ndarray)]
                progress(PHASE, done, total)
        except BaseException:
            stopped.set()
            raise

    with atomic_folder(folder, room_bytes=room_bytes) as part:
        sums = {}
        for name, split in splits.items():
            images, labels = f"{name}_images.npy", f"{name}_labels.npy"
            shape = (len(split.labels), size, size, dataset.info.channels)
            sums[images] = write_images(
                part / images,
                shape,
                readable(_squares(split, size, dataset.info.reading.fit, _batch_length(shape), stopped)),
            )
            with open_private(part / labels, "wb") as file:
                np.save(file, np.asarray(split.labels, dtype=np.int64))
            sums[labels] = file_checksum(part / labels)
        if unreadable:
            others = f" {len(unreadable) - 1:,} more images cannot be read either." if len(unreadable) > 1 else ""
            raise ImageError(f"{unreadable[0]}{others}")
        write_sealed(part / "meta.json", {"dataset": dataset.info.name, "image_size": size, "checksums": sums})
        # Noised copies of the same images: what was released stays the release.
        for copy in () if folder.is_symlink() else folder.glob("[!.]*/"):
            os.rename(copy, part / copy.name)


def _squares(
    split: Split, size: int, fit: Fit, batch: int, stopped: threading.Event
) -> Iterator[list[np.ndarray | ImageError]]:
    """The images in order, a batch at a time, as contiguous arrays or why one cannot be read.

    Once ``stopped`` is set, the pictures that are being read are the last.
    """

    def read(index: int) -> np.ndarray | ImageError:
        try:
            return np.ascontiguousarray(square_of(split, index, size, fit))
        except ImageError as error:
            return error

    def read_batch(start: int) -> list[np.ndarray | ImageError]:
        indexes = range(start, min(start + batch, len(split.labels)))
        return [read(index) for index in indexes if not stopped.is_set()]

    return work_in_order(read_batch, range(0, len(split.labels), batch))


def _batch_length(shape: tuple[int, int, int, int]) -> int:
    _, height, width, channels = shape
    return max(1, min(_BATCH_IMAGES, _BATCH_BYTES // (height * width * channels)))


def _read_prepared(folder: Path, dataset: Dataset, key: str, size: int) -> PreparedDataset | None:
    """The stored arrays, or None where there are none or they are damaged."""
    meta, info = read_sealed(folder / "meta.json"), dataset.info
    about = {"dataset": info.name, "image_size": size}
    if not meta.sound or not isinstance(meta.values, dict) or any(meta.values.get(key) != about[key] for key in about):
        return None
    checksums = _checksums(folder)
    if checksums is not None and set(checksums) != set(_FILES):
        return None
    splits = {}
    for name in _SPLITS:
        files = [f"{name}_images.npy", f"{name}_labels.npy"]
        sums = [None if checksums is None else checksums[file] for file in files]
        images = read_array(folder / files[0], dtype=np.uint8, checksum=sums[0])
        mapped = read_array(folder / files[1], dtype=np.int64, checksum=sums[1])
        if images is None or mapped is None or images.shape != (len(mapped), size, size, info.channels):
            return None
        labels = np.array(mapped)
        if not np.array_equal(labels, dataset.split(name).labels):
            return None
        labels.setflags(write=False)
        splits[name] = PreparedSplit(images, labels)
    return PreparedDataset(info, key, size, folder, train=splits["train"], test=splits["test"])


def _checksums(folder: Path) -> dict[str, str] | None:
    """Of the files in a folder of prepared arrays; None where an earlier version wrote them."""
    meta = read_sealed(folder / "meta.json").values
    checksums = meta.get("checksums") if isinstance(meta, dict) else None
    return checksums if isinstance(checksums, dict) else None
