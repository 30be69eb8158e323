"""The IDRiD reader: both layouts, the published split, and what can be wrong with tables and folders."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core.datasets.base import SplitName
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.idrid import SPLITS, Idrid
from medpriv_core.errors import DatasetError
from tests.datasets.builders import IDRID_PLACES, idrid_files, image_bytes, write_folder, write_zip

LAYOUTS = pytest.mark.parametrize("published", [False, True], ids=["flat", "published"])


def open_idrid(path: Path) -> Idrid:
    return Idrid(open_files(path))


@LAYOUTS
def test_every_image_has_the_grade_and_pixels_of_its_own_side(tmp_path: Path, published: bool) -> None:
    files = idrid_files(train=10, test=5, published=published)
    dataset = open_idrid(write_folder(tmp_path, files))
    sides: tuple[tuple[SplitName, int], ...] = (("train", 10), ("test", 5))
    for side, count in sides:
        split = dataset.split(side)
        assert list(split.ids) == [f"IDRiD_{n:03}" for n in range(1, count + 1)]
        assert split.labels.tolist() == [n % 5 for n in range(1, count + 1)]
        assert split.labels.dtype == np.int64
        with Image.open(io.BytesIO(files[f"{IDRID_PLACES[published][side][1]}/IDRiD_004.jpg"])) as original:
            assert split.image(3).tobytes() == original.tobytes()
        assert split.image(3).mode == "RGB"


def test_a_photograph_that_is_not_square_keeps_its_size_until_it_is_squashed(tmp_path: Path) -> None:
    files = idrid_files()
    left_half_white = Image.new("RGB", (30, 20))
    left_half_white.paste((255, 255, 255), (0, 0, 15, 20))
    stream = io.BytesIO()
    left_half_white.save(stream, "JPEG")
    files["train/IDRiD_001.jpg"] = stream.getvalue()
    split = open_idrid(write_folder(tmp_path, files)).split("train")
    assert split.image(0).size == (30, 20)
    square = split.square(0, 10)
    assert square.shape == (10, 10, 3)
    assert square[:, :4].min() > 200  # nothing was cropped away, and nothing padded
    assert square[:, 6:].max() < 55


def test_layouts_folders_and_zips_with_the_same_content_have_the_same_key(tmp_path: Path) -> None:
    keys = {
        open_idrid(place).content_key()
        for place in (
            write_folder(tmp_path / "flat", idrid_files()),
            write_folder(tmp_path / "published", idrid_files(published=True)),
            write_zip(tmp_path / "flat.zip", idrid_files()),
            write_zip(tmp_path / "B.zip", idrid_files(published=True), prefix="B. Disease Grading/"),
        )
    }
    assert len(keys) == 1
    other = idrid_files() | {"test/IDRiD_001.jpg": image_bytes(5, file_format="JPEG", mode="RGB")}
    assert open_idrid(write_folder(tmp_path / "other", other)).content_key() not in keys


def test_the_whole_download_will_do_as_well(tmp_path: Path) -> None:
    write_folder(tmp_path / "IDRiD" / "B. Disease Grading", idrid_files(published=True))
    other_task = {
        "1. Original Images/a. Training Set/IDRiD_01.jpg": image_bytes(1, file_format="JPEG", mode="RGB"),
        "2. Groundtruths/1. Optic Disc Center Location/a. IDRiD_OD_Center_Training Set_Markups.csv": b"Image No,X\n",
    }
    write_folder(tmp_path / "IDRiD" / "C. Localization", other_task)
    dataset = open_idrid(tmp_path / "IDRiD")
    assert [len(dataset.split(side).labels) for side in SPLITS] == [10, 5]
    assert all(name.startswith("B. Disease Grading/") for name in dataset.split("train").names)


def test_of_a_copy_further_down_the_topmost_counts(tmp_path: Path) -> None:
    write_folder(tmp_path, idrid_files(train=10))
    write_folder(tmp_path / "small" / "idrid", idrid_files(train=7))
    assert len(open_idrid(tmp_path).split("train").labels) == 10


def test_images_without_a_row_do_not_count(tmp_path: Path) -> None:
    files = idrid_files() | {"train/extra.jpg": image_bytes(7, file_format="JPEG", mode="RGB"), "train/a.txt": b"x"}
    assert "extra" not in open_idrid(write_folder(tmp_path, files)).split("train").ids


@LAYOUTS
@pytest.mark.parametrize("side", SPLITS)
def test_a_missing_csv_is_named(tmp_path: Path, side: str, published: bool) -> None:
    files = idrid_files(published=published)
    table = IDRID_PLACES[published][side][0]
    del files[table]
    with pytest.raises(DatasetError) as caught:
        open_idrid(write_folder(tmp_path, files))
    assert str(caught.value).startswith(f"There is no {table} in {tmp_path}. Restore it")


def test_a_folder_without_any_table_is_told_the_layouts(tmp_path: Path) -> None:
    photo = idrid_files()["train/IDRiD_001.jpg"]
    write_folder(tmp_path, {"train/IDRiD_001.jpg": photo, "mytrain.csv": b"image\n"})
    with pytest.raises(DatasetError, match=r'no table of IDRiD.*train.csv, test.csv.*"2. Groundtruths"'):
        open_idrid(tmp_path)


def test_two_copies_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    write_folder(tmp_path / "old", idrid_files())
    write_folder(tmp_path / "new", idrid_files())
    with pytest.raises(DatasetError, match=r"more than once \(new/train.csv and old/train.csv\)"):
        open_idrid(tmp_path)
    write_folder(tmp_path / "both", idrid_files() | idrid_files(published=True))
    with pytest.raises(DatasetError, match=r"more than once \(train.csv and 2. Groundtruths/a. "):
        open_idrid(tmp_path / "both")


@LAYOUTS
@pytest.mark.parametrize("side", SPLITS)
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "is empty"),
        ("patient;remarks\nIDRiD_001;1", "has no column {id} and no column {grade}. It needs"),
        ("{id},remarks\nIDRiD_001,1", "has no column {grade}. It needs"),
        ("{id},{grade}\n,,\n", "has no rows"),
        (
            "{id},{grade}\nIDRiD_001,0\nIDRiD_002,5\nIDRiD_003,-1",
            "gives IDRiD_002 the {grade} '5' (and 1 more like it)",
        ),
        ("{id},{grade}\nIDRiD_001,0\nIDRiD_002,", "gives IDRiD_002 the {grade} ''; grades are whole numbers"),
        ("{id},{grade}\nIDRiD_001,0\nIDRiD_002", "gives IDRiD_002 the {grade} ''; grades are whole numbers"),
        ("{id},{grade}\nIDRiD_001,0\n,3", "has a row with the {grade} '3' and no {id}. Name"),
        ("{id},{grade}\nIDRiD_001,0\nIDRiD_002,1\nIDRiD_001,0", "names IDRiD_001 more than once. Leave one"),
        ("{id},{grade}\nIDRiD_001,0\nIDRiD_999,1", "names 'IDRiD_999', but {folder}/IDRiD_999.jpg does not exist."),
        ("{id},{grade}\nIDRiD_001,2\nIDRiD_002,2", "one grade only"),
    ],
)
def test_a_wrong_csv_is_explained(tmp_path: Path, rows: str, message: str, side: str, published: bool) -> None:
    table, folder = IDRID_PLACES[published][side]
    id_column, grade_column = ("Image name", "Retinopathy grade") if published else ("image", "retinopathy_grade")
    words = {"id": id_column, "grade": grade_column, "folder": folder}
    write_folder(tmp_path, idrid_files(published=published) | {table: rows.format(**words).encode()})
    with pytest.raises(DatasetError) as caught:
        open_idrid(tmp_path)
    assert table in str(caught.value)
    assert message.format(**words) in str(caught.value)


def test_a_missing_image_of_one_side_is_not_taken_from_the_other(tmp_path: Path) -> None:
    files = idrid_files()
    del files["test/IDRiD_002.jpg"]
    with pytest.raises(DatasetError, match=r"test.csv names 'IDRiD_002', but test/IDRiD_002.jpg does not exist"):
        open_idrid(write_folder(tmp_path, files))


def test_an_empty_image_folder_is_named(tmp_path: Path) -> None:
    files = {name: data for name, data in idrid_files().items() if not name.startswith("test/")}
    with pytest.raises(DatasetError, match=r"no images in test/ of .*, though test.csv names some"):
        open_idrid(write_folder(tmp_path, files))


def test_two_files_for_one_row_are_not_guessed_between(tmp_path: Path) -> None:
    files = idrid_files() | {"train/IDRiD_003.png": image_bytes(3, mode="RGB")}
    with pytest.raises(DatasetError, match=r"'IDRiD_003', which may be train/IDRiD_003.jpg or train/IDRiD_003.png"):
        open_idrid(write_folder(tmp_path, files))


def test_the_second_diagnosis_of_its_tables_makes_groups(tmp_path: Path) -> None:
    files = idrid_files(test=3)
    lines = files["test.csv"].decode().splitlines()
    files["test.csv"] = "\n".join(",".join(line.split(",")[:2]) for line in lines).encode()
    assert open_idrid(write_folder(tmp_path / "without", files)).groups("test") == {}
    lines[0] = "image,retinopathy_grade,Risk of macular edema "
    lines[1:] = [",".join([*line.split(",")[:2], str(place)]) for place, line in enumerate(lines[1:])]
    files["test.csv"] = "\n".join(lines).encode()
    dataset = open_idrid(write_folder(tmp_path / "with", files))
    assert dataset.groups("test") == {"risk of macular oedema": ["risk 0", "risk 1", "risk 2"]}
    assert set(dataset.groups("train")["risk of macular oedema"]) == {"risk 0"}


@pytest.mark.real_data
def test_the_groups_of_the_real_photographs(shared_data: Path) -> None:
    (risks,) = open_idrid(shared_data / "idrid").groups("test").values()
    with open(shared_data / "idrid" / "test.csv", encoding="utf-8") as file:
        assert risks == [f"risk {row['macular_edema_risk']}" for row in csv.DictReader(file)]


@pytest.mark.real_data
def test_the_real_photographs_have_the_published_split_and_grades(shared_data: Path) -> None:
    dataset = open_idrid(shared_data / "idrid")
    train, test = dataset.split("train"), dataset.split("test")
    assert np.bincount(train.labels).tolist() == [134, 20, 136, 74, 49]
    assert np.bincount(test.labels).tolist() == [34, 5, 32, 19, 13]
    assert (len(train.labels), len(test.labels)) == (413, 103)
    with open(shared_data / "idrid" / "test.csv", encoding="utf-8") as file:
        grades = {row["image"]: int(row["retinopathy_grade"]) for row in csv.DictReader(file)}
    assert dict(zip(test.ids, test.labels.tolist(), strict=True)) == grades
    with Image.open(shared_data / "idrid" / "test" / f"{test.ids[50]}.jpg") as photo:
        assert np.array_equal(np.asarray(test.image(50)), np.asarray(photo.convert("RGB")))
    assert test.square(50, 224).shape == (224, 224, 3)


@pytest.mark.real_data
def test_the_real_photographs_in_the_published_layout(shared_data: Path, tmp_path: Path) -> None:
    source, files = shared_data / "idrid", {}
    for side in SPLITS:
        table, folder = IDRID_PLACES[True][side]
        _, *rows = (source / f"{side}.csv").read_text(encoding="utf-8").splitlines()
        header = "Image name,Retinopathy grade,Risk of macular edema ,,"
        files[table] = "\r\n".join([header, *(f"{row},," for row in rows), ",,,,", ""]).encode()
        files |= {f"{folder}/{photo.name}": photo.read_bytes() for photo in (source / side).glob("*.jpg")}
    archive = write_zip(tmp_path / "B. Disease Grading.zip", files, prefix="B. Disease Grading/")
    assert open_idrid(archive).content_key() == open_idrid(source).content_key()


@pytest.mark.real_data
def test_the_photographs_that_are_there_twice(shared_data: Path) -> None:
    files = open_files(shared_data / "idrid")
    dataset = Idrid(files)
    places = [(side, id_) for side in SPLITS for id_ in dataset.split(side).ids]
    grades = [grade for side in SPLITS for grade in dataset.split(side).labels.tolist()]
    copies: dict[bytes, list[int]] = {}
    for at, name in enumerate(name for side in SPLITS for name in dataset.split(side).names):
        copies.setdefault(files.read(name), []).append(at)
    twice = [group for group in copies.values() if len(group) > 1]
    assert Counter(len(group) for group in twice) == {2: 6}
    assert [[places[at] for at in group] for group in twice if len({places[at][0] for at in group}) == 2] == [
        [("train", "IDRiD_118"), ("test", "IDRiD_064")]
    ]
    assert sum(len({grades[at] for at in group}) == 2 for group in twice) == 3
