"""Folders, zips and npz files that were made to hang or exhaust whoever reads them."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.datasets import folder_files, graded_table, medmnist
from medpriv_core.datasets.file_dataset import COMPARING
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.folder_files import LISTING
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset, list_datasets, open_dataset
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.home import DataHome
from medpriv_core.progress import Cancelled
from tests.datasets.builders import aptos_files, chest_files, image_bytes, write_folder, write_npz, write_zip
from tests.test_npz_file import described, member
from tests.unpacking import counted_unpacking


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_circle(path: Path) -> None:
    path.symlink_to(path.name)


def made_by_the_system(path: Path) -> None:
    path.symlink_to("/proc/self/status")


def endless(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**42)


ODD = {
    "pipe": (a_pipe, "is a pipe"),
    "device": (a_device, "is a device"),
    "circle": (a_circle, "leads in a circle"),
    "proc": (made_by_the_system, "made by the system"),
    "sparse": (endless, "MB are read"),
}


@pytest.mark.parametrize(("make", "sentence"), ODD.values(), ids=ODD)
def test_what_is_no_ordinary_file_in_a_folder_is_named(
    home: DataHome, tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    folder = write_folder(tmp_path / "set", chest_files())
    make(folder / "train" / "NORMAL" / "x.jpeg")
    with pytest.raises(DatasetError, match=rf"train/NORMAL/x.jpeg.*{sentence}"):
        add_dataset(home, "chest_xray", folder)


@pytest.mark.parametrize(("make", "sentence"), ODD.values(), ids=ODD)
def test_also_if_it_takes_the_place_of_a_picture_later(
    home: DataHome, tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    folder = write_folder(tmp_path / "set", chest_files())
    add_dataset(home, "chest_xray", folder)
    dataset = open_dataset(home, "chest_xray")
    picture = folder / "train" / "NORMAL" / "IM-train-0-0.jpeg"
    picture.unlink()
    make(picture)
    for read in (lambda: dataset.split("train").image(0), lambda: prepare_dataset(home, "chest_xray", image_size=16)):
        with pytest.raises(ImageError, match=sentence):
            read()


@pytest.mark.parametrize(("make", "sentence"), ODD.values(), ids=ODD)
def test_what_is_no_ordinary_file_is_no_table(
    home: DataHome, tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    folder = write_folder(tmp_path / "set", aptos_files({f"eye{n}": n % 5 for n in range(25)}))
    (folder / "train.csv").unlink()
    make(folder / "train.csv")
    with pytest.raises(DatasetError, match=sentence):
        add_dataset(home, "aptos2019", folder)


def test_of_the_npz_files_in_a_folder_only_ordinary_ones_count(home: DataHome, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pneumoniamnist.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match="is a folder without an npz file"):
        add_dataset(home, "pneumoniamnist", tmp_path)
    write_npz(tmp_path / "other.npz")
    assert add_dataset(home, "pneumoniamnist", tmp_path).train == 20


def test_an_added_npz_that_became_a_pipe_is_told_by_the_list(home: DataHome, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "p.npz")
    add_dataset(home, "pneumoniamnist", path)
    path.unlink()
    os.mkfifo(path)
    (entry,) = [entry for entry in list_datasets(home) if entry.info.name == "pneumoniamnist"]
    assert not entry.available
    assert "is a pipe and not an ordinary file" in str(entry.problem)


@pytest.mark.parametrize("place", ["/proc", "/sys/kernel", "/dev"])
def test_folders_of_the_system_end_in_a_sentence(home: DataHome, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_files, "MAX_FILES", 20_000)
    with pytest.raises(DatasetError):
        add_dataset(home, "chest_xray", place)


def test_a_folder_of_folders_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_files, "MAX_FILES", 50)
    for number in range(60):
        (tmp_path / "set" / str(number)).mkdir(parents=True)
    with pytest.raises(DatasetError, match="more than 50 files and folders"):
        open_files(tmp_path / "set")


def test_listing_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_files, "_TELL_EVERY", 3)

    def stop(phase: str, done: int, total: int) -> None:
        assert (phase, done) == (LISTING, 3)
        raise Cancelled

    with pytest.raises(Cancelled):
        open_files(write_folder(tmp_path / "set", chest_files()), progress=stop)


# Zips


def picture_that_unpacks_to(size: int) -> bytes:
    """A PNG, as far as its first bytes tell, and then zeros."""
    return image_bytes(1)[:64] + bytes(size - 64)


def test_a_picture_that_unpacks_to_hundreds_of_megabytes_of_nothing_is_not_unpacked(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = "train/NORMAL/bomb.png"
    path = write_zip(tmp_path / "set.zip", chest_files() | {bomb: picture_that_unpacks_to(100 << 20)})
    assert path.stat().st_size < 1 << 20
    unpacked = counted_unpacking(monkeypatch)
    files = open_files(path)
    with pytest.raises(ImageError, match=r"bomb.png in the zip unpacks to 100 MiB, more than 100 times"):
        files.read(bomb)
    add_dataset(home, "chest_xray", path)
    with pytest.raises(ImageError, match=r"bomb.png in the zip unpacks to 100 MiB"):
        prepare_dataset(home, "chest_xray", image_size=16)
    assert sum(unpacked) < 10 << 20


def test_a_large_picture_that_is_packed_as_pictures_are_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medpriv_core.datasets.zip_files._ALWAYS_READ_BYTES", 1000)
    pixels = os.urandom(2000) + bytes(20_000)
    path = write_zip(tmp_path / "set.zip", {"a.tif": pixels})
    assert open_files(path).read("a.tif") == pixels


def test_a_member_that_states_less_than_it_holds_is_damaged_and_not_unpacked_beyond(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", {"a.png": bytes(50 << 20)})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", data, data.find(signature) + offset, 1000)
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"a\.png in the zip is damaged"):
        open_files(path).read("a.png")


def test_a_zip_with_far_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medpriv_core.datasets.zip_files.MAX_FILES", 5)
    path = write_zip(tmp_path / "set.zip", {f"{number}.png": b"" for number in range(6)})
    with pytest.raises(DatasetError, match="holds more than 5 files"):
        open_files(path)


def test_a_zip_that_is_written_over_while_it_is_read_is_not_called_damaged(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", {"a.png": os.urandom(100_000), "b.png": os.urandom(100_000)})
    files = open_files(path)
    with open(path, "r+b") as file:
        file.write(os.urandom(150_000))
    os.utime(path, ns=(1, 1))
    with pytest.raises(ImageError, match=r"set.zip changed while it was read. Try again"):
        files.read("a.png")


def test_looking_for_copies_can_be_cancelled(home: DataHome, tmp_path: Path) -> None:
    files = chest_files() | {f"train/NORMAL/copy{n}.jpeg": image_bytes(0, file_format="JPEG") for n in range(5)}

    def stop(phase: str, done: int, total: int) -> None:
        if phase == COMPARING:
            raise Cancelled

    with pytest.raises(Cancelled):
        add_dataset(home, "chest_xray", write_zip(tmp_path / "set.zip", files), progress=stop)
    assert not home.registry.exists()


# Arrays


@pytest.mark.parametrize("array", ["train_images", "test_images", "train_labels", "test_labels"])
@pytest.mark.parametrize("shape", [(10**12, 28, 28), (2**40,), (21, 28, 28)])
def test_an_npz_whose_header_asks_for_terabytes_is_refused_at_once(
    home: DataHome, tmp_path: Path, array: str, shape: tuple[int, ...]
) -> None:
    whole = write_npz(tmp_path / "whole.npz")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "p.npz", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = member(described(shape), bytes(20 * 28 * 28)) if name == f"{array}.npy" else old.read(name)
            new.writestr(name, content)
    with pytest.raises(DatasetError, match="is not a sound npz file"):
        add_dataset(home, "pneumoniamnist", tmp_path / "p.npz")


def test_an_npz_of_far_too_many_members_is_refused(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medmnist, "MOST_MEMBERS", 5)
    with pytest.raises(DatasetError, match="holds far more than the arrays of"):
        add_dataset(home, "pneumoniamnist", write_npz(tmp_path / "p.npz"))


def test_a_member_that_only_begins_like_an_array_is_missing(home: DataHome, tmp_path: Path) -> None:
    with zipfile.ZipFile(write_npz(tmp_path / "p.npz", train_images=None), "a") as archive:
        archive.writestr("train_images", b"x")
    with pytest.raises(DatasetError, match="lacks the array train_images"):
        add_dataset(home, "pneumoniamnist", tmp_path / "p.npz")


def test_an_npz_that_was_exchanged_after_it_was_opened_is_not_mixed_with_the_old(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "p.npz")
    split = medmnist.READERS["pneumoniamnist"](path).split("train")
    write_npz(path, train_images=np.zeros((20, 30, 30), np.uint8))
    with pytest.raises(DatasetError, match="has changed since it was opened"):
        split.image(0)


# Tables


def test_a_table_of_far_too_many_rows_is_refused(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = graded_table.read_cells
    monkeypatch.setattr(graded_table, "read_cells", lambda data, table: real(data, table, most_rows=20))
    with pytest.raises(DatasetError, match=r"train\.csv has more than 20 rows"):
        add_dataset(
            home, "aptos2019", write_folder(tmp_path / "set", aptos_files({f"eye{n}": n % 5 for n in range(25)}))
        )


def test_a_table_of_gigabytes_is_not_read(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", aptos_files({f"eye{n}": n % 5 for n in range(25)}))
    with open(folder / "train.csv", "ab") as file:
        file.truncate(2**34)
    with pytest.raises(DatasetError, match="has 16,384 MB; up to 32 MB are read"):
        add_dataset(home, "aptos2019", folder)


@pytest.mark.parametrize("ids", ["utf-16", "cp1252", "utf-16-le without a mark", "halves"])
def test_ids_in_any_alphabet_are_text_that_can_be_shown_and_kept(home: DataHome, tmp_path: Path, ids: str) -> None:
    grades = {f"f\u00fc{n}": n % 5 for n in range(25)}
    files = aptos_files(grades)
    table = files["train.csv"].decode()
    files["train.csv"] = {
        "utf-16": table.encode("utf-16"),
        "cp1252": table.encode("cp1252"),
        "utf-16-le without a mark": table.encode("utf-16-le"),
        "halves": table.replace("f\u00fc0,", "f\ud800,").encode("utf-16", "surrogatepass"),
    }[ids]
    folder = write_folder(tmp_path / "set", files)
    if ids == "halves":  # the id names no file, which is said
        with pytest.raises(DatasetError, match=r"train\.csv names") as caught:
            add_dataset(home, "aptos2019", folder)
        str(caught.value).encode()
    else:
        entry = add_dataset(home, "aptos2019", folder)
        json.dumps([entry.location, entry.report.sentences if entry.report else []], ensure_ascii=False).encode()


@pytest.mark.parametrize("first", ['sep="\n', "sep=\ud800\n", "sep=\r\n", "sep= \n", "sep=\u00e9\n"])
def test_a_sign_between_cells_that_can_be_none_is_no_crash(home: DataHome, tmp_path: Path, first: str) -> None:
    files = aptos_files({f"eye{n}": n % 5 for n in range(25)})
    files["train.csv"] = first.encode("utf-8", "surrogatepass") + files["train.csv"]
    with pytest.raises(DatasetError):
        add_dataset(home, "aptos2019", write_folder(tmp_path / "set", files))


# The list of added datasets

WRONG = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "nested": lambda path: path.write_text("[" * 100_000),
    "a long number": lambda path: path.write_text('{"chest_xray": ' + "9" * 5000 + "}"),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xff"),
    "null": lambda path: path.write_text("null"),
    "a record of another kind": lambda path: path.write_text('{"chest_xray": []}'),
    **{
        f"{key}: {value!r}": lambda path, key=key, value=value: path.write_text(  # type: ignore[misc]
            json.dumps(
                {
                    "chest_xray": {"path": "/x", "train_counts": [1, 2], "test_counts": [1, 2], "content": "k"}
                    | {key: value}
                }
            )
        )
        for key, value in (
            ("path", 5),
            ("path", None),
            ("train_counts", [1]),
            ("train_counts", [1, 2, 3]),
            ("train_counts", [1, -2]),
            ("train_counts", [1, 2.5]),
            ("train_counts", [True, True]),
            ("train_counts", [1, 10**100]),
            ("train_counts", "12"),
            ("test_counts", None),
            ("content", 5),
            ("patients", 10**400),
        )
    },
}


@pytest.mark.parametrize("damage", WRONG.values(), ids=WRONG)
def test_a_damaged_list_of_datasets_is_a_sentence(home: DataHome, damage: Callable[[Path], object]) -> None:
    home.root.mkdir(parents=True)
    damage(home.registry)
    with pytest.raises(DatasetError) as caught:
        list_datasets(home)
    assert str(home.registry) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("signature", "text"),
        ("signature", {"a\0b": [1, 2], "\ud800": None, "x" * 5000: []}),
        ("signature", {".": "text"}),
        ("report", {"left_out": "text", "copies": {"surplus": 1e999, "across": 0}, "notes": 5}),
        ("report", {"left_out": [], "copies": {"surplus": float("inf"), "across": 0}, "notes": []}),
        ("report", {"left_out": [], "copies": [], "notes": []}),
        ("report", "text"),
        ("patients", None),
    ],
)
def test_what_else_is_kept_of_a_dataset_may_be_damaged_without_harm(
    home: DataHome, tmp_path: Path, key: str, value: object
) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "set", chest_files()))
    records = json.loads(home.registry.read_text())
    records["chest_xray"][key] = value
    home.registry.write_text(json.dumps(records))
    (entry,) = [entry for entry in list_datasets(home) if entry.info.name == "chest_xray"]
    assert (entry.available, entry.train) == (True, 6)
