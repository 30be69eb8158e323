"""DICOM: pixels and how to show them, read without asking who they are. For an upload this runs in the decoding child.

A DICOM file is a list of tagged elements, a hundred of which may tell who the patient is. pydicom is given the
list of the few that make a picture (``WANTED``), and leaves all others at the top of the header unread. Of what it
returns, pixels and numbers leave this module, and no text but words of a fixed list (``windows.safe_words``).

From stored numbers to grey: unpack or decompress, clear the bits that are not part of the value, *modality*
transformation (rescale slope and intercept, or a table) to a physical unit such as Hounsfield units, then a window
(``windows.py``), and for MONOCHROME1, where low values are bright, the inverse. Graphics laid over the picture
(overlays) are not drawn.
"""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import get_decoder
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import JPEGBaseline8Bit

from medpriv_core.errors import ImageError
from medpriv_core.extras import require
from medpriv_core.pictures.colour import bits_used, in_8_bits, to_srgb
from medpriv_core.pictures.decoded import DAMAGED, Decoded
from medpriv_core.pictures.dicom_display import (
    WindowReader,
    frame_item,
    is_hounsfield,
    padding,
    pixel_aspect,
    rescale,
)
from medpriv_core.pictures.dicom_header import GREY, YBR, Layout, completed
from medpriv_core.pictures.dicom_refusals import PIXELS, refuse_series_in_time, refuse_without_pixels
from medpriv_core.pictures.dicom_repair import with_known_types
from medpriv_core.pictures.dicom_tables import Table, read_palette, read_table
from medpriv_core.pictures.frames import (
    FOR_A_PAGE,
    FramePlan,
    Wanted,
    one_of,
    plan_frames,
    refuse_too_many_frames,
    resized,
)
from medpriv_core.pictures.pages import refuse_too_many_pixels
from medpriv_core.pictures.values import kept
from medpriv_core.pictures.windows import HeaderWindow

WANTED = """
    SOPClassUID Modality ImageType SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames
    FrameIncrementPointer Rows Columns PixelAspectRatio BitsAllocated BitsStored HighBit PixelRepresentation
    PixelPaddingValue PixelPaddingRangeLimit FloatPixelPaddingValue FloatPixelPaddingRangeLimit
    DoubleFloatPixelPaddingValue DoubleFloatPixelPaddingRangeLimit PixelSpacing ImagerPixelSpacing
    NominalScannedPixelSpacing RescaleSlope RescaleIntercept RescaleType ModalityLUTSequence WindowCenter WindowWidth
    WindowCenterWidthExplanation VOILUTFunction VOILUTSequence PixelPresentation ICCProfile
    RedPaletteColorLookupTableDescriptor RedPaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData
    GreenPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    BluePaletteColorLookupTableDescriptor BluePaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence DimensionIndexSequence EncryptedAttributesSequence
    ExtendedOffsetTable ExtendedOffsetTableLengths FloatPixelData DoubleFloatPixelData PixelData
"""
_WRONG_LENGTH = (
    "This DICOM states another number of pixels or frames than it holds: it was cut short or changed. "
    "Export it again from its source."
)
_NO_UNITS = "Its rescale slope and intercept make no sense; the values are shown as stored."
_one_at_a_time = threading.Lock()  # the filters of warnings belong to the whole process
logging.getLogger("pydicom").addHandler(logging.NullHandler())
logging.getLogger("pydicom").propagate = False  # its messages quote values of the header


def decode_dicom(data: bytes, wanted: Wanted = FOR_A_PAGE) -> Decoded:
    """Decode the frames of a DICOM file.

    Raises ``ImageError`` for what medpriv refuses, and whatever pydicom and its plug-ins raise for a damaged file.
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _decode(data, wanted)


def _decode(data: bytes, wanted: Wanted) -> Decoded:
    dataset = _header(data)
    refuse_without_pixels(dataset)
    refuse_series_in_time(dataset)
    layout = completed(dataset)
    refuse_too_many_pixels(int(dataset.Columns), int(dataset.Rows))
    refuse_too_many_frames(layout.frames, pixels=layout.frames * int(dataset.Columns) * int(dataset.Rows))
    interpretation = str(dataset.PhotometricInterpretation)
    plan = plan_frames(
        int(dataset.Columns),
        int(dataset.Rows),
        frames=layout.frames if wanted.every_frame else 1,
        bytes_per_pixel=_kept_bytes(dataset) if interpretation in GREY else 3,
        pixel_aspect=pixel_aspect(dataset),
        max_side=wanted.max_side,
    )
    source = _Source(dataset, layout, plan, wanted)
    return source.grey() if interpretation in GREY else source.colour(interpretation)


def _header(data: bytes) -> FileDataset:
    """The elements that are wanted, of a file that may name types wrongly."""
    dataset = dcmread(io.BytesIO(data), force=True, specific_tags=list(WANTED.split()))
    if not any(keyword in dataset for keyword in PIXELS):
        repaired = with_known_types(data)
        if repaired is not None and repaired != data:
            dataset = dcmread(io.BytesIO(repaired), force=True, specific_tags=list(WANTED.split()))
    if not dataset and not dataset.file_meta:
        raise ImageError(DAMAGED)
    return dataset


@dataclass(frozen=True)
class _Source:
    """A header that is complete, and what is wanted of its pixels."""

    dataset: FileDataset
    layout: Layout
    plan: FramePlan
    wanted: Wanted

    def grey(self) -> Decoded:
        dataset, notes = self.dataset, [*self.layout.notes, *self.plan.notes]
        reader = WindowReader(dataset, little_endian=self._little_endian)
        by_frame = bool(dataset.get("PerFrameFunctionalGroupsSequence"))
        unscanned = padding(dataset, signed=bool(dataset.PixelRepresentation), bits=int(dataset.BitsAllocated))
        frames, scales, ends, table = [], [], [], None
        windows: list[tuple[HeaderWindow, ...]] = []
        units, chosen = True, self._chosen
        for index, (stored, _) in enumerate(self._frames()):
            if index == 0:
                table = self._modality_table(stored, notes)
            values = kept(table.of(stored) if table is not None else stored)
            pair = rescale(frame_item(dataset, index, "PixelValueTransformationSequence"))
            if table is not None or pair is None:
                units = units and (table is not None)
                slope, intercept = 1.0, 0.0
            else:
                slope, intercept = pair
            notes += [note for note in values.notes if note not in notes]
            slope, intercept = slope * values.slope, slope * values.intercept + intercept
            first, last = (slope * end + intercept for end in _extremes(values.stored, stored, unscanned))
            ends.append((min(first, last), max(first, last)))
            if by_frame or not windows:
                windows.append(reader.windows(index, *ends[-1]))
            if index == chosen or self.wanted.every_frame:
                frames.append(resized(values.stored, self.plan.size))
                scales.append((slope, intercept))
        if not units:
            notes.append(_NO_UNITS)
        if not self.wanted.every_frame and len(ends) > 1:
            notes.append(one_of(len(ends), chosen))
            # Whoever looks at the only frame that was kept takes what stands first.
            ends = [ends[chosen], *ends]
            windows = [windows[chosen], *windows] if by_frame else windows
        return Decoded(
            np.stack(frames),
            int(dataset.Columns),
            int(dataset.Rows),
            bits=table.bits if table else self.layout.bits,
            windowed=True,
            inverted=dataset.PhotometricInterpretation == "MONOCHROME1",
            hounsfield=units and is_hounsfield(dataset),
            scales=tuple(scales),
            ends=tuple(ends),
            windows=tuple(windows) if len(set(windows)) > 1 else tuple(windows[:1]),
            tables=reader.tables,
            notes=(*notes, *reader.notes),
        )

    def colour(self, interpretation: str) -> Decoded:
        dataset, notes = self.dataset, [*self.layout.notes, *self.plan.notes]
        palette: Table | None = None
        used = bits = self.layout.bits
        if bits > 8 and interpretation != "PALETTE COLOR":
            used, notes_of_bits = bits_used(max(int(stored.max()) for stored, _ in self._frames()), bits)
            notes += notes_of_bits
        frames, count, chosen = [], 0, self._chosen
        for index, (stored, properties) in enumerate(self._frames()):
            count += 1
            if index != chosen and not self.wanted.every_frame:
                continue
            if interpretation == "PALETTE COLOR":
                palette = palette or read_palette(
                    dataset, low=float(stored.min()), high=float(stored.max()), little_endian=self._little_endian
                )
            elif stored.dtype.kind != "u":
                raise ImageError("The colours of this DICOM are signed numbers, which is not read. Export it as RGB.")
            # Shrunk before anything else is done to every pixel: films have many.
            shown = palette.of(stored) if palette else in_8_bits(stored, bits=bits, used=used)
            colours = Image.fromarray(resized(shown, self.plan.size))
            # Of JPEG the header was set right by its stream; of others the decoder may have changed it.
            by_stream = self.layout.stream is not None and self.layout.stream.family == "JPEG"
            label = interpretation if by_stream else str(properties["photometric_interpretation"])
            if label in YBR:
                # The full-range YCbCr of JPEG, as Pillow's.
                colours = Image.frombytes("YCbCr", colours.size, colours.tobytes()).convert("RGB")
            colours, more_notes = to_srgb(colours, dataset.get("ICCProfile"))
            notes += [note for note in more_notes if note not in notes]
            frames.append(np.asarray(colours))
        if count > len(frames):
            notes.append(one_of(count, chosen))
        return Decoded(
            np.stack(frames),
            int(dataset.Columns),
            int(dataset.Rows),
            bits=palette.bits if palette else bits,
            notes=tuple(notes),
        )

    @property
    def _chosen(self) -> int:
        return 0 if self.wanted.every_frame else self.wanted.frame_of(self.layout.frames)

    @property
    def _little_endian(self) -> bool:
        return bool(self.dataset.original_encoding[1])

    def _modality_table(self, stored: np.ndarray, notes: list[str]) -> Table | None:
        items = self.dataset.get("ModalityLUTSequence")
        if not items or stored.dtype.kind == "f":
            return None
        table, why_not = read_table(
            items[0],
            low=float(stored.min()),
            high=float(stored.max()),
            little_endian=self._little_endian,
            what="a table of values (modality LUT)",
        )
        if table is None:
            notes.append(why_not)
        return table

    def _frames(self) -> Iterator[tuple[np.ndarray, dict[str, str | int]]]:
        """Stored values (h, w) or (h, w, 3) of each frame, and pydicom's description of them."""
        syntax, stream = self.layout.syntax, self.layout.stream
        plugin = ""
        if syntax == JPEGBaseline8Bit and not (stream and stream.colours == "rgb" and not stream.adobe):
            plugin = "pillow"  # four times as fast, which films of ultrasound need
        elif syntax.is_encapsulated:
            plugin = "pylibjpeg"
            if plugin not in get_decoder(syntax).available_plugins:
                require("jpeg", error=ImageError)
        else:
            _check_length(self.dataset)
        done = 0
        for array, properties in get_decoder(syntax).iter_array(self.dataset, raw=True, decoding_plugin=plugin):
            done += 1
            if done > self.layout.frames:
                break
            yield self._without_other_bits(array), properties
        if done != self.layout.frames:
            raise ImageError(_WRONG_LENGTH)

    def _without_other_bits(self, stored: np.ndarray) -> np.ndarray:
        """Values of ``bits`` bits: those above may hold an overlay, or be left by an earlier picture."""
        bits, shift = self.layout.bits, self.layout.shift
        if stored.dtype.kind == "f" or bits >= 8 * stored.itemsize:
            return stored
        native = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        plain = native.view(f"u{native.itemsize}")
        above = plain >> bits
        if shift and above.any():
            plain = plain >> shift
        elif native.dtype.kind == "u" and not above.any():
            return native
        plain = plain & (2**bits - 1)
        if not self.dataset.PixelRepresentation:
            return plain.astype(plain.dtype)
        sign = plain.dtype.type(1 << (bits - 1))
        return ((plain ^ sign).astype(np.int64) - int(sign)).astype(f"i{native.itemsize}")


def _check_length(dataset: Dataset) -> None:
    """Refuse missing pixels, and whole frames more than stated; a rest below a frame is padding."""
    if "PixelData" not in dataset:
        return  # pydicom checks those of floating point
    expected, actual = get_expected_length(dataset), len(dataset.PixelData)
    frame = expected / int(dataset.NumberOfFrames)
    if actual < expected or actual >= expected + max(frame, 2):
        raise ImageError(_WRONG_LENGTH)


def _kept_bytes(dataset: Dataset) -> int:
    """Bytes of one grey value as it is kept."""
    if "PixelData" not in dataset or dataset.BitsAllocated > 16:
        return 4
    return 1 if dataset.BitsAllocated <= 8 and not dataset.PixelRepresentation else 2


def _extremes(values: np.ndarray, stored: np.ndarray, unscanned: tuple[float, float] | None) -> tuple[float, float]:
    """Smallest and largest value, those outside the scanned area (padding) left out where there are others."""
    if unscanned is not None:
        scanned = values[(stored < unscanned[0]) | (stored > unscanned[1])]
        values = scanned if scanned.size else values
    return float(values.min()), float(values.max())
