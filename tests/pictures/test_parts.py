"""Small files of very many parts are refused before a reader walks through them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from medpriv_core.datasets.images import decode_image
from medpriv_core.errors import ImageError
from medpriv_core.pictures import frames, parts
from medpriv_core.pictures.decoding import decode
from medpriv_core.pictures.frames import FOR_A_PAGE, MAX_FRAMES
from medpriv_core.pictures.kinds import kind_of
from medpriv_core.pictures.parts import count_gif_frames, refuse_too_many_parts
from tests.pictures.rasters import GREY, saved
from tests.uploads.dicoms import described, sequence_item, written


def tiff(pages: int, *, cyclic: bool = False, sides: tuple[int, int] = (16, 16), big: bool = False) -> bytes:
    """A TIFF of so many pages that share their pixels."""
    count, entry, after = ("<Q", "<HHQQ", "<Q") if big else ("<H", "<HHII", "<I")
    head = b"II+\0\x08\0\0\0" if big else b"II*\0"
    start = len(head) + struct.calcsize(after)
    tags = [(256, 4, 1, sides[0]), (257, 4, 1, sides[1]), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    length = struct.calcsize(count) + 9 * struct.calcsize(entry) + struct.calcsize(after)
    pixels = start + pages * length
    tags += [(273, 4, 1, pixels), (277, 3, 1, 1), (278, 4, 1, sides[1]), (279, 4, 1, 256)]
    body = bytearray()
    for page in range(pages):
        body += struct.pack(count, len(tags))
        for tag in tags:
            body += struct.pack(entry, *tag)
        last = page == pages - 1
        body += struct.pack(after, (start if cyclic else 0) if last else start + (page + 1) * length)
    return head + struct.pack(after, start) + bytes(body) + bytes(range(256))


def refusal(data: bytes) -> str:
    """The sentence, the same on the page and in datasets."""
    kind = kind_of("x", data)
    with pytest.raises(ImageError) as apart:
        decode(kind, data, FOR_A_PAGE)
    with pytest.raises(ImageError) as here:
        decode_image(data, channels=1, name="x")
    assert str(here.value) == f"The image x cannot be read. {apart.value}"
    return str(apart.value)


def test_the_made_tiff_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for big in (False, True):
        assert decode("TIFF", tiff(3, big=big), FOR_A_PAGE).frames.shape == (3, 16, 16)


@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_of_200_000_pages_is_refused_without_following_them_all(
    monkeypatch: pytest.MonkeyPatch, big: bool
) -> None:
    data = tiff(200_000, big=big)
    # Neither of the readers is asked.
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "_open", None)
    monkeypatch.setattr(tifffile, "TiffFile", None)
    assert f"holds more than {MAX_FRAMES:,} pages, the most that are read" in refusal(data)


@pytest.mark.parametrize("pages", [1, 2, 5])
def test_pages_in_a_circle_are_counted_once(pages: int) -> None:
    refuse_too_many_parts("TIFF", tiff(pages, cyclic=True))
    try:
        decoded = decode("TIFF", tiff(pages, cyclic=True), FOR_A_PAGE)
    except ImageError:
        return
    assert len(decoded.frames) == pages


def test_as_many_pages_as_are_read_are_let_through() -> None:
    refuse_too_many_parts("TIFF", tiff(MAX_FRAMES))
    with pytest.raises(ImageError, match="more than 2,000 pages"):
        refuse_too_many_parts("TIFF", tiff(MAX_FRAMES + 1))


def test_pages_that_state_billions_of_pixels_together_are_refused() -> None:
    refuse_too_many_parts("TIFF", tiff(30, sides=(8000, 8000)))
    with pytest.raises(ImageError, match="The pages of this file have more than 2 billion pixels in all"):
        refuse_too_many_parts("TIFF", tiff(40, sides=(8000, 8000)))


def test_a_page_of_far_too_many_properties_is_refused() -> None:
    entries = b"".join(struct.pack("<HHI4s", 60000, 1, 1, b"\0" * 4) for _ in range(60_000))
    pages = []
    for page in range(5):
        following = 8 + (page + 1) * (2 + len(entries) + 4)
        pages.append(struct.pack("<H", 60_000) + entries + struct.pack("<I", following if page < 4 else 0))
    with pytest.raises(ImageError, match="far more parts than an image has"):
        refuse_too_many_parts("TIFF", b"II*\0\x08\0\0\0" + b"".join(pages))


def test_properties_that_all_stand_for_the_whole_file_are_refused() -> None:
    count, filling = 1000, bytes(1 << 20)
    entries = b"".join(struct.pack("<HHII", 40000 + n, 1, len(filling), 14 + 12 * count) for n in range(count))
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + struct.pack("<I", 0) + filling
    with pytest.raises(ImageError, match="far more parts than an image has"):
        refuse_too_many_parts("TIFF", data)


def gif(pictures: int, *, garbage: bytes = b"") -> bytes:
    """A GIF of one pixel in every picture."""
    picture = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0" + garbage
    return b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff" + picture * pictures + b"\x3b"


@pytest.mark.parametrize("garbage", [b"", b"\0", b"\x21\xf9\x04\0\x01\0\0\0"])
def test_a_gif_of_a_million_pictures_is_refused(garbage: bytes) -> None:
    assert "holds more than 2,000 images" in refusal(gif(1_000_000, garbage=garbage))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_pictures_of_a_gif_are_counted_as_pillow_does(count: int) -> None:
    pages = [Image.fromarray(np.full((32, 32), 20 * number, np.uint8)) for number in range(count)]
    data = saved(pages[0], "GIF", save_all=True, append_images=pages[1:])
    with Image.open(io.BytesIO(data)) as image:
        assert count_gif_frames(data) == getattr(image, "n_frames", 1) == count


def png_chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_a_png_of_far_too_many_chunks_is_refused() -> None:
    data = saved(GREY, "PNG")
    end = data.index(b"IEND") - 4
    assert "far more parts" in refusal(data[:end] + png_chunk(b"teXt") * 300_000 + data[end:])


def test_what_follows_the_end_of_a_png_does_not_count() -> None:
    data = saved(GREY, "PNG") + bytes(12 * 300_000)
    assert decode_image(data, channels=1, name="x").size == (32, 32)


def test_an_animated_png_of_a_million_pictures_is_refused() -> None:
    data = saved(GREY, "PNG")
    end = data.index(b"IEND") - 4
    assert "more than 2,000 images" in refusal(data[:end] + png_chunk(b"fcTL", bytes(26)) * 3000 + data[end:])


def test_a_webp_of_a_million_pictures_is_refused() -> None:
    one = b"ANMF" + struct.pack("<I", 16) + bytes(16)
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02" + bytes(9) + one * 100_000
    assert "more than 2,000 images" in refusal(b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize("segment", [b"\xff\xfe\0\x02", b"\xff", b"\xff\xd0", b"\xff\xe1\0\0"])
def test_a_jpeg_of_far_too_many_segments_is_refused(segment: bytes) -> None:
    data = saved(GREY, "JPEG")
    assert "far more parts" in refusal(data[:2] + b"\xff\xfe\0\x02" + segment * 300_000 + data[2:])


def test_a_jpeg_in_thousands_of_scans_is_refused() -> None:
    data = saved(Image.new("L", (2000, 2000)), "JPEG", progressive=True)
    with pytest.raises(ImageError, match="built up in far more steps"):
        refuse_too_many_parts("JPEG", data + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * 1000)
    refuse_too_many_parts("JPEG", data)


@pytest.mark.parametrize("stated", [2001, 1_000_000, 2**31 - 1])
def test_a_dicom_that_states_a_million_frames_is_refused(stated: int) -> None:
    dataset = described(GREY)
    dataset.NumberOfFrames = stated
    assert "holds more than 2,000 frames" in refusal(written(dataset))


def test_a_dicom_with_a_million_frames_in_it_is_refused() -> None:
    dataset = described(np.zeros((100_000, 2, 2), np.uint8))
    assert "holds more than 2,000 frames" in refusal(written(dataset))


def test_a_dicom_of_far_too_many_items_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_PARTS", 100)
    dataset = described(GREY)
    dataset.RequestAttributesSequence = [sequence_item(RequestedProcedureID="x") for _ in range(200)]
    assert "far more parts" in refusal(written(dataset))


def test_frames_of_billions_of_pixels_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_TOTAL_PIXELS", 5000)
    assert "The frames of this file have more than" in refusal(written(described(np.stack([GREY] * 5))))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "DICOM"])
def test_counting_never_fails_on_what_is_damaged(kind: str) -> None:
    data = written(described(GREY)) if kind == "DICOM" else saved(GREY, kind)
    rng = np.random.default_rng(0)
    counts: list[Callable[[bytes], bytes]] = [
        lambda data: data[: rng.integers(0, len(data))],
        lambda data: bytes(data[: (at := int(rng.integers(0, len(data))))]) + b"\xff\xff\xff\xff" + data[at + 4 :],
        lambda data: bytes(data[: (at := int(rng.integers(0, min(len(data), 200))))]) + rng.bytes(3) + data[at + 3 :],
    ]
    said: list[str] = []
    for number in range(300):
        damaged = counts[number % 3](data)
        try:
            refuse_too_many_parts(kind, damaged)  # type: ignore[arg-type]
        except ImageError as error:
            said.append(str(error))
    assert all(sentence.endswith(".") for sentence in said)
