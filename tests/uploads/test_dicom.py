"""DICOM: every way of storing a picture comes out as the same picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file

from medpriv_core.pictures.dicom import decode_dicom
from medpriv_core.uploads.upload import Upload, make_upload
from tests.uploads.dicoms import ct, described, encapsulated, jpeg, lookup_table, sequence_item, written

RNG = np.random.default_rng(4)
GREY = RNG.integers(0, 256, (24, 32), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8)
SMOOTH = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8) * 2


def opened(data: bytes) -> Upload:
    """As ``open_upload``, without the child."""
    return make_upload("DICOM", decode_dicom(data))


def bundled(name: str) -> bytes:
    """A file that pydicom's wheel brings."""
    path = get_testdata_file(name, download=False)
    assert path is not None
    with open(path, "rb") as file:
        return file.read()


def test_grey_of_8_bits_is_shown_as_stored() -> None:
    upload = opened(written(described(GREY)))
    assert (upload.kind, upload.frames, upload.size, upload.bits, upload.channels) == ("DICOM", 1, (32, 24), 8, 1)
    assert np.array_equal(upload.render()[:, :, 0], GREY)


def test_monochrome1_is_the_negative() -> None:
    upload = opened(written(described(GREY, interpretation="MONOCHROME1")))
    assert np.array_equal(upload.render()[:, :, 0], 255 - GREY)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_every_integer_type_spreads_its_values_from_black_to_white(dtype: type) -> None:
    limits = np.iinfo(dtype)
    values = np.linspace(limits.min, limits.max, 512).astype(dtype).reshape(16, 32)  # type: ignore[var-annotated]
    upload = opened(written(described(values)))
    assert upload.bits == limits.bits
    expected = np.rint(np.linspace(0, 255, 512)).reshape(16, 32)
    assert np.abs(upload.render()[:, :, 0] - expected).max() <= 1


def test_12_bits_in_16_use_the_whole_range() -> None:
    values = np.arange(512, dtype=np.uint16).reshape(16, 32) * 8
    upload = opened(written(described(values, bits=12)))
    assert upload.bits == 12
    assert (upload.render().min(), upload.render().max()) == (0, 255)


def test_one_bit_is_black_and_white() -> None:
    mask = RNG.integers(0, 2, (16, 32), dtype=np.uint8)
    dataset = described(mask)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 1, 0
    dataset.PixelData = np.packbits(mask.ravel(), bitorder="little").tobytes()
    upload = opened(written(dataset))
    assert upload.bits == 1
    assert np.array_equal(upload.render()[:, :, 0], mask * 255)


def test_floating_point_pixels_are_shown_from_smallest_to_largest() -> None:
    values = np.linspace(-0.5, 0.5, 512, dtype=np.float32).reshape(16, 32)
    dataset = described(values)
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.FloatPixelData = values.tobytes()
    upload = opened(written(dataset))
    assert upload.centre_range == (-0.5, 0.5)
    assert upload.render()[[0, -1], [0, -1], 0].tolist() == [0, 255]
    assert upload.step < 0.01


def test_big_endian_values_are_the_same() -> None:
    small, big = opened(bundled("MR_small.dcm")), opened(bundled("MR_small_bigendian.dcm"))
    assert small.presets == big.presets
    assert np.array_equal(small.render(), big.render())


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_keeps_its_colours(planar: int) -> None:
    dataset = described(COLOUR)
    if planar:
        dataset.PixelData = np.moveaxis(COLOUR, -1, 0).tobytes()
        dataset.PlanarConfiguration = 1
    upload = opened(written(dataset))
    assert upload.presets == ()
    assert upload.channels == 3
    assert np.array_equal(upload.render(), COLOUR)


def test_ybr_becomes_rgb() -> None:
    # Pure red in Rec. 601 full range.
    red = np.tile(np.array([76, 85, 255], np.uint8), (16, 16, 1))
    upload = opened(written(described(red, interpretation="YBR_FULL")))
    assert np.abs(upload.render().astype(int) - [254, 0, 0]).max() <= 1


def test_rgb_of_16_bits_is_scaled() -> None:
    upload = opened(written(described(COLOUR.astype(np.uint16) * 257)))
    assert upload.bits == 16
    assert np.array_equal(upload.render(), COLOUR)


def test_the_header_says_whether_it_is_colour_whatever_the_pixels_are() -> None:
    equal = np.repeat(GREY[:, :, None], 3, axis=2)
    upload = opened(written(described(equal)))
    assert upload.channels == 3
    assert np.array_equal(upload.render(), equal)


@pytest.mark.parametrize(("entry_bits", "first"), [(8, 0), (16, 0), (16, -5), (16, 7)])
def test_palettes_show_their_colours(entry_bits: int, first: int) -> None:
    palette = RNG.integers(0, 256, (40, 3), dtype=np.uint8)
    indexes = RNG.integers(-20, 60, (16, 32)).astype(np.int16)
    dataset = described(indexes, interpretation="PALETTE COLOR")
    for channel, colour in enumerate(("Red", "Green", "Blue")):
        entries = palette[:, channel].astype(np.uint8 if entry_bits == 8 else "<u2") << (entry_bits - 8)
        dataset.add_new(f"{colour}PaletteColorLookupTableDescriptor", "SS", [40, first, entry_bits])
        dataset.add_new(f"{colour}PaletteColorLookupTableData", "OW", entries.tobytes())
    upload = opened(written(dataset))
    assert np.array_equal(upload.render(), palette[np.clip(indexes.astype(int) - first, 0, 39)])


def test_a_segmented_palette_agrees_with_its_plain_one() -> None:
    plain = opened(written(described(GREY)))
    dataset = described(GREY, interpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        dataset.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        # One discrete value 0, then a linear segment of 255 up to white.
        segments = np.array([0, 1, 0, 1, 255, 255 * 257], "<u2")
        dataset.add_new(f"Segmented{colour}PaletteColorLookupTableData", "OW", segments.tobytes())
    # A palette is colours, also where all of them are grey.
    assert np.array_equal(opened(written(dataset)).render(), np.repeat(plain.render(), 3, axis=2))


def test_ct_is_in_hounsfield_units_and_has_the_usual_windows() -> None:
    stored = np.array([0, 1024, 1064, 1364, 3000], np.uint16).repeat(16).reshape(16, 5).T.repeat(4, axis=0)
    upload = opened(written(ct(stored)))
    assert upload.unit == "HU"
    presets = {preset.name: preset for preset in upload.presets}
    assert set(presets) == {"Soft tissue", "Lung", "Bone", "Brain", "All values"}
    assert (presets["All values"].centre, presets["All values"].width) == (476, 3000)
    soft = np.unique(upload.render(0, presets["Soft tissue"].centre, presets["Soft tissue"].width))
    # -1024 and below -160 black, 0 HU at (0 - 39.5) / 399 + 0.5, 40 HU grey, above 240 white.
    assert soft.tolist() == [0, round(255 * (-39.5 / 399 + 0.5)), 128, 255]


@pytest.mark.parametrize(
    "change",
    [
        {"Modality": "MR"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"RescaleType": "US"},
    ],
)
def test_other_values_are_not_called_hounsfield_units(change: dict[str, Any]) -> None:
    dataset = ct(GREY.astype(np.uint16))
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    upload = opened(written(dataset))
    assert upload.unit == ""
    assert [preset.name for preset in upload.presets] == ["All values"]


def test_windows_of_the_header_come_first_each_with_its_explanation() -> None:
    dataset = ct(np.arange(512, dtype=np.uint16).reshape(16, 32) * 8)
    dataset.WindowCenter, dataset.WindowWidth = [-500, 60, 1e9], [1400, 300, 0]
    dataset.WindowCenterWidthExplanation = ["LUNG", "Zaphodson", "NONE"]
    upload = opened(written(dataset))
    first, second, third = upload.presets[:3]
    assert (first.name, first.centre, first.width) == ("From the file 1: lung", -500, 1400)
    assert second.name == "From the file 2"
    assert third.name == "Soft tissue"
    assert np.array_equal(upload.render(), upload.render(0, first.centre, first.width, curve=first.curve))
    assert not np.array_equal(upload.render(), upload.render(0, second.centre, second.width))


def test_the_curve_of_the_header_is_used() -> None:
    dataset = described(np.arange(512, dtype=np.uint16).reshape(16, 32))
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = 256, 100, "SIGMOID"
    upload = opened(written(dataset))
    assert upload.presets[0].curve == "sigmoid"
    assert upload.render()[:, :, 0].ravel()[200] == round(255 / (1 + np.exp(4 * 56 / 100)))


def test_a_table_of_grey_levels_is_a_preset() -> None:
    dataset = described(np.arange(512, dtype=np.uint16).reshape(16, 32))
    curve = (np.linspace(0, 1, 256) ** 2 * 4095).astype(np.uint16)
    dataset.VOILUTSequence = [lookup_table(curve, first=100, bits=12)]
    upload = opened(written(dataset))
    assert upload.presets[0].name == "From the file"
    expected = np.rint(curve[np.clip(np.arange(512) - 100, 0, 255)] / 4095 * 255)
    assert np.abs(upload.render()[:, :, 0].ravel() - expected).max() <= 1


def test_a_modality_table_replaces_the_values() -> None:
    dataset = described(np.tile(np.arange(32, dtype=np.uint8), (16, 1)))
    entries = np.arange(1000, 1020, dtype=np.uint16)[::-1]
    dataset.ModalityLUTSequence = [lookup_table(entries, first=4, bits=16)]
    upload = opened(written(dataset))
    assert upload.centre_range == (1000, 1019)
    assert upload.render()[0, [0, 4, 23, 31], 0].tolist() == [255, 255, 0, 0]


def test_padding_does_not_widen_the_range() -> None:
    values = np.full((16, 32), 500, np.int16)
    values[4:8] = 700
    values[:2] = -2000
    dataset = described(values)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    upload = opened(written(dataset))
    assert upload.centre_range == (500, 700)
    assert upload.render()[[0, 2, 4], 0, 0].tolist() == [0, 0, 255]


def test_frames_are_counted_and_differ() -> None:
    frames = RNG.integers(0, 256, (5, 16, 32), dtype=np.uint8)
    upload = opened(written(described(frames)))
    assert upload.frames == 5
    assert all(np.array_equal(upload.render(index)[:, :, 0], frames[index]) for index in range(5))


def test_each_frame_of_an_enhanced_file_has_its_own_scale() -> None:
    dataset = described(np.full((2, 16, 16), 10, np.uint16))
    dataset.PerFrameFunctionalGroupsSequence = [
        sequence_item(PixelValueTransformationSequence=[sequence_item(RescaleSlope=slope, RescaleIntercept=0)])
        for slope in (1, 5)
    ]
    dataset.SharedFunctionalGroupsSequence = [
        sequence_item(FrameVOILUTSequence=[sequence_item(WindowCenter=50, WindowWidth=100)])
    ]
    upload = opened(written(dataset))
    assert upload.centre_range == (10, 50)
    assert upload.presets[0].width == 100
    assert [int(upload.render(frame)[0, 0, 0]) for frame in (0, 1)] == [round(255 * (-39.5 / 99 + 0.5)), 129]


@pytest.mark.parametrize(
    ("attributes", "shape"),
    [
        ({"PixelSpacing": [0.5, 0.25]}, (48, 32)),
        ({"ImagerPixelSpacing": [0.1, 0.3]}, (24, 96)),
        ({"PixelAspectRatio": [1, 2]}, (24, 64)),
        ({"PixelSpacing": [9, 0.1]}, (24, 32)),
    ],
)
def test_pixels_become_square(attributes: dict[str, Any], shape: tuple[int, int]) -> None:
    dataset = described(GREY)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    upload = opened(written(dataset))
    assert upload.render().shape[:2] == shape
    assert upload.size == (32, 24)


def test_pixels_that_are_square_to_a_hundredth_are_left_alone() -> None:
    pixels = np.tile(GREY, (10, 1))
    dataset = described(pixels)
    dataset.PixelSpacing = [0.403, 0.4]
    assert np.array_equal(opened(written(dataset)).render()[:, :, 0], pixels)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless])
@pytest.mark.parametrize("pixels", [GREY, COLOUR, GREY.astype(np.uint16) * 16], ids=["grey", "colour", "12-bit"])
def test_lossless_compression_changes_nothing(syntax: uid.UID, pixels: np.ndarray) -> None:
    pixels = np.concatenate([pixels, pixels])  # JPEG 2000 halves a picture five times
    plain = opened(written(described(pixels)))
    dataset = described(pixels)
    dataset.compress(syntax, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    assert np.array_equal(opened(written(dataset)).render(), plain.render())


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_compressed_files_of_others_agree_with_their_plain_one(name: str) -> None:
    assert np.array_equal(opened(bundled(name)).render(), opened(bundled("MR_small.dcm")).render())


def test_baseline_jpeg_is_read_frame_by_frame() -> None:
    frames = np.stack([SMOOTH, SMOOTH[::-1]])
    upload = opened(encapsulated(described(frames), [jpeg(frame) for frame in frames], uid.JPEGBaseline8Bit))
    assert upload.frames == 2
    for index in (0, 1):
        assert np.abs(upload.render(index)[:, :, 0].astype(int) - frames[index]).max() < 8


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm", "JPEGLSNearLossless_16.dcm"])
def test_further_kinds_of_jpeg_agree_with_pydicom(name: str) -> None:
    data = bundled(name)
    reference = dcmread(get_testdata_file(name, download=False)).pixel_array.astype(float)
    picture = opened(data).render()
    picture = picture[:, :, 0] if reference.ndim == 2 else picture
    spread = (reference - reference.min()) / (reference.max() - reference.min()) * 255
    assert np.abs(picture - (reference if reference.ndim == 3 else spread)).max() <= 1


def test_a_deflated_file_is_read() -> None:
    dataset = described(GREY)
    assert np.array_equal(
        opened(written(dataset, uid.DeflatedExplicitVRLittleEndian)).render()[:, :, 0],
        GREY,
    )


def test_a_file_without_its_mark_is_read() -> None:
    assert np.array_equal(opened(written(described(GREY))[132:]).render()[:, :, 0], GREY)


def test_a_picture_of_one_value_is_grey() -> None:
    picture = opened(written(described(np.full((16, 16), 900, np.uint16), bits=12))).render()
    assert np.unique(picture).tolist() == [128]
