"""The MedMNIST reader on npz files of every kind of wrong, and the addresses it fetches from."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.datasets import medmnist
from medpriv_core.datasets.base import SplitName
from medpriv_core.datasets.medmnist import READERS, fetch_medmnist
from medpriv_core.datasets.medmnist_sets import MAX_ARRAY_BYTES, READ, MnistSet
from medpriv_core.datasets.registry import add_dataset, open_dataset
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from tests.datasets.builders import write_npz


def test_train_and_test_are_read_and_validation_is_left_alone(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "p.npz", val_images=None, val_labels=None)
    dataset = READERS["pneumoniamnist"](path)
    arrays = np.load(path)
    sides: tuple[tuple[SplitName, int], ...] = (("train", 20), ("test", 10))
    for name, count in sides:
        split = dataset.split(name)
        assert split.labels.tolist() == arrays[f"{name}_labels"][:, 0].tolist()
        assert split.labels.dtype == np.int64
        assert len(split.ids) == count
        assert split.image(7).mode == "L"
        assert np.array_equal(np.asarray(split.image(7)), arrays[f"{name}_images"][7])


def test_colour_images(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "r.npz", channels=3, classes=5)
    image = READERS["retinamnist"](path).split("test").image(3)
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), np.load(path)["test_images"][3])


def test_another_picture_changes_the_key_and_another_place_does_not(tmp_path: Path) -> None:
    images = np.zeros((20, 28, 28), dtype=np.uint8)
    first = READERS["pneumoniamnist"](write_npz(tmp_path / "a.npz", train_images=images)).content_key()
    moved = READERS["pneumoniamnist"](write_npz(tmp_path / "b.npz", train_images=images)).content_key()
    images[19, 27, 27] = 1
    changed = READERS["pneumoniamnist"](write_npz(tmp_path / "c.npz", train_images=images)).content_key()
    assert first == moved != changed


class _Trap:
    """Writes a file if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("array", ["train_images", "test_labels"])
def test_pickled_objects_are_refused_and_not_run(tmp_path: Path, array: str) -> None:
    sprung = tmp_path / "sprung"
    path = write_npz(tmp_path / "p.npz", **dict[str, Any]({array: np.array([_Trap(sprung)] * 20, dtype=object)}))
    with pytest.raises(DatasetError, match=f"{array} .*pickled Python objects"):
        READERS["pneumoniamnist"](path)
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test_images": None}, "lacks the array test_images"),
        ({"train_labels": None}, "lacks the array train_labels"),
        ({"train_images": np.zeros((20, 28, 28), dtype=np.float32)}, "are float32, not uint8"),
        ({"train_images": np.zeros((20, 28, 28, 3), dtype=np.uint8)}, "has the shape .20, 28, 28, 3."),
        ({"train_images": np.zeros((0, 28, 28), dtype=np.uint8)}, "has the shape .0, 28, 28."),
        ({"train_labels": np.zeros((19, 1), dtype=np.uint8)}, "expects 20 whole numbers"),
        ({"train_labels": np.zeros((20, 1), dtype=np.float64)}, "expects 20 whole numbers"),
        ({"test_labels": np.arange(10, dtype=np.uint8)}, "8 labels of test_labels .* the first is 2, of image 2"),
        ({"train_labels": np.array([0, -1] * 10, dtype=np.int8)}, "outside 0 to 1; the first is -1, of image 1"),
        ({"train_labels": np.zeros((20, 1), dtype=np.uint8)}, "all of one class"),
    ],
)
def test_wrong_arrays_are_explained(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        READERS["pneumoniamnist"](write_npz(tmp_path / "p.npz", **changed))


def test_a_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    for number, data in enumerate([b"", b"text", write_npz(tmp_path / "whole.npz").read_bytes()[:900]]):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(data)
        with pytest.raises(DatasetError, match="not a sound npz file"):
            READERS["pneumoniamnist"](path)


def test_of_a_folder_its_one_npz_is_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a folder without an npz file"):
        READERS["pneumoniamnist"](tmp_path)
    write_npz(tmp_path / "pneumoniamnist.npz")
    assert len(READERS["pneumoniamnist"](tmp_path).split("train").labels) == 20
    write_npz(tmp_path / "retinamnist.npz")
    assert len(READERS["pneumoniamnist"](tmp_path).split("train").labels) == 20
    write_npz(tmp_path / "pneumoniamnist_64.npz")
    with pytest.raises(DatasetError, match="several npz files"):
        READERS["pneumoniamnist"](tmp_path)


def test_damage_inside_an_array_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    arrays = dict(np.load(write_npz(tmp_path / "whole.npz")))
    arrays["train_images"][5] = 99
    np.savez(path, **arrays)
    data = bytearray(path.read_bytes())
    data[data.index(bytes([99] * 28 * 28)) + 10] = 98
    path.write_bytes(data)
    split = READERS["pneumoniamnist"](path).split("train")
    with pytest.raises(DatasetError, match=r"train_images .* is damaged"):
        split.image(0)


def test_an_array_that_promises_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medmnist, "MAX_ARRAY_BYTES", 10_000)
    with pytest.raises(DatasetError, match="train_images unpacks to more than"):
        READERS["pneumoniamnist"](write_npz(tmp_path / "p.npz"))


def test_the_files_are_fetched_from_where_medmnist_publishes_them(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, str]] = []
    monkeypatch.setattr(
        medmnist, "download", lambda url, target, *, checksum, progress: asked.append((url, target.name, checksum))
    )
    fetch_medmnist(home, "pneumoniamnist", size=28)
    fetch_medmnist(home, "retinamnist", size=224)
    fetch_medmnist(home, "retinamnist", size=64, base_url="http://mirror.example/medmnist/")
    place = "https://zenodo.org/records/10519652/files"
    assert asked == [
        (f"{place}/pneumoniamnist.npz?download=1", "pneumoniamnist.npz", "md5:28209eda62fecd6e6a2d98b1501bb15f"),
        (f"{place}/retinamnist_224.npz?download=1", "retinamnist_224.npz", "md5:eae7e3b6f3fcbda4ae613ebdcbe35348"),
        (
            "http://mirror.example/medmnist/retinamnist_64.npz",
            "retinamnist_64.npz",
            "md5:afda852cc34dcda56f86ad2b2457dbcc",
        ),
    ]


def test_every_size_has_its_own_checksum(home: DataHome) -> None:
    sums = medmnist._MD5
    assert set(sums) == {(name, size) for name, sizes in medmnist.FETCHABLE.items() for size in sizes}
    by_file = {(medmnist._BY_NAME[name].set_name, size): value for (name, size), value in sums.items()}
    assert len(set(sums.values())) == len(by_file)  # the findings of ChestMNIST share their files
    files = {medmnist.medmnist_file(home, name, size) for name, size in sums}
    assert len(files) == len(by_file)
    assert {len(bytes.fromhex(value)) for value in sums.values()} == {hashlib.md5().digest_size}


@pytest.mark.parametrize(
    ("name", "size", "why"),
    [
        ("pneumoniamnist", 100, "pneumoniamnist is fetched in 28, 64, 128, 224 pixels a side.$"),
        ("chest_xray", 28, "no chest_xray to fetch. There are pneumoniamnist, retinamnist, breastmnist, pathmnist"),
        ("pathmnist", 224, "pathmnist is fetched in 28, 64 pixels a side. .* more pixels unpack to more than 2 GiB"),
    ],
)
def test_what_cannot_be_fetched_is_explained(home: DataHome, name: str, size: int, why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        fetch_medmnist(home, name, size=size)


def findings() -> dict[str, Any]:
    """Labels of ChestMNIST: finding k is there in each image whose number has the bit k % 4."""
    return {
        f"{split}_labels": (np.arange(count)[:, None] >> (np.arange(14) % 4) & 1).astype(np.uint8)
        for split, count in (("train", 20), ("val", 4), ("test", 10))
    }


def test_of_chestmnist_one_finding_is_told_from_all_else(home: DataHome, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "chestmnist.npz", **findings())
    for name, column in (("effusion", 2), ("pneumonia", 6), ("hernia", 13)):
        entry = add_dataset(home, f"chestmnist_{name}", path)
        assert entry.info.classes == (f"No {name}", name.capitalize())
        labels = open_dataset(home, f"chestmnist_{name}").split("test").labels
        assert labels.tolist() == findings()["test_labels"][:, column].tolist()
        assert entry.report is not None
        assert any("the same patients" in note and "not added up" in note for note in entry.report.notes)
    with pytest.raises(DatasetError, match=r"looks like chestmnist by its name.* Add it as chestmnist_atelectasis, or"):
        add_dataset(home, "pneumoniamnist", path)
    for wrong in (np.zeros((20, 13), np.uint8), np.arange(20, dtype=np.uint8) % 2):
        with pytest.raises(DatasetError, match="medpriv expects 20 whole numbers, 14 an image"):
            add_dataset(home, "chestmnist_mass", write_npz(tmp_path / "f.npz", **findings() | {"train_labels": wrong}))


@pytest.mark.parametrize("one", READ, ids=[one.name for one in READ])
def test_each_set_is_read_with_its_classes_and_colours(home: DataHome, tmp_path: Path, one: MnistSet) -> None:
    classes = len(one.classes)
    path = write_npz(
        tmp_path / f"{one.set_name}.npz", channels=one.channels, classes=classes, **(findings() if one.of else {})
    )
    entry = add_dataset(home, one.name, path)
    assert len(entry.train_counts) == classes
    assert all(entry.train_counts)
    assert open_dataset(home, one.name).split("test").image(0).mode == ("L" if one.channels == 1 else "RGB")
    assert all(max(one.counts[0]) * one.channels * size**2 <= MAX_ARRAY_BYTES for size in one.sizes)
    assert one.sizes[:2] == (28, 64)


@pytest.mark.real_data
def test_the_real_pneumoniamnist(shared_data: Path) -> None:
    path = shared_data / "pneumoniamnist.npz"
    dataset = READERS["pneumoniamnist"](path)
    assert len(dataset.split("train").labels) == 4708
    assert np.bincount(dataset.split("test").labels).tolist() == [234, 390]
    with zipfile.ZipFile(path) as archive, archive.open("test_images.npy") as file:
        raw = file.read()
    assert np.asarray(dataset.split("test").image(623)).tobytes() == raw[-784:]
