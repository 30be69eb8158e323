"""Prepared arrays: right, made once, and never left half-made."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core import atomic
from medpriv_core.datasets import prepared as prepared_module
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.medmnist import READERS
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset, open_dataset
from medpriv_core.errors import DataHomeError, DatasetError, ImageError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.progress import Cancelled
from medpriv_core.training.data import TrainingData
from tests.datasets.builders import chest_files, write_folder, write_npz


@pytest.fixture
def chest(tmp_path: Path) -> ChestXray:
    return ChestXray(open_files(write_folder(tmp_path / "set", chest_files(train=20, test=5))))


def stored_in(home: DataHome) -> list[str]:
    """Folders of arrays, finished or not; locks aside."""
    return sorted(path.name for path in home.prepared.iterdir() if path.is_dir())


def test_the_arrays_hold_every_image_squashed_in_order(home: DataHome, chest: ChestXray) -> None:
    prepared = prepare_dataset(home, chest, image_size=16)
    assert prepared.train.images.shape == (40, 16, 16, 1)
    assert prepared.test.images.shape == (10, 16, 16, 1)
    assert prepared.train.images.dtype == np.uint8
    for split, stored in ((chest.split("train"), prepared.train), (chest.split("test"), prepared.test)):
        assert np.array_equal(stored.labels, split.labels)
        for index in range(len(split.labels)):
            expected = split.image(index).resize((16, 16), Image.Resampling.BICUBIC)
            assert np.array_equal(stored.images[index, :, :, 0], np.asarray(expected))


def test_arrays_of_the_same_size_are_taken_over_unchanged(home: DataHome, tmp_path: Path) -> None:
    for reader, channels in ((READERS["pneumoniamnist"], 1), (READERS["retinamnist"], 3)):
        path = write_npz(tmp_path / f"{reader.info.name}.npz", channels=channels)
        prepared = prepare_dataset(home, reader(path), image_size=28)
        original = np.load(path)["train_images"].reshape(20, 28, 28, channels)
        assert np.array_equal(prepared.train.images, original)


def test_a_second_call_reads_no_image(home: DataHome, chest: ChestXray, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_dataset(home, chest, image_size=16)
    monkeypatch.setattr(prepared_module, "_convert", None)
    second = prepare_dataset(home, chest, image_size=16)
    assert second.folder == first.folder
    assert second.key == first.key
    assert np.array_equal(second.train.images, first.train.images)
    assert isinstance(second.train.images, np.memmap)


def test_the_arrays_are_read_only(home: DataHome, chest: ChestXray) -> None:
    prepared = prepare_dataset(home, chest, image_size=16)
    for array in (prepared.train.images, prepared.train.labels, prepared.test.images):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_each_size_has_its_own_arrays(home: DataHome, chest: ChestXray) -> None:
    small, large = (prepare_dataset(home, chest, image_size=size) for size in (16, 20))
    assert small.folder != large.folder
    assert large.train.images.shape[1:] == (20, 20, 1)


def test_a_dataset_is_found_by_its_name(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "set", chest_files()))
    assert prepare_dataset(home, "chest_xray", image_size=16).info.name == "chest_xray"
    with pytest.raises(DatasetError, match="no dataset 'lungs'"):
        prepare_dataset(home, "lungs", image_size=16)


def test_the_photograph_with_its_empty_test_split_can_be_prepared(home: DataHome) -> None:
    prepared = prepare_dataset(home, "retina_photo", image_size=32)
    assert prepared.train.images.shape == (1, 32, 32, 3)
    assert prepared.test.images.shape == (0, 32, 32, 3)


@pytest.mark.parametrize("size", [0, -3, 15, 5000])
def test_impossible_sizes_are_refused(home: DataHome, chest: ChestXray, size: int) -> None:
    with pytest.raises(SettingError, match="image_size must be between 16 and 1024"):
        prepare_dataset(home, chest, image_size=size)


def test_progress_counts_the_images_of_both_splits(home: DataHome, chest: ChestXray) -> None:
    calls: list[tuple[str, int, int]] = []
    prepare_dataset(home, chest, image_size=16, progress=lambda *call: calls.append(call))
    assert {(phase, total) for phase, _, total in calls} == {("Reading images", 50)}
    counts = [done for _, done, _ in calls]
    assert counts == sorted(counts)
    assert counts[-1] == 50


def test_cancelling_leaves_nothing_and_loses_nothing(home: DataHome, chest: ChestXray) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        if done > 16:
            raise Cancelled

    threads = threading.active_count()
    with pytest.raises(Cancelled):
        prepare_dataset(home, chest, image_size=16, progress=stop)
    assert stored_in(home) == []
    assert threading.active_count() == threads
    assert len(prepare_dataset(home, chest, image_size=16).train.labels) == 40


def test_unreadable_images_are_counted_and_the_first_is_named(home: DataHome, tmp_path: Path) -> None:
    files = chest_files(train=20)
    names = sorted(name for name in files if name.startswith("train/NORMAL"))
    files[names[3]] = files[names[3]][:100]
    files[names[7]] = b"not a picture"
    files["test/NORMAL/empty.png"] = b""
    dataset = ChestXray(open_files(write_folder(tmp_path / "set", files)))
    with pytest.raises(ImageError) as error:
        prepare_dataset(home, dataset, image_size=16)
    assert names[3] in str(error.value)
    assert "2 more images cannot be read either" in str(error.value)
    assert stored_in(home) == []
    for name in (names[3], names[7], "test/NORMAL/empty.png"):
        (tmp_path / "set" / name).unlink()
    repaired = ChestXray(open_files(tmp_path / "set"))
    assert len(prepare_dataset(home, repaired, image_size=16).train.labels) == 38


@pytest.mark.parametrize("damage", ["cut", "shape", "meta", "missing", "labels"])
def test_damaged_arrays_are_made_again(home: DataHome, chest: ChestXray, damage: str) -> None:
    whole = prepare_dataset(home, chest, image_size=16)
    expected = np.array(whole.train.images)
    images = whole.folder / "train_images.npy"
    if damage == "cut":
        os.truncate(images, images.stat().st_size - 1)
    elif damage == "shape":
        np.save(images, expected[:, :8])
    elif damage == "meta":
        (whole.folder / "meta.json").write_text("{")
    elif damage == "missing":
        images.unlink()
    else:
        np.save(whole.folder / "train_labels.npy", np.zeros(3, dtype=np.int64))
    again = prepare_dataset(home, chest, image_size=16)
    assert np.array_equal(again.train.images, expected)
    assert again.train.labels.tolist() == [0] * 20 + [1] * 20


def test_leftovers_of_a_killed_process_are_removed(home: DataHome, chest: ChestXray) -> None:
    leftover = home.prepared / f".{chest.content_key()}-16.abcd.part"
    leftover.mkdir(parents=True)
    prepared = prepare_dataset(home, chest, image_size=16)
    assert stored_in(home) == [prepared.folder.name]


def test_a_disk_that_is_too_small_is_noticed_before_reading(
    home: DataHome, chest: ChestXray, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DataHomeError, match=r"the disk has 0 MB free. Free some space"):
        prepare_dataset(home, chest, image_size=16)
    assert stored_in(home) == []


def test_a_disk_that_fills_up_while_writing_gets_a_sentence(home: DataHome, tmp_path: Path) -> None:
    # The kernel refuses files above the limit as it refuses them on a full disk.
    script = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
from pathlib import Path
from medpriv_core import home as home_module
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.errors import DataHomeError
try:
    prepare_dataset(home_module.data_home(), ChestXray(open_files(Path({str(tmp_path / "set")!r}))), image_size=64)
except DataHomeError as error:
    print(error)
"""
    write_folder(tmp_path / "set", chest_files(train=10))
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "may not become as large as it has to" in result.stdout
    assert stored_in(home) == []


def test_two_processes_convert_only_once(home: DataHome, chest: ChestXray) -> None:
    calls: list[str] = []
    started, release = threading.Event(), threading.Event()

    def slow(phase: str, done: int, total: int) -> None:
        calls.append("first")
        started.set()
        release.wait(20)

    def second(phase: str, done: int, total: int) -> None:
        calls.append(phase)
        release.set()

    first = threading.Thread(target=prepare_dataset, args=(home, chest), kwargs={"image_size": 16, "progress": slow})
    first.start()
    assert started.wait(20)
    prepare_dataset(home, chest, image_size=16, progress=second)
    first.join()
    assert "Reading images" not in calls
    assert "Waiting for another process that reads the same images" in calls


def test_memory_holds_a_batch_and_not_the_dataset(home: DataHome, tmp_path: Path) -> None:
    """Peak memory in a fresh process grows far less than the finished array is large."""
    write_folder(tmp_path / "set", chest_files(train=60, test=2))
    script = f"""
import resource
from pathlib import Path
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.home import data_home
dataset = ChestXray(open_files(Path({str(tmp_path / "set")!r})))
prepare_dataset(data_home(), dataset, image_size=16)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
prepared = prepare_dataset(data_home(), dataset, image_size=1024)
print(prepared.train.images.nbytes // 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    array_kib, growth_kib = map(int, result.stdout.split())
    assert array_kib > 120_000
    assert growth_kib < 0.5 * array_kib


@pytest.mark.real_data
def test_real_chest_xrays_are_prepared_from_folder_and_npz(home: DataHome, shared_data: Path, tmp_path: Path) -> None:
    few = {}
    for split in ("train", "test"):
        for kind in ("NORMAL", "PNEUMONIA"):
            for path in sorted((shared_data / "chest_xray" / split / kind).iterdir())[:40]:
                few[f"{split}/{kind}/{path.name}"] = path.read_bytes()
    add_dataset(home, "chest_xray", write_folder(tmp_path / "set", few))
    prepared = prepare_dataset(home, "chest_xray", image_size=64)
    assert prepared.train.images.shape == (80, 64, 64, 1)
    photo = open_dataset(home, "chest_xray").split("test").image(11)
    assert abs(prepared.test.images[11].mean() - np.asarray(photo).mean()) < 1
    add_dataset(home, "pneumoniamnist", shared_data / "pneumoniamnist.npz")
    small = prepare_dataset(home, "pneumoniamnist", image_size=28)
    assert np.array_equal(small.test.images[:, :, :, 0], np.load(shared_data / "pneumoniamnist.npz")["test_images"])


def test_datasets_drawn_by_a_program_are_prepared_like_any_other(home: DataHome) -> None:
    dataset = _Drawn()
    prepared = prepare_dataset(home, dataset, image_size=16)
    assert prepared.train.images[:, 0, 0, 0].tolist() == [0, 10, 20]
    assert prepared.test.labels.tolist() == [1]


class _DrawnSplit:
    def __init__(self, count: int) -> None:
        self.labels = np.ones(count, dtype=np.int64)
        self.ids = [str(number) for number in range(count)]

    def image(self, index: int) -> Image.Image:
        return Image.new("L", (40, 40), 10 * index)


class _Drawn:
    info = READERS["pneumoniamnist"].info

    def split(self, name: str) -> _DrawnSplit:
        return _DrawnSplit(3 if name == "train" else 1)

    def content_key(self) -> str:
        return "abc"


def test_arrays_of_16_bits_are_not_taken_from_the_version_that_read_them_black(home: DataHome, tmp_path: Path) -> None:
    files = chest_files(train=2, test=1)
    folder = write_folder(tmp_path / "set", files)
    before = prepare_dataset(home, ChestXray(open_files(folder)), image_size=16)
    values = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 4
    deep = next(folder.rglob("train/*/*.jpeg"))
    deep.unlink()
    Image.fromarray(values).save(deep.with_suffix(".png"))

    prepared = prepare_dataset(home, ChestXray(open_files(folder)), image_size=16)

    assert prepared.folder.name.endswith("-16-16bit")
    assert max(image.max() for image in prepared.train.images) > 200
    assert not before.folder.name.endswith("bit")
    assert TrainingData(prepared).content == prepared.key.partition("-")[0]
