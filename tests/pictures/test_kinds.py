"""What a file is called that is no picture: its true kind, and never damaged."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from medpriv_core.datasets.images import decode_image
from medpriv_core.errors import ImageError
from medpriv_core.pictures.kinds import READABLE_SUFFIXES, kind_of
from tests.pictures.rasters import GREY, saved
from tests.uploads.dicoms import described, written


def zipped(name: str, data: bytes = b"x") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, data)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("picture.png"))
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, train_images=GREY)
    return stream.getvalue()


NIFTI = b"\x5c\x01\0\0" + bytes(340) + b"n+1\0" + bytes(100)


def jpeg_of_12_bits() -> bytes:
    """The stream of a DICOM that pydicom's wheel brings."""
    data = Path(str(get_testdata_file("JPGExtended.dcm", download=False))).read_bytes()
    return data[data.index(b"\xff\xd8\xff") :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "This file is empty"),
        (b"<!DOCTYPE html>\n<html><head><title>Sign in</title>", "a web page"),
        (b"\xef\xbb\xbf\n  <HTML>", "a web page"),
        (b"<?xml version='1.0'?><svg xmlns='x'></svg>", "drawing"),
        (b"data:image/png;base64,iVBORw0KGgo", "base64"),
        (b"a note, not a picture", "a text, so this file is not an image"),
        ("ein Befund: unauffällig".encode(), "a text"),
        (b'{"message": "Not Found"}', "a text"),
        (b"%PDF-1.7\n", "a PDF document"),
        (zipped("scan.png"), "a zip archive.*Unpack it"),
        (zipped("[Content_Types].xml"), "an Office document"),
        (npz(), "a NumPy archive"),
        (gzip.compress(written(described(GREY))), r"a DICOM file packed with gzip \(.dcm.gz\).*Unpack it"),
        (gzip.compress(NIFTI), "a NIfTI volume packed with gzip"),
        (gzip.compress(tarred()), "a tar archive packed with gzip"),
        (gzip.compress(b"x"), "an archive packed with gzip"),
        (tarred(), "a tar archive"),
        (NIFTI, "a NIfTI volume"),
        (b"\x93NUMPY\x01\0", "a NumPy array"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "a HEIC photograph"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "an AVIF image"),
        (b"\0\0\0\x1cftypisom\0\0\0\0", "a video"),
        (b"8BPS\0\1", "a Photoshop image"),
        (saved(Image.new("L", (64, 64)), "JPEG2000"), "a JPEG 2000 image"),
        (saved(Image.new("L", (64, 64)), "PPM"), "PNM"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS.*git lfs pull"),
        (b"\0\x05\x16\x07\0\2\0\0Mac OS X", "macOS"),
        (jpeg_of_12_bits(), "extended JPEG of 12 bits"),
        (os.urandom(64), "not an image of a known kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("name", ["scan.png", "scan.dcm"])
def test_what_is_no_picture_is_called_what_it_is(data: bytes, words: str, name: str) -> None:
    if words.startswith("not an image") and name.endswith(".dcm"):
        return  # a file that is called a DICOM and lacks every mark is tried as one
    with pytest.raises(ImageError, match=words) as error:
        decode_image(data, channels=1, name=name)
    said = str(error.value)
    assert not any(word in said for word in ("damaged", "cut short", "deleted", "ownload"))
    assert said.endswith((".", "pull", "add"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP"])
def test_of_a_file_cut_short_it_is_said(kind: str) -> None:
    data = saved(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8), kind)
    assert kind_of("x", data) == kind
    with pytest.raises(ImageError, match="damaged or cut short"):
        decode_image(data[: len(data) // 2], channels=1, name="x")


def test_every_kind_that_is_read_has_an_ending() -> None:
    assert {".png", ".jpeg", ".tif", ".gif", ".webp", ".bmp", ".dcm"} <= set(READABLE_SUFFIXES)


def test_a_folder_and_a_pipe_are_no_images(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"The image scans is a folder and not a file. Give the file itself."):
        decode_image(tmp_path, channels=1, name="scans")
    pipe = tmp_path / "pipe.jpeg"
    os.mkfifo(pipe)
    with pytest.raises(ImageError, match="not an ordinary file"):
        decode_image(pipe, channels=1, name="pipe.jpeg")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "missing.png", "grey.png/inside.png"])
def test_a_name_that_leads_nowhere_gets_a_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / "grey.png").write_bytes(saved(GREY, "PNG"))
    with pytest.raises(ImageError, match="Check its name and place"):
        decode_image(tmp_path / name, channels=1, name="x")
