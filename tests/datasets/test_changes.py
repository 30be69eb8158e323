"""The counts of the list are those of now: files that went or came since a dataset was added are noticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.datasets.catalog import ADDABLE
from medpriv_core.datasets.registry import (
    DatasetEntry,
    add_dataset,
    change_notice,
    content_of,
    list_datasets,
    open_dataset,
    refresh_dataset,
)
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


def entry_of(home: DataHome, name: str = "chest_xray") -> DatasetEntry:
    return next(entry for entry in list_datasets(home) if entry.info.name == name)


def remove_half(folder: Path) -> None:
    for kind in ("NORMAL", "PNEUMONIA"):
        for file in sorted((folder / "train" / kind).iterdir())[:4]:
            file.unlink()


def test_files_that_were_removed_are_not_counted_any_more(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files(train=8, test=2))
    added = add_dataset(home, "chest_xray", folder)
    assert (added.train, added.changed) == (16, None)
    assert entry_of(home) == added
    remove_half(folder)
    now = entry_of(home)
    assert (now.train_counts, now.test_counts, now.available) == ((4, 4), (2, 2), True)
    assert now.train == len(open_dataset(home, "chest_xray").split("train").labels)
    assert "8 training and 4 test images are there now, 16 and 4 were then" in now.changed
    assert change_notice(home, "chest_xray") == now.changed
    assert change_notice(home, "synthetic_chest") is None
    again = refresh_dataset(home, "chest_xray")
    assert (again.train, again.changed) == (8, None)
    assert entry_of(home) == again


def test_the_content_by_which_spending_is_counted_is_that_of_now(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files(train=8, test=2))
    add_dataset(home, "chest_xray", folder)
    before = content_of(home, "chest_xray")
    (folder / "train" / "NORMAL" / "IM-train-0-0.jpeg").unlink()
    write_folder(folder, {"train/NORMAL/IM-train-0-9.jpeg": image_bytes(90, file_format="JPEG")})
    assert entry_of(home).train == 16  # as many, and not the same
    assert content_of(home, "chest_xray") == open_dataset(home, "chest_xray").content_key() != before
    assert entry_of(home).content == content_of(home, "chest_xray")


def test_files_that_came_are_counted_too_also_in_a_new_folder(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files(train=3, test=2))
    add_dataset(home, "chest_xray", folder)
    write_folder(folder, {"val/NORMAL/new.jpeg": image_bytes(90, file_format="JPEG")})
    assert entry_of(home).train_counts == (4, 3)


def test_a_list_without_changes_opens_nothing(home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "c", chest_files()))
    add_dataset(home, "aptos2019", write_zip(tmp_path / "a.zip", aptos_files({f"i{n}": n % 5 for n in range(25)})))
    add_dataset(home, "idrid", write_folder(tmp_path / "i", idrid_files()))
    add_dataset(home, "pneumoniamnist", write_npz(tmp_path / "p.npz"))
    for reader in ADDABLE.values():
        monkeypatch.setattr(reader, "open", None)
    assert [entry.train for entry in list_datasets(home) if entry.available and entry.location] == [6, 20, 10, 20]


def test_changed_files_are_opened_once_and_not_at_every_look(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "set", chest_files(train=8, test=2))
    add_dataset(home, "chest_xray", folder)
    remove_half(folder)
    opened = []
    reader = ADDABLE["chest_xray"]
    original = reader.open
    monkeypatch.setattr(reader, "open", lambda *args: opened.append(1) or original(*args))
    assert [entry_of(home).train for _ in range(3)] == [8, 8, 8]
    assert len(opened) == 1
    (folder / "train" / "NORMAL" / "again.jpeg").write_bytes(image_bytes(91, file_format="JPEG"))
    assert entry_of(home).train == 9
    assert len(opened) == 2


def test_a_dataset_that_is_no_longer_in_order_says_why_and_recovers(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files())
    add_dataset(home, "chest_xray", folder)
    shutil.move(folder / "train" / "NORMAL", tmp_path / "aside")
    broken = entry_of(home)
    assert not broken.available
    assert "train/NORMAL is missing or empty" in broken.problem
    shutil.move(tmp_path / "aside", folder / "train" / "NORMAL")
    assert entry_of(home).available


def test_another_zip_npz_or_table_in_the_same_place_is_noticed(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_zip(tmp_path / "c.zip", chest_files(train=3)))
    write_zip(tmp_path / "c.zip", chest_files(train=5))
    assert entry_of(home).train == 10
    add_dataset(home, "pneumoniamnist", write_npz(tmp_path / "p.npz"))
    arrays: dict[str, Any] = {"train_images": image_array(30), "train_labels": labels(30)}
    write_npz(tmp_path / "p.npz", **arrays)
    assert entry_of(home, "pneumoniamnist").train == 30
    folder = write_folder(tmp_path / "i", idrid_files())
    add_dataset(home, "idrid", folder)
    table = (folder / "train.csv").read_bytes().splitlines()
    (folder / "train.csv").write_bytes(b"\n".join(table[:-1]))
    assert entry_of(home, "idrid").train == 9


def test_what_an_earlier_version_added_is_counted_now(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files(train=8, test=2))
    add_dataset(home, "chest_xray", folder)
    records = json.loads(home.registry.read_text())
    records["chest_xray"] = {key: records["chest_xray"][key] for key in ("path", "train_counts", "test_counts")}
    home.registry.write_text(json.dumps(records))
    assert (entry_of(home).train, entry_of(home).changed) == (16, None)
    content = content_of(home, "chest_xray")  # a run reads the images and remembers
    assert entry_of(home).content == content == open_dataset(home, "chest_xray").content_key()
    remove_half(folder)
    assert entry_of(home).train == 8
    assert entry_of(home).changed


def image_array(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def labels(count: int) -> np.ndarray:
    return (np.arange(count, dtype=np.uint8) % 2)[:, None]
