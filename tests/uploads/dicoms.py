"""Small DICOM files made for tests, each with identifiers that must not come out again."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

SECRETS = ("Zaphodson", "ZX-998877", "19770131", "Betelgeuse General", "Dr Vogonsson")


def described(pixels: np.ndarray, *, bits: int | None = None, interpretation: str | None = None) -> Dataset:
    """A dataset of these pixels: (h, w), (h, w, 3) or, of several frames, (n, h, w); identifiers filled in."""
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    frames = len(pixels) if pixels.ndim == 3 and not colour else 1
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = SECRETS[:3]
    dataset.InstitutionName, dataset.ReferringPhysicianName = SECRETS[3:]
    dataset.Modality = "OT"
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = interpretation or ("RGB" if colour else "MONOCHROME2")
    if colour:
        dataset.PlanarConfiguration = 0
    height, width = pixels.shape[:2] if colour or frames == 1 else pixels.shape[1:]
    dataset.Rows, dataset.Columns = height, width
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored = bits or 8 * pixels.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    return dataset


def ct(pixels: np.ndarray) -> Dataset:
    """A CT slice of stored values that are Hounsfield units plus 1024."""
    dataset = described(pixels)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.Modality = "CT"
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    return dataset


def written(dataset: Dataset, syntax: UID | None = None) -> bytes:
    """The dataset as a file."""
    if syntax is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def encapsulated(dataset: Dataset, fragments: Sequence[bytes], syntax: UID) -> bytes:
    """The dataset as a file whose pixels are these compressed streams."""
    dataset.PixelData = encapsulate(list(fragments))
    dataset["PixelData"].VR = "OB"
    return written(dataset, syntax)


def jpeg(pixels: np.ndarray) -> bytes:
    """A baseline JPEG stream, (h, w) or (h, w, 3)."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def sequence_item(**attributes: object) -> Dataset:
    """One item of a sequence."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def lookup_table(entries: np.ndarray, *, first: int, bits: int) -> Dataset:
    """An item of a modality or VOI LUT sequence."""
    item = sequence_item(LUTExplanation="Dr Vogonsson special")
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries.astype(int).tolist())
    item.add_new("ModalityLUTType", "LO", "US")
    return item
