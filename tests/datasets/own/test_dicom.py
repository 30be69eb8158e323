"""DICOM as a dataset: files with and without an ending, labels by header or folder, patients by header."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from medpriv_core.datasets.own.adding import add_own, look
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.home import DataHome
from medpriv_core.patients import PatientCount
from tests.datasets.builders import image_bytes, write_folder

REPORT = UID("1.2.840.10008.5.1.4.1.1.88.11")
RADIOGRAPH = UID("1.2.840.10008.5.1.4.1.1.1")


def dicom(seed: int, patient: str, *, bits: int = 16, photometric: str = "MONOCHROME2", image: bool = True) -> bytes:
    """A radiograph of noise by an invented header, or a report of the same patient."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = RADIOGRAPH if image else REPORT
    meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{seed}")
    whole = FileDataset(None, Dataset(), file_meta=meta, preamble=b"\0" * 128)
    whole.SOPClassUID, whole.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    whole.StudyInstanceUID, whole.PatientID, whole.PatientName = f"1.2.4.{seed // 2}", patient, "Doe^Jane"
    if image:
        top = 2**bits // 16 if bits == 16 else 256
        pixels = np.random.default_rng(seed).integers(0, top, (20, 24)).astype(np.uint16 if bits == 16 else np.uint8)
        whole.Rows, whole.Columns = pixels.shape
        whole.SamplesPerPixel, whole.PhotometricInterpretation, whole.PixelRepresentation = 1, photometric, 0
        whole.BitsAllocated, whole.BitsStored, whole.HighBit = bits, bits, bits - 1
        whole.PixelData = pixels.tobytes()
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, whole, enforce_file_format=True)
    return stream.getvalue()


def files() -> dict[str, bytes]:
    """Twelve radiographs of six patients, half of them without an ending, a report and a list of files."""
    found = {
        f"study{n // 2}/{'IM' if n % 2 else ''}{n:04}{'' if n % 2 else '.dcm'}": dicom(
            n, f"PAT-{n // 2}", bits=8 if n % 3 else 16, photometric="MONOCHROME1" if n % 4 == 0 else "MONOCHROME2"
        )
        for n in range(12)
    }
    return found | {"study0/SR0001": dicom(99, "PAT-0", image=False), "DICOMDIR": dicom(98, "", image=False)}


@pytest.mark.parametrize("key", ["instance", "study", "patient", "path"])
def test_labels_come_from_a_table_by_any_name_that_a_header_has(home: DataHome, tmp_path: Path, key: str) -> None:
    images = files()
    names = {
        "instance": [f"1.2.3.{n}" for n in range(12)],
        "study": [f"1.2.4.{n}" for n in range(6)],
        "patient": [f"PAT-{n}" for n in range(6)],
        "path": [name for name in sorted(images) if name.startswith("study") and "SR" not in name],
    }[key]
    lines = "who,finding\n" + "".join(f"{name},{'ill' if n % 2 else 'well'}\n" for n, name in enumerate(names))
    folder = write_folder(tmp_path / "set", images | {"labels.csv": lines.encode()})
    found = look(home, "mine", folder, Choices(columns=Columns(file="who")))
    assert len(found.images) == 12
    assert len({image.patient for image in found.images}) == 6
    reasons = {item.reason: item.count for item in found.left_out}
    assert reasons["DICOM files without an image, such as reports"] == 2
    sides = {(image.patient, image.split) for image in found.images}
    assert len(sides) == 6  # no patient on both sides


def test_they_are_prepared_as_the_explore_page_shows_them_and_no_identifier_is_kept(
    home: DataHome, tmp_path: Path
) -> None:
    images = {f"{'ill' if n % 2 else 'well'}/{n:03}": content for n, content in enumerate(files().values()) if n < 12}
    folder = write_folder(tmp_path / "set", images)
    entry = add_own(home, "mine", folder, Choices(test_share=0.4))
    assert entry.patients is not None
    assert isinstance(entry.patients, PatientCount)
    prepared = prepare_dataset(home, "mine", image_size=16)
    assert len(prepared.train.labels) + len(prepared.test.labels) == 12
    assert prepared.train.images.std() > 10
    for file in home.root.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"PAT-" not in content, file
            assert b"Doe" not in content, file


def test_other_files_beside_them_are_told(home: DataHome, tmp_path: Path) -> None:
    images = {f"{'ill' if n % 2 else 'well'}/{n:03}": content for n, content in enumerate(files().values()) if n < 12}
    images |= {"ill/film.mp4": b"\0\0\0\x18ftypmp42", "well/readme": b"text", "well/more.png": image_bytes(3)}
    found = look(home, "mine", write_folder(tmp_path / "set", images), Choices())
    assert len(found.images) == 13
    reasons = {item.reason: item.count for item in found.left_out}
    assert sum(reasons.values()) == 2, reasons


def test_one_patient_for_all_is_what_anonymising_leaves_and_no_patient(home: DataHome, tmp_path: Path) -> None:
    images = {f"{'ill' if n % 2 else 'well'}/{n:03}.dcm": dicom(n, "ANON") for n in range(12)}
    found = look(home, "mine", write_folder(tmp_path / "set", images), Choices())
    assert {image.patient for image in found.images} == {None}
    assert {image.split for image in found.images} == {"train", "test"}
    assert any("one and the same patient, as after anonymising" in note for note in found.notes)
