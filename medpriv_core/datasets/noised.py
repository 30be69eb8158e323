"""Local-DP copies of a prepared dataset, noised once and stored.

Each draw of noise is one release of a picture: drawing again for another epoch or another run would spend the privacy
budget again. So a dataset, image size and ``PictureNoise`` have one noised copy, made on first use and used by every
run after that. Its noise is derived from the data home's secret and each picture (``mechanisms/keyed.py``).
Where a copy has to be made again, because it was damaged or another picture joined the dataset, every old picture gets
the noise that it had. ``noise.json`` keeps a checksum of each file, which is compared when the copy is opened.

Copies of medpriv 0.1.0 were noised from the operating system's entropy; they are the release and stay in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from medpriv_core.atomic import atomic_folder
from medpriv_core.checksums import file_checksum, read_sealed, write_sealed
from medpriv_core.datasets.arrays import read_array, work_in_order, write_images
from medpriv_core.datasets.base import PreparedDataset, PreparedSplit
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import hold_lock
from medpriv_core.mechanisms.keyed import GENERATOR, keyed_release
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.secret import noise_secret, secret_mark

PHASE = "Adding noise"
# Values that a thread noises between two calls of the progress callback.
BATCH_VALUES = 1_000_000

_RECORD = "noise.json"
_LOST = (
    "The secret from which earlier noised copies were made is gone. The images are noised anew from another one: "
    "this is one more release of them, and its ε adds to that of the copies before."
)
_REDRAWN = (
    "The stored noised copy was damaged. An earlier version had drawn its noise by chance, so it cannot be made again: "
    "the images are noised anew, which is one more release of them."
)

REMADE = (
    "The stored noised copy was damaged. It is made again with the noise that it had, so nothing more is released of "
    "the images."
)
_UNSURE = (
    "The stored noised copy and its record were damaged, so it is not known whether the copy that takes its place has "
    "the same noise. If it has not, this is one more release of the images."
)
UNCHECKED = (
    "The stored noised copy has no checksums, because an earlier version wrote it. Whether it is as it was written is "
    "not known."
)


def noised_dataset(
    home: DataHome,
    prepared: PreparedDataset,
    noise: PictureNoise,
    *,
    progress: ProgressCallback = no_progress,
    say: Callable[[str], None] = lambda _: None,
) -> PreparedDataset:
    """The copy of ``prepared`` with this ``noise``, made now if there is none yet.

    Both splits are noised, clamped and rounded to ``uint8`` (post-processing). Labels are not protected. ``say`` gets a
    sentence where a copy was damaged, where nobody knows whether it is, and where the pictures are released once more.
    Raises ``SettingError`` for pictures too small for the mechanism and ``DataHomeError`` where the disk refuses.
    """
    folder = home.prepared / prepared.folder.name / copy_name(noise)
    if (copy := _read_copy(folder, prepared)) is not None:
        if _checksums(folder) is None:
            say(UNCHECKED)
        return copy
    lock = home.prepared / f"{prepared.folder.name}-{folder.name}.lock"
    with hold_lock(lock, progress=progress, phase="Waiting for another process that noises the same images"):
        copy = _read_copy(folder, prepared)
        if copy is None:
            with explain_disk_errors(folder):
                _make(home, prepared, folder, noise, progress=progress, say=say)
            copy = _read_copy(folder, prepared)
    if copy is None:
        raise DataHomeError(f"The noised copy just written to {folder} cannot be read back. Check the disk.")
    return copy


def copy_name(noise: PictureNoise) -> str:
    """Of the folder of a copy: mechanism and all parameters, so that another one never takes its place.

    >>> from medpriv_core.mechanisms.catalog import picture_noise
    >>> copy_name(picture_noise("laplace_per_pixel", beta=2.0)), copy_name(picture_noise("dp_pix", beta=0.1))
    ('laplace-per_pixel-2', 'dp_pix-block_8-changed_pixels_16-0.1')
    """
    short = f"{noise.beta:.6g}"
    return f"{noise.stored_as}-{short if float(short) == noise.beta else repr(noise.beta)}"


def _make(
    home: DataHome,
    prepared: PreparedDataset,
    folder: Path,
    noise: PictureNoise,
    *,
    progress: ProgressCallback,
    say: Callable[[str], None],
) -> None:
    secret = noise_secret(home, progress=progress)
    mark = secret_mark(secret)
    record = read_sealed(folder / _RECORD)
    damaged = folder.is_dir()
    if damaged and record.state == "missing":
        say(_REDRAWN)
    elif any(other != mark for other in _marks(home)):
        say(_LOST)
    splits = {"train": prepared.train.images, "test": prepared.test.images}
    total = sum(len(images) for images in splits.values())
    room_bytes = sum(images.size for images in splits.values())
    done = 0

    def noised(images: np.ndarray) -> Iterator[np.ndarray]:
        nonlocal done
        batch = max(1, BATCH_VALUES // max(1, images[:1].size))

        def noise_batch(start: int) -> np.ndarray:
            return keyed_release(images[start : start + batch], noise, secret=secret)

        for rows in work_in_order(noise_batch, range(0, len(images), batch)):
            yield rows
            done += len(rows)
            progress(PHASE, done, total)

    with atomic_folder(folder, room_bytes=room_bytes) as part:
        sums = {}
        for name, images in splits.items():
            sums[f"{name}.npy"] = write_images(part / f"{name}.npy", images.shape, noised(images))
        write_sealed(part / _RECORD, {"generator": GENERATOR, "secret": mark, "checksums": sums})
        if damaged and record.state != "missing":
            # The record tells the secret; without it, a file that comes out the same does.
            same = record.values.get("secret") == mark if record.sound else _any_alike(folder, sums)
            if same:
                say(REMADE)
            elif not record.sound:
                say(_UNSURE)


def _read_copy(folder: Path, prepared: PreparedDataset) -> PreparedDataset | None:
    """The stored copy, or None where there is none or it is damaged."""
    if read_sealed(folder / _RECORD).state == "damaged":
        return None
    splits, checksums = [], _checksums(folder)
    for name, clean in (("train", prepared.train), ("test", prepared.test)):
        checksum = None if checksums is None else checksums.get(f"{name}.npy", "")
        images = read_array(folder / f"{name}.npy", dtype=np.uint8, checksum=checksum)
        if images is None or images.shape != clean.images.shape:
            return None
        splits.append(PreparedSplit(images, clean.labels))
    return replace(prepared, folder=folder, train=splits[0], test=splits[1])


def _marks(home: DataHome) -> set[str]:
    """Of the secrets from which the copies that are stored were made."""
    records = (read_sealed(path) for path in home.prepared.glob(f"*/*/{_RECORD}"))
    return {str(record.values["secret"]) for record in records if record.sound and "secret" in record.values}


def _checksums(folder: Path) -> dict[str, str] | None:
    """Of the files of a copy; None where an earlier version wrote them."""
    record = read_sealed(folder / _RECORD)
    checksums = record.values.get("checksums") if record.sound else None
    return checksums if isinstance(checksums, dict) else None


def _any_alike(folder: Path, checksums: Mapping[str, str]) -> bool:
    """Whether a file of a copy is the one that was made just now."""
    return any((folder / name).is_file() and file_checksum(folder / name) == sum_ for name, sum_ in checksums.items())
