"""DICOM: pixels and how to show them, read without asking who they are. Runs in the decoding child.

A DICOM file is a list of tagged elements, a hundred of which may tell who the patient is. pydicom is given the
list of the few that make a picture (``WANTED``), and leaves all others at the top of the header unread. Of what it
returns, pixels and numbers leave this process, and no text but words of a fixed list (``windows.safe_words``).

From stored numbers to grey: unpack or decompress, *modality* transformation (rescale slope and intercept, or a
table) to a physical unit such as Hounsfield units, then a window (``windows.py``), and for MONOCHROME1, where
low values are bright, the inverse. Graphics laid over the picture (overlays) are not drawn.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import get_decoder
from pydicom.pixels.utils import get_expected_length, get_nr_frames
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from medpriv_core.datasets.images import MAX_PIXELS
from medpriv_core.errors import ImageError
from medpriv_core.uploads.colour import to_srgb
from medpriv_core.uploads.decoded import DAMAGED, Decoded
from medpriv_core.uploads.dicom_display import (
    frame_item,
    header_windows,
    is_hounsfield,
    number,
    pixel_aspect,
    read_palette,
    read_table,
)
from medpriv_core.uploads.dicom_refusals import refuse_series_in_time, refuse_without_pixels
from medpriv_core.uploads.frames import FramePlan, plan_frames, resized, without_equal_channels
from medpriv_core.uploads.raster import finite

WANTED = """
    SOPClassUID Modality ImageType SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames
    FrameIncrementPointer Rows Columns PixelAspectRatio BitsAllocated BitsStored HighBit PixelRepresentation
    PixelPaddingValue PixelPaddingRangeLimit PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing RescaleSlope
    RescaleIntercept RescaleType ModalityLUTSequence WindowCenter WindowWidth WindowCenterWidthExplanation
    VOILUTFunction VOILUTSequence PixelPresentation ICCProfile RedPaletteColorLookupTableDescriptor
    RedPaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData GreenPaletteColorLookupTableDescriptor
    GreenPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData BluePaletteColorLookupTableDescriptor
    BluePaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData SharedFunctionalGroupsSequence
    PerFrameFunctionalGroupsSequence DimensionIndexSequence EncryptedAttributesSequence ExtendedOffsetTable
    ExtendedOffsetTableLengths FloatPixelData DoubleFloatPixelData PixelData
"""
_GREY = ("MONOCHROME1", "MONOCHROME2")
_YBR = ("YBR_FULL", "YBR_FULL_422")
_COLOUR = ("RGB", "PALETTE COLOR", "YBR_ICT", "YBR_RCT", *_YBR)
_WRONG_LENGTH = (
    "This DICOM states another number of pixels or frames than it holds: it was cut short or changed. "
    "Export it again from its source."
)


def decode_dicom(data: bytes) -> Decoded:
    """Decode all frames of a DICOM file.

    Raises ``ImageError`` for what medpriv refuses, and whatever pydicom and its plug-ins raise for a damaged file.
    """
    dataset = dcmread(io.BytesIO(data), force=True, specific_tags=list(WANTED.split()))
    if not dataset and not dataset.file_meta:
        raise ImageError(DAMAGED)
    refuse_without_pixels(dataset)
    refuse_series_in_time(dataset)
    count = get_nr_frames(dataset, warn=False)
    width, height = int(dataset.Columns), int(dataset.Rows)
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"This picture has {width:,} × {height:,} pixels, {width * height / 1e6:,.0f} million in all; up to "
            f"{MAX_PIXELS // 10**6} million are read. Export it smaller."
        )
    interpretation = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    grey = interpretation in _GREY
    plan = plan_frames(
        width,
        height,
        frames=count,
        bytes_per_pixel=_kept_bytes(dataset) if grey else 3,
        pixel_aspect=pixel_aspect(dataset),
    )
    if grey:
        return _decode_grey(dataset, count, plan)
    if interpretation in _COLOUR:
        return _decode_colour(dataset, count, plan)
    raise ImageError("This DICOM stores its colours in a way that is not read. Export it as grey or RGB.")


def _decode_grey(dataset: FileDataset, count: int, plan: FramePlan) -> Decoded:
    table = read_table(dataset.ModalityLUTSequence[0]) if dataset.get("ModalityLUTSequence") else None
    frames, scales, low, high = [], [], np.inf, -np.inf
    for index, (stored, _) in enumerate(_decoded_frames(dataset, count)):
        values = table.of(stored) if table is not None else _storable(stored)
        item = frame_item(dataset, index, "PixelValueTransformationSequence")
        slope, intercept = (
            (1.0, 0.0) if table else (number(item, "RescaleSlope", 1.0), number(item, "RescaleIntercept", 0.0))
        )
        if slope == 0:
            raise ImageError(DAMAGED)
        ends = [slope * end + intercept for end in _extremes(values, stored, dataset)]
        low, high = min(low, *ends), max(high, *ends)
        frames.append(resized(values, plan.size))
        scales.append((slope, intercept))
    windows, tables = header_windows(dataset)
    return Decoded(
        np.stack(frames),
        int(dataset.Columns),
        int(dataset.Rows),
        bits=table.bits if table else int(dataset.get("BitsStored", 8 * frames[0].itemsize)),
        windowed=True,
        inverted=dataset.get("PhotometricInterpretation") == "MONOCHROME1",
        hounsfield=is_hounsfield(dataset),
        scales=tuple(scales),
        low=low,
        high=high,
        windows=windows,
        tables=tables,
        notes=plan.notes,
    )


def _decode_colour(dataset: FileDataset, count: int, plan: FramePlan) -> Decoded:
    palette = read_palette(dataset) if dataset.PhotometricInterpretation == "PALETTE COLOR" else None
    profile = dataset.get("ICCProfile")
    notes = plan.notes
    frames = []
    for stored, properties in _decoded_frames(dataset, count):
        bits = int(properties["bits_stored"])
        # Shrunk before anything else is done to every pixel: films have many.
        colours = Image.fromarray(resized(palette.of(stored) if palette else _in_8_bits(stored, bits), plan.size))
        if str(properties["photometric_interpretation"]) in _YBR:
            # The full-range YCbCr of JPEG, as Pillow's.
            colours = Image.frombytes("YCbCr", colours.size, colours.tobytes()).convert("RGB")
        colours, more_notes = to_srgb(colours, profile)
        notes += tuple(note for note in more_notes if note not in notes)
        frames.append(np.asarray(colours))
    return Decoded(
        without_equal_channels(np.stack(frames)),
        int(dataset.Columns),
        int(dataset.Rows),
        bits=palette.bits if palette else bits,
        notes=notes,
    )


def _decoded_frames(dataset: FileDataset, count: int) -> Iterator[tuple[np.ndarray, dict[str, str | int]]]:
    """Stored values (h, w) or (h, w, 3) of each of exactly ``count`` frames, and pydicom's description of them."""
    syntax = _transfer_syntax(dataset)
    decoder = get_decoder(syntax)
    plugin = ""
    if syntax == JPEGBaseline8Bit:
        plugin = "pillow"  # four times as fast, which films of ultrasound need
    elif syntax.is_encapsulated:
        plugin = "pylibjpeg"
    else:
        _check_length(dataset)
    done = 0
    for array, properties in decoder.iter_array(dataset, raw=True, decoding_plugin=plugin):
        done += 1
        if done > count:
            break
        yield array, properties
    if done != count:
        raise ImageError(_WRONG_LENGTH)


def _transfer_syntax(dataset: FileDataset) -> UID:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        implicit, little = dataset.original_encoding
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = syntax
    try:
        get_decoder(syntax)
    except NotImplementedError:
        what = "as a video" if "MPEG" in syntax.name or "HEVC" in syntax.name else "in a way that is not read"
        raise ImageError(f"This DICOM is compressed {what}. Export it uncompressed, or its frames as PNG.") from None
    return syntax


def _check_length(dataset: Dataset) -> None:
    """Refuse missing pixels, and whole frames more than stated; a rest below a frame is padding."""
    if "PixelData" not in dataset:
        return  # pydicom checks those of floating point
    expected, actual = get_expected_length(dataset), len(dataset.PixelData)
    frame = expected / get_nr_frames(dataset, warn=False)
    if actual < expected or actual >= expected + max(frame, 2):
        raise ImageError(_WRONG_LENGTH)


def _kept_bytes(dataset: Dataset) -> int:
    """Bytes of one grey value as ``_storable`` keeps it."""
    if "PixelData" not in dataset or dataset.BitsAllocated > 16:
        return 4
    return 1 if dataset.BitsAllocated <= 8 and not dataset.PixelRepresentation else 2


def _storable(stored: np.ndarray) -> np.ndarray:
    """Values in the smallest of the types that ``Decoded`` knows."""
    if stored.dtype.kind == "f" or stored.dtype.itemsize > 2:
        return finite(stored)
    native = stored.dtype.newbyteorder("=")
    return stored.astype(np.int16 if native == np.int8 else native, copy=False)


def _extremes(values: np.ndarray, stored: np.ndarray, dataset: Dataset) -> tuple[float, float]:
    """Smallest and largest value, those outside the scanned area (padding) left out where there are others."""
    padding = dataset.get("PixelPaddingValue")
    if isinstance(padding, int):
        limit = dataset.get("PixelPaddingRangeLimit")
        ends = sorted((padding, limit if isinstance(limit, int) else padding))
        scanned = values[(stored < ends[0]) | (stored > ends[1])]
        values = scanned if scanned.size else values
    return float(values.min()), float(values.max())


def _in_8_bits(colours: np.ndarray, bits: int) -> np.ndarray:
    if colours.dtype == np.uint8 and bits == 8:
        return colours
    if not 1 <= bits <= 8 * colours.itemsize or colours.dtype.kind != "u":
        raise ImageError(DAMAGED)
    highest = 2**bits - 1
    wide = colours.astype(np.uint16) * 255 // highest if bits < 8 else colours >> (bits - 8)
    return np.minimum(wide, 255).astype(np.uint8)
