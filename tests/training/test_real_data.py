"""One epoch on real chest X-rays with pretrained weights."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core.datasets.base import DatasetInfo, PreparedDataset, PreparedSplit
from tests.training.conftest import Run, toy_spec

SIZE = 64


def read_split(folder: Path, numbers: range) -> PreparedSplit:
    """The files with these numbers of each class, as small grey images."""
    images, labels = [], []
    for label, name in enumerate(("NORMAL", "PNEUMONIA")):
        for file in islice(sorted((folder / name).glob("*.jpeg")), numbers.start, numbers.stop):
            images.append(np.asarray(Image.open(file).convert("L").resize((SIZE, SIZE)))[..., None])
            labels.append(label)
    return PreparedSplit(np.stack(images), np.array(labels, dtype=np.int64))


@pytest.fixture
def chest(shared_data: Path, tmp_path: Path) -> PreparedDataset:
    """120 training and 40 held-out radiographs."""
    folder = shared_data / "chest_xray" / "train"
    info = DatasetInfo("cxr", "Chest X-rays", ("normal", "pneumonia"), 1, False, "Kermany et al. 2018, CC BY 4.0.")
    train, test = read_split(folder, range(60)), read_split(folder, range(60, 80))
    return PreparedDataset(info, "cxr", SIZE, tmp_path, train, test)


@pytest.mark.real_data
def test_pretrained_features_tell_pneumonia_better_than_guessing(
    chest: PreparedDataset, imagenet_weights: Path, new_run: Callable[..., Run]
) -> None:
    run = new_run(clean=chest)
    session = run.train(toy_spec(image_size=SIZE, weights=str(imagenet_weights), epochs=5, batch_size=16))
    assert session.rows[-1].test.accuracy > 0.7
    assert imagenet_weights.name in run.directory.read_setup().weights


@pytest.mark.real_data
def test_all_layers_stay_stable_at_the_papers_learning_rate(
    chest: PreparedDataset, imagenet_weights: Path, new_run: Callable[..., Run]
) -> None:
    spec = toy_spec(
        image_size=SIZE, weights=str(imagenet_weights), epochs=1, batch_size=16, trainable="all", learning_rate=0.01
    )
    session = new_run(clean=chest).train(spec)
    assert session.rows[-1].train.loss < 1.5


@pytest.mark.real_data
def test_a_private_epoch_on_radiographs_has_its_epsilon(
    chest: PreparedDataset, imagenet_weights: Path, new_run: Callable[..., Run]
) -> None:
    settings = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3, "epochs": 1, "batch_size": 16}
    session = new_run(clean=chest).train(toy_spec(image_size=SIZE, weights=str(imagenet_weights), **settings))
    assert 0 < session.rows[0].epsilon < 5
    assert session.rows[0].steps == 8
