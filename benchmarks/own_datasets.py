"""How the cost of a dataset of one's own grows with its images: looking, adding, opening again, preparing, training.

    python -m benchmarks.own_datasets [--images 2000 20000 200000] [--side 32] [--train]

Generated pictures (noise; PNG, above 512 pixels a side JPEG) of 50 patients in a hundred images and three classes, in a
temporary folder. Each number of images has a process of its own, whose largest memory is told. With ``--train`` also
the gallery of the explore page, and a private run of the last layer on random weights, where patients are drawn: two
epochs, by its process's own clock, and the largest memory of the worker.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from medpriv_core.datasets.own.adding import add_own, look
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import list_datasets, open_dataset
from medpriv_core.datasets.viewing import make_gallery, view_image
from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.spec import RunSpec
from medpriv_core.unit import with_unit

_WORK = """
import sys
from pathlib import Path
from medpriv_core.home import DataHome
from medpriv_core.training.worker import run_worker
sys.exit(run_worker(Path(sys.argv[1]), DataHome(Path(sys.argv[2]))))
"""
NAME, CLASSES = "generated", 3
JPEG_FROM = 512


def write_pictures(folder: Path, images: int, side: int) -> None:
    """So many pictures, no two alike."""
    rng = np.random.default_rng(0)
    # Large ones are as smooth as a radiograph, or their files would be far larger than those of one.
    base = np.asarray(Image.effect_noise((side, side), 60).filter(ImageFilter.GaussianBlur(side // 256)), np.uint8)
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
    for number in range(images):
        pixels = base.copy()
        pixels[:4] = rng.integers(0, 256, (4, side), dtype=np.uint8)
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "JPEG" if side >= JPEG_FROM else "PNG")
        (folder / f"class{number % CLASSES}" / f"P{number // 2:06}_{number:06}.jpg").write_bytes(content.getvalue())


def measure(folder: str, images: int, size: int, train: bool) -> list[tuple[str, float]]:
    """Seconds of each part, and MB at the end."""
    with tempfile.TemporaryDirectory() as place:
        home, choices = DataHome(Path(place) / "home"), Choices(patient_pattern=r"^(P\d+)_")
        parts: list[tuple[str, Callable[[], object]]] = [
            ("look", lambda: look(home, NAME, folder, choices)),
            ("add", lambda: add_own(home, NAME, folder, choices)),
            ("list again", lambda: list_datasets(home)),
            ("open again", lambda: open_dataset(home, NAME)),
            ("an image", lambda: view_image(open_dataset(home, NAME), images // 2)),
            (f"prepare at {size}", lambda: prepare_dataset(home, NAME, image_size=size)),
            ("prepare again", lambda: prepare_dataset(home, NAME, image_size=size)),
        ]
        if train:
            gallery_size = min(size, 224)
            parts.append(("gallery", lambda: make_gallery(open_dataset(home, NAME), images // 2, size=gallery_size)))
        found = []
        for name, work in parts:
            begun = time.perf_counter()
            work()
            found.append((name, time.perf_counter() - begun))
        found.append(("MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
        return [*found, *train_last_layer(home, size)] if train else found


def train_last_layer(home: DataHome, size: int) -> list[tuple[str, float]]:
    """Seconds from the start of a worker to its end, those of an epoch, and MB of the worker."""
    spec = RunSpec(
        dataset=NAME, image_size=size, weights="none", method="dp_sgd", noise_multiplier=4.0, delta=1e-6, epochs=2
    )
    directory = RunDirectory(home.runs / "run")
    directory.create(with_unit(spec, next(one.patients for one in list_datasets(home) if one.info.name == NAME)))
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", _WORK, str(directory.path), str(home.root)], check=True, capture_output=True)
    took = time.perf_counter() - begun
    memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    first, second = directory.read_epochs()
    return [("run of 2 epochs", took), ("epoch", second.elapsed_s - first.elapsed_s), ("MB of the worker", memory_mb)]


def main() -> None:
    """Print a row for each number of images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, nargs="+", default=[2000, 20_000])
    parser.add_argument("--side", type=int, default=32, help="of the pictures, in pixels")
    parser.add_argument("--size", type=int, default=32, help="of the prepared images")
    parser.add_argument("--train", action="store_true", help="also the gallery, and a run of the last layer")
    options = parser.parse_args()
    for place, images in enumerate(options.images):
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder), images, options.side)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                row = pool.apply(measure, (folder, images, options.size, options.train))
        if not place:
            print("| images | " + " | ".join(name for name, _ in row) + " |")
            print("| --- |" + " --- |" * len(row))
        print(f"| {images:,} | " + " | ".join(f"{value:,.2f}" for _, value in row) + " |", flush=True)


if __name__ == "__main__":
    main()
