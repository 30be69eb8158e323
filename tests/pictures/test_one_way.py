"""A file gives the same pixels, or the same refusal, to the page, to ``noise``, to ``predict`` and to datasets."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.cli.main import main
from medpriv_core.datasets.files import FileSplit, open_files
from medpriv_core.datasets.images import decode_image
from medpriv_core.errors import ImageError
from medpriv_core.pictures.decoded import receive
from medpriv_core.pictures.kinds import kind_of
from medpriv_core.uploads.child import answer_with
from medpriv_core.uploads.opening import open_upload
from medpriv_core.uploads.upload import BURNED_IN_TEXT, Upload, make_upload
from tests.pictures.dicoms import DEEP, by_frame, dicom_cases, window, windowed
from tests.pictures.rasters import GREY, raster_cases, spread, tiff

CASES = dict(raster_cases()) | {f"{name.rstrip('.')}.dcm": case for name, case in dicom_cases()}


def tolerance(name: str) -> int:
    """Grey levels: one for rounding; more where the file is lossy."""
    return 8 if name.startswith("JPEG in") or name.startswith("JPEG without") else 3 if name.endswith(".jpeg") else 1


def on_the_page(name: str, data: bytes) -> Upload:
    """As ``open_upload``, by the code of its child in this process."""
    kind = kind_of(name, data)
    answer = io.BytesIO()
    answer_with(kind, data, answer)
    return make_upload(kind, receive(io.BufferedReader(io.BytesIO(answer.getvalue()))))


def in_colour(picture: np.ndarray) -> np.ndarray:
    picture = picture[:, :, np.newaxis] if picture.ndim == 2 else picture
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def furthest(one: np.ndarray, other: np.ndarray) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def noised_hardly(file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[np.ndarray | None, str]:
    """The picture that ``noise`` read, seen behind next to no noise, and what the command said."""
    out = file.with_suffix(".npy")
    code = main(["noise", str(file), "--beta", "0.001", "--seed", "0", "--no-clamp", "--output", str(out)])
    return (np.load(out) * 255 if code == 0 else None), capsys.readouterr().err


@pytest.mark.parametrize("name", CASES)
def test_page_command_line_and_datasets_agree_with_numpy(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, wanted = CASES[name]
    file = tmp_path / f"picture{Path(name).suffix}"
    file.write_bytes(data)
    split = FileSplit(open_files(tmp_path), [file.name], [file.name], np.zeros(1), channels=3)
    if isinstance(wanted, str):
        with pytest.raises(ImageError, match=wanted) as on_page:
            on_the_page(name, data)
        with pytest.raises(ImageError) as from_dataset:
            split.image(0)
        said = f"The image {file.name} cannot be read. {on_page.value}"
        assert str(from_dataset.value) == said
        assert said in noised_hardly(file, capsys)[1]
        assert "is damaged" not in said
        return
    upload = on_the_page(name, data)
    picture = upload.render()
    assert picture.shape[2] == (3 if wanted.ndim == 3 else 1)
    assert furthest(in_colour(picture), in_colour(wanted)) <= tolerance(name)
    assert np.array_equal(np.asarray(split.image(0)), in_colour(picture))
    noised, said = noised_hardly(file, capsys)
    assert noised is not None
    # The smallest noise there is has a mean of a quarter of a grey level.
    assert noised.shape == (picture.shape if picture.shape[2] == 3 else picture.shape[:2])
    assert np.abs(in_colour(noised) - in_colour(picture)).mean() < 0.4
    # What is said beside the picture is said on the command line.
    notes = [note for note in upload.notes if note != BURNED_IN_TEXT]
    assert all(f"Note: {note}" in said for note in notes)


def test_the_child_gives_what_its_code_gives_here() -> None:
    for name in ("12 bits in 16.png", "float64 big plain.tif", "overlay in JPEG 2000.dcm"):
        data, wanted = CASES[name]
        assert not isinstance(wanted, str)
        assert furthest(in_colour(open_upload(name, data).render()), in_colour(wanted)) <= 1


def test_each_frame_is_shown_by_its_own_window() -> None:
    upload = on_the_page("two.dcm", by_frame(window(1000, 500), window(3000, 500)))
    assert np.array_equal(upload.render(1)[:, :, 0], windowed(DEEP, 3000, 500))
    assert [upload.presets_at(frame)[0].centre for frame in (0, 1)] == [1000, 3000]
    assert upload.centre_range[0] <= 1000
    assert upload.centre_range[1] >= 3000
    missed = on_the_page("two.dcm", by_frame(window(1000, 500), window(90000, 500)))
    assert np.array_equal(missed.render(1)[:, :, 0], spread(DEEP))
    assert "of frame 2" in missed.notes[0]


def test_frames_that_are_not_announced_are_counted() -> None:
    data, _ = CASES["two frames, not said.dcm"]
    upload = on_the_page("two.dcm", data)
    assert upload.frames == 2
    assert np.array_equal(upload.render(1)[:, :, 0], 255 - GREY)
    assert "Number of Frames" in upload.notes[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("grey without interpretation.dcm", "Photometric Interpretation is missing"),
        ("colour without planar configuration.dcm", "Planar Configuration is missing"),
        ("RGB called YBR_FULL_422.dcm", "read as RGB"),
        ("table 16 bits declared.dcm", "declares 16 bits and ends at 4095"),
        ("table bytes swapped.dcm", "its bytes are swapped"),
        ("table empty, a window beside it.dcm", "without entries, which is passed over"),
        ("window above.dcm", "would show every pixel black, so “All values” is shown"),
        ("window below.dcm", "would show every pixel white, so “All values” is shown"),
        ("window misses, MONOCHROME1.dcm", "would show every pixel white"),
        ("slope 0.dcm", "shown as stored"),
        ("colour of 12 bits in 16.dcm", "of which 12 are used"),
        ("12 bits.png", "of which 12 are used"),
        ("not all numbers.tif", "not finite numbers"),
        ("moving.gif", "holds 2 images, one after the other; the first is read"),
    ],
)
def test_what_was_filled_in_or_passed_over_is_said(name: str, words: str) -> None:
    assert words in on_the_page(name, CASES[name][0]).notes[0]


def test_a_sound_file_needs_no_words() -> None:
    for name in ("grey.png", "12 bits in 16.png", "uint16 little plain.tif", "several windows.dcm", "overlay.dcm"):
        assert on_the_page(name, CASES[name][0]).notes == (BURNED_IN_TEXT,)


@pytest.mark.parametrize(
    "values",
    [
        np.full((32, 32), 7, np.uint16),
        np.full((32, 32), 7, np.int32),
        np.full((32, 32), -3.5, np.float32),
        np.full((32, 32), 1e-30, np.float64),
        np.full((32, 32), -1e250, np.float64),
        np.where(np.eye(32) > 0, np.nan, 4.0),
        np.full((32, 32), 2**63 + 7, np.uint64),
    ],
    ids=str,
)
def test_sliders_have_room_on_a_picture_of_one_value(values: np.ndarray) -> None:
    upload = on_the_page("one.tif", tiff(values))
    for low, high in (upload.centre_range, upload.width_range):
        assert low < high
        assert low + upload.step > low
    for preset in upload.presets:
        assert upload.centre_range[0] <= preset.centre <= upload.centre_range[1]
        assert upload.width_range[0] <= preset.width <= upload.width_range[1]
    assert np.unique(upload.render()).tolist() == [128]


def test_a_dataset_reads_a_small_jpeg_by_the_short_way_and_a_large_one_by_half() -> None:
    data, _ = CASES["turned.jpeg"]
    whole = decode_image(data, channels=1, name="x")
    assert whole.size == (256, 256)
    assert decode_image(data, channels=1, name="x", at_least=50).size == (128, 128)
