"""``predict``: image files judged as the run's test images were."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core.datasets.own.adding import add_own
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset, open_dataset
from medpriv_core.home import DataHome, data_home
from medpriv_core.pictures.reading import Reading
from medpriv_core.runs.diagnosis import diagnose
from medpriv_core.runs.prediction_process import PROCESS
from tests.cli.conftest import Command, Refusal
from tests.datasets.builders import write_folder
from tests.processes import processes
from tests.trained_runs import TINY, train_run
from tests.uploads.dicoms import described, written


def radiograph(label: int, rng: np.random.Generator) -> bytes:
    """A JPEG large enough that its reader may skip work, with a bright field where ``label`` is 1."""
    pixels = rng.integers(0, 120, (150, 210), dtype=np.uint8)
    pixels[40:110, 60:150] += 100 * label
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataHome]:
    """A home with a folder of radiographs and a private run on them."""
    folder = tmp_path_factory.mktemp("predict")
    rng = np.random.default_rng(0)
    for split, count in (("train", 55), ("test", 9)):
        for label, name in enumerate(("NORMAL", "PNEUMONIA")):
            (folder / "chest" / split / name).mkdir(parents=True)
            for number in range(count):
                (folder / "chest" / split / name / f"{number:02}.jpeg").write_bytes(radiograph(label, rng))
    home = data_home(folder / "home")
    add_dataset(home, "chest_xray", folder / "chest")
    spec = TINY.changed(
        dataset="chest_xray", image_size=32, batch_size=10, method="dp_sgd", noise_multiplier=1.0, delta=1e-3
    )
    train_run(home, "private", spec)
    yield home
    PROCESS.close()


@pytest.fixture
def at_home(trained: DataHome, monkeypatch: pytest.MonkeyPatch) -> DataHome:
    monkeypatch.setenv("MEDPRIV_HOME", str(trained.root))
    return trained


def test_the_test_images_files_get_what_the_prepared_test_images_get(at_home: DataHome, medpriv: Command) -> None:
    files = sorted((at_home.root.parent / "chest" / "test").rglob("*.jpeg"))
    answer = medpriv("predict", "--run", "private", *files, "--json")
    assert (answer.code, answer.err) == (0, "Asking the network\n")
    test = prepare_dataset(at_home, "chest_xray", image_size=32).test
    expected = diagnose(at_home, "private", list(test.images))
    images = answer.json["images"]
    assert [image["image"] for image in images] == [str(file) for file in files]
    found = np.array([[image["probabilities"][name] for name in ("Normal", "Pneumonia")] for image in images])
    assert np.allclose(found, expected.probabilities, rtol=1e-4, atol=1e-6)  # of 18, in parts of 16
    predicted = np.array([("Normal", "Pneumonia").index(image["predicted"]) for image in images])
    assert (predicted == test.labels).mean() == answer.json["test_accuracy"]
    assert [image["confidence"] for image in images] == pytest.approx(found.max(1).tolist())
    assert answer.json["caveat"] == expected.caveat
    assert sum(image["unlike"] is not None for image in images) <= 6  # of 18
    assert "one image added or removed" in answer.json["epsilon"]
    assert answer.json["meaning"] in medpriv("predict", "--run", "private", files[0]).out.splitlines()
    assert "while wrongly naming 1 of 100" in answer.json["meaning"]


def test_of_own_images_a_file_is_read_as_it_was_chosen_for_them(
    at_home: DataHome, medpriv: Command, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    files = {f"{'ab'[n % 2]}/{n:02}.jpeg": radiograph(n % 2, rng) for n in range(20)}
    deep = rng.integers(0, 900, (3, 30, 50)).astype(np.uint16)
    deep[1] *= 3
    place = write_folder(tmp_path / "set", files | {"a/film.dcm": written(described(deep))})
    reading = Reading(fit="crop", window="percentiles", frames="middle")
    add_own(at_home, "own", place, Choices(reading=reading))
    train_run(at_home, "cropped", TINY.changed(dataset="own", image_size=32, batch_size=4))
    prepared = prepare_dataset(at_home, "own", image_size=32)
    dataset = open_dataset(at_home, "own")
    wanted = [
        (place / id_, image)
        for side in ("train", "test")
        for id_, image in zip(dataset.split(side).ids, getattr(prepared, side).images, strict=True)
    ]
    answer = medpriv("predict", "--run", "cropped", *(file for file, _ in wanted), "--json")
    squares = diagnose(at_home, "cropped", [image for _, image in wanted]).probabilities
    found = np.array([[image["probabilities"][name] for name in ("a", "b")] for image in answer.json["images"]])
    assert np.allclose(found, squares, rtol=1e-4, atol=1e-6)
    # As the explore page asks: the image at its own size.
    whole = [np.asarray(dataset.split("test").image(n))[:, :, None] for n in range(len(prepared.test.labels))]
    asked = diagnose(at_home, "cropped", whole).probabilities
    assert np.allclose(asked, squares[-len(whole) :], rtol=0.05, atol=0.01)
    other = [np.asarray(Image.open(file).convert("L").resize((32, 32)))[:, :, None] for file, _ in wanted[:5]]
    assert not np.allclose(diagnose(at_home, "cropped", other).probabilities, squares[:5], atol=0.01)


def test_the_plain_answer_has_run_epsilon_classes_and_caveat(
    at_home: DataHome, medpriv: Command, tmp_path: Path
) -> None:
    Image.new("RGB", (90, 40), "grey").save(tmp_path / "grey.png")
    answer = medpriv("predict", "--run", "private", tmp_path / "grey.png")
    title, statement, _meaning, line, unlike, caveat = answer.out.splitlines()
    assert title.startswith("private  DP-SGD ε = ")
    assert statement.startswith("ε = ")
    assert "δ = 0.001; one image added or removed; Poisson subsampling; PLD accountant" in statement
    name, _, shares = line.partition(": ")
    assert name == str(tmp_path / "grey.png")
    first, second = (float(part.split()[-1].rstrip("%")) for part in shares.split(", "))
    assert first >= second
    assert first + second == pytest.approx(100, abs=0.11)
    assert unlike.startswith("  This image is unlike the training images: less sharp")
    assert "not the probability of a disease" in caveat
    whole = medpriv("predict", "--run", "private", tmp_path / "grey.png", "--json").json
    assert (whole["images"][0]["unlike"], whole["images"][0]["likeness_known"]) == (unlike.strip(), True)


def test_what_cannot_be_judged_is_refused(at_home: DataHome, refused: Refusal, tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("no image")
    assert "required: --run, IMAGE" in refused("predict")
    assert refused("predict", "--run", "nothing", "x.png").startswith("There is no run nothing.")
    assert refused("predict", "--run", "private", tmp_path / "x.png").startswith("The image x.png does not exist.")
    assert refused("predict", "--run", "private", tmp_path / "note.png").startswith("The image note.png cannot be read")


def test_the_command_ends_and_leaves_no_process(at_home: DataHome, tmp_path: Path) -> None:
    Image.new("L", (40, 40)).save(tmp_path / "black.png")
    command = [sys.executable, "-m", "medpriv_core", "predict", "--run", "private", str(tmp_path / "black.png")]
    PROCESS.close()
    result = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(result.stdout)["images"][0]["confidence"] >= 0.5
    assert result.stderr == "Asking the network\n"
    assert processes(at_home) == []
