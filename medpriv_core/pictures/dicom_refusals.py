"""DICOM files that hold no picture to show, each with the sentence that says what they hold."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from medpriv_core.errors import ImageError

# SOP classes (PS3.4 B.5) by the start of their identifier.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_WITHOUT_PICTURE = (
    ("88.", "a structured report"),
    ("104.", "a document (such as a PDF)"),
    ("9.", "a waveform (such as an ECG)"),
    ("11.", "a presentation state"),
    ("481.3", "the structures of a radiotherapy plan"),
    ("481.5", "a radiotherapy plan"),
)
_DICOMDIR = "1.2.840.10008.1.3.10"

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_TIME = tuple(
    Tag(keyword)
    for keyword in (
        "TimeSlotVector",
        "RRIntervalVector",
        "PhaseVector",
        "TemporalPositionIndex",
        "TemporalPositionTimeOffset",
        "NominalCardiacTriggerDelayTime",
        "NominalPercentageOfCardiacPhase",
    )
)
_SPACE = tuple(
    Tag(keyword) for keyword in ("SliceVector", "InStackPositionNumber", "ImagePositionPatient", "ImagePositionVolume")
)


def refuse_without_pixels(dataset: Dataset) -> None:
    """Raise ``ImageError`` if there are no pixels, or pixels that mean nothing without something else."""
    if not any(dataset.get(keyword) for keyword in PIXELS):
        if dataset.get("EncryptedAttributesSequence"):
            raise ImageError("The image in this DICOM is encrypted. Upload it without encryption.")
        raise ImageError(f"This DICOM holds {_content(dataset)} and no image. Choose the file with the image itself.")
    if dataset.get("PixelPresentation") in ("COLOR", "MIXED"):
        raise ImageError("This DICOM lays colours over a grey image, which is not read. Export it as plain RGB.")


def refuse_series_in_time(dataset: Dataset) -> None:
    """Raise ``ImageError`` if the frames are slices at several times: a slider over them would mix the two."""
    pointers = dataset.get("FrameIncrementPointer")
    tags = [pointers] if isinstance(pointers, int) else list(pointers or ())
    if any(tag in _TIME for tag in tags) and any(tag in _SPACE for tag in tags):
        raise _four_dimensions()
    indexes = [item.get("DimensionIndexPointer") for item in dataset.get("DimensionIndexSequence") or ()]
    if _varies(dataset, indexes, _TIME) and _varies(dataset, indexes, _SPACE):
        raise _four_dimensions()


def _varies(dataset: Dataset, indexes: list[int | None], kind: tuple[int, ...]) -> bool:
    """Whether the frames differ in a dimension of this kind."""
    for place, pointer in enumerate(indexes):
        if pointer not in kind:
            continue
        seen = set()
        for groups in dataset.get("PerFrameFunctionalGroupsSequence") or ():
            content = groups.get("FrameContentSequence")
            values = content[0].get("DimensionIndexValues") if content else None
            values = [values] if isinstance(values, int) else list(values or ())
            seen.add(values[place] if place < len(values) else None)
        if len(seen) > 1:
            return True
    return False


def _four_dimensions() -> ImageError:
    return ImageError(
        "This DICOM holds slices at several times (4D). Single images, and frames along one axis "
        "(slices, or one slice in time), are read: export one of these."
    )


def _content(dataset: Dataset) -> str:
    sop_class = str(dataset.get("SOPClassUID", ""))
    if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == _DICOMDIR:
        return "the table of contents of a disc"
    for start, what in _WITHOUT_PICTURE:
        if sop_class.startswith(_STORAGE + start):
            return what
    return "other data"
