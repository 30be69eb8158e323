"""Pictures that somebody uploads: each must give a picture or a sentence, decoded in a child, within bounds."""

from __future__ import annotations

import io
import os
import random
import threading
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import JPEGBaseline8Bit

from benchmarks.fuzzing.mutations import damage, hostile_text
from benchmarks.fuzzing.subject import Case, Fault
from medpriv_core.pictures import decoding
from medpriv_core.pictures.decoded import Decoded, receive
from medpriv_core.pictures.kinds import Kind
from medpriv_core.uploads import isolation, opening
from medpriv_core.uploads.child import answer_with, limit_itself
from tests.uploads.dicoms import SECRETS, ct, described, encapsulated, jpeg, written

RADIOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "chest_xray_originals"
# All transfer syntaxes and photometric interpretations among the files of pydicom's wheel, and odd headers.
BUNDLED = """
    693_J2KI CT_small GDCMJ2K_TextGBR J2K_pixelrep_mismatch JPEG2000 JPEGLSNearLossless_16 JPGExtended MR_small
    MR_small_RLE MR_small_bigendian MR_small_jpeg_ls_lossless SC_rgb_jls_lossy_line SC_rgb_jpeg_dcmtk
    SC_rgb_jpeg_gdcm SC_rgb_rle_16bit_2frame SC_rgb_rle_32bit SC_ybr_full_422_uncompressed badVR examples_jpeg2k
    examples_palette examples_ybr_color image_dfl liver_1frame reportsi rtdose_rle waveform_ecg
"""
SHORTEST_CANARY = 5  # characters of a name or number in a header that a sentence cannot hold by chance
MAX_SIDE = 1024
UNTOUCHED = 0.02  # of the cases


def rasters() -> list[bytes]:
    """Sound PNG, JPEG, TIFF, GIF, WebP and BMP files."""
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)
    colour = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    deep = smooth.astype(np.uint16) * 257
    pages = [Image.fromarray(smooth)] * 3
    files = []
    for pixels, file_format, options in (
        (smooth, "PNG", {}),
        (colour, "PNG", {"icc_profile": bytes(200)}),
        (deep, "PNG", {}),
        (smooth, "PNG", {"save_all": True, "append_images": pages}),
        (smooth, "JPEG", {"progressive": True}),
        (colour, "JPEG", {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"}),
        (smooth, "TIFF", {"compression": "tiff_lzw"}),
        (colour, "TIFF", {"compression": "jpeg"}),
        (deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        (smooth, "TIFF", {"save_all": True, "append_images": pages}),
        (smooth, "GIF", {"save_all": True, "append_images": pages}),
        (colour, "GIF", {}),
        (colour, "WEBP", {"lossless": True}),
        (smooth, "WEBP", {"save_all": True, "append_images": pages}),
        (smooth, "BMP", {}),
        (colour, "BMP", {}),
    ):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, file_format, **options)
        files.append(stream.getvalue())
    return files + [file.read_bytes() for file in sorted(RADIOGRAPHS.glob("*/*.jpeg"))[:3]]


def dicoms() -> list[bytes]:
    """Sound DICOM files: our own, with identifiers that must not come out again, and those of pydicom's wheel."""
    smooth = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)
    files = [
        written(ct(smooth.astype(np.uint16) * 257)),
        encapsulated(described(np.stack([smooth] * 3)), [jpeg(smooth)] * 3, JPEGBaseline8Bit),
    ]
    for name in BUNDLED.split():
        files.append(Path(str(get_testdata_file(f"{name}.dcm", download=False))).read_bytes())
    return files


def identifiers(file: bytes) -> set[str]:
    """Whose picture a DICOM file says that it is."""
    header = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True, force=True)
    found = {str(header.get(name, "")) for name in ("PatientName", "PatientID", "PatientBirthDate")}
    return {text for text in found if len(text) >= SHORTEST_CANARY}


class Uploads:
    """``fork`` decodes in copies of this process, which spares each case the start of a Python; limits are the same."""

    def __init__(self, _folder: Path, *, fork: bool = False) -> None:
        headers = dicoms()
        self._files = [*rasters(), *headers]
        self.canaries = (*SECRETS, *sorted(set().union(*map(identifiers, headers))))
        if fork:
            opening.decode_apart = decode_in_a_fork
        else:
            # A decoder that ran here, in what stands for the web process, would be found out.
            decoding.decode = decode_here  # type: ignore[assignment]

    def make(self, rng: random.Random) -> Case:
        place = rng.randrange(len(self._files))
        data = self._files[place]
        if rng.random() > UNTOUCHED:
            data = damage(data, rng, self._files)
        name = rng.choice(("scan.dcm", "scan.png", hostile_text(rng)))
        return Case(f"file {place} as {name!r:.60}, {len(data):,} bytes", {"upload.bin": data}, name)

    def attempt(self, case: Case) -> None:
        upload = opening.open_upload(case.given, case.files["upload.bin"])
        for frame in {0, upload.frames - 1}:
            picture = upload.render(frame)
            if picture.dtype != np.uint8 or picture.ndim != 3 or max(picture.shape[:2]) > MAX_SIDE:
                raise Fault(f"An image of {picture.dtype} and shape {picture.shape}.")
        for canary in self.canaries:
            if any(canary in note for note in upload.notes):
                raise Fault(f"A note repeats {canary!r} of the header.")


def decode_here(*_arguments: object) -> Decoded:
    """In the place of the decoder in this process, where it must not run."""
    raise Fault("It was decoded in the process of the app.")


def decode_in_a_fork(kind: Kind, data: bytes, *, visitor: str = "") -> Decoded:  # noqa: ARG001
    """As ``isolation.decode_apart``, in a copy of this process instead of a new Python."""
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        os.close(readable)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        limit_itself()
        with open(writable, "wb") as answer:
            answer_with(kind, data, answer)
        os._exit(0)
    os.close(writable)
    clock = threading.Timer(isolation.MAX_TIME_S, os.kill, (child, 9))
    clock.start()
    try:
        with open(readable, "rb") as answer:
            return receive(answer)
    finally:
        clock.cancel()
        clock.join()
        os.waitpid(child, 0)
