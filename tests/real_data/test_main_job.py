"""The main job on real images: each dataset read, shown on the explore page, and trained on for an epoch."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from medpriv_core.datasets.registry import add_dataset
from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.spec import RunSpec
from tests.pages.conftest import viewers

pytestmark = pytest.mark.real_data
ROOT = Path(__file__).resolve().parents[2]


def lay_out_as_aptos(idrid: Path, folder: Path) -> Path:
    """IDRiD's photographs in the folder structure of APTOS 2019."""
    (folder / "train_images").mkdir(parents=True)
    rows = [("id_code", "diagnosis")]
    with open(idrid / "train.csv", newline="") as file:
        for row in list(csv.DictReader(file))[:200]:
            rows.append((row["image"], row["retinopathy_grade"]))
            Image.open(idrid / "train" / f"{row['image']}.jpg").save(
                folder / "train_images" / f"{row['image']}.png", compress_level=1
            )
    with open(folder / "train.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("chest_xray", {"method": "local_dp", "beta": 1.0}),
        ("aptos2019", {"method": "dp_sgd", "noise_multiplier": 2.0, "batch_size": 32}),
        ("pneumoniamnist", {}),
    ],
)
def test_a_dataset_is_read_shown_and_trained_on(
    home: DataHome,
    tmp_path: Path,
    shared_data: Path,
    imagenet_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    method: dict[str, Any],
) -> None:
    from medpriv_core.training.worker import run_worker

    places = {
        "chest_xray": lambda: shared_data / "chest_xray",
        "aptos2019": lambda: lay_out_as_aptos(shared_data / "idrid", tmp_path / "aptos"),
        "pneumoniamnist": lambda: shared_data / "pneumoniamnist.npz",
    }
    entry = add_dataset(home, name, places[name]())

    page = AppTest.from_file(str(ROOT / "pages" / "index.py"), default_timeout=60)
    page.query_params["dataset"] = name
    page.run()
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="dataset").value == name
    ((original, *noised),) = viewers(page)
    assert original["title"] == "Original"
    assert [panel["title"] for panel in noised] == ["yours, β = 0.5", "Undone by a computer"]

    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(imagenet_weights))
    directory = RunDirectory(home.runs / "run")
    directory.create(RunSpec(dataset=name, image_size=32, epochs=1, device="cpu", **method))
    assert run_worker(directory.path, home) == 0, directory.read_outcome()
    (row,) = directory.read_epochs()
    assert directory.read_setup().train_size == entry.train
    assert 0.2 < row.test.accuracy <= 1
    assert (row.epsilon is not None) == (method.get("method") == "dp_sgd")
    assert (row.test_noised.accuracy is not None) == (method.get("method") == "local_dp")
