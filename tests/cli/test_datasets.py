"""``datasets``: list, show, add, fetch and remove."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.cli import run as cli_run
from medpriv_core.datasets import medmnist
from medpriv_core.datasets.registry import content_of
from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from tests.cli.bad_files import Trap
from tests.cli.conftest import Command, Refusal
from tests.datasets.builders import (
    aptos_files,
    chest_files,
    idrid_files,
    image_bytes,
    write_folder,
    write_npz,
    write_zip,
)
from tests.exports.runs import PRIVATE, put_run
from tests.jobs.here import work_here
from tests.web import Web, serve

GRADES = {f"eye{number}": number % 5 for number in range(25)}


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A mirror with a small npz, whose checksum this process takes for the published one."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    data = write_npz(tmp_path / "made.npz").read_bytes()
    monkeypatch.setitem(medmnist._MD5, ("pneumoniamnist", 28), hashlib.md5(data).hexdigest())
    work_here(monkeypatch)
    with serve() as web:
        web.files["/pneumoniamnist.npz"] = data
        yield web


def listed(medpriv: Command) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in medpriv("datasets", "list", "--json").json["datasets"]}


def test_the_list_has_the_promised_fields(medpriv: Command, home: DataHome) -> None:
    answer = medpriv("datasets", "list", "--json")
    assert (answer.code, answer.err) == (0, "")
    entries = answer.json["datasets"]
    assert all({"name", "synthetic", "classes", "train", "test", "available"} <= set(entry) for entry in entries)
    chest = entries[0]
    assert (chest["name"], chest["synthetic"], chest["classes"]) == ("synthetic_chest", True, ["Normal", "Pneumonia"])
    assert (chest["train"], chest["test"], chest["available"]) == (640, 160, True)
    absent = entries[3]
    assert (absent["name"], absent["available"], absent["train"]) == ("chest_xray", False, None)
    assert not home.root.exists()  # looking changes nothing


def test_the_plain_list_says_how_to_get_what_is_missing(medpriv: Command, home: DataHome) -> None:
    lines = medpriv("datasets", "list").out.splitlines()
    assert "synthetic_chest  synthetic, 640 train and 160 test images, 2 classes" in lines
    assert any(line.startswith("chest_xray       not available: Download the chest X-ray images") for line in lines)


@pytest.mark.parametrize(
    ("name", "make", "counts"),
    [
        ("chest_xray", lambda at: write_folder(at / "chest", chest_files()), (6, 4)),
        ("chest_xray", lambda at: write_zip(at / "chest.zip", chest_files(), prefix="chest_xray/"), (6, 4)),
        ("aptos2019", lambda at: write_folder(at / "aptos", aptos_files(GRADES)), (20, 5)),
        ("idrid", lambda at: write_folder(at / "idrid", idrid_files()), (10, 5)),
        ("idrid", lambda at: write_zip(at / "idrid.zip", idrid_files(published=True), prefix="B/"), (10, 5)),
        ("pneumoniamnist", lambda at: write_npz(at / "p.npz"), (20, 10)),
        ("retinamnist", lambda at: write_npz(at / "r.npz", channels=3, classes=5), (20, 10)),
    ],
    ids=["folder", "zip", "aptos", "idrid folder", "idrid zip", "grey npz", "colour npz"],
)
def test_added_listed_and_forgotten(
    medpriv: Command, home: DataHome, tmp_path: Path, name: str, make: Callable[[Path], Path], counts: tuple[int, int]
) -> None:
    place = make(tmp_path)
    added = medpriv("datasets", "add", name, place, "--json")
    assert added.code == 0
    assert (added.json["name"], added.json["train"], added.json["test"]) == (name, *counts)
    assert listed(medpriv)[name] == added.json
    assert f"{counts[0]} train and {counts[1]} test images" in medpriv("datasets", "list").out

    before = sorted(place.rglob("*")) if place.is_dir() else place.read_bytes()
    assert medpriv("datasets", "remove", name).out == f"{name} is removed; your files were not touched.\n"
    assert not listed(medpriv)[name]["available"]
    assert before == (sorted(place.rglob("*")) if place.is_dir() else place.read_bytes())


def test_a_relative_path_is_remembered_as_an_absolute_one(
    medpriv: Command, home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "p.npz")
    monkeypatch.chdir(tmp_path)
    assert medpriv("datasets", "add", "pneumoniamnist", "p.npz").code == 0
    monkeypatch.chdir("/")
    assert listed(medpriv)["pneumoniamnist"]["location"] == str(tmp_path / "p.npz")


def test_a_dataset_whose_files_are_gone_is_listed_with_the_reason(
    medpriv: Command, home: DataHome, tmp_path: Path
) -> None:
    file = write_npz(tmp_path / "p.npz")
    medpriv("datasets", "add", "pneumoniamnist", file)
    file.unlink()
    assert "nothing is there any more" in medpriv("datasets", "list").out
    assert not listed(medpriv)["pneumoniamnist"]["available"]


def test_adding_ends_with_a_report_which_is_shown_again_without_names(
    medpriv: Command, home: DataHome, tmp_path: Path
) -> None:
    extra = {"holdout/x.jpeg": b"\xff\xd8\xff", "val/NORMAL/v.jpeg": image_bytes(50, file_format="JPEG")}
    folder = write_folder(tmp_path / "set", chest_files() | extra)
    added = medpriv("datasets", "add", "chest_xray", f'"{folder}" ').out.splitlines()
    assert added[0].endswith("7 train and 4 test images, 2 classes")
    assert added[1:3] == ["Training: 4 Normal, 3 Pneumonia", "Test: 2 Normal, 2 Pneumonia"]
    assert added[3] == "Images in folders beside train, val and test: 1 left out (holdout/x.jpeg)."
    assert added[4] == "Images for validation that join the training images: 1."
    shown = medpriv("datasets", "show", "chest_xray").out
    assert "Images in folders beside train, val and test: 1 left out.\n" in shown
    assert str(folder) in shown
    report = medpriv("datasets", "show", "chest_xray", "--json").json["report"]
    assert report["left_out"] == [
        {"reason": "images in folders beside train, val and test", "count": 1, "examples": []}
    ]


def test_files_that_went_since_are_said_by_list_run_and_sweep(
    medpriv: Command, home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "set", chest_files(train=8))
    medpriv("datasets", "add", "chest_xray", folder)
    for file in sorted((folder / "train").rglob("*-[0-3].jpeg")):
        file.unlink()
    told = "8 training and 4 test images are there now, 16 and 4 were then"
    assert told in medpriv("datasets", "list").out
    assert listed(medpriv)["chest_xray"]["train"] == 8
    grid = ("--set", "epochs=1", "--set", "batch_size=4", "--vary", "seed=1,2", "--weights", "none", "--dry-run")
    assert told in medpriv("sweep", "grid", "--dataset", "chest_xray", *grid).err
    monkeypatch.setattr(cli_run.service, "submit", lambda home, spec: "run-1")
    monkeypatch.setattr(cli_run, "_watch", lambda home, run_id: (_ for _ in ()).throw(RunError("stop here")))
    assert told in medpriv("run", "--dataset", "chest_xray", "--weights", "none").err


def test_fetched_from_a_mirror(medpriv: Command, home: DataHome, web: Web) -> None:
    answer = medpriv("datasets", "fetch", "pneumoniamnist", "--base-url", web.url, "--json")
    assert answer.code == 0
    assert (answer.json["train"], answer.json["test"]) == (20, 10)
    assert listed(medpriv)["pneumoniamnist"]["location"] == str(home.downloads / "pneumoniamnist.npz")


def test_a_failed_fetch_has_the_exit_code_of_the_network(medpriv: Command, home: DataHome, web: Web) -> None:
    web.files.clear()
    answer = medpriv("datasets", "fetch", "pneumoniamnist", "--base-url", web.url, "--json")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines()[-1].startswith("medpriv: ")
    assert "404" in answer.err.splitlines()[-1]
    assert not listed(medpriv)["pneumoniamnist"]["available"]


def test_a_file_with_another_checksum_is_not_added(medpriv: Command, home: DataHome, web: Web) -> None:
    web.files["/pneumoniamnist.npz"] += b"!"
    answer = medpriv("datasets", "fetch", "pneumoniamnist", "--base-url", web.url)
    assert answer.code == 1
    assert "checksum" in answer.err
    assert not listed(medpriv)["pneumoniamnist"]["available"]


def without(files: dict[str, bytes], word: str) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if word not in name}


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("nothing", lambda at: at, "There is no folder or file at"),
        ("../chest_xray", lambda at: at, "'../chest_xray' cannot be the name of a dataset: 2 to 40 small letters"),
        ("synthetic_chest", lambda at: at, "is built in; it need not be added"),
        ("chest_xray", lambda at: at / "gone", "There is no folder or file at"),
        ("chest_xray", lambda at: write_folder(at / "f", {"a/readme.txt": b"x"}), "No chest X-ray images were found"),
        ("chest_xray", lambda at: write_folder(at / "f", without(chest_files(), "/NORMAL")), "are all of one class"),
        ("chest_xray", lambda at: write_folder(at / "f", without(chest_files(), "test")), "has no test images"),
        ("chest_xray", lambda at: write_zip(at / "z.zip", {"../../evil.png": b"x"}), "leads out of the archive"),
        ("chest_xray", lambda at: write_npz(at / "p.npz"), "No chest X-ray images were found"),
        ("aptos2019", lambda at: write_folder(at / "f", without(aptos_files(GRADES), "csv")), "There is no train.csv"),
        (
            "aptos2019",
            lambda at: write_folder(at / "f", aptos_files(GRADES, columns=("patient", "remarks"))),
            "has no column id_code and no column diagnosis",
        ),
        (
            "aptos2019",
            lambda at: write_folder(at / "f", without(aptos_files(GRADES), "eye7")),
            "names 'eye7', but train_images/eye7.png does not exist",
        ),
        ("aptos2019", lambda at: write_folder(at / "f", aptos_files(GRADES | {"odd": 7})), "grades are whole numbers"),
        ("aptos2019", lambda at: write_folder(at / "f", aptos_files(GRADES | {"odd": "x"})), "grades are whole"),
        ("idrid", lambda at: write_folder(at / "f", without(idrid_files(), "test.csv")), "There is no test.csv"),
        ("pneumoniamnist", lambda at: write_npz(at / "p.npz", test_labels=None), "lacks the array test_labels"),
        ("pneumoniamnist", lambda at: write_npz(at / "p.npz", channels=3), "may be the file of another dataset"),
        ("pneumoniamnist", lambda at: write_folder(at, {"p.npz": b"PK"}) / "p.npz", "is not a sound npz file"),
    ],
)
def test_files_that_are_not_in_order_are_refused_and_nothing_is_lost(
    refused: Refusal,
    medpriv: Command,
    home: DataHome,
    tmp_path: Path,
    name: str,
    make: Callable[[Path], Path],
    sentence: str,
) -> None:
    medpriv("datasets", "add", "pneumoniamnist", write_npz(tmp_path / "good.npz"))
    before = home.registry.read_bytes()
    assert sentence in refused("datasets", "add", name, make(tmp_path / "bad"), "--json")
    assert home.registry.read_bytes() == before


def test_pickled_objects_in_an_npz_are_refused_and_not_run(refused: Refusal, home: DataHome, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    file = write_npz(tmp_path / "p.npz", train_images=np.array([Trap(sprung)] * 20, dtype=object))
    assert "holds pickled Python objects" in refused("datasets", "add", "pneumoniamnist", file)
    assert not sprung.exists()


def test_forgetting_what_was_never_added_is_refused(refused: Refusal, home: DataHome) -> None:
    assert "was not added, so there is nothing to remove" in refused("datasets", "remove", "chest_xray")
    assert "There is no dataset 'nothing'" in refused("datasets", "remove", "nothing")


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"chest_xray": 3}',
        b'{"chest_xray": {"path": "/x", "train_counts": 3, "test_counts": [1]}}',
        b'{"chest_xray": {"path": "/x", "train_counts": ["many"], "test_counts": [1]}}',
    ],
)
def test_a_damaged_list_is_said_and_left_as_it_is(
    refused: Refusal, home: DataHome, tmp_path: Path, damage: bytes
) -> None:
    home.root.mkdir()
    home.registry.write_bytes(damage)
    file = write_npz(tmp_path / "p.npz")
    for arguments in (["list", "--json"], ["add", "pneumoniamnist", file], ["remove", "pneumoniamnist"]):
        sentence = refused("datasets", *arguments)
        assert sentence.startswith(f"The list of added datasets, {home.registry}, is damaged. Remove that file")
    assert home.registry.read_bytes() == damage


def test_a_full_disk_keeps_the_list(
    refused: Refusal, medpriv: Command, home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medpriv("datasets", "add", "pneumoniamnist", write_npz(tmp_path / "p.npz"))
    before = home.registry.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    folder = write_folder(tmp_path / "chest", chest_files())
    assert "is full. Free some space there" in refused("datasets", "add", "chest_xray", folder)
    assert home.registry.read_bytes() == before
    assert [file.name for file in home.root.iterdir() if file.name.endswith(".part")] == []


def test_what_was_spent_on_images_is_listed_and_shown(
    medpriv: Command, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    assert "dp_sgd_spent" not in medpriv("datasets", "show", "synthetic_chest", "--json").json
    put_run(home, PRIVATE, content=content_of(home, "synthetic_chest"))
    facts = medpriv("datasets", "show", "synthetic_chest", "--json").json["dp_sgd_spent"]
    assert (facts["networks"], facts["delta"]) == (1, PRIVATE.delta)
    for command in (("datasets", "list"), ("datasets", "show", "synthetic_chest")):
        said = medpriv(*command).out
        assert facts["sentence"] in said
        assert "Networks trained without privacy are not counted" in said
