"""PNG, JPEG and TIFF: upright, in sRGB, every page, every depth."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from medpriv_core.errors import ImageError
from medpriv_core.pictures.raster import decode_raster
from medpriv_core.uploads.upload import BURNED_IN_TEXT, Upload, make_upload
from tests.datasets.test_images import encoded

RNG = np.random.default_rng(8)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
DEEP = (np.arange(512, dtype=np.uint16) * 8).reshape(16, 32)
ORIENTATION, PHOTOMETRIC, NEW_SUBFILE_TYPE = 274, 262, 254


def opened(data: bytes, kind: str = "PNG") -> Upload:
    """As ``open_upload``, without the child."""
    return make_upload(kind, decode_raster(data, kind))  # type: ignore[arg-type]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pages(*pixels: np.ndarray, **options: object) -> bytes:
    """A TIFF with a page for each array."""
    first, *others = (Image.fromarray(page) for page in pixels)
    return encoded(first, "TIFF", save_all=True, append_images=others, **options)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_8_bits_arrive_unchanged(kind: str, pixels: np.ndarray) -> None:
    upload = opened(encoded(Image.fromarray(pixels), kind), kind)
    assert (upload.kind, upload.frames, upload.size, upload.bits) == (kind, 1, (30, 20), 8)
    assert upload.presets == ()
    assert upload.notes == (BURNED_IN_TEXT,)
    assert np.array_equal(upload.render(), pixels.reshape(20, 30, -1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_mode_is_that_of_the_header_whatever_the_pixels_are(kind: str) -> None:
    equal = np.repeat(GREY[:, :, None], 3, axis=2)
    other = equal.copy()
    other[0, 0, 0] ^= 1
    uploads = [opened(encoded(Image.fromarray(pixels), kind), kind) for pixels in (equal, other)]
    assert [upload.channels for upload in uploads] == [3, 3]
    assert np.array_equal(uploads[0].render(), equal)


def test_grey_with_transparency_is_grey() -> None:
    half = Image.merge("LA", [Image.fromarray(GREY), Image.new("L", (30, 20), 128)])
    upload = opened(encoded(half))
    assert upload.channels == 1
    assert np.abs(upload.render()[:, :, 0].astype(int) - GREY * (128 / 255)).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_get_windows(kind: str) -> None:
    upload = opened(encoded(Image.fromarray(DEEP), kind), kind)
    assert (upload.bits, upload.channels) == (16, 1)
    assert [(preset.name, preset.width) for preset in upload.presets] == [("All values", 4088), ("Full scale", 65535)]
    assert np.array_equal(upload.render()[:, :, 0], np.rint(DEEP / 4088 * 255))
    assert upload.render(0, 32767.5, 65535).max() == round(4088 / 65535 * 255)


def test_big_endian_tiff_is_the_same() -> None:
    image = Image.fromarray(DEEP)
    big = encoded(Image.frombytes("I;16B", image.size, DEEP.astype(">u2").tobytes()), "TIFF")
    assert big[:2] == b"MM"
    assert np.array_equal(opened(big, "TIFF").render(), opened(encoded(image, "TIFF"), "TIFF").render())


def test_floats_and_32_bits_get_windows() -> None:
    for values in (DEEP.astype(np.float32) / 4088 - 0.5, DEEP.astype(np.int32) * 100_000):
        upload = opened(encoded(Image.fromarray(values), "TIFF"), "TIFF")
        assert upload.bits == 32
        assert [preset.name for preset in upload.presets] == ["All values"]
        assert np.abs(upload.render()[:, :, 0] - np.rint(DEEP / 4088 * 255)).max() <= 1


def test_what_is_not_a_number_is_black_unless_nothing_is() -> None:
    values = DEEP.astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    picture = opened(encoded(Image.fromarray(values), "TIFF"), "TIFF").render()
    assert picture[0, :3, 0].tolist() == [0, 0, 0]
    assert picture.max() == 255
    with pytest.raises(ImageError, match="None of the values"):
        opened(encoded(Image.fromarray(np.full((16, 16), np.nan, np.float32)), "TIFF"), "TIFF")


def test_white_is_zero_is_turned_around() -> None:
    for pixels in (DEEP, GREY):
        normal = opened(encoded(Image.fromarray(pixels), "TIFF"), "TIFF").render()
        black_is_zero = PHOTOMETRIC.to_bytes(2, "little") + b"\x03\0\x01\0\0\0" + b"\x01"
        negative = encoded(Image.fromarray(pixels), "TIFF").replace(black_is_zero, black_is_zero[:-1] + b"\0")
        assert np.array_equal(opened(negative, "TIFF").render(), 255 - normal)


def test_16_bits_a_colour_say_so() -> None:
    wide = COLOUR.astype(">u2") * 257
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in wide)
    data = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 20, 16, 2, 0, 0, 0)) + png_chunk(
        b"IDAT", zlib.compress(lines)
    )
    upload = opened(b"\x89PNG\r\n\x1a\n" + data + png_chunk(b"IEND", b""))
    assert upload.bits == 16
    assert np.array_equal(upload.render(), COLOUR)
    assert opened(encoded(Image.fromarray(GREY).convert("1"))).bits == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_orientation_is_applied_once(kind: str) -> None:
    ramp = np.add.outer(np.arange(32) * 6, np.arange(48)).astype(np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned a quarter clockwise
    upload = opened(encoded(Image.fromarray(ramp), kind, exif=exif), kind)
    assert upload.size == (32, 48)
    assert np.abs(upload.render()[:, :, 0].astype(int) - np.rot90(ramp, -1)).max() <= 6


def linear_rgb_profile() -> bytes:
    """sRGB's primaries with gamma 1: every curve of the profile replaced by the identity."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(int.from_bytes(profile[128:132], "big")):
        at = 132 + 12 * entry
        if profile[at : at + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            start = int.from_bytes(profile[at + 4 : at + 8], "big")
            profile[start : start + 12] = b"curv" + bytes(8)  # no points: identity
            profile[at + 8 : at + 12] = (12).to_bytes(4, "big")
    return bytes(profile)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_colour_profiles_are_honoured(kind: str) -> None:
    light = np.full((16, 16, 3), 55, np.uint8)
    light[:, :, 0] = 120
    upload = opened(encoded(Image.fromarray(light), kind, icc_profile=linear_rgb_profile()), kind)

    def to_srgb(linear: float) -> float:
        return 255 * (1.055 * (linear / 255) ** (1 / 2.4) - 0.055)

    assert np.abs(upload.render()[8, 8] - [to_srgb(120), to_srgb(55), to_srgb(55)]).max() < 3
    assert upload.notes == (BURNED_IN_TEXT,)


@pytest.mark.parametrize("profile", [b"nothing", linear_rgb_profile()[:300]])
def test_a_damaged_profile_is_told_and_ignored(profile: bytes) -> None:
    upload = opened(encoded(Image.fromarray(COLOUR), icc_profile=profile))
    assert np.array_equal(upload.render(), COLOUR)
    assert "colour profile" in upload.notes[0]


def test_cmyk_and_transparency_become_what_one_sees() -> None:
    yellow = opened(encoded(Image.new("CMYK", (16, 16), (0, 0, 255, 0)), "JPEG", quality=95), "JPEG").render()[8, 8]
    assert yellow[:2].min() > 240
    assert yellow[2] < 15
    half = opened(encoded(Image.new("LA", (16, 16), (200, 51)))).render()
    assert np.unique(half).tolist() == [40]


def test_pages_of_a_tiff_are_frames() -> None:
    stack = RNG.integers(0, 256, (4, 20, 30), dtype=np.uint8)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate"):
        upload = opened(pages(*stack, compression=compression), "TIFF")
        assert upload.frames == 4
        assert all(np.array_equal(upload.render(page)[:, :, 0], stack[page]) for page in range(4))


def test_pages_share_their_windows() -> None:
    upload = opened(pages(DEEP, DEEP + 1000), "TIFF")
    assert (upload.presets[0].centre, upload.presets[0].width) == (2544, 5088)


def test_small_copies_among_the_pages_are_skipped() -> None:
    full, copy = Image.fromarray(GREY), Image.fromarray(GREY[::2, ::2])
    copy.encoderinfo = {"tiffinfo": {NEW_SUBFILE_TYPE: 1}}
    upload = opened(encoded(full, "TIFF", save_all=True, append_images=[copy]), "TIFF")
    assert upload.frames == 1


@pytest.mark.parametrize("other", [GREY[:10], COLOUR, DEEP], ids=["size", "colour", "depth"])
def test_pages_that_differ_are_refused(other: np.ndarray) -> None:
    with pytest.raises(ImageError, match="pages of this TIFF differ"):
        opened(pages(GREY, other), "TIFF")


def test_a_large_picture_is_kept_at_1024_and_says_so() -> None:
    ramp = np.tile(np.linspace(0, 255, 3000).astype(np.uint8), (2000, 1))
    for kind in ("PNG", "JPEG"):
        upload = opened(encoded(Image.fromarray(ramp), kind), kind)
        assert upload.size == (3000, 2000)
        assert upload.render().shape == (682, 1024, 1)
        assert np.abs(upload.render()[:, :, 0] - np.linspace(0, 255, 1024)).max() < 3
        assert upload.notes[0] == "Stored with 3,000 × 2,000 pixels; shrunk to 1,024 × 682 when it was read."


def test_deep_pictures_keep_their_values_when_shrunk() -> None:
    ramp = np.tile(np.linspace(1000, 3000, 2048).astype(np.uint16), (512, 1))
    upload = opened(encoded(Image.fromarray(ramp)))
    assert (upload.presets[0].centre, upload.presets[0].width) == (2000, 2000)
    assert np.abs(upload.render()[:, :, 0] - np.linspace(0, 255, 1024)).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_of_an_animation_the_first_picture_is_shown_and_that_is_said(kind: str) -> None:
    stream = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(GREY).save(stream, kind, save_all=True, append_images=[Image.fromarray(255 - GREY)], **options)
    upload = opened(stream.getvalue(), kind)
    assert upload.frames == 1
    assert np.array_equal(upload.render()[:, :, 0], GREY)
    assert upload.notes[0] == "This file holds 2 images, one after the other; the first is read."


def test_a_picture_of_one_colour_is_fine() -> None:
    assert np.unique(opened(encoded(Image.new("L", (16, 16), 77))).render()).tolist() == [77]
    deep = encoded(Image.fromarray(np.full((16, 16), 700, np.uint16)))
    assert np.unique(opened(deep).render()).tolist() == [128]
