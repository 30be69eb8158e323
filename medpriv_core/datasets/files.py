"""The image files of a dataset, in a folder or in a zip that is read in place.

A dataset is known by its content, not by where it lies: every file has a *fingerprint*, its size and
CRC-32. A zip carries both in its table of contents; for a folder they are computed once and remembered
beside each file's size and time of change, as version control does, so that a second start reads no
image and a changed file is noticed. A CRC finds accidents and duplicates; it is no defence against
forgery, and need not be: the files are the user's own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from medpriv_core.datasets.base import Split
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.folder_files import FolderFiles
from medpriv_core.datasets.images import decode_image, to_square
from medpriv_core.datasets.zip_files import ZipFiles
from medpriv_core.errors import DatasetError
from medpriv_core.pictures.reading import AS_USUAL, Fit, Reading
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback, no_progress


def open_files(path: Path, *, memory: Path | None = None, progress: ProgressCallback = no_progress) -> FileSource:
    """The files of a folder or of a zip.

    ``memory`` is a folder in which fingerprints are remembered. Raises ``DatasetError`` if ``path`` is
    neither, cannot be read, or is a zip with names that lead out of it.
    """
    try:
        if path.is_dir():
            return FolderFiles(path, memory, progress)
        if path.exists():
            return ZipFiles(path)
    except PermissionError as error:
        raise DatasetError(f"medpriv may not read {error.filename or path}. Change its permissions.") from error
    except OSError as error:
        raise DatasetError(
            f"{error.filename or path} cannot be read ({error.strerror or error}). Check the path and the disk."
        ) from error
    raise DatasetError(f"There is no folder or file at {path}. Check the path.")


@dataclass(frozen=True)
class FileSplit:
    """A split whose images are files; see ``datasets.base.Split``."""

    files: FileSource
    names: Sequence[str]
    ids: Sequence[str]
    labels: np.ndarray
    channels: int
    reading: Reading = AS_USUAL
    frames: Sequence[int | None] | None = None  # of each image; None where ``reading`` says which

    def image(self, index: int) -> Image.Image:
        """The image at its own size; raises ``ImageError``."""
        return self._decoded(index, None)

    def square(self, index: int, size: int) -> np.ndarray:
        """The image as a square ``uint8`` (size, size, channels), faster than by way of ``image``."""
        return to_square(self._decoded(index, size), size, self.reading.fit)

    def _decoded(self, index: int, at_least: int | None) -> Image.Image:
        name = self.names[index]
        return decode_image(
            self.files.read(name),
            channels=self.channels,
            name=name,
            at_least=at_least,
            reading=self.reading,
            frame=self.frames[index] if self.frames else None,
        )


def square_of(split: Split, index: int, size: int, fit: Fit) -> np.ndarray:
    """An image of any split as a square, ``uint8`` (size, size, channels); raises ``ImageError``."""
    return split.square(index, size) if isinstance(split, FileSplit) else to_square(split.image(index), size, fit)


def content_key(name: str, splits: Iterable[FileSplit], progress: ProgressCallback = no_progress) -> str:
    """Digest of the fingerprints, labels and ids of all splits, in their order; with another one of how they are read.

    The first is the same however the files are read, so that what was spent on them stays spent: ``same_images``.
    """
    digest, readings = hashlib.sha256(name.encode()), set()
    for split in splits:
        readings.add(split.reading)
        prints = split.files.fingerprints(split.names, progress)
        frames = split.frames or [None] * len(split.names)
        for place, (label, frame, (size, crc)) in enumerate(zip(split.labels.tolist(), frames, prints, strict=True)):
            if not frame:  # of a file whose frames are images each, once
                id_ = split.ids[place] if frame is None else split.names[place]
                digest.update(f"{label} {size} {crc} {printable(id_)}\n".encode())
        digest.update(b"--\n")
    said = "".join(sorted(str(reading.to_dict()) for reading in readings if reading != AS_USUAL))
    return digest.hexdigest()[:32] + (f"r{hashlib.sha256(said.encode()).hexdigest()[:8]}" if said else "")


def same_images(content: str) -> str:
    """The part of a content key that is the same however the same files are read.

    >>> same_images("0" * 32 + "r12345678") == same_images("0" * 32), same_images("unknown-x")
    (True, 'unknown-x')
    """
    found = re.fullmatch(r"([0-9a-f]{32})r[0-9a-f]{8}", content)
    return found[1] if found else content


def inner_archives(files: FileSource) -> str:
    """A sentence on the archives among the files, where what was looked for may lie; empty if there are none."""
    packed = [name for name in files.names if re.search(r"\.(zip|rar|7z|tar|tgz|tbz2?|txz|t?gz|npz)$", name.lower())]
    if files.names and all(name.endswith(".npy") for name in files.names):
        return " It is an npz file of arrays: if it is MedMNIST's, add it as pneumoniamnist, pathmnist and so on."
    if not packed:
        return ""
    others = f" and {len(packed) - 1:,} more" if len(packed) > 1 else ""
    inside = ", and give the folder" if not files.folders else " or, if it is a zip or npz, give that file itself"
    return f" It holds the archive {packed[0]}{others}: unpack it{inside}."
