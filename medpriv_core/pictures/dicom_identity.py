"""Of a DICOM file whose it is and which it is, for datasets of one's own: never shown, logged or kept as it stands.

Only the header is read, so that ten thousand files take seconds.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import pydicom
from pydicom.dataset import Dataset

# Enough for the header of nearly every image: the pixels come last.
HEAD_BYTES = 256 * 1024
_WANTED = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "MediaStorageSOPClassUID",
    "DirectoryRecordSequence",
]


@dataclass(frozen=True)
class DicomIdentity:
    """What tells a file from others; empty where the header does not say.

    has_image  whether it says how many rows and columns its image has: reports and lists of files do not
    frames     how many images it holds
    """

    instance: str
    study: str
    series: str
    patient: str
    has_image: bool
    frames: int


def dicom_identity(head: bytes) -> DicomIdentity | None:
    """The identity in the first bytes of a file; None for what is no DICOM, or none whose header can be read."""
    if head[128:132] != b"DICM":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(
                io.BytesIO(head), stop_before_pixels=True, specific_tags=list(_WANTED), force=True
            )
            return DicomIdentity(
                instance=_text(dataset, "SOPInstanceUID"),
                study=_text(dataset, "StudyInstanceUID"),
                series=_text(dataset, "SeriesInstanceUID"),
                patient=_text(dataset, "PatientID"),
                frames=_count(_text(dataset, "NumberOfFrames")),
                has_image=bool(_text(dataset, "Rows")) and "DirectoryRecordSequence" not in dataset,
            )
    except Exception:  # a parser of foreign bytes; the picture's own reader says what is wrong
        return None


def _count(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip(" \0")
