"""The APTOS reader: the split, duplicates, and every way in which the csv can be wrong."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core.datasets.aptos import Aptos2019, split_grades
from medpriv_core.datasets.files import open_files
from medpriv_core.errors import DatasetError
from tests.datasets.builders import aptos_files, image_bytes, write_folder, write_zip

GRADES = {f"id{number:03}": number % 5 for number in range(50)}


def open_aptos(path: Path) -> Aptos2019:
    return Aptos2019(open_files(path))


def test_a_fifth_of_each_grade_is_for_testing(tmp_path: Path) -> None:
    dataset = open_aptos(write_folder(tmp_path, aptos_files(GRADES)))
    assert Counter(dataset.split("test").labels.tolist()) == dict.fromkeys(range(5), 2)
    assert Counter(dataset.split("train").labels.tolist()) == dict.fromkeys(range(5), 8)
    everything = [*dataset.split("train").ids, *dataset.split("test").ids]
    assert sorted(everything) == sorted(GRADES)


def test_every_image_keeps_its_own_grade_and_pixels(tmp_path: Path) -> None:
    files = aptos_files(GRADES)
    dataset = open_aptos(write_folder(tmp_path, files))
    for name in ("train", "test"):
        split = dataset.split(name)
        assert split.labels.tolist() == [GRADES[id_] for id_ in split.ids]
    split = dataset.split("test")
    with Image.open(io.BytesIO(files[f"train_images/{split.ids[3]}.png"])) as original:
        assert split.image(3).tobytes() == original.tobytes()
    assert split.image(3).mode == "RGB"


def test_the_split_depends_neither_on_the_order_of_rows_nor_on_folder_or_zip(tmp_path: Path) -> None:
    backwards = dict(reversed(GRADES.items()))
    files = aptos_files(GRADES)
    first = open_aptos(write_folder(tmp_path / "a", files))
    second = open_aptos(write_folder(tmp_path / "b", files | {"train.csv": aptos_files(backwards)["train.csv"]}))
    zipped = open_aptos(write_zip(tmp_path / "set.zip", files, prefix="aptos2019-blindness-detection/"))
    assert set(first.split("test").ids) == set(second.split("test").ids) == set(zipped.split("test").ids)
    assert first.content_key() == zipped.content_key()


def test_copies_of_one_photograph_stay_on_one_side(tmp_path: Path) -> None:
    # 30 groups of three equal files, every fifth under conflicting grades, among 100 singles.
    grades = {f"single{n}": n % 5 for n in range(100)}
    files = {}
    for group in range(30):
        for copy in range(3):
            id_ = f"copy{group}-{copy}"
            grades[id_] = (group + copy) % 5 if group % 5 == 0 else group % 5
            files[f"train_images/{id_}.png"] = image_bytes(1000 + group, mode="RGB")
    dataset = open_aptos(write_folder(tmp_path, aptos_files(grades) | files))
    test = set(dataset.split("test").ids)
    sides = [{f"copy{group}-{copy}" in test for copy in range(3)} for group in range(30)]
    assert all(len(side) == 1 for side in sides)
    assert {True} in sides
    for grade, count in Counter(grades.values()).items():
        assert (dataset.split("test").labels == grade).sum() == round(0.2 * count)


def test_the_split_of_the_whole_competition_set_has_the_known_size() -> None:
    counts = [1805, 370, 999, 193, 295]
    grades = {f"{grade}-{n}": grade for grade, count in enumerate(counts) for n in range(count)}
    test = split_grades(grades, [[id_] for id_ in grades])
    assert len(test) == 361 + 74 + 200 + 39 + 59
    assert len(grades) - len(test) == 2929


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "is empty"),
        (b"patient,remarks\nid000,0\n", "no column id_code and no column diagnosis"),
        (b"id_code,remarks\nid000,1\n", "no column diagnosis"),
        (b"id_code,diagnosis\n", "has no rows"),
        (b"id_code,diagnosis\nid000,0\nid001,5\nid002,-1\n", "gives id001 the diagnosis '5' .and 1 more"),
        (b"id_code,diagnosis\nid000,0\nid001,bad\n", "gives id001 the diagnosis 'bad'; grades are"),
        (b"id_code,diagnosis\nid000,0\nid001\n", "gives id001 the diagnosis ''"),
        (b"id_code,diagnosis\nid000,0\nid001,1.5\n", "id001 the diagnosis '1.5'"),
        (b"id_code,diagnosis\nid000,0\nid001,1\nid000,2\n", "names id000 more than once"),
        (b"id_code,diagnosis\nid000,0\nghost,1\nspook,2\n", "names 'ghost', but .*does not exist .and 1 more"),
        (b"id_code,diagnosis\nid000,0\n../../etc/passwd,1\n", "names '../../etc/passwd', but"),
        (b"id_code,diagnosis\nid000,3\nid001,3\n", "one grade only"),
        (b"id_code,diagnosis\nid000,0\nid001,1\n", "too few images to split"),
        (b"id_code,diagnosis\n\xff\xfe\x00,0\n", "not a readable csv"),
    ],
)
def test_a_wrong_csv_is_explained(tmp_path: Path, table: bytes, message: str) -> None:
    write_folder(tmp_path, aptos_files(GRADES) | {"train.csv": table})
    with pytest.raises(DatasetError, match=message):
        open_aptos(tmp_path)


def test_a_csv_saved_by_excel_is_read(tmp_path: Path) -> None:
    files = aptos_files(GRADES)
    files["train.csv"] = b"\xef\xbb\xbf" + files["train.csv"].replace(b"id_code,diagnosis", b"id_code, diagnosis")
    assert len(open_aptos(write_folder(tmp_path, files)).split("train").labels) == 40


def test_a_missing_csv_or_image_folder_is_named(tmp_path: Path) -> None:
    files = aptos_files(GRADES)
    table = files.pop("train.csv")
    with pytest.raises(DatasetError, match=r"no train.csv"):
        open_aptos(write_folder(tmp_path / "a", files))
    with pytest.raises(DatasetError, match="no images in train_images/"):
        open_aptos(write_folder(tmp_path / "b", {"train.csv": table}))


@pytest.mark.real_data
def test_real_fundus_photographs_in_the_same_layout(shared_data: Path, tmp_path: Path) -> None:
    with open(shared_data / "idrid" / "train.csv", encoding="utf-8") as file:
        rows = {row["image"]: int(row["retinopathy_grade"]) for row in csv.DictReader(file)}
    chosen = dict(list(rows.items())[:60])
    files = {"train.csv": ("id_code,diagnosis\n" + "".join(f"{i},{g}\n" for i, g in chosen.items())).encode()}
    for id_ in chosen:
        with Image.open(shared_data / "idrid" / "train" / f"{id_}.jpg") as photo:
            stream = io.BytesIO()
            photo.save(stream, "PNG", compress_level=1)
        files[f"train_images/{id_}.png"] = stream.getvalue()
    folder = open_aptos(write_folder(tmp_path / "folder", files))
    zipped = open_aptos(write_zip(tmp_path / "aptos.zip", files))
    assert folder.content_key() == zipped.content_key()
    assert len(folder.split("train").labels) + len(folder.split("test").labels) == 60
    for grade in set(chosen.values()):
        expected = round(0.2 * sum(value == grade for value in chosen.values()))
        assert (folder.split("test").labels == grade).sum() == expected
    photo_id = folder.split("test").ids[0]
    with Image.open(shared_data / "idrid" / "train" / f"{photo_id}.jpg") as photo:
        assert np.array_equal(np.asarray(zipped.split("test").image(0)), np.asarray(photo.convert("RGB")))
