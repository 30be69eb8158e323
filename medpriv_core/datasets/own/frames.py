"""DICOM files with several frames, and the windows of CT: what an owner of images chose for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.images import decode_image
from medpriv_core.datasets.own.images import ImageFiles
from medpriv_core.datasets.own.rows import Row
from medpriv_core.errors import DatasetError
from medpriv_core.pictures.reading import FRAMES_USED, Reading
from medpriv_core.printable import printable

MOST_OF_A_FILE = 200  # each frame is read by itself, and all of a file are looked at for it


def by_frame(rows: Sequence[Row], images: ImageFiles, reading: Reading, notes: list[str]) -> list[Row]:
    """The rows, one for each frame where each is an image; what was chosen is said where a file has several.

    Raises ``DatasetError`` where such files are refused, or one has too many.
    """
    several = {row.file: images.frames[row.file] for row in rows if row.file in images.frames}
    if not several:
        return list(rows)
    example = max(several, key=several.__getitem__)
    count = f"{len(several):,} DICOM {'file holds' if len(several) == 1 else 'files hold'} several frames"
    if reading.frames == "refuse":
        raise DatasetError(
            f"{count} ({printable(example)} has {several[example]:,}). Choose the first or the middle one, or take "
            "each as an image (--frames)."
        )
    notes.append(f"{count}, up to {several[example]:,}; {FRAMES_USED[reading.frames]}.")
    if reading.frames != "each":
        return list(rows)
    if several[example] > MOST_OF_A_FILE:
        raise DatasetError(
            f"{printable(example)} has {several[example]:,} frames; up to {MOST_OF_A_FILE} are taken as images each. "
            "Take the middle one (--frames middle), or export its frames as files."
        )
    return [
        one
        for row in rows
        for one in ([replace(row, frame=place) for place in range(several[row.file])] if row.file in several else [row])
    ]


def check_window(files: FileSource, rows: Sequence[Row], images: ImageFiles, reading: Reading) -> None:
    """Raise ``ImageError`` for a window of CT where the first DICOM has no Hounsfield units, or there is none."""
    if reading.window in ("file", "percentiles"):
        return
    first = next((row for row in rows if row.file in images.dicom), None)
    if first is None:
        raise DatasetError(
            f"The window {reading.window!r} is one of CT, and none of these images is DICOM. Choose another (--window)."
        )
    decode_image(files.read(first.file), channels=1, name=first.file, reading=reading, frame=first.frame)
