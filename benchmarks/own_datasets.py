"""How the cost of a dataset of one's own grows with its images: looking, adding, opening again, preparing.

    python -m benchmarks.own_datasets [--images 2000 20000 200000] [--side 32]

Generated pictures (noise; PNG, above 512 pixels a side JPEG) of 50 patients in a hundred images and three classes, in a
temporary folder. Each number of images has a process of its own, whose largest memory is told.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import resource
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
from medpriv_core.datasets.viewing import view_image
from medpriv_core.home import DataHome

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


def measure(folder: str, images: int, size: int) -> list[tuple[str, float]]:
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
        found = []
        for name, work in parts:
            begun = time.perf_counter()
            work()
            found.append((name, time.perf_counter() - begun))
    return [*found, ("MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)]


def main() -> None:
    """Print a row for each number of images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, nargs="+", default=[2000, 20_000])
    parser.add_argument("--side", type=int, default=32, help="of the pictures, in pixels")
    parser.add_argument("--size", type=int, default=32, help="of the prepared images")
    options = parser.parse_args()
    for place, images in enumerate(options.images):
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder), images, options.side)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                row = pool.apply(measure, (folder, images, options.size))
        if not place:
            print("| images | " + " | ".join(name for name, _ in row) + " |")
            print("| --- |" + " --- |" * len(row))
        print(f"| {images:,} | " + " | ".join(f"{value:,.2f}" for _, value in row) + " |", flush=True)


if __name__ == "__main__":
    main()
