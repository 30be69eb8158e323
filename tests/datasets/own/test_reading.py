"""What an owner chose for their files holds wherever these are read: fit, window, frames."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core.datasets.files import same_images
from medpriv_core.datasets.images import decode_image, read_picture, to_square
from medpriv_core.datasets.own import frames as frames_module
from medpriv_core.datasets.own.adding import add_own, choices_from, look, record_of, refresh_own, thumbnails
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.recipe import Recipe
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import DatasetEntry, list_datasets, open_dataset
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.home import DataHome
from medpriv_core.pictures.reading import AS_USUAL, Reading, Window
from medpriv_core.runs import deletion, service
from medpriv_core.runs.budget import budget_state, set_budget
from medpriv_core.runs.on_images import all_runs, epsilon_on_images
from medpriv_core.spec import RunSpec
from tests.datasets.builders import write_folder
from tests.pictures.dicoms import by_frame, window
from tests.trained_runs import train_run
from tests.uploads.dicoms import ct, described, written

SHADES = [np.full((20, 30), 40 * shade + 20, np.uint8) for shade in range(5)]


def film(*frames: np.ndarray, patient: str = "P1") -> bytes:
    """A DICOM with these frames."""
    dataset = described(np.stack(frames) if len(frames) > 1 else frames[0])
    dataset.PatientID = patient
    return written(dataset)


def films(count: int = 8) -> dict[str, bytes]:
    """Films of three frames each and single images, all different, in two classes."""
    found = {}
    for number in range(count):
        shades = [
            (np.random.default_rng(10 * number + frame).random((20, 30)) * 255).astype(np.uint8) for frame in range(3)
        ]
        found[f"{'ab'[number % 2]}/f{number}.dcm"] = film(
            *shades[: 3 if number < count // 2 else 1], patient=f"P{number}"
        )
    return found


def test_of_several_frames_the_one_that_was_asked_for() -> None:
    data = film(*SHADES)
    for reading, frame, shade in (
        (AS_USUAL, None, 20),
        (Reading(frames="middle"), None, 100),
        (Reading(frames="each"), 3, 140),
        (AS_USUAL, 4, 180),
    ):
        pixels = np.asarray(decode_image(data, channels=1, name="x", reading=reading, frame=frame))
        assert np.unique(pixels).tolist() == [shade]
    with pytest.raises(ImageError, match="has 5 frames, and frame 6 was asked for"):
        decode_image(data, channels=1, name="x", frame=5)


def test_a_frame_is_shown_in_its_own_window_and_with_its_own_values() -> None:
    deep = np.stack([np.linspace(0, 1000 * (frame + 1), 256).reshape(16, 16) for frame in range(3)]).astype(np.uint16)
    last = np.asarray(decode_image(film(*deep), channels=1, name="x", frame=2))
    first = np.asarray(decode_image(film(*deep), channels=1, name="x"))
    # All values of the file: the first frame uses a third of them.
    assert (first.max(), last.max()) == (85, 255)
    percentiles = Reading(window="percentiles")
    for frame in range(3):
        shown = np.asarray(decode_image(film(*deep), channels=1, name="x", frame=frame, reading=percentiles))
        low, high = np.percentile(deep[frame], (1, 99))
        assert np.abs(shown - np.clip((deep[frame] - low) / (high - low), 0, 1) * 255).max() <= 1


@pytest.mark.parametrize(
    ("window", "centre", "width"), [("lung", -600, 1500), ("brain", 40, 80), ("soft tissue", 40, 400)]
)
def test_windows_of_ct_are_those_of_textbooks(window: Window, centre: float, width: float) -> None:
    stored = (np.arange(256).reshape(16, 16) * 16).astype(np.uint16)
    shown = np.asarray(decode_image(written(ct(stored)), channels=1, name="x", reading=Reading(window=window)))
    expected = np.clip((stored - 1024.0 - (centre - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 1


def test_a_window_of_ct_for_what_is_no_ct_is_refused_before_anything_is_kept(home: DataHome, tmp_path: Path) -> None:
    place = write_folder(tmp_path / "set", films())
    with pytest.raises(DatasetError, match="needs Hounsfield units, which this image has not"):
        look(home, "mine", place, Choices(reading=Reading(window="lung")))
    images = {f"{'ab'[n % 2]}/{n}.png": png(n) for n in range(8)}
    with pytest.raises(DatasetError, match="none of these images is DICOM"):
        look(home, "mine", write_folder(tmp_path / "plain", images), Choices(reading=Reading(window="bone")))


def png(seed: int, size: tuple[int, int] = (40, 20)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "PNG")
    return kept.getvalue()


def test_fits_to_a_square() -> None:
    pixels = np.zeros((20, 40), np.uint8)
    pixels[:, 10:30] = 200
    wide = Image.fromarray(pixels)
    assert (to_square(wide, 20, "crop") == 200).all()
    padded = to_square(wide, 20, "pad")[:, :, 0]
    assert (padded[:5] == 0).all()
    assert (padded[15:] == 0).all()
    assert padded[6:14, 8:12].min() > 190
    tall = to_square(wide.transpose(Image.Transpose.ROTATE_90), 20, "pad")[:, :, 0]
    assert np.array_equal(tall, padded.T)
    assert to_square(Image.new("RGB", (30, 7), (9, 9, 9)), 16, "pad").shape == (16, 16, 3)
    for fit in ("squash", "crop", "pad"):
        square = Image.fromarray(pixels[:, :20])
        assert np.array_equal(to_square(square, 10, fit), to_square(square, 10))


def test_each_frame_is_an_image_of_the_same_patient_and_side(home: DataHome, tmp_path: Path) -> None:
    place = write_folder(tmp_path / "set", films())
    found = look(home, "mine", place, Choices(reading=Reading(frames="each")))
    assert len(found.images) == 4 * 3 + 4
    assert "4 DICOM files hold several frames, up to 3; each frame is an image." in found.notes
    sides: dict[str, set[str]] = {}
    for image in found.images:
        sides.setdefault(image.file, set()).add(image.split)
    assert all(len(side) == 1 for side in sides.values())
    entry = add_own(home, "mine", place, Choices(reading=Reading(frames="each")))
    assert entry.train + entry.test == 16
    assert entry.report is not None
    assert entry.report.copies.surplus == 0
    prepared = prepare_dataset(home, "mine", image_size=16)
    images = np.concatenate([prepared.train.images, prepared.test.images])
    assert len(np.unique(images.reshape(16, -1), axis=0)) == 16
    ids = [*open_dataset(home, "mine").split("train").ids, *open_dataset(home, "mine").split("test").ids]
    assert "a/f0.dcm, frame 3" in ids
    again = refresh_own(home, "mine")
    assert again.train + again.test == 16


def test_films_are_refused_where_that_was_chosen_and_long_ones_as_images_each(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_folder(tmp_path / "set", films())
    with pytest.raises(DatasetError, match=r"4 DICOM files hold several frames \(a/f0.dcm has 3\)"):
        look(home, "mine", place, Choices(reading=Reading(frames="refuse")))
    monkeypatch.setattr(frames_module, "MOST_OF_A_FILE", 2)
    with pytest.raises(DatasetError, match="has 3 frames; up to 2 are taken as images each"):
        look(home, "mine", place, Choices(reading=Reading(frames="each")))


@pytest.mark.parametrize("reading", [Reading(fit="crop"), Reading(fit="pad"), Reading(window="percentiles")])
def test_what_was_chosen_holds_for_grid_array_key_and_record(home: DataHome, tmp_path: Path, reading: Reading) -> None:
    pictures = {f"{'ab'[n % 2]}/{n}.png": png(n) for n in range(12)}
    deep = {
        f"{'ab'[n % 2]}/d{n}.dcm": written(described((np.arange(600).reshape(20, 30) ** 2 + n).astype(np.uint16)))
        for n in range(4)
    }
    place = write_folder(tmp_path / "set", pictures | deep)
    usual = add_own(home, "mine", place, Choices())
    before = prepare_dataset(home, "mine", image_size=16)
    entry = add_own(home, "mine", place, Choices(reading=reading))
    after = prepare_dataset(home, "mine", image_size=16)
    assert after.info.reading == reading
    assert after.key != before.key
    assert (entry.train, entry.test) == (usual.train, usual.test)
    assert not np.array_equal(after.train.images, before.train.images)
    grid = thumbnails(place, look(home, "mine", place, Choices(reading=reading)), of_each=99, side=16)
    shown = {picture.tobytes() for row in grid for picture in row}
    assert {image.tobytes() for image in after.train.images} <= shown
    assert Recipe.from_toml(record_of(home, "mine").decode()).reading == reading


def test_a_record_with_an_unknown_reading_is_refused(home: DataHome, tmp_path: Path) -> None:
    place = write_folder(tmp_path / "set", films())
    add_own(home, "mine", place, Choices(reading=Reading(fit="pad")))
    text = record_of(home, "mine").decode()
    for wrong in (text.replace('"pad"', '"stretch"'), text.replace("fit =", "fitted =")):
        with pytest.raises(DatasetError, match="has a value that cannot be"):
            Recipe.from_toml(wrong)


def test_choices_go_through_a_job(tmp_path: Path) -> None:
    choices = replace(Choices(), reading=Reading(fit="crop", frames="each"))
    assert choices_from(asdict(choices) | {"reading": choices.reading.to_dict()}) == choices


def test_readings_of_the_same_files_have_a_key_each_and_one_of_the_images(home: DataHome, tmp_path: Path) -> None:
    # A split that is given: one that is made follows the number of images.
    place = write_folder(
        tmp_path / "set",
        {f"{'test' if '7' in name or '6' in name else 'train'}/{name}": data for name, data in films().items()},
    )
    keys = {}
    for reading in (AS_USUAL, Reading(fit="crop"), Reading(frames="middle"), Reading(frames="each")):
        add_own(home, "mine", place, Choices(reading=reading))
        keys[reading] = open_dataset(home, "mine").content_key()
    assert len(set(keys.values())) == 4
    assert {same_images(key) for key in keys.values()} == {keys[AS_USUAL]}
    (place / "train" / "a" / "f0.dcm").write_bytes(film(*SHADES[:3], patient="P0"))
    add_own(home, "mine", place, Choices())
    assert open_dataset(home, "mine").content_key() != keys[AS_USUAL]


def test_what_was_spent_and_the_budget_stay_when_the_same_files_are_read_in_another_way(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    place = write_folder(tmp_path / "set", films(40))
    private = RunSpec(dataset="mine", method="dp_sgd", noise_multiplier=1.0, batch_size=4, delta=1e-3, weights="none")
    set_budget(home, add_own(home, "mine", place, Choices()), epsilon=1e9)
    train_run(home, "first", private.changed(image_size=16, epochs=1, device="cpu"))
    before = budget_state(home, entry_of(home)).spent
    assert before > 0
    for reading in (Reading(fit="pad"), Reading(frames="middle")):
        entry = add_own(home, "mine", place, Choices(reading=reading))
        state = budget_state(home, entry)
        assert (state.budget.epsilon, state.spent) == (1e9, before)
        assert epsilon_on_images(home, "mine", all_runs(home)).networks == 1


def entry_of(home: DataHome) -> DatasetEntry:
    return next(entry for entry in list_datasets(home) if entry.info.name == "mine")


def test_an_image_of_one_grey_but_for_few_pixels_keeps_its_black() -> None:
    sparse = np.zeros((40, 40), np.uint16)
    sparse[3, 3:8] = 4000
    shown = decode_image(film(sparse), channels=1, name="x", reading=Reading(window="percentiles"))
    assert np.unique(np.asarray(shown)).tolist() == [0, 255]


def test_a_file_with_several_frames_is_refused_where_they_were_not_wanted() -> None:
    with pytest.raises(ImageError, match="has 5 frames, and files with several were not wanted"):
        decode_image(film(*SHADES), channels=1, name="x", reading=Reading(frames="refuse"))
    assert decode_image(film(SHADES[0]), channels=1, name="x", reading=Reading(frames="refuse")).size == (30, 20)


@pytest.mark.parametrize("known_by", ["the journal alone", "its own record alone"])
def test_what_a_run_spent_that_read_them_in_another_way_counts(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known_by: str
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    place = write_folder(tmp_path / "set", films(40))
    private = RunSpec(dataset="mine", method="dp_sgd", noise_multiplier=1.0, batch_size=4, delta=1e-3, weights="none")
    add_own(home, "mine", place, Choices(reading=Reading(fit="pad")))
    train_run(home, "first", private.changed(image_size=16, epochs=1, device="cpu"))
    add_own(home, "mine", place, Choices())
    journals = {file.stem for file in home.spent.glob("*.jsonl")}
    assert journals == {open_dataset(home, "mine").content_key()}  # one of the images, by no way of reading them
    if known_by == "the journal alone":
        deletion.delete(home, "first")
        deletion.purge(home, "first", at_once=True)
    else:
        for journal in home.spent.glob("*.jsonl"):
            journal.unlink()
    assert epsilon_on_images(home, "mine", all_runs(home)).networks == 1


def test_a_window_that_shows_nothing_is_told_of_the_frame_that_is_read() -> None:
    data = by_frame(window(100, 50), window(2000, 4000), window(9e6, 1))  # of the last, nothing would be seen
    for frame, told in ((1, False), (2, True)):
        notes = read_picture(data, channels=1, name="x", frame=frame).notes
        about = [note for note in notes if "would show every pixel" in note]
        assert bool(about) == told, notes
        assert not any("of frame" in note for note in about)
