"""``datasets add`` of one's own images, ``check``, ``export`` and ``import``."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from tests.cli.conftest import Command
from tests.datasets.builders import image_bytes, write_folder

NAME = "my_lungs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = "image,who,grade\n" + "".join(f"p{n:02},ann{n // 2},{n % 2}\n" for n in range(24))
    images = {f"pics/p{n:02}.png": image_bytes(n) for n in range(24)}
    return write_folder(tmp_path / "set", images | {"labels.csv": lines.encode()})


def test_what_is_understood_is_said_and_kept_on_yes_alone(medpriv: Command, home: DataHome, folder: Path) -> None:
    check = medpriv("datasets", "check", folder, "--patient-column", "who")
    assert check.code == 0
    for line in (
        "Understood by a table; grey images, 2 classes:",
        "Column of the file: image",
        "Column of the patient: who",
        "The training images are of ",
    ):
        assert line in check.out
    facts = medpriv("datasets", "check", folder, "--patient-column", "who", "--json").json
    assert (facts["classes"], facts["largest_patient_images"]) == (["0", "1"], 2)
    refused = medpriv("datasets", "add", NAME, folder)
    assert refused.code == 2
    assert "Nothing was added. Say --yes" in refused.err
    added = medpriv("datasets", "add", NAME, folder, "--class", "1=Ill", "--class", "0=Well", "--yes", "--json").json
    assert (added["name"], added["classes"], added["available"]) == (NAME, ["Ill", "Well"], True)
    listed = {entry["name"]: entry for entry in medpriv("datasets", "list", "--json").json["datasets"]}
    assert {"classes", "train", "test", "patients"} <= set(listed[NAME])
    assert medpriv("datasets", "show", NAME).code == 0
    assert "is removed; your files were not touched" in medpriv("datasets", "remove", NAME).out


def test_a_record_is_handed_on(medpriv: Command, home: DataHome, folder: Path, tmp_path: Path) -> None:
    medpriv("datasets", "add", NAME, folder, "--ordered", "--yes")
    file = tmp_path / "dataset.toml"
    assert "It names no file and no patient." in medpriv("datasets", "export", NAME, file).out
    medpriv("datasets", "remove", NAME)
    assert "my_lungs is added" in medpriv("datasets", "import", file, folder).out
    assert medpriv("datasets", "show", NAME, "--json").json["ordered"]
    assert "is no dataset of your own" in medpriv("datasets", "export", "chest_xray", file).err
    file.write_text("version = 1")
    assert "lacks name" in medpriv("datasets", "import", file, folder).err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--test-share", "1"), "test_share must be above 0 and below 1"),
        (("--seed", "-1"), "seed must be between 0"),
        (("--label-column", "nothing"), "has no column nothing"),
        (("--class", "0"), "'1' is in no class"),
        (("--table", "/nowhere.csv"), "nowhere.csv"),
        (("--patient-pattern", "("), "is no regular expression"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    medpriv: Command, folder: Path, options: tuple[str, ...], why: str
) -> None:
    answer = medpriv("datasets", "add", NAME, folder, "--yes", *options)
    assert answer.code == 2
    assert why in answer.err
    assert "Traceback" not in answer.err


def test_one_epoch_is_trained_with_the_patient_protected(medpriv: Command, home: DataHome, folder: Path) -> None:
    medpriv("datasets", "add", NAME, folder, "--patient-column", "who", "--yes")
    size = ("--weights", "none", "--image-size", 32, "--epochs", 1)
    spec = ("--method", "dp_sgd", "--noise-multiplier", 2, "--delta", 1e-2, "--batch-size", 4)
    run = medpriv("run", "--dataset", NAME, *size, *spec, "--json").json
    assert (run["spec"]["unit"], run["spec"]["dataset"]) == ("patient", NAME)
