"""Local-DP copies of a prepared dataset, noised once and stored.

Each draw of noise is one release of every image: drawing again for another epoch or another run would
spend the privacy budget again. So a dataset, image size, beta and kind of draw have one noised copy,
made on first use and used by every run after that.
"""

from __future__ import annotations

import os
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from medpriv_core.datasets.base import PreparedDataset, PreparedSplit
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.mechanisms.laplace import add_laplace_noise, to_bytes, to_unit
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.spec import NoiseDraw

PHASE = "Adding noise"
# 32 RGB images of 224 pixels are 5 million values: 40 MB of float64 noise a thread.
BATCH_VALUES = 5_000_000


def noised_dataset(
    home: DataHome,
    prepared: PreparedDataset,
    *,
    beta: float,
    noise_draw: NoiseDraw,
    progress: ProgressCallback = no_progress,
) -> PreparedDataset:
    """The noised copy of ``prepared``, drawn now if there is none yet.

    Both splits are noised, clamped and rounded to ``uint8`` (post-processing). The generator is seeded
    by the operating system and the seed is never kept. Labels are not protected. Raises ``SettingError``
    for an impossible beta and ``DataHomeError`` where the disk refuses.
    """
    folder = home.prepared / prepared.folder.name / f"laplace-{noise_draw}-{beta:.6g}"
    with explain_disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _draw(prepared, folder, beta=beta, noise_draw=noise_draw, progress=progress)
    return replace(
        prepared,
        folder=folder,
        train=_load(folder / "train.npy", prepared.train),
        test=_load(folder / "test.npy", prepared.test),
    )


def _load(file: Path, clean: PreparedSplit) -> PreparedSplit:
    return PreparedSplit(images=np.load(file, mmap_mode="r"), labels=clean.labels)


def _draw(
    prepared: PreparedDataset, folder: Path, *, beta: float, noise_draw: NoiseDraw, progress: ProgressCallback
) -> None:
    part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    part.mkdir()
    total = len(prepared.train.images) + len(prepared.test.images)
    try:
        done = 0
        for name, split in (("train", prepared.train), ("test", prepared.test)):
            target = np.lib.format.open_memmap(part / f"{name}.npy", "w+", np.uint8, split.images.shape)
            done = _fill(target, split.images, beta, noise_draw, progress, done, total)
            target.flush()
            del target
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fill(
    target: np.ndarray,
    images: np.ndarray,
    beta: float,
    noise_draw: NoiseDraw,
    progress: ProgressCallback,
    done: int,
    total: int,
) -> int:
    batch = max(1, BATCH_VALUES // max(1, images[0].size)) if len(images) else 1
    starts = range(0, len(images), batch)
    generators = np.random.default_rng().spawn(len(starts))

    def noise(start: int, rng: np.random.Generator) -> int:
        clean = to_unit(images[start : start + batch])
        target[start : start + batch] = to_bytes(
            add_laplace_noise(clean, beta=beta, draw=noise_draw, rng=rng, batched=True)
        )
        return len(clean)

    # numpy's generators let go of the interpreter lock, so threads keep all cores busy.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for count in pool.map(noise, starts, generators):
                done += count
                progress(PHASE, done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return done
