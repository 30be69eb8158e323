"""Files of every raster kind, each with the picture that numpy says it holds, or a word of the refusal."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile
from PIL import Image

# A file, and what must come: uint8 (h, w) or (h, w, 3), or a pattern that the refusal must match.
Case = tuple[bytes, np.ndarray | str]

RAMP = np.arange(1024).reshape(32, 32)
GREY = (RAMP // 4).astype(np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)
_D50 = np.array([0.9642, 1.0, 0.8249])
# From XYZ (white point D50) to linear sRGB, by Bradford; from the specification of sRGB.
_XYZ_TO_RGB = np.array(
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
)


def spread(values: np.ndarray) -> np.ndarray:
    """From the smallest value, black, to the largest, white."""
    values = values.astype(np.float64)
    return np.rint((values - values.min()) / (values.max() - values.min()) * 255).astype(np.uint8)


def saved(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    """As Pillow writes it."""
    stream = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(stream, kind, **options)
    return stream.getvalue()


def tiff(values: np.ndarray, **options: Any) -> bytes:
    """As tifffile writes it."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **({"photometric": "minisblack"} | options))
    return stream.getvalue()


def png16(values: np.ndarray, colour_type: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write for colours."""
    height, width = values.shape[:2]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
    )
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (*parts, (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def lab_as_rgb(lightness: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (white point D50) in sRGB, by the formulas of both."""
    fy = (lightness + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _D50
    linear = np.clip(xyz @ _XYZ_TO_RGB.T, 0, 1)
    return np.rint(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )


def raster_cases() -> Iterator[tuple[str, Case]]:
    """Name, with the ending of its kind, and case."""
    for kind in ("PNG", "TIFF"):
        yield f"grey.{kind.lower()}", (saved(GREY, kind), GREY)
    for kind in ("BMP", "GIF"):  # which have a palette, and a palette is colours
        yield f"grey.{kind.lower()}", (saved(GREY, kind), _stacked(GREY))
    for kind in ("PNG", "TIFF", "BMP"):
        yield f"colour.{kind.lower()}", (saved(COLOUR, kind), COLOUR)
    yield "colour.webp", (saved(COLOUR, "WEBP", lossless=True), COLOUR)
    yield "grey as colour.png", (saved(_stacked(GREY), "PNG"), _stacked(GREY))
    yield (
        "turned.jpeg",
        (saved(np.kron(GREY, np.ones((8, 8), np.uint8)), "JPEG", quality=100, exif=_turned()), _upright()),
    )
    yield "12 bits in 16.png", (saved((RAMP * 4).astype(np.uint16), "PNG"), spread(RAMP))
    yield "8 bits in 16.png", (saved(GREY.astype(np.uint16), "PNG"), GREY)
    yield "one value.png", (saved(np.full((32, 32), 7, np.uint16), "PNG"), np.full((32, 32), 128, np.uint8))
    yield "one value of 8 bits.png", (saved(np.full((32, 32), 7, np.uint8), "PNG"), np.full((32, 32), 7, np.uint8))
    yield from _wide_pngs()
    yield from _tiffs()
    yield "moving.gif", (saved(GREY, "GIF", save_all=True, append_images=[Image.fromarray(255 - GREY)]), _stacked(GREY))
    yield "moving.png", (saved(GREY, "PNG", save_all=True, append_images=[Image.fromarray(255 - GREY)]), GREY)
    yield "clear palette.gif", (saved(_with_transparent_zero(), "GIF", transparency=1), _stacked(_blackened()))
    yield "bits.png", (saved(Image.fromarray(GREY > 100), "PNG"), np.where(GREY > 100, 255, 0).astype(np.uint8))
    yield "ink.jpeg", (saved(Image.new("CMYK", (32, 32), (255, 0, 0, 0)), "JPEG", quality=100), _plain((0, 255, 255)))


def _wide_pngs() -> Iterator[tuple[str, Case]]:
    deep = COLOUR.astype(np.uint16)
    opaque, half = np.full((32, 32, 1), 65535), np.full((32, 32, 1), 32768)
    yield "16 bits.png", (png16(deep * 257, 2), COLOUR)
    yield "12 bits.png", (png16(deep * 16, 2), np.rint(COLOUR * 16.0 / 4095 * 255).astype(np.uint8))
    yield (
        "12 bits and alpha.png",
        (
            png16(np.concatenate([deep * 16, opaque], -1), 6),
            np.rint(COLOUR * 16.0 / 4095 * 255).astype(np.uint8),
        ),
    )
    yield (
        "half transparent.png",
        (png16(np.concatenate([deep * 257, half], -1), 6), np.rint(COLOUR / 2).astype(np.uint8)),
    )
    grey = (RAMP * 4).astype(np.uint16)[:, :, np.newaxis]
    yield "12 bits of grey and alpha.png", (png16(np.concatenate([grey, opaque], -1), 4), spread(RAMP))
    yield "grey half transparent.png", (png16(np.concatenate([grey, half], -1), 4), spread(RAMP))


def _tiffs() -> Iterator[tuple[str, Case]]:
    signed = RAMP - 500
    for name, values in (
        ("int8", RAMP // 4 - 128), ("uint16", RAMP * 4), ("int16", signed), ("uint32", RAMP * 64 + 2**32 - 65536),
        ("int32", signed * 2_000_000), ("uint64", RAMP + 2**40), ("float16", signed / 4), ("float32", signed / 3.0),
        ("float64", signed * 1e-9 + 1.0),
    ):  # fmt: skip
        for order in "<>":
            for compression in (None, "zlib"):
                ending = f"{name} {order.replace('<', 'little').replace('>', 'big')} {compression or 'plain'}.tif"
                data = tiff(values.astype(name), byteorder=order, compression=compression)
                yield ending, (data, spread(values))
    for order in "<>":
        for compression in (None, "zlib"):
            for planes in ("contig", "separate"):
                values = (np.moveaxis(COLOUR, -1, 0) if planes == "separate" else COLOUR).astype(np.uint16) * 16  # type: ignore[assignment]
                options: dict[str, Any] = {"byteorder": order, "compression": compression, "planarconfig": planes}
                name = f"colour, {planes}, {order} {compression}".replace("<", "little").replace(">", "big")
                data = tiff(values, photometric="rgb", **options)
                yield f"{name}.tif", (data, np.rint(COLOUR * 16.0 / 4095 * 255).astype(np.uint8))
    yield "planes of 8 bits.tif", (tiff(np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate"), COLOUR)
    yield "white is zero.tif", (tiff((RAMP * 4).astype(np.uint16), photometric="miniswhite"), 255 - spread(RAMP))
    yield "white is zero of floats.tif", (tiff(RAMP.astype(np.float64), photometric="miniswhite"), 255 - spread(RAMP))
    yield "white is zero of 8 bits.tif", (tiff(GREY, photometric="miniswhite"), 255 - GREY)
    yield (
        "white is zero, signed bytes.tif",
        (
            tiff((RAMP // 4 - 128).astype(np.int8), photometric="miniswhite"),
            255 - spread(RAMP // 4),
        ),
    )
    yield "bigtiff.tif", (tiff((RAMP * 4).astype(np.uint16), bigtiff=True), spread(RAMP))
    yield "tiles.tif", (tiff((RAMP * 4).astype(np.uint16), tile=(16, 16)), spread(RAMP))
    yield "lzw.tif", (saved((RAMP * 4).astype(np.uint16), "TIFF", compression="tiff_lzw"), spread(RAMP))
    yield "lzw colour.tif", (saved(COLOUR, "TIFF", compression="tiff_lzw"), COLOUR)
    with_gaps = RAMP.astype(np.float32)
    with_gaps[0, :4] = np.nan, np.inf, -np.inf, 4
    yield "not all numbers.tif", (tiff(with_gaps), spread(np.where(np.isfinite(with_gaps), with_gaps, 4)))
    yield (
        "no numbers.tif",
        (tiff(np.full((32, 32), np.nan, np.float32)), "None of the values in this image is a number"),
    )
    yield "one float.tif", (tiff(np.full((32, 32), 1e30, np.float32)), np.full((32, 32), 128, np.uint8))
    yield "huge floats.tif", (tiff((RAMP - 512) * np.float32(6e35)), spread(RAMP))
    yield "beyond all measure.tif", (tiff(RAMP * 1e304), "beyond 1e300")
    yield "floats as colours.tif", (tiff(COLOUR.astype(np.float32) / 255, photometric="rgb"), COLOUR)
    yield "other floats as colours.tif", (tiff(COLOUR.astype(np.float32), photometric="rgb"), "from 0 to 255")
    yield "complex.tif", (tiff(RAMP.astype(np.complex64)), "complex numbers")
    # Colours that a screen can show.
    lightness, a, b = 80 + GREY // 2, (RAMP % 32 - 16).astype(np.int8), (RAMP // 32 - 16).astype(np.int8)
    lab = np.stack([lightness, a.view(np.uint8), b.view(np.uint8)], axis=-1)
    yield "lab.tif", (tiff(lab, photometric="cielab"), lab_as_rgb(lightness / 2.55, a.astype(float), b.astype(float)))
    half = np.full((32, 32), 32768, np.uint16)
    for name, extra, wanted in (("unassalpha", 2, np.rint(COLOUR / 2)), ("assocalpha", 1, COLOUR)):
        data = tiff(np.dstack([COLOUR.astype(np.uint16) * 257, half]), photometric="rgb", extrasamples=[name])
        yield f"alpha {extra} of 16 bits.tif", (data, wanted.astype(np.uint8))
    turned = [(274, "H", 1, 6, True)]
    for name, values in (("floats", RAMP.astype(np.float64)), ("16 bits", (RAMP * 4).astype(np.uint16))):  # type: ignore[assignment]
        yield f"{name} turned.tif", (tiff(values, extratags=turned), np.rot90(spread(RAMP), -1))
    wide = COLOUR.astype(np.uint16) * 257
    yield "wide colours turned.tif", (tiff(wide, photometric="rgb", extratags=turned), np.rot90(COLOUR, -1))
    five = tiff(np.dstack([GREY] * 5), planarconfig="contig")
    yield "five channels.tif", (five, "holds 5 channels")
    yield "fax.tif", (saved(Image.fromarray(GREY > 100), "TIFF", compression="group4"), (GREY > 100) * np.uint8(255))
    stack = (np.stack([RAMP, RAMP + 1000]) * 2).astype(np.uint16)
    yield "two pages.tif", (tiff(stack), np.rint(RAMP / 2023 * 255).astype(np.uint8))
    unknown = tiff(RAMP.astype(np.uint16), compression="zlib").replace(
        struct.pack("<HHIHH", 259, 3, 1, 8, 0), struct.pack("<HHIHH", 259, 3, 1, 34887, 0)
    )
    yield "lerc.tif", (unknown, "compressed as LERC")


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    return exif


def _upright() -> np.ndarray:
    return np.rot90(np.kron(GREY, np.ones((8, 8), np.uint8)), -1)


def _with_transparent_zero() -> Image.Image:
    image = Image.fromarray(GREY // 128).convert("P")
    image.putpalette([200, 200, 200, 90, 90, 90])
    return image


def _blackened() -> np.ndarray:
    return np.where(GREY // 128 == 1, 0, 200).astype(np.uint8)


def _stacked(grey: np.ndarray) -> np.ndarray:
    return np.stack([grey] * 3, axis=-1)


def _plain(colour: tuple[int, int, int]) -> np.ndarray:
    return np.tile(np.array(colour, np.uint8), (32, 32, 1))
