"""The chest X-ray reader on trees as people have them."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.errors import DatasetError, ImageError
from tests.datasets.builders import chest_files, image_bytes, write_folder, write_zip


def open_chest(path: Path) -> ChestXray:
    return ChestXray(open_files(path))


def test_splits_labels_and_names(tmp_path: Path) -> None:
    dataset = open_chest(write_folder(tmp_path, chest_files(train=3, test=2)))
    assert dataset.split("train").labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.split("test").labels.tolist() == [0, 0, 1, 1]
    assert dataset.split("test").ids[2] == "IM-test-1-0.jpeg"
    image = dataset.split("test").image(2)
    assert (image.mode, image.size) == ("L", (12, 10))


def test_the_label_belongs_to_the_picture(tmp_path: Path) -> None:
    files = chest_files()
    files["test/PNEUMONIA/white.PNG"] = _plain(255)
    split = open_chest(write_folder(tmp_path / "set", files)).split("test")
    index = list(split.ids).index("white.PNG")
    assert split.labels[index] == 1
    assert split.image(index).getextrema() == (255, 255)


def test_validation_images_join_the_training_images(tmp_path: Path) -> None:
    files = chest_files(train=3, test=2) | {
        "val/NORMAL/a.jpeg": image_bytes(90, file_format="JPEG"),
        "val/PNEUMONIA/b.jpeg": image_bytes(91, file_format="JPEG"),
    }
    dataset = open_chest(write_folder(tmp_path, files))
    assert len(dataset.split("train").labels) == 8
    assert dict(zip(dataset.split("train").ids, dataset.split("train").labels, strict=True))["b.jpeg"] == 1
    assert len(dataset.split("test").labels) == 4


def test_kaggles_zip_with_its_second_copy_and_mac_files(tmp_path: Path) -> None:
    files = chest_files(train=3, test=2)
    junk = {f"__MACOSX/{name.replace('IM', '._IM')}": b"x" for name in files} | {"train/.DS_Store": b"x"}
    everything = {f"chest_xray/{name}": data for name, data in (files | junk).items()}
    everything |= {f"chest_xray/chest_xray/{name}": data for name, data in files.items()}
    zipped = open_chest(write_zip(tmp_path / "kaggle.zip", everything))
    assert len(zipped.split("train").labels) == 6
    assert all(name.startswith("chest_xray/t") for name in zipped.split("train").names)
    folder = open_chest(write_folder(tmp_path / "folder", files))
    assert zipped.content_key() == folder.content_key()
    assert zipped.split("test").image(3).tobytes() == folder.split("test").image(3).tobytes()


def test_the_parent_folder_will_do_as_well(tmp_path: Path) -> None:
    write_folder(tmp_path / "downloads" / "chest_xray", chest_files())
    assert len(open_chest(tmp_path / "downloads").split("train").labels) == 6


def test_another_image_or_label_changes_the_key(tmp_path: Path) -> None:
    files = chest_files()
    key = open_chest(write_folder(tmp_path / "a", files)).content_key()
    assert open_chest(write_folder(tmp_path / "b", files)).content_key() == key
    first, *rest = files
    other_pixels = files | {first: image_bytes(77, file_format="JPEG")}
    other_label = {name: files[name] for name in rest} | {first.replace("NORMAL", "PNEUMONIA"): files[first]}
    keys = {
        open_chest(write_folder(tmp_path / str(n), f)).content_key() for n, f in enumerate([other_pixels, other_label])
    }
    assert len(keys | {key}) == 3


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([], "No chest X-ray images were found"),
        (["train/"], "has no test images"),
        (["test/"], "has no train images"),
        (["train/", "test/NORMAL"], "test/PNEUMONIA is missing or empty"),
        (["train/PNEUMONIA", "test/"], "train/NORMAL is missing or empty"),
    ],
)
def test_a_missing_split_or_class_is_named(tmp_path: Path, kept: list[str], message: str) -> None:
    files = {name: data for name, data in chest_files().items() if name.startswith(tuple(kept))} if kept else {}
    with pytest.raises(DatasetError, match=message):
        open_chest(write_folder(tmp_path / "set", files | {"readme.txt": b"hello"}))


def test_two_datasets_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    write_folder(tmp_path / "old", chest_files())
    write_folder(tmp_path / "new", chest_files())
    with pytest.raises(DatasetError, match="several chest X-ray datasets"):
        open_chest(tmp_path)


def test_a_text_file_named_png_is_named_when_read(tmp_path: Path) -> None:
    files = chest_files() | {"train/NORMAL/0-note.png": b"remember to call the clinic"}
    split = open_chest(write_folder(tmp_path, files)).split("train")
    with pytest.raises(ImageError, match=r"train/NORMAL/0-note.png cannot be read"):
        split.image(list(split.ids).index("0-note.png"))


def test_groups_come_from_the_names_of_files(tmp_path: Path) -> None:
    names = (
        "person1_bacteria_1",
        "person1_bacteria_2",
        "person1_virus_6",
        "IM-0001-0001",
        "NORMAL2-IM-0027-0001",
        "scan",
    )
    files = chest_files()
    for seed, name in enumerate(names):
        folder = "NORMAL" if "IM-" in name else "PNEUMONIA"
        files[f"test/{folder}/{name}.jpeg"] = image_bytes(100 + seed, file_format="JPEG")
    dataset = open_chest(write_folder(tmp_path, files))
    cause, family = dataset.groups("test").values()
    assert list(dataset.groups("test")) == ["cause of the pneumonia", "family of normal files"]
    told = dict(zip(dataset.split("test").ids, zip(cause, family, strict=True), strict=True))
    assert [told[f"{name}.jpeg"] for name in names] == [
        ("bacteria", ""),
        ("bacteria", ""),
        ("virus", ""),
        ("", "IM"),
        ("", "NORMAL2-IM"),
        ("", ""),
    ]


@pytest.mark.real_data
def test_the_groups_of_the_real_chest_xrays(shared_data: Path) -> None:
    groups = open_chest(shared_data / "chest_xray").groups("test")
    assert Counter(groups["cause of the pneumonia"]) == {"bacteria": 242, "virus": 148, "": 234}
    assert Counter(groups["family of normal files"]) == {"NORMAL2-IM": 165, "IM": 69, "": 390}
    assert Counter(groups["images of the patient"]) == {"1": 346, "2 to 4": 173, "5 and more": 105}


@pytest.mark.real_data
def test_the_real_chest_xrays(shared_data: Path) -> None:
    dataset = open_chest(shared_data / "chest_xray")
    train, test = dataset.split("train"), dataset.split("test")
    assert [int((train.labels == label).sum()) for label in (0, 1)] == [1341, 3875]
    assert [int((test.labels == label).sum()) for label in (0, 1)] == [234, 390]
    with Image.open(shared_data / "chest_xray" / train.names[100]) as original:
        expected = original.convert("L")
    image = train.image(100)
    assert image.size == (224, 224)
    difference = [abs(a - b) for a, b in zip(image.tobytes(), expected.tobytes(), strict=True)]
    assert max(difference) <= 2


def _plain(grey: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (8, 8), grey).save(stream, "PNG")
    return stream.getvalue()
