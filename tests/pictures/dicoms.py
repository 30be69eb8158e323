"""DICOM files as devices and tools write them, each with the picture that numpy says it holds, or how it is refused."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset

from tests.pictures.rasters import COLOUR, GREY, RAMP, Case, spread
from tests.uploads.dicoms import ct, described, encapsulated, jpeg, sequence_item, written

DEEP = (RAMP * 4).astype(np.uint16)
SIGNED = DEEP.astype(np.int16) - 2048
CURVE = (np.linspace(0, 1, 4096) ** 2 * 4095).astype(np.uint16)
CURVED = np.rint(CURVE[DEEP] / 4095 * 255).astype(np.uint8)
LARGE = np.kron(GREY, np.ones((4, 4), np.uint8))
LARGE_COLOUR = np.kron(COLOUR, np.ones((4, 4, 1), np.uint8))
TWELVE_IN_SIXTEEN = np.rint(COLOUR * 16.0 / 4095 * 255).astype(np.uint8)


def windowed(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """The linear window of PS3.3 C.11.2.1.2.1."""
    return np.rint(np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255).astype(np.uint8)


def changed(
    pixels: np.ndarray, *, without: tuple[str, ...] = (), syntax: uid.UID | None = None, **header: Any
) -> bytes:
    """A file of these pixels with some elements set and others missing."""
    interpretation, bits = header.pop("interpretation", None), header.pop("bits", None)
    dataset = described(pixels, interpretation=interpretation, bits=bits)
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    for keyword in without:
        delattr(dataset, keyword)
    return written(dataset, syntax)


def typed(pixels: np.ndarray, **elements: tuple[str, object]) -> bytes:
    """A file with elements of the given types."""
    dataset = described(pixels)
    for keyword, (kind, value) in elements.items():
        dataset.add_new(keyword, kind, value)
    return written(dataset)


def table(entries: np.ndarray, first: int, bits: int, *, kind: str = "US", data: bytes | None = None) -> Dataset:
    """A table with the type ("US" or "OW") and, if given, the bytes of its data."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", kind, (data or entries.astype("<u2").tobytes()) if kind == "OW" else entries.tolist())
    return item


def without_syntax(data: bytes) -> bytes:
    """The file without its element Transfer Syntax UID."""
    place = data.index(b"\x02\x00\x10\x00UI")
    return data[:place] + data[place + 8 + struct.unpack("<H", data[place + 6 : place + 8])[0] :]


def bare(pixels: np.ndarray, *, implicit: bool, little: bool) -> bytes:
    """A file that starts with its first element."""
    dataset, stream = described(pixels), io.BytesIO()
    if not little:
        dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    del dataset.file_meta
    dataset.save_as(stream, implicit_vr=implicit, little_endian=little)
    return stream.getvalue()


def jpeg_file(pixels: np.ndarray, frame: np.ndarray, **header: Any) -> bytes:
    """A file whose header describes ``pixels`` and whose stream is a baseline JPEG of ``frame``."""
    dataset = described(pixels, interpretation=header.pop("interpretation", None))
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    return encapsulated(dataset, [jpeg(frame)], uid.JPEGBaseline8Bit)


def compressed(pixels: np.ndarray, syntax: uid.UID, **afterwards: Any) -> bytes:
    """Compressed first, and the header changed afterwards."""
    dataset = described(pixels)
    dataset.compress(syntax, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    for keyword, value in afterwards.items():
        setattr(dataset, keyword, value)
    return written(dataset)


def by_frame(*windows: Dataset | None, shared: Dataset | None = None) -> bytes:
    """Frames of ``DEEP``, each with its own window."""
    dataset = described(np.stack([DEEP] * len(windows)))
    dataset.PerFrameFunctionalGroupsSequence = [
        Dataset() if window is None else sequence_item(FrameVOILUTSequence=[window]) for window in windows
    ]
    if shared is not None:
        dataset.SharedFunctionalGroupsSequence = [sequence_item(FrameVOILUTSequence=[shared])]
    return written(dataset)


def window(centre: float, width: float) -> Dataset:
    """An item of the sequence of frame windows."""
    return sequence_item(WindowCenter=centre, WindowWidth=width)


def dicom_cases() -> Iterator[tuple[str, Case]]:
    """Name and case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of what is wrong with them
        yield from _gaps()
        yield from _spellings()
        yield from _streams()
        yield from _tables()
        yield from _windows()
        yield from _bits()


def _gaps() -> Iterator[tuple[str, Case]]:
    grey, colour = ("PhotometricInterpretation",), ("PhotometricInterpretation", "SamplesPerPixel")
    yield "grey without interpretation", (changed(GREY, without=grey), GREY)
    yield "colour without interpretation", (changed(COLOUR, without=grey), COLOUR)
    yield "colour without interpretation and samples", (changed(COLOUR, without=colour), COLOUR)
    yield "colour without planar configuration", (changed(COLOUR, without=("PlanarConfiguration",)), COLOUR)
    for keyword in ("SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        yield f"without {keyword}", (changed(DEEP, without=(keyword,)), spread(DEEP))
        yield f"colour without {keyword}", (changed(COLOUR, without=(keyword,)), COLOUR)
    for keyword in ("Rows", "Columns"):
        yield f"without {keyword}", (changed(GREY, without=(keyword,)), f"its element {keyword}")
        yield f"{keyword} 0", (changed(GREY, **{keyword: 0}), f"its element {keyword}")  # type: ignore[arg-type]
    for frames in (0, "", [1, 0]):
        yield f"number of frames {frames}", (changed(GREY, NumberOfFrames=frames), GREY)
    yield "two frames, not said", (changed(np.stack([GREY, 255 - GREY]), without=("NumberOfFrames",)), GREY)
    yield "cut short", (changed(GREY)[:-300], "cut short or changed")
    yield "a byte too many", (changed(GREY) + b"\0", GREY)
    yield "without preamble", (changed(GREY)[132:], GREY)
    yield "without transfer syntax", (without_syntax(changed(DEEP)), spread(DEEP))
    for implicit, little in ((True, True), (False, True), (False, False)):
        yield f"bare {implicit} {little}", (bare(DEEP, implicit=implicit, little=little), spread(DEEP))
    yield "deflated", (changed(GREY, syntax=uid.DeflatedExplicitVRLittleEndian), GREY)


def _spellings() -> Iterator[tuple[str, Case]]:
    for label in ("monochrome2", "MONOCHROME 2 ", "Monochrome_2", "GRAYSCALE", ""):
        yield f"called {label!r}", (changed(GREY, PhotometricInterpretation=label), GREY)
    yield "called Monochrome1", (changed(GREY, PhotometricInterpretation="Monochrome1"), 255 - GREY)
    yield "called rgb", (changed(COLOUR, PhotometricInterpretation="rgb"), COLOUR)
    yield "colour called grey", (changed(COLOUR, PhotometricInterpretation="MONOCHROME2"), COLOUR)
    yield "planar configuration 2", (changed(COLOUR, PlanarConfiguration=2), COLOUR)
    yield "RGB called YBR_FULL_422", (changed(COLOUR, interpretation="YBR_FULL_422"), COLOUR)
    yield "CMYK", (changed(COLOUR, interpretation="CMYK"), "colours in a way that is not read")
    kinds: dict[str, tuple[str, object]] = {"Rows": ("UL", 32), "Columns": ("IS", "32"), "BitsAllocated": ("DS", "8")}
    yield "numbers of other types", (typed(GREY, **kinds), GREY)
    for element, named in (
        (b"\x28\x00\x04\x00CS", b"cs"),
        (b"\x28\x00\x10\x00US", b"us"),
        (b"\x28\x00\x10\x00US", b"??"),
    ):
        yield f"type {named!r}", (changed(GREY).replace(element, element[:4] + named), GREY)
    yield "JPEG in grey of other rows.", (jpeg_file(LARGE, LARGE, Rows=64), LARGE)
    yield "JPEG in grey of 16 bits.", (jpeg_file(LARGE.astype(np.uint16), LARGE), LARGE)
    yield "palette without its colours", (changed(GREY, interpretation="PALETTE COLOR"), "no table of its colours")
    yield "12 bits stored in 8", (typed(GREY, BitsStored=("US", 12)), GREY)
    yield "12 bits allocated", (typed(DEEP, BitsAllocated=("US", 12), BitsStored=("US", 12)), spread(DEEP))


def _streams() -> Iterator[tuple[str, Case]]:
    yield "JPEG without transfer syntax.", (without_syntax(jpeg_file(LARGE, LARGE)), LARGE)
    for label in ("YBR_FULL_422", "YBR_FULL", "RGB", "MONOCHROME2"):
        yield (
            f"JPEG in colour called {label}.",
            (jpeg_file(LARGE_COLOUR, LARGE_COLOUR, interpretation=label), LARGE_COLOUR),
        )
    yield "JPEG in colour said to be grey.", (jpeg_file(LARGE, LARGE_COLOUR), LARGE_COLOUR)
    for name, stream, label in (
        ("Adobe's mark", _with_adobe(jpeg(LARGE_COLOUR)), "YBR_FULL_422"),
        ("Adobe's mark, called RGB", _with_adobe(jpeg(LARGE_COLOUR)), "RGB"),
    ):
        dataset = described(LARGE_COLOUR, interpretation=label)
        yield f"JPEG in colour with {name}.", (encapsulated(dataset, [stream], uid.JPEGBaseline8Bit), LARGE_COLOUR)
    yield "JPEG in grey said to be colour.", (jpeg_file(LARGE_COLOUR, LARGE), LARGE)
    written = io.BytesIO()
    Image.fromarray(LARGE_COLOUR).save(written, "JPEG2000", irreversible=False, no_jp2=True)
    yield (
        "JPEG 2000 in colour said to be grey",
        (
            encapsulated(described(LARGE), [written.getvalue()], uid.JPEG2000Lossless),
            LARGE_COLOUR,
        ),
    )
    rle = uid.RLELossless
    yield "RLE without transfer syntax", (without_syntax(compressed(COLOUR, rle)), COLOUR)
    yield "RLE without interpretation", (compressed(COLOUR, rle, PhotometricInterpretation=""), COLOUR)


def _with_adobe(stream: bytes) -> bytes:
    """A JPEG in YCbCr with Adobe's mark in place of JFIF's."""
    rest = stream[4 + struct.unpack(">H", stream[4:6])[0] :]
    return stream[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01" + rest


def _tables() -> Iterator[tuple[str, Case]]:
    packed = (CURVE >> 4).astype(np.uint8)
    eight = packed[DEEP]
    for name, item, wanted in (
        ("16 bits declared", table(CURVE, 0, 16), CURVED),
        ("8 bits declared", table(CURVE, 0, 8), CURVED),
        ("no bits declared", table(CURVE, 0, 0), CURVED),
        ("in words", table(CURVE, 0, 12, kind="OW"), CURVED),
        ("bytes swapped", table(CURVE, 0, 12, kind="OW", data=CURVE.astype(">u2").tobytes()), CURVED),
        ("two bytes in a word", table(CURVE, 0, 8, kind="OW", data=packed.tobytes()), eight),
        ("a byte in a word", table(packed, 0, 8, kind="OW"), eight),
        ("empty", Dataset(), spread(DEEP)),
        ("without data", sequence_item(LUTDescriptor=[4096, 0, 12]), spread(DEEP)),
    ):
        yield f"table {name}", (changed(DEEP, VOILUTSequence=[item]), wanted)
    yield "table empty, another after it", (changed(DEEP, VOILUTSequence=[Dataset(), table(CURVE, 0, 12)]), CURVED)
    yield (
        "table empty, a window beside it",
        (
            changed(DEEP, VOILUTSequence=[Dataset()], WindowCenter=2000, WindowWidth=1000),
            windowed(DEEP, 2000, 1000),
        ),
    )
    for name, first in (("with its sign", -2048), ("as if it had none", 65536 - 2048)):
        yield (
            f"table of signed values, first {name}",
            (changed(SIGNED, VOILUTSequence=[table(CURVE, first, 12)]), CURVED),
        )
    implicit = changed(SIGNED, VOILUTSequence=[table(CURVE, 65536 - 2048, 12)], syntax=uid.ImplicitVRLittleEndian)
    yield "table of signed values, types unsaid", (implicit, CURVED)
    rescaled = changed(DEEP, RescaleSlope=1, RescaleIntercept=-2048, VOILUTSequence=[table(CURVE, 65536 - 2048, 12)])
    yield "table of rescaled values", (rescaled, CURVED)
    big = table(CURVE, 0, 12, kind="OW", data=CURVE.astype(">u2").tobytes())
    yield (
        "table in a big-endian file",
        (
            changed(DEEP, PixelData=DEEP.astype(">u2").tobytes(), VOILUTSequence=[big], syntax=uid.ExplicitVRBigEndian),
            CURVED,
        ),
    )
    yield "modality table empty", (changed(DEEP, ModalityLUTSequence=[Dataset()]), spread(DEEP))
    falling = table(np.arange(4096, dtype=np.uint16)[::-1], 0, 16)
    yield "modality table", (changed(DEEP, ModalityLUTSequence=[falling]), 255 - spread(DEEP))


def _windows() -> Iterator[tuple[str, Case]]:
    def deep(centre: object, width: object, **others: Any) -> bytes:
        return changed(DEEP, WindowCenter=centre, WindowWidth=width, **others)

    all_values = spread(DEEP)
    yield "several windows", (deep([1000, 3000], [500, 500]), windowed(DEEP, 1000, 500))
    yield "the first window misses", (deep([90000, 3000], [500, 500]), windowed(DEEP, 3000, 500))
    yield "window above", (deep(30000, 100), all_values)
    yield "window below", (deep(-30000, 100), all_values)
    yield "window misses, MONOCHROME1", (deep(30000, 100, interpretation="MONOCHROME1"), 255 - all_values)
    for width in (0, -5):
        yield f"window of width {width}", (deep(1000, width), all_values)
    yield "window without width", (changed(DEEP, WindowCenter=1000), all_values)
    written_out = deep("1000.5", "500")
    yield "window with a decimal comma", (written_out.replace(b"1000.5", b"1000,5"), windowed(DEEP, 1000.5, 500))
    yield "window of letters", (written_out.replace(b"1000.5", b"middle"), all_values)
    steep = 255 / (1 + np.exp(-4 * (DEEP - 2000.0) / 1000))
    yield "sigmoid", (deep(2000, 1000, VOILUTFunction="sigmoid"), np.rint(steep).astype(np.uint8))
    exact = np.clip((DEEP - 2000.0) / 1000 + 0.5, 0, 1) * 255
    yield "linear exact", (deep(2000, 1000, VOILUTFunction="LINEAR_EXACT"), np.rint(exact).astype(np.uint8))
    yield "window for each frame", (by_frame(window(1000, 500), window(3000, 500)), windowed(DEEP, 1000, 500))
    empty = by_frame(Dataset(), window(1000, 500), shared=window(2000, 100))
    yield "window of all frames where one has none", (empty, windowed(DEEP, 2000, 100))
    in_frame = by_frame(sequence_item(VOILUTSequence=[table(CURVE, 0, 12)]), window(2000, 100))
    yield "table for one frame", (in_frame, CURVED)
    for slope in ("0", "1e300", "", "1e-6"):
        yield f"slope {slope}", (changed(DEEP, RescaleSlope=slope, RescaleIntercept="0"), all_values)
    yield "slope below zero", (changed(DEEP, RescaleSlope="-2", RescaleIntercept="7"), 255 - all_values)
    yield "intercept far away", (changed(DEEP, RescaleSlope="1", RescaleIntercept="1e12"), all_values)
    text = changed(DEEP, RescaleSlope="1.2345", RescaleIntercept="0").replace(b"1.2345", b"nan   ")
    yield "slope no number", (text, all_values)
    yield "CT that no window of textbooks shows", (written(ct(DEEP + np.uint16(20000))), all_values)


def _bits() -> Iterator[tuple[str, Case]]:
    overlaid = DEEP.copy()
    overlaid[4:9, 4:9] |= 0x8000
    all_values = spread(DEEP)
    fewer = {"BitsStored": 12, "HighBit": 11}
    yield "overlay", (changed(overlaid, bits=12), all_values)
    yield "overlay in JPEG 2000", (compressed(overlaid, uid.JPEG2000Lossless, **fewer), all_values)
    yield "overlay in RLE", (compressed(overlaid, uid.RLELossless, **fewer), all_values)
    yield "values in the upper bits", (changed((DEEP << 4) | 3, BitsStored=12, HighBit=15), all_values)
    yield "values said to be in the upper bits", (changed(DEEP, BitsStored=12, HighBit=15), all_values)
    short = (SIGNED.view(np.uint16) & 0xFFF).astype(np.int16)
    yield "sign in bit 11", (changed(short, bits=12), spread(SIGNED))
    yield "sign in bit 11, JPEG 2000", (compressed(short, uid.JPEG2000Lossless, **fewer), spread(SIGNED))
    padded = SIGNED.copy()
    padded[:2] = -32000
    padded[0, 5] = -31990
    rest = SIGNED[2:].astype(float)
    wanted = np.rint(np.clip((padded - rest.min()) / np.ptp(rest), 0, 1) * 255).astype(np.uint8)
    for name, kind, value in (("SS", "SS", -32000), ("US", "US", 65536 - 32000)):
        ends: dict[str, tuple[str, object]] = {
            "PixelPaddingValue": (kind, value),
            "PixelPaddingRangeLimit": (kind, value + 100),
        }
        yield f"padding as {name}", (typed(padded, **ends), wanted)
    for dtype, offset in ((np.uint32, 2**32 - 70000), (np.int32, -(2**31))):
        values = (RAMP * 64 + offset).astype(dtype)
        yield f"{dtype.__name__}", (changed(values), spread(values))
    yield "colour of 12 bits in 16", (changed(COLOUR.astype(np.uint16) * 16), TWELVE_IN_SIXTEEN)
    yield "colour of 12 bits", (changed(COLOUR.astype(np.uint16) * 16, bits=12), TWELVE_IN_SIXTEEN)
    yield "one value", (changed(np.full((32, 32), 7, np.uint16)), np.full((32, 32), 128, np.uint8))
