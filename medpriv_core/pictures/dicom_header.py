"""What a DICOM header leaves out or gets wrong about its pixels, filled in as viewers do, and said.

The standard makes each of these elements mandatory; devices and tools leave them out all the same. What the pixels
themselves tell (their length, the compressed stream) decides; where they do not, what nearly all such files mean.
What cannot be known is refused by the name of the missing element.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from pydicom.dataset import FileDataset
from pydicom.encaps import generate_fragments
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from medpriv_core.errors import ImageError
from medpriv_core.pictures.codestreams import Stream, stream_facts
from medpriv_core.pictures.dicom_elements import interpretation, put, whole

GREY = ("MONOCHROME1", "MONOCHROME2")
YBR = ("YBR_FULL", "YBR_FULL_422")
COLOURS = ("RGB", "YBR_ICT", "YBR_RCT", *YBR)
_ONE_SAMPLE = (*GREY, "PALETTE COLOR")
_ITEM = b"\xfe\xff\x00\xe0"
_BY_FAMILY = {
    "JPEG": JPEGBaseline8Bit,
    "extended JPEG": JPEGExtended12Bit,
    "lossless JPEG": JPEGLossless,
    "JPEG-LS": JPEGLSNearLossless,
    "JPEG 2000": JPEG2000Lossless,
}
_NAMES = {"Rows": ("rows", "0028,0010"), "Columns": ("columns", "0028,0011")}


@dataclass(frozen=True)
class Layout:
    """How the pixels lie: a value has ``bits`` bits, ``shift`` places above the lowest of those stored."""

    syntax: UID
    stream: Stream | None
    frames: int
    bits: int
    shift: int
    notes: tuple[str, ...]


def completed(dataset: FileDataset) -> Layout:
    """Fill in, in place, what the header lacks. Raises ``ImageError`` for what cannot be known."""
    notes: list[str] = []
    syntax = _syntax(dataset, notes)
    fragments = _fragments(dataset) if syntax.is_encapsulated else []
    stream = next(filter(None, map(stream_facts, fragments)), None)
    _size(dataset, "Rows", stream.height if stream else None, notes)
    _size(dataset, "Columns", stream.width if stream else None, notes)
    _allocated(dataset, stream, syntax, notes)
    _frames(dataset, fragments, syntax, notes)
    _colours(dataset, stream, notes)
    _planes(dataset, syntax, notes)
    bits, shift = _bits(dataset, stream, syntax, notes)
    if whole(dataset, "PixelRepresentation") not in (0, 1):
        put(dataset, "PixelRepresentation", int(stream.signed) if stream else 0)
        if "PixelData" in dataset:
            notes.append(_filled("Pixel Representation", "signed" if stream and stream.signed else "unsigned numbers"))
    else:
        put(dataset, "PixelRepresentation", whole(dataset, "PixelRepresentation"))
    return Layout(syntax, stream, int(dataset.NumberOfFrames or 1), bits, shift, tuple(notes))


def _filled(name: str, value: object) -> str:
    return f"{name} is missing from its header or does not fit its pixels; read as {value}."


def _syntax(dataset: FileDataset, notes: list[str]) -> UID:
    stated = str(dataset.file_meta.get("TransferSyntaxUID") or "").strip(" \0")
    implicit, little = dataset.original_encoding
    native = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    syntax = UID(stated) if stated else native
    pixels = dataset.get("PixelData")
    wrapped = isinstance(pixels, bytes) and pixels.startswith(_ITEM)
    known = True
    try:
        get_decoder(syntax)
    except NotImplementedError:
        known = False
    if wrapped and (not stated or (known and not syntax.is_encapsulated)):
        stream = next(filter(None, map(stream_facts, _fragments(dataset))), None)
        syntax = _BY_FAMILY[stream.family] if stream else RLELossless
        notes.append(_filled("Transfer Syntax", syntax.name.split(" (")[0]))
    elif known and syntax.is_encapsulated and isinstance(pixels, bytes) and not wrapped:
        syntax = native
        notes.append(_filled("Transfer Syntax", "uncompressed"))
    elif not known:
        what = "as a video" if "MPEG" in syntax.name or "HEVC" in syntax.name else "in a way that is not read"
        raise ImageError(f"This DICOM is compressed {what}. Export it uncompressed, or its frames as PNG.")
    dataset.file_meta.TransferSyntaxUID = syntax
    return syntax


def _fragments(dataset: FileDataset) -> list[bytes]:
    """Compressed pieces, without the table of offsets; those before any damage."""
    pieces: list[bytes] = []
    with contextlib.suppress(Exception):  # the decoder will say what is damaged
        pieces.extend(generate_fragments(bytes(dataset.PixelData)))
    return pieces[1:]


def _size(dataset: FileDataset, keyword: str, in_stream: int | None, notes: list[str]) -> None:
    value = whole(dataset, keyword)
    if value is None or value < 1 or (in_stream and value != in_stream):
        what, tag = _NAMES[keyword]
        if not in_stream:
            raise ImageError(
                f"This DICOM does not say how many {what} its image has (its element {keyword}, {tag}, is missing or "
                "0); only files that do are read. Export it again from its source."
            )
        value = in_stream
        notes.append(_filled(keyword, value))
    put(dataset, keyword, value)


def _length(dataset: FileDataset) -> int:
    return len(dataset.PixelData) if "PixelData" in dataset else 0


def _allocated(dataset: FileDataset, stream: Stream | None, syntax: UID, notes: list[str]) -> None:
    value = whole(dataset, "BitsAllocated")
    if "PixelData" not in dataset:
        put(dataset, "BitsAllocated", 32 if "FloatPixelData" in dataset else 64)
        return
    if value in (1, 8, 16, 32, 64) and stream is None:
        put(dataset, "BitsAllocated", value)
        return
    if stream is not None:
        # What the decoder will give, whatever the header says.
        guess = 8 if stream.precision <= 8 else 16 if stream.precision <= 16 else 32
        if value in (1, 8, 16, 32, 64):
            put(dataset, "BitsAllocated", guess)
            return
    elif syntax.is_encapsulated:
        guess = 8 if (value or 16) <= 8 else 16
    else:
        samples = whole(dataset, "SamplesPerPixel") or (1 if interpretation(dataset) in ("", *_ONE_SAMPLE) else 3)
        values = dataset.Rows * dataset.Columns * samples * max(1, whole(dataset, "NumberOfFrames") or 1)
        guess = {1: 8, 2: 16, 4: 32}.get(_length(dataset) // values, 0)
        if not guess:
            raise ImageError(
                "This DICOM does not say, or not rightly, how many bits a value has (its element Bits Allocated, "
                "0028,0100). Export it again from its source."
            )
    put(dataset, "BitsAllocated", guess)
    notes.append(_filled("Bits Allocated", f"{guess} bits"))


def _frame_bytes(dataset: FileDataset, samples: float) -> float:
    bits = int(dataset.BitsAllocated)
    values = dataset.Rows * dataset.Columns * samples
    return values / 8 if bits == 1 else values * (bits // 8)


def _frames(dataset: FileDataset, fragments: list[bytes], syntax: UID, notes: list[str]) -> None:
    stated = whole(dataset, "NumberOfFrames")
    if stated is not None and stated > 0:
        put(dataset, "NumberOfFrames", stated)
        return
    count = 1
    if syntax.is_encapsulated:
        count = max(1, sum(stream_facts(piece) is not None for piece in fragments))
        if syntax == RLELossless:
            count = max(1, len(fragments))
    elif "PixelData" in dataset:
        label, samples = interpretation(dataset), whole(dataset, "SamplesPerPixel")
        one = _frame_bytes(dataset, samples or (1 if label in ("", *_ONE_SAMPLE) else 3))
        # Three times a grey picture without a stated number of frames may be one in colour.
        if label == "YBR_FULL_422" and _length(dataset) < one:
            one = _frame_bytes(dataset, 2)
        if (label or samples) and _length(dataset) >= 2 * one and _length(dataset) % one in (0, 1):
            count = int(_length(dataset) // one)
    put(dataset, "NumberOfFrames", count)
    if count > 1:
        notes.append(_filled("Number of Frames", f"{count}, as many as it holds"))


def _colours(dataset: FileDataset, stream: Stream | None, notes: list[str]) -> None:
    label, samples = interpretation(dataset), whole(dataset, "SamplesPerPixel")
    if label not in ("", *_ONE_SAMPLE, *COLOURS):
        raise ImageError("This DICOM stores its colours in a way that is not read. Export it as grey or RGB.")
    stated = label, samples
    if stream is not None:
        samples, label = _of_stream(stream, label)
    elif "PixelData" in dataset:
        samples, label = _of_length(dataset, label, samples)
    else:
        samples, label = 1, label if label in GREY else "MONOCHROME2"
    put(dataset, "SamplesPerPixel", samples)
    put(dataset, "PhotometricInterpretation", label)
    if stated[0] != label and not (stream is not None and stated[0] not in ("", *GREY) and samples == 3):
        notes.append(_filled("Photometric Interpretation", label))
    elif stated[1] != samples:
        notes.append(_filled("Samples per Pixel", samples))


def _of_stream(stream: Stream, label: str) -> tuple[int, str]:
    """Samples and interpretation by the compressed stream, which knows better than the header."""
    if stream.components == 1:
        return 1, label if label in _ONE_SAMPLE else "MONOCHROME2"
    if stream.components != 3:
        raise ImageError(
            f"The compressed image in this DICOM has {stream.components} channels, which is not read. Export it as "
            "grey or RGB."
        )
    if stream.family == "JPEG":
        # Where Adobe's marker stands, Pillow gives RGB whatever was stored; elsewhere it leaves the values alone.
        if stream.colours == "rgb" or stream.adobe:
            return 3, "RGB"
        if stream.colours == "ybr":
            return 3, "YBR_FULL_422"
        return 3, "YBR_FULL_422" if label in ("", *_ONE_SAMPLE) else label
    return 3, "RGB" if label in ("", *_ONE_SAMPLE) else label


def _of_length(dataset: FileDataset, label: str, samples: int | None) -> tuple[int, str]:
    """Samples and interpretation of uncompressed (or RLE) pixels by their number."""
    frames, length = int(dataset.NumberOfFrames), _length(dataset)
    encapsulated = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    by_label = None if not label else 1 if label in _ONE_SAMPLE else 3
    if samples not in (1, 3) or (by_label is not None and samples != by_label):
        fits_three = not encapsulated and length >= 3 * frames * _frame_bytes(dataset, 1)
        fits_422 = not encapsulated and label == "YBR_FULL_422" and length >= 2 * frames * _frame_bytes(dataset, 1)
        if encapsulated:
            samples = samples if samples in (1, 3) else by_label or 1
        else:
            samples = 3 if fits_three or fits_422 else 1
    if samples == 1:
        if label in _ONE_SAMPLE:
            return 1, label
        return 1, "PALETTE COLOR" if not label and "RedPaletteColorLookupTableDescriptor" in dataset else "MONOCHROME2"
    if label in ("", *_ONE_SAMPLE):
        return 3, "RGB"
    if not encapsulated and label in ("RGB", *YBR):
        full, half = frames * _frame_bytes(dataset, 3), frames * _frame_bytes(dataset, 2)
        if label == "YBR_FULL_422" and length >= full:
            return 3, "RGB"  # a label of the days when it was compressed
        if label != "YBR_FULL_422" and half <= length <= half + 1:
            return 3, "YBR_FULL_422"
    return 3, label


def _planes(dataset: FileDataset, syntax: UID, notes: list[str]) -> None:
    if dataset.SamplesPerPixel == 1:
        return
    value = whole(dataset, "PlanarConfiguration")
    if value not in (0, 1):
        if not syntax.is_encapsulated:
            notes.append(_filled("Planar Configuration", "colour by pixel"))
        value = 0
    put(dataset, "PlanarConfiguration", value)


def _bits(dataset: FileDataset, stream: Stream | None, syntax: UID, notes: list[str]) -> tuple[int, int]:
    """Bits of a value, and how far above the lowest of those allocated they lie."""
    allocated = int(dataset.BitsAllocated)
    if "PixelData" not in dataset:
        return allocated, 0
    bits, high = whole(dataset, "BitsStored"), whole(dataset, "HighBit")
    if bits is None or not 1 <= bits <= allocated:
        bits = min(allocated, stream.precision) if stream else allocated
        notes.append(_filled("Bits Stored", bits))
        high = bits - 1
    shift = 0
    if high is not None and bits - 1 < high < allocated and (not syntax.is_encapsulated or syntax == RLELossless):
        # pydicom takes the lowest bits and clears the others, so it is told that all are used.
        shift = high + 1 - bits
        put(dataset, "BitsStored", allocated)
        put(dataset, "HighBit", allocated - 1)
        return bits, shift
    put(dataset, "BitsStored", bits)
    put(dataset, "HighBit", bits - 1)
    return bits, 0
