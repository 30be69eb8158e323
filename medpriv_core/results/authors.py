"""The accuracies that the paper's authors logged, one row an epoch, read from the notebooks that they published.

Source of ``data/authors_runs.csv``: the outputs of the notebooks at github.com/sahibsin/DP_DeepLearning_Pneumonia
(Singh, Sikka, Kotti and Trask 2020), 28 runs of 50 epochs. Each run exists twice: the notebooks of versions 3 and 4, of
July 2020, hold the figures that the paper quotes without privacy (chest X-rays in epoch 34, APTOS in epoch 50), and
version 5, of August 2020, repeats all runs with other learning rates.

The columns ``beta`` and ``epsilon_claimed`` are labels. Under Local-DP they stand for one random number a picture, for
which no finite epsilon holds. Under DP-SGD they stand for the noise multipliers in ``medpriv_core.presets``, clipped
and sampled in ways for which the claimed epsilon is not established.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import MedprivError, RunError
from medpriv_core.evaluation.metrics import Scores
from medpriv_core.presets import AUTHORS_APTOS, AUTHORS_CHEST
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.results.guarantee import NO_PRIVACY, HeldGuarantee, held_guarantee, not_established
from medpriv_core.results.result import Result
from medpriv_core.spec import Method, RunSpec

FILE = Path(__file__).parent / "data" / "authors_runs.csv"
SOURCE = "Singh, Sikka, Kotti and Trask 2020, outputs of the notebooks at github.com/sahibsin/DP_DeepLearning_Pneumonia"

IMAGE_SIZE = 256
EPOCHS = tuple(range(1, 51))
REPETITION = 5  # version of the notebooks that repeated all runs
# Every logged accuracy is a whole number of images over this many (a test does the sum).
TEST_SIZES = {"chest_xray": 624, "aptos2019": 733}
TEST_SIZE_APTOS_DP_SGD_REPEATED = 770
# 390 of 624 test images; of APTOS, whose split was random, 1,805 of all 3,662 images.
MAJORITY_RATES = {"chest_xray": 390 / 624, "aptos2019": 1805 / 3662}
NOISE_MULTIPLIERS = {"chest_xray": AUTHORS_CHEST, "aptos2019": AUTHORS_APTOS}

WHY_NOT_ESTABLISHED = (
    "microbatches were clipped instead of images, batches were shuffled and not drawn, and BatchNorm mixed the images "
    "of a batch"
)


@dataclass(frozen=True)
class Difference:
    """One thing that the authors did in another way than medpriv, and what follows from it."""

    name: str
    authors: str
    here: str


DIFFERENCES = (
    Difference(
        "One noise draw per image",
        "Under Local-DP one Laplace number was added to all pixels of an image, a shift of its brightness. The "
        "differences between pixels stay as they were, so no finite ε holds.",
        "Each pixel gets its own noise unless *Laplace per image* is chosen, which repeats what the authors did.",
    ),
    Difference(
        "Best epoch on the test images",
        "The paper reports the best of 50 epochs, chosen on the test images, for training and test apart. A maximum of "
        "50 figures lies up to 2.7 points too high on 624 images.",
        "The last epoch. The best one is shown under its own name only, as the optimistic protocol.",
    ),
    Difference(
        "Noise multipliers behind the β labels",
        "β = 1, 2 and 4 of DP-SGD were noise multipliers of 5.002, 9.7 and 19.55 on chest X-rays and of 6.6, 12.95 and "
        "26.1 on APTOS, found for ε = 1, 0.5 and 0.25 at δ = 1e-4.",
        "σ and ε are two settings with two names; either follows from the other.",
    ),
    Difference(
        "What ε holds under DP-SGD",
        "Microbatches were clipped instead of images and batches were shuffled, while the accountant "
        "assumed Poisson subsampling: the claimed ε is not established.",
        "Each image is clipped by itself, batches are Poisson samples or the whole set, and ε counts what was done.",
    ),
    Difference(
        "BatchNorm",
        "In training mode: each image changes how the others of its batch are normalised.",
        "Frozen at ImageNet's public statistics. The curves without privacy differ for this reason too.",
    ),
    Difference(
        "Colour order",
        "The fundus photographs were read with blue and red exchanged, against the order that the pretrained network "
        "was made for; chest X-rays are grey, so nothing changes for them.",
        "Red, green, blue.",
    ),
    Difference(
        "Training on noised, testing on clean images",
        "Local-DP's training accuracy was measured on noised images and its test accuracy on clean ones: the "
        "likeliest reason why the test curve lies above the training curve.",
        "The same, and the accuracy on noised test images besides.",
    ),
    Difference(
        "Seeds and intervals",
        "One run a setting (notebooks of versions 3 and 4), and one repetition with other learning rates (version 5).",
        "The mean of all runs that differ in their seed alone, with its interval.",
    ),
)


def read_authors() -> tuple[Result, ...]:
    """The 28 logged runs, in the order of the file; raises ``RunError`` if it is damaged."""
    try:
        return _read_unchanged(FILE, FILE.stat().st_mtime_ns)
    # What is no such table fails in many ways: a column that is not there, a word for a number, an unknown dataset, ...
    except (OSError, csv.Error, ValueError, LookupError, TypeError, StopIteration, MedprivError) as error:
        raise RunError(f"The file of the authors' logs, {FILE.name}, is damaged; install medpriv again.") from error


@functools.lru_cache(maxsize=2)
def _read_unchanged(path: Path, _written_ns: int) -> tuple[Result, ...]:
    rows: dict[str, list[dict[str, str]]] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["series"], []).append(row)
    if {tuple(int(row["epoch"]) for row in lines) for lines in rows.values()} != {EPOCHS}:
        raise ValueError("epochs are missing")
    return tuple(_result(series, lines) for series, lines in rows.items())


def _result(series: str, rows: list[dict[str, str]]) -> Result:
    first = rows[0]
    dataset, version = first["dataset"], int(first["notebook_version"])
    method: Method = next(name for name in get_args(Method) if name == first["mechanism"])
    beta = float(first["beta"]) if method != "none" else None
    dp_sgd = method == "dp_sgd" and beta is not None
    epochs = [
        EpochRow(
            epoch=int(row["epoch"]),
            train=Scores(accuracy=float(row["train_accuracy"])),
            test=Scores(accuracy=float(row["test_accuracy"])),
        )
        for row in rows
    ]
    repeated = dataset == "aptos2019" and dp_sgd and version == REPETITION
    return Result(
        source="authors",
        id=series,
        name=f"authors, notebook version {version}",
        dataset=dataset,
        method=method,
        beta=beta,
        noise_draw="per_image" if method == "local_dp" else None,
        noise_multiplier=NOISE_MULTIPLIERS[dataset][int(beta)] if dp_sgd and beta else None,
        target_epsilon=None,
        trainable="all",
        image_size=IMAGE_SIZE,
        seed=None,
        guarantee=_guarantee(method, beta, dataset, first["epsilon_claimed"]),
        majority_rate=MAJORITY_RATES[dataset],
        classes=dataset_info(dataset).classes,
        epochs=tuple(epochs),
        test_size=TEST_SIZE_APTOS_DP_SGD_REPEATED if repeated else TEST_SIZES[dataset],
        synthetic=False,
        protocol=f"all layers, {IMAGE_SIZE} pixels cropped to 224, SGD, shuffled batches of 128, BatchNorm in training "
        "mode, 50 epochs, tested on clean images after every epoch",
        version=version,
    )


def _guarantee(method: Method, beta: float | None, dataset: str, claimed: str) -> HeldGuarantee:
    if method == "none":
        return NO_PRIVACY
    if method == "dp_sgd":
        return not_established(f"ε = {float(claimed):g} was claimed, but {WHY_NOT_ESTABLISHED}")
    spec = RunSpec(dataset=dataset, method="local_dp", beta=beta, noise_draw="per_image", image_size=IMAGE_SIZE)
    return held_guarantee(spec, Setup(), None)
