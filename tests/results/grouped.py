"""A dataset of one's own with groups and patients, and finished runs on it that kept their predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medpriv_core.datasets.own.adding import add_own
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.registry import content_of, open_dataset
from medpriv_core.evaluation.metrics import Answers, measure
from medpriv_core.evaluation.predictions import FILE_NAME, Predictions, write_predictions
from medpriv_core.home import DataHome
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from tests.datasets.builders import image_bytes, write_folder

NAME = "my_lungs"
PLAIN = RunSpec(dataset=NAME, weights="none", epochs=3)
PRIVATE = PLAIN.changed(method="dp_sgd", noise_multiplier=4.0, sampling="poisson")
TRAIN, TEST = 8, 120


def add_grouped(home: DataHome, folder: Path) -> None:
    """120 test images of 60 patients in the groups ct, xr (48 and 48 images), us (16) and a scanner of 8 images."""
    lines = ["file,label,split,patient,machine"]
    for place in range(TRAIN + TEST):
        split = "train" if place < TRAIN else "test"
        at = (place - TRAIN) // 2  # two images a patient
        machine = "ct" if at < 24 else "xr" if at < 48 else "us" if at < 56 else "=old<b>"
        lines.append(f"i{place:03}.png,{place % 2},{split},{split}{place // 2},{machine}")
    files = {f"i{place:03}.png": image_bytes(place, size=(8, 8)) for place in range(TRAIN + TEST)}
    write_folder(folder, files | {"labels.csv": "\n".join(lines).encode()})
    add_own(home, NAME, folder, Choices(title="Lungs"))


def add_run(home: DataHome, run_id: str, spec: RunSpec, *, better: float = 0.6, content: str | None = None) -> None:
    """A finished run, with predictions that follow its name."""
    dataset = open_dataset(home, spec.dataset)
    labels, classes = dataset.split("test").labels, len(dataset.info.classes)
    drawn = np.random.default_rng(len(run_id) + spec.seed).uniform(size=(len(labels), classes))
    scores = drawn + better * np.eye(classes)[labels]
    probabilities = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    directory = RunDirectory(home.runs / run_id)
    directory.create(spec)
    directory.write_setup(
        Setup(
            classes=dataset.info.classes,
            train_size=len(dataset.split("train").labels),
            train_class_counts=tuple(np.bincount(dataset.split("train").labels, minlength=classes).tolist()),
            majority_rate=0.5,
            content=content or content_of(home, spec.dataset),
        )
    )
    directory.append_epoch(EpochRow(epoch=3, test=measure(Answers(probabilities, labels), ordered=False)))
    write_predictions(directory.path / FILE_NAME, Predictions(3, labels, probabilities))
    store = RunStore(home)
    store.add(run_id, name=f"name of {run_id}", slot="cpu")
    assert store.claim_next()
    store.end(run_id, "finished", None)
