"""Windows: DICOM's own formulas, in its own words, point by point."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from medpriv_core.errors import SettingError
from medpriv_core.pictures.windows import HeaderWindow, presets_of, safe_words, shade


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(40, 400), (-600, 1500), (127.5, 255), (10, 12.5)])
def test_grey_agrees_with_pydicom(function: str, centre: float, width: float) -> None:
    header = Dataset()
    header.PhotometricInterpretation, header.BitsStored, header.PixelRepresentation = "MONOCHROME2", 16, 1
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = centre, width, function
    values = np.arange(-2000, 2000, dtype=np.int16)
    reference = apply_windowing(values, header)
    # pydicom spreads grey over the range of a signed 16-bit number.
    reference = (reference + 2**15) / (2**16 - 1)

    grey = shade(values, centre=centre, width=width, curve=function.lower())

    assert grey.dtype == np.float32
    assert np.abs(grey - reference).max() < 2e-5


def test_a_window_of_one_splits_black_from_white() -> None:
    grey = shade(np.array([4.0, 5.0]), centre=5, width=1, curve="linear")
    assert grey.tolist() == [0, 1]


def test_a_linear_window_below_one_serves_values_between_0_and_1() -> None:
    grey = shade(np.array([0.0, 0.25, 0.5]), centre=0.25, width=0.5, curve="linear")
    assert grey.tolist() == [0, 0.5, 1]


def test_a_table_gives_its_entries_at_its_own_window_and_stretches_with_the_width() -> None:
    tables = {"table 1": (0.0, 0.1, 0.4, 1.0)}
    values = np.array([90.0, 100, 101, 102, 103, 200])

    own = shade(values, centre=102, width=4, curve="table 1", tables=tables)
    wide = shade(values, centre=102, width=400, curve="table 1", tables=tables)

    assert np.allclose(own, [0, 0, 0.1, 0.4, 1, 1])
    assert np.allclose(wide, [0.4, 0.4, 0.4, 0.4, 0.4, 1])


@pytest.mark.parametrize(
    ("centre", "width", "curve"),
    [(0, 0, "linear"), (0, -5, "sigmoid"), (np.nan, 5, "linear"), (0, np.inf, "linear"), (0, 5, "table 9")],
)
def test_impossible_windows_are_refused(centre: float, width: float, curve: str) -> None:
    with pytest.raises(SettingError, match="preset"):
        shade(np.zeros(3), centre=centre, width=width, curve=curve)


def test_only_well_known_words_of_an_explanation_are_shown() -> None:
    assert safe_words("LUNG") == "lung"
    assert safe_words("Soft-Tissue 2") == "soft tissue 2"
    assert safe_words("Zaphodson") == ""
    assert safe_words("LUNG of 19770131") == ""
    assert safe_words("lung 1977") == ""


def test_presets_start_with_the_header_and_have_names_of_their_own() -> None:
    windows = [HeaderWindow(40, 400, "linear", "abdomen"), HeaderWindow(50, 80, "table 1", "")]

    presets = presets_of(windows, low=-1000, high=2000, hounsfield=True, full_scale=None)

    names = [preset.name for preset in presets]
    assert names == [
        "From the file 1: abdomen",
        "From the file 2",
        "Soft tissue",
        "Lung",
        "Bone",
        "Brain",
        "All values",
    ]
    assert "table" in presets[1].explanation
    assert (presets[-1].centre, presets[-1].width) == (500, 3000)


def test_eight_bits_are_shown_at_full_scale_and_more_by_their_values() -> None:
    assert [p.name for p in presets_of([], low=9, high=90, hounsfield=False, full_scale=255)] == [
        "Full scale",
        "All values",
    ]
    assert [p.name for p in presets_of([], low=9, high=90, hounsfield=False, full_scale=65535)] == [
        "All values",
        "Full scale",
    ]
    assert len(presets_of([], low=0, high=255, hounsfield=False, full_scale=255)) == 1


def test_a_picture_of_one_value_becomes_middle_grey() -> None:
    (preset,) = presets_of([], low=7, high=7, hounsfield=False, full_scale=None)
    assert shade(np.array([7.0]), centre=preset.centre, width=preset.width, curve=preset.curve) == 0.5
