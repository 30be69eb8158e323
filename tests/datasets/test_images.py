"""Decoding: every ordinary pixel format comes out right, every bad file gets a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medpriv_core.datasets.images import decode_image, to_square
from medpriv_core.errors import ImageError


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def decoded(data: bytes, channels: int = 1) -> np.ndarray:
    return np.asarray(decode_image(data, channels=channels, name="picture.png"))


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises many pixels and holds hardly any."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_grey_and_colour_pixels_arrive_unchanged() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert np.array_equal(decoded(encoded(Image.fromarray(pixels)), channels=3), pixels)
    assert np.array_equal(decoded(encoded(Image.fromarray(pixels[:, :, 0]))), pixels[:, :, 0])


def test_a_grey_image_read_as_colour_has_three_equal_channels() -> None:
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert np.array_equal(decoded(encoded(Image.fromarray(pixels)), channels=3), np.stack([pixels] * 3, axis=-1))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(file_format: str) -> None:
    values = np.array([[0, 257, 128], [32768, 40000, 65535]], dtype=np.uint16)
    expected = np.rint(values / 65535 * 255).astype(np.uint8)
    assert np.array_equal(decoded(encoded(Image.fromarray(values), file_format)), expected)
    assert np.array_equal(decoded(encoded(Image.fromarray(values), file_format), channels=3)[:, :, 1], expected)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_32_bits_are_spread_from_black_to_white(dtype: Any) -> None:
    values = np.array([[70000, 0, 35000]], dtype=dtype)
    assert decoded(encoded(Image.fromarray(values), "TIFF")).tolist() == [[255, 0, 128]]


def test_palette_images_show_their_colours() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 100, 50, 0, 0, 255])
    image.putdata([0, 1])
    assert decoded(encoded(image), channels=3).tolist() == [[[200, 100, 50], [0, 0, 255]]]


def test_cmyk_becomes_rgb() -> None:
    yellow = Image.new("CMYK", (8, 8), (0, 0, 255, 0))
    red, green, blue = decoded(encoded(yellow, "JPEG", quality=95), channels=3)[4, 4].tolist()
    assert red > 240
    assert green > 240
    assert blue < 15


def test_transparency_is_laid_on_black() -> None:
    pixels = np.array([[[200, 200, 200, 255], [200, 200, 200, 0], [200, 200, 200, 51]]], dtype=np.uint8)
    assert decoded(encoded(Image.fromarray(pixels))).tolist() == [[200, 0, 40]]


def test_a_transparent_palette_colour_is_laid_on_black() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 200, 200, 90, 90, 90])
    image.putdata([0, 1])
    assert decoded(encoded(image, transparency=0)).tolist() == [[0, 90]]


def test_the_orientation_tag_is_applied() -> None:
    pixels = np.array([[10, 20], [30, 40], [50, 60]], dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    assert np.array_equal(decoded(encoded(Image.fromarray(pixels), exif=exif)), np.rot90(pixels, -1))


def test_black_and_white_images_become_0_and_255() -> None:
    assert decoded(encoded(Image.fromarray(np.array([[True, False]])))).tolist() == [[255, 0]]


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (10_000, 9_000), (65_000, 1_000)])
def test_a_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    with pytest.raises(ImageError, match=r"picture.png.*64 million pixels"):
        decoded(png_header(width, height))


def test_a_truncated_jpeg_is_refused() -> None:
    data = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)), "JPEG")
    with pytest.raises(ImageError, match=r"picture.png cannot be read.*replace it"):
        decoded(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"this is a note, not a picture", png_header(40, 40), b"\xff\xd8\xff\xe0"])
def test_a_file_that_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"picture.png cannot be read"):
        decoded(data)


def test_postscript_is_never_opened() -> None:
    # Pillow would hand such a file to Ghostscript.
    with pytest.raises(ImageError, match="cannot be read"):
        decoded(encoded(Image.new("RGB", (20, 20)), "EPS"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"scan.png does not exist"):
        decode_image(tmp_path / "scan.png", channels=1, name="scan.png")


def test_a_large_jpeg_may_come_out_smaller_but_never_below_twice_the_wanted_size() -> None:
    ramp = np.tile(np.linspace(0, 255, 800).astype(np.uint8), (600, 1))
    data = encoded(Image.fromarray(ramp), "JPEG", quality=95)
    small = decode_image(data, channels=1, name="x", at_least=100)
    assert small.size == (400, 300)
    full = to_square(decode_image(data, channels=1, name="x"), 100)
    assert np.abs(to_square(small, 100).astype(int) - full).max() <= 3


def test_a_square_has_one_axis_for_the_channels() -> None:
    grey, colour = Image.new("L", (30, 20), 7), Image.new("RGB", (5, 9), (1, 2, 3))
    assert to_square(grey, 16).shape == (16, 16, 1)
    assert to_square(colour, 16).shape == (16, 16, 3)
    assert to_square(colour, 16)[8, 8].tolist() == [1, 2, 3]


def test_shrinking_averages_instead_of_aliasing() -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (128, 64))
    shrunk = to_square(Image.fromarray(stripes), 16).astype(float)
    assert np.abs(shrunk[2:-2, 2:-2] - 127.5).max() < 3


def test_an_image_of_the_right_size_is_not_changed() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16), dtype=np.uint8)
    assert np.array_equal(to_square(Image.fromarray(pixels), 16)[:, :, 0], pixels)
