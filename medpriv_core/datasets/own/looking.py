"""Looking at every image once: which cannot be read, how large they are, and which are nearly the same.

Two pictures are nearly the same if their thumbnails correlate by more than ``ALIKE``, each less the mean thumbnail of
all: pictures of one kind are otherwise all alike. Only pairs whose perceptual hashes (which of two neighbouring means
is brighter, Buchner's difference hash) agree in a fourth of their bits are compared, so that the work does not grow
with the square of the number of images.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from medpriv_core.datasets.arrays import work_in_order
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.images import decode_image
from medpriv_core.datasets.own.rows import Row
from medpriv_core.errors import ImageError
from medpriv_core.pictures.reading import AS_USUAL, Reading
from medpriv_core.progress import ProgressCallback, no_progress

PHASE = "Looking at every image"
SIDE = 32  # of a thumbnail
ALIKE = 0.99
_BANDS = 4  # of 16 bits each
_MOST_IN_BAND = 400  # more that share a band have nothing in common but being of one kind
_BATCH = 16


@dataclass(frozen=True)
class Seen:
    """What was seen of the images of a dataset, in their order.

    unreadable  index of an image -> why it cannot be read
    sizes       how many images have which width and height
    alike       pairs of indexes of nearly the same images, those that are equal byte for byte among them
    """

    unreadable: dict[int, str]
    sizes: Counter[tuple[int, int]]
    alike: tuple[tuple[int, int], ...]


def look_at_all(
    files: FileSource, rows: Sequence[Row], reading: Reading = AS_USUAL, progress: ProgressCallback = no_progress
) -> Seen:
    """Decode every image once, on all cores; memory is that of some pictures and of a thumbnail for each image."""
    thumbnails = np.zeros((len(rows), SIDE * SIDE), dtype=np.uint8)
    hashes = np.zeros(len(rows), dtype=np.uint64)
    unreadable: dict[int, str] = {}
    sizes: Counter[tuple[int, int]] = Counter()

    def look(start: int) -> list[tuple[tuple[int, int], np.ndarray, int] | str]:
        return [_look(files, row, reading) for row in rows[start : start + _BATCH]]

    done = 0
    batches: Iterator[list[tuple[tuple[int, int], np.ndarray, int] | str]] = work_in_order(
        look, range(0, len(rows), _BATCH)
    )
    for batch in batches:
        for seen in batch:
            if isinstance(seen, str):
                unreadable[done] = seen
            else:
                size, thumbnails[done], hashes[done] = seen
                sizes[size] += 1
            done += 1
        progress(PHASE, done, len(rows))
    readable = np.array([place for place in range(len(rows)) if place not in unreadable], dtype=np.int64)
    return Seen(unreadable, sizes, tuple(_alike(thumbnails, hashes, readable)))


def _look(files: FileSource, row: Row, reading: Reading) -> tuple[tuple[int, int], np.ndarray, int] | str:
    try:
        data = files.read(row.file)
        picture = decode_image(data, channels=1, name=row.file, at_least=2 * SIDE, reading=reading, frame=row.frame)
    except ImageError as error:
        return str(error)
    small = np.asarray(picture.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = (small[:, 1:] > small[:, :-1]).reshape(-1)
    number = int.from_bytes(np.packbits(bits).tobytes(), "big")
    thumbnail = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.uint8).reshape(-1)
    return _size(data) or picture.size, thumbnail, number


def _size(data: bytes) -> tuple[int, int] | None:
    """As the header says it: a JPEG is decoded smaller than it is stored."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return opened.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None  # a DICOM, which is decoded whole


def _alike(thumbnails: np.ndarray, hashes: np.ndarray, readable: np.ndarray) -> list[tuple[int, int]]:
    if len(readable) < 2:
        return []
    mean = thumbnails[readable].mean(0)
    candidates: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        buckets: dict[int, list[int]] = defaultdict(list)
        for place in readable.tolist():
            buckets[int(hashes[place]) >> (16 * band) & 0xFFFF].append(place)
        for bucket in buckets.values():
            if 1 < len(bucket) <= _MOST_IN_BAND:
                candidates.update((one, two) for at, one in enumerate(bucket) for two in bucket[at + 1 :])
    pairs = sorted(candidates)
    found: list[tuple[int, int]] = []
    for start in range(0, len(pairs), 4096):
        part = np.array(pairs[start : start + 4096], dtype=np.int64)
        one, two = (_standard(thumbnails[part[:, side]].astype(np.float32) - mean) for side in (0, 1))
        same = (one * two).sum(1) > ALIKE
        found += [(int(first), int(second)) for first, second in part[same].tolist()]
    return found


def _standard(rows: np.ndarray) -> np.ndarray:
    rows = rows - rows.mean(1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    result: np.ndarray = rows / np.where(lengths > 0, lengths, 1)
    return result
