"""How fast the everyday things are, each beside the least that it could cost.

    python -m benchmarks.speed [--images FOLDER_OF_CHEST_XRAYS]

Every row is a task and its floor, which take turns: machines differ and drift, ratios of neighbours less so. Their
median stands in the row, with the lowest and the highest. On a machine that was busy meanwhile it says so and exits
with 3.
Without ``--images`` the row that reads image files is left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.judged import judged
from medpriv_core.datasets.base import PreparedDataset, PreparedSplit
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset, open_dataset
from medpriv_core.home import DataHome
from medpriv_core.mechanisms.additive import LaplacePerPixel
from medpriv_core.mechanisms.comparison import noised_panel
from medpriv_core.privacy.image_laplace import laplace_epsilon
from medpriv_core.progress import no_progress
from medpriv_core.quiet import alternate, paired_ratio, timed


def compare(
    title: str, task: Callable[[], object], floor_title: str, floor: Callable[[], object], *, pairs: int
) -> None:
    """One row of the table: ``pairs`` of a task and its floor, in turn."""
    took, floors = alternate([timed(task), timed(floor)], rounds=pairs)
    report(title, took, floor_title, floors)


def report(title: str, took: Sequence[float], floor_title: str, floors: Sequence[float]) -> None:
    """One row of the table, from the seconds of each pair."""
    ratio = paired_ratio(took, floors)
    spread = f" ({ratio.low:.2f} to {ratio.high:.2f})" if len(took) > 1 else " (one pair)"
    print(f"{title:58} {statistics.median(took) * 1e3:10.1f} ms   {ratio.median:7.2f}{spread} x {floor_title}")


def measure_noise() -> None:
    """One 256 x 256 picture."""
    rng = np.random.default_rng(0)
    image = rng.random((256, 256, 1), dtype=np.float32)
    compare(
        "Laplace noise on one 256 x 256 image",
        lambda: LaplacePerPixel(2.0).release(image, rng),
        "drawing the numbers",
        lambda: rng.laplace(size=image.shape),
        pairs=50,
    )


def measure_noised_dataset(folder: Path) -> None:
    """5,216 grey pictures of 224 x 224, noised and stored."""
    home = DataHome(folder / "noised")
    shape = (5216, 224, 224, 1)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    split = PreparedSplit(images, np.zeros(len(images), dtype=np.int64))
    empty = PreparedSplit(images[:1], split.labels[:1])
    prepared = PreparedDataset(ChestXray.info, "k", 224, home.prepared / "k", train=split, test=empty)
    compare(
        "Noising and storing 5,216 images of 224 x 224",
        lambda: noised_dataset(home, prepared, LaplacePerPixel(2.0)),
        "storing them",
        lambda: np.save(folder / "plain.npy", images),
        pairs=1,
    )
    print(
        f"    peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB, "
        f"of which {images.nbytes / 2**20:,.0f} MiB are the images made for this row"
    )


def measure_slider() -> None:
    """What the server computes when the slider moves: one panel anew and its epsilon."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    betas = iter(np.linspace(0.5, 5, 200))

    def panel() -> None:
        noised_panel(image, LaplacePerPixel(float(next(betas))), seed=(0,))

    compare(
        "New panel of the explore page, 224 x 224 RGB",
        panel,
        "drawing the numbers",
        lambda: rng.laplace(size=image.shape),
        pairs=20,
    )

    def epsilon() -> None:
        laplace_epsilon.cache_clear()
        LaplacePerPixel(float(next(betas))).guarantee(image.shape)

    epsilon()
    compare("Epsilon of the whole image, first time for a beta", epsilon, "the panel", panel, pairs=9)


def measure_drawing() -> None:
    """All pictures of the embedded datasets."""
    for name in ("synthetic_chest", "synthetic_fundus"):
        dataset = open_dataset(DataHome(Path("unused")), name)

        def draw(dataset: Any = dataset) -> None:
            for split in (dataset.split("train"), dataset.split("test")):
                for index in range(len(split.labels)):
                    split.image(index)

        compare(
            f"Drawing the 800 images of {name}",
            draw,
            "drawing as many random numbers",
            lambda: np.random.default_rng(0).normal(size=(800, 128, 128)),
            pairs=1,
        )


def measure_reading(folder: Path, images: Path) -> None:
    """The whole chest X-ray folder at 224 pixels, first and second start."""
    home = DataHome(folder / "reading")
    add_dataset(home, "chest_xray", images)
    cpu = time.process_time()
    prepare = timed(lambda: prepare_dataset(home, "chest_xray", image_size=224))
    took = prepare()  # there is only one first time
    cpu = time.process_time() - cpu
    files = list(images.rglob("*.jpeg"))
    floor = timed(lambda: [file.read_bytes() for file in files])()
    report(f"Reading {len(files):,} X-rays at 224 x 224", [took], "reading the files' bytes", [floor])
    print(f"    {cpu / took:.2f} cores busy on average")
    report("The same at the second start", [prepare() for _ in range(3)], "the first", [took] * 3)


def measure_features(folder: Path) -> None:
    """Features of 512 grey pictures of 128 x 128, beside a forward pass on inputs that are ready."""
    import torch

    from medpriv_core.training.features import PHASE, Backbone, FeatureSource, FeatureStore
    from medpriv_core.training.model import build_model

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (512, 128, 128, 1), dtype=np.uint8)
    split = PreparedSplit(images, np.zeros(len(images), dtype=np.int64))
    model = build_model(classes=2, norm="frozen_batch_norm", state_dict=None, seed=0)
    model.to(memory_format=torch.channels_last)
    inputs = torch.randn(512, 3, 128, 128).contiguous(memory_format=torch.channels_last)

    def bare() -> None:
        with torch.no_grad():
            for start in range(0, len(inputs), 24):
                model.features(inputs[start : start + 24])

    keys = iter(range(100))
    store = FeatureStore(DataHome(folder / "features"))

    def compute() -> None:
        prepared = PreparedDataset(ChestXray.info, f"k{next(keys)}", 128, folder, train=split, test=split)
        backbone = Backbone(model, "fingerprint", 128, torch.device("cpu"), None)
        store.get([FeatureSource(prepared, "train")], backbone, no_progress)

    bare()
    compare(f"{PHASE} of 512 images of 128 x 128, stored", compute, "a bare forward pass", bare, pairs=5)


def measure_what_if(folder: Path) -> None:
    """50 epochs of DP-SGD on the stored features of 5,216 records, through the loop of a run."""
    from medpriv_core.jobs.process import Reporter
    from medpriv_core.runs.directory import RunDirectory
    from medpriv_core.spec import RunSpec
    from medpriv_core.training import loop
    from medpriv_core.training.data import TrainingData
    from medpriv_core.training.session import open_session

    rng = np.random.default_rng(0)
    splits = [PreparedSplit(np.zeros((n, 16, 16, 1), np.uint8), rng.integers(0, 2, n)) for n in (5216, 624)]
    prepared = PreparedDataset(ChestXray.info, "what-if", 16, folder, train=splits[0], test=splits[1])
    home = DataHome(folder / "what-if")
    runs: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Poisson batches of 128", {"batch_size": 128, "noise_multiplier": 2.0, "epochs": 50}),
        ("Poisson batches of 256", {"batch_size": 256, "noise_multiplier": 2.5, "epochs": 50}),
        ("full batches", {"sampling": "full_batch", "noise_multiplier": 30.0, "epochs": 100}),
    )
    for number, (name, settings) in enumerate(runs):
        values = {"image_size": 16, "weights": "none", "method": "dp_sgd", "device": "cpu", **settings}
        spec = RunSpec.from_dict({"dataset": ChestXray.info.name, **values})
        directory = RunDirectory(folder / f"run-{number}")
        directory.create(spec)
        reporter = Reporter(directory, should_stop=lambda: False)
        begun = time.perf_counter()
        session = open_session(spec, TrainingData(prepared), directory, home=home, progress=reporter)
        opened = time.perf_counter()
        loop.train(session, directory, report=reporter)
        took = time.perf_counter() - opened
        print(
            f"{spec.epochs} epochs of DP-SGD on 5,216 x 512 features, {name}: {took:.2f} s "
            f"({opened - begun:.2f} s to open)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder with train/NORMAL, train/PNEUMONIA, test/...")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}")
    with judged(), tempfile.TemporaryDirectory() as folder:
        measure_noise()
        measure_slider()
        if options.images:
            measure_reading(Path(folder), options.images)
        measure_noised_dataset(Path(folder))
        measure_drawing()
        measure_features(Path(folder))
        measure_what_if(Path(folder))


if __name__ == "__main__":
    main()
