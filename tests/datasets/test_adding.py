"""Adding ends with a report: read, left out and why; and what must not be left out in silence is refused."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.datasets.medmnist_sets import SETS
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset, list_datasets
from medpriv_core.datasets.report import AddReport
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from tests.datasets.builders import (
    aptos_files,
    chest_files,
    idrid_files,
    image_bytes,
    write_folder,
    write_npz,
    write_zip,
)


def left_out(report: AddReport | None) -> dict[str, int]:
    assert report is not None
    return {item.reason: item.count for item in report.left_out}


def add_chest(home: DataHome, place: Path, files: dict[str, bytes]) -> AddReport:
    """The report of adding the files as a folder; as a zip it must be the same."""
    entry = add_dataset(home, "chest_xray", write_folder(place / "set", files))
    zipped = add_dataset(home, "chest_xray", write_zip(place / "set.zip", files))
    assert zipped.report == entry.report
    assert (zipped.train_counts, zipped.test_counts) == (entry.train_counts, entry.test_counts)
    assert entry.report is not None
    return entry.report


def test_where_everything_is_read_the_report_is_empty(home: DataHome, tmp_path: Path) -> None:
    report = add_chest(home, tmp_path, chest_files())
    assert report == AddReport()
    assert report.sentences == []


def test_every_file_that_is_not_read_is_counted_under_a_reason(home: DataHome, tmp_path: Path) -> None:
    jpeg = image_bytes(99, file_format="JPEG")
    odd = {
        "train/NORMAL/scan.svg": jpeg,
        "train/NORMAL/scan.heic": jpeg,
        "train/NORMAL/notes.docx": b"x",
        "train/loose.jpeg": jpeg,
        "holdout/NORMAL/a.jpeg": jpeg,
        "readme.txt": b"x",
        "OCT/train/NORMAL/a.jpeg": jpeg,
        "OCT/train/CNV/b.jpeg": jpeg,
        "Thumbs.db": b"x",
        "train/NORMAL/.hidden.jpeg": jpeg,
        "train/NORMAL/.ipynb_checkpoints/IM-checkpoint.jpeg": jpeg,
        "__MACOSX/train/NORMAL/._a.jpeg": b"x",
        "@eaDir/train/NORMAL/a.jpeg": jpeg,
    }
    files = chest_files()
    report = add_chest(home, tmp_path, files | odd)
    assert sum(left_out(report).values()) == len(odd)
    assert left_out(report) == {
        "files of a kind that medpriv does not read as images (.svg)": 1,
        "files of a kind that medpriv does not read as images (.heic)": 1,
        "files that are no images": 1,
        "images that lie in no folder of a class": 1,
        "images in folders beside train, val and test": 3,
        "tables and texts that are not needed": 1,
        "files hidden or left behind by systems and programs": 5,
    }
    assert any("holdout/NORMAL/a.jpeg" in sentence for sentence in report.sentences)


def test_what_is_kept_holds_counts_and_reasons_and_no_names(home: DataHome, tmp_path: Path) -> None:
    odd = {"holdout/Mueller_Hans.jpeg": image_bytes(99, file_format="JPEG")}
    report = add_chest(home, tmp_path, chest_files() | odd)
    assert "Mueller_Hans" in " ".join(report.sentences)
    assert "Mueller_Hans" not in home.registry.read_text()
    kept = next(entry for entry in list_datasets(home) if entry.info.name == "chest_xray").report
    assert left_out(kept) == left_out(report)
    assert "Mueller_Hans" not in " ".join(kept.sentences)


def test_a_registry_of_the_version_before_has_no_report_and_opens(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "set", chest_files()))
    records = json.loads(home.registry.read_text())
    del records["chest_xray"]["report"], records["chest_xray"]["signature"]
    home.registry.write_text(json.dumps(records))
    entry = next(entry for entry in list_datasets(home) if entry.info.name == "chest_xray")
    assert (entry.available, entry.report, entry.changed, entry.train) == (True, None, None, 6)


def test_copies_are_counted_within_and_across_the_splits(home: DataHome, tmp_path: Path) -> None:
    files = chest_files(train=4, test=3)
    names = list(files)
    again = {
        "train/NORMAL/again.jpeg": files[names[0]],
        "train/PNEUMONIA/and again.jpeg": files[names[0]],
        "test/NORMAL/trained on.jpeg": files[names[1]],
    }
    report = add_chest(home, tmp_path, files | again)
    assert (report.copies.surplus, report.copies.across) == (3, 1)
    assert any("3 images are copies" in sentence for sentence in report.sentences)
    assert any("both the training and the test images" in sentence for sentence in report.sentences)


def test_files_of_equal_size_and_checksum_are_told_apart(home: DataHome, tmp_path: Path) -> None:
    # A CRC-32 has 32 bits: the four bytes at the end of a comment can be chosen so that two files agree in it.
    files = chest_files(train=4, test=3)
    first, second = list(files)[:2]
    length = max(len(files[first]), len(files[second])) + 8
    one = files[first].ljust(length, b"\0")
    two = _with_crc(files[second].ljust(length - 4, b"\0"), _crc(one))
    assert (_crc(one), len(one)) == (_crc(two), len(two))
    report = add_chest(home, tmp_path, files | {first: one, second: two})
    assert report.copies.surplus == 0


def test_copies_in_an_npz_are_counted(home: DataHome, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    test = rng.integers(0, 256, (10, 28, 28), dtype=np.uint8)
    train[7], test[3] = train[2], train[2]
    entry = add_dataset(
        home, "pneumoniamnist", write_npz(tmp_path / "pneumoniamnist.npz", train_images=train, test_images=test)
    )
    assert (entry.report.copies.surplus, entry.report.copies.across) == (2, 1)
    assert left_out(entry.report) == {"validation images, left alone as results on this benchmark do": 4}


@pytest.mark.parametrize("folder", ["COVID19", "LUNG_OPACITY", "Tuberculosis", "viral"])
def test_a_third_class_is_refused_by_name(home: DataHome, tmp_path: Path, folder: str) -> None:
    extra = {f"data/{side}/{folder}/{n}.jpg": image_bytes(50 + n) for side in ("train", "val") for n in range(2)}
    files = {f"data/{name}": data for name, data in chest_files().items()} | extra
    with pytest.raises(DatasetError, match=f"has 4 images in train/{folder}, val/{folder}"):
        add_dataset(home, "chest_xray", write_folder(tmp_path / "set", files))


@pytest.mark.parametrize("suffix", [".dcm", ".heic", ".nii.gz"])
def test_a_third_class_of_pictures_that_are_not_read_is_refused_too(
    home: DataHome, tmp_path: Path, suffix: str
) -> None:
    files = chest_files() | {f"train/COVID19/a{suffix}": b"\0" * 200}
    with pytest.raises(DatasetError, match="train/COVID19"):
        add_dataset(home, "chest_xray", write_folder(tmp_path / "set", files))


def test_an_empty_folder_or_one_without_pictures_is_no_class(home: DataHome, tmp_path: Path) -> None:
    (tmp_path / "set" / "train" / "EMPTY").mkdir(parents=True)
    assert add_chest(home, tmp_path / "plain", chest_files()).left_out == ()
    report = add_chest(home, tmp_path, chest_files() | {"train/annotations/a.json": b"{}"})
    assert sum(left_out(report).values()) == 1  # the json, which is said


def test_the_official_zip_has_other_scans_beside_the_chest_x_rays(home: DataHome, tmp_path: Path) -> None:
    files = {f"CellData/chest_xray/{name}": data for name, data in chest_files(train=2, test=2).items()}
    scans = {
        f"CellData/OCT/{side}/{kind}/{kind}-1.jpeg": image_bytes(70, file_format="JPEG")
        for side in ("train", "test")
        for kind in ("CNV", "DME", "DRUSEN", "NORMAL")
    }
    report = add_chest(home, tmp_path, files | scans)
    assert left_out(report) == {"images in folders beside train, val and test": 8}
    above = {f"OCT/{name.split('/', 2)[2]}": data for name, data in scans.items()}
    assert left_out(add_chest(home, tmp_path / "b", files | above)) == {
        "images in folders beside train, val and test": 8
    }


@pytest.mark.parametrize("names", [("training", "testing"), ("Train", "Test"), ("TRAIN_SET", "Test Set")])
def test_splits_by_other_names(home: DataHome, tmp_path: Path, names: tuple[str, str]) -> None:
    files = {
        name.replace("train/", f"{names[0]}/").replace("test/", f"{names[1]}/"): data
        for name, data in chest_files(train=3, test=2).items()
    }
    add_chest(home, tmp_path, files)
    entry = next(entry for entry in list_datasets(home) if entry.info.name == "chest_xray")
    assert (entry.train, entry.test) == (6, 4)


def test_all_kinds_of_raster_images_are_read(home: DataHome, tmp_path: Path) -> None:
    kinds = {".jpg": "JPEG", ".jfif": "JPEG", ".JPEG": "JPEG", ".png": "PNG", ".bmp": "BMP", ".TIF": "TIFF"}
    kinds |= {".tiff": "TIFF", ".webp": "WEBP", ".WebP": "WEBP", ".jpe": "JPEG", ".gif": "GIF"}
    extra = {
        f"train/NORMAL/x{n}{suffix}": image_bytes(80 + n, file_format=kind)
        for n, (suffix, kind) in enumerate(kinds.items())
    }
    add_chest(home, tmp_path, chest_files() | extra)
    assert prepare_dataset(home, "chest_xray", image_size=16).train.images.shape[0] == 6 + len(kinds)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "This file is empty"),
        (b"remember to call the clinic", "This is a text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"<html><body>Log in</body></html>", "This is a web page"),
        (b"%PDF-1.4", "This is a PDF document"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_when_added(
    home: DataHome, tmp_path: Path, data: bytes, what: str
) -> None:
    files = chest_files() | {"train/NORMAL/a.jpeg": data, "test/NORMAL/b.png": data}
    for place in (write_folder(tmp_path / "set", files), write_zip(tmp_path / "set.zip", files)):
        with pytest.raises(DatasetError, match=f"train/NORMAL/a.jpeg is no image .*{what}.* 1 more files cannot"):
            add_dataset(home, "chest_xray", place)


# Which MedMNIST it is


@pytest.mark.parametrize(
    ("added_as", "other"),
    [
        ("pneumoniamnist", "breastmnist"),
        ("pneumoniamnist", "nodulemnist3d"),
        ("retinamnist", "pneumoniamnist"),
        ("retinamnist", "dermamnist"),
    ],
)
def test_another_medmnist_is_told_by_its_numbers_of_images(
    home: DataHome, tmp_path: Path, added_as: str, other: str
) -> None:
    train, val, test = SETS[other][0]
    channels = 3 if added_as == "retinamnist" else 1
    shape = (2, 2) if channels == 1 else (2, 2, 3)
    arrays: dict[str, Any] = {}
    for split, count in (("train", train), ("val", val), ("test", test)):
        arrays[f"{split}_images"] = np.zeros((count, *shape), np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count, dtype=np.uint8) % 2)[:, None]
    path = write_npz(tmp_path / f"{added_as}.npz", **arrays)
    with pytest.raises(DatasetError, match=f"looks like {other} by its numbers of images"):
        add_dataset(home, added_as, path)


@pytest.mark.parametrize("name", ["breastmnist.npz", "BreastMNIST_64.npz", "my breast_mnist.npz", "octmnist (1).npz"])
def test_another_medmnist_is_told_by_its_name(home: DataHome, tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=r"looks like (breast|oct)mnist by its name"):
        add_dataset(home, "pneumoniamnist", write_npz(tmp_path / name))


def test_a_part_of_a_medmnist_is_added_with_a_note(home: DataHome, tmp_path: Path) -> None:
    entry = add_dataset(home, "pneumoniamnist", write_npz(tmp_path / "few.npz"))
    assert "published with 4,708 training and 624 test images, and this file has 20 and 10" in entry.report.notes[0]


@pytest.mark.real_data
def test_the_real_sets_have_nothing_left_out_but_what_they_should(home: DataHome, shared_data: Path) -> None:
    report = add_dataset(home, "pneumoniamnist", shared_data / "pneumoniamnist.npz").report
    assert left_out(report) == {"validation images, left alone as results on this benchmark do": 524}
    assert report.notes == ()
    idrid = add_dataset(home, "idrid", shared_data / "idrid").report
    assert (idrid.copies.surplus, idrid.copies.across) == (6, 1)


def test_images_without_a_row_are_counted(home: DataHome, tmp_path: Path) -> None:
    extra = {"train/extra.jpg": image_bytes(7, file_format="JPEG", mode="RGB")}
    entry = add_dataset(home, "idrid", write_folder(tmp_path / "i", idrid_files() | extra))
    assert left_out(entry.report) == {"images that no row of the table grades": 1}
    extra = {"test_images/x.png": image_bytes(7, mode="RGB"), "test.csv": b"id_code\nx\n"}
    grades = {f"eye{n}": n % 5 for n in range(25)}
    entry = add_dataset(home, "aptos2019", write_folder(tmp_path / "a", aptos_files(grades) | extra))
    assert left_out(entry.report) == {
        "images in folders that belong to none of the tables read": 1,
        "tables and texts that are not needed": 1,
    }


def _crc(data: bytes) -> int:
    return zlib.crc32(data)


def _with_crc(data: bytes, wanted: int) -> bytes:
    """``data`` and four bytes more, so that the CRC-32 of all is ``wanted``."""
    table = [0] * 256
    for n in range(256):
        value = n
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        table[n] = value
    back = {entry >> 24: n for n, entry in enumerate(table)}
    state = wanted ^ 0xFFFFFFFF
    indexes = []
    for _ in range(4):
        index = back[state >> 24]
        indexes.append(index)
        state = ((state ^ table[index]) << 8) & 0xFFFFFFFF
    state = _crc(data) ^ 0xFFFFFFFF
    end = io.BytesIO()
    for index in reversed(indexes):
        end.write(bytes([(state ^ index) & 0xFF]))
        state = (state >> 8) ^ table[index]
    return data + end.getvalue()
