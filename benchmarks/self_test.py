"""What the self-test of a session costs, for each kind of session: the figures of docs/dp-sgd.md.

    python -m benchmarks.self_test [head "all layers, GroupNorm"] [--profile]

Each session is opened in a process of its own, as a run's worker would, on 5,232 made-up images. Printed is the wall
time of the self-test in that process, and once more when all that is loaded on first use is there. Exits with 3 on a
machine that was busy.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.judged import judged
from medpriv_core.datasets.base import DatasetInfo, PreparedDataset, PreparedSplit
from medpriv_core.home import DataHome
from medpriv_core.progress import no_progress
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.spec import RunSpec
from medpriv_core.training import session
from medpriv_core.training.data import TrainingData
from medpriv_core.training.features import FeatureStore
from medpriv_core.training.memory import keep_freed_memory

IMAGES, CLASSES = 5232, ("normal", "pneumonia")
TIMES = 3
FULL: dict[str, Any] = {"sampling": "full_batch"}
WHOLE: dict[str, Any] = {"trainable": "all", "image_size": 64}
SETTINGS: dict[str, dict[str, Any]] = {
    "head, full batch": FULL,
    "head, Poisson 128": {},
    "head, Poisson 128, secure noise": {"noise_generator": "secure"},
    "head, Poisson 128, Opacus": {"engine": "opacus"},
    "head, microbatches of 4": {"engine": "microbatch", "microbatch_size": 4},
    "head, grid of layer 3, full batch": FULL | {"features": "layer3_grid", "standardise": True},
    "head, images varied in each step": {"augment": True},
    "norms, full batch": FULL | {"trainable": "norms", "image_size": 64},
    "norms, Poisson 128": {"trainable": "norms", "image_size": 64},
    "norms, Poisson 128, Opacus": {"trainable": "norms", "image_size": 64, "engine": "opacus"},
    "all layers, Poisson 128": WHOLE,
    "all layers, GroupNorm": WHOLE | {"norm": "group_norm"},
    "all layers, secure noise": WHOLE | {"noise_generator": "secure"},
    "all layers, Opacus": WHOLE | {"engine": "opacus"},
    "all layers, BatchNorm, microbatches of 4": WHOLE
    | {"engine": "microbatch", "microbatch_size": 4, "norm": "batch_norm", "sampling": "shuffled"},
}


def times_of(name: str, *, profile: bool) -> list[tuple[float, float]]:
    """Wall and processor time in seconds of each self-test, when a session is opened several times."""
    settings: dict[str, Any] = {
        "weights": "none",
        "device": "cpu",
        "method": "dp_sgd",
        "noise_multiplier": 1.0,
        "delta": 1e-5,
    }
    spec = RunSpec(dataset="made_up", **(settings | SETTINGS[name]))
    side = spec.image_size
    info = DatasetInfo("made_up", "Made-up images", CLASSES, 1, True, "Drawn by a benchmark.")
    images = np.zeros((IMAGES, side, side, 1), dtype=np.uint8)
    labels = np.arange(IMAGES, dtype=np.int64) % len(CLASSES)
    split = PreparedSplit(images, labels)
    data = TrainingData(PreparedDataset(info, "made-up-key", side, Path("made-up"), split, split))
    found: list[tuple[float, float]] = []
    real = session.try_session

    def timed(*arguments: Any, **options: Any) -> dict[str, dict[str, Any]]:
        profiler = cProfile.Profile() if profile and len(found) == TIMES - 1 else None
        begun = time.perf_counter(), time.process_time()
        measured = profiler.runcall(real, *arguments, **options) if profiler else real(*arguments, **options)
        found.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
        failed = [key for key, finding in measured.items() if not finding["holds"]]
        if failed:
            raise SystemExit(f"{name}: failed {', '.join(failed)}")
        if profiler:
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)
        return measured

    keep_freed_memory(spec.engine)
    session.try_session = timed
    FeatureStore.get = _no_features  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(TIMES):
            directory = RunDirectory(Path(folder) / str(number))
            directory.create(spec)
            session.open_session(spec, data, directory, home=DataHome(Path(folder) / "home"), progress=no_progress)
    return found


def _no_features(_store: FeatureStore, sources: list[Any], backbone: Any, _progress: object) -> list[np.ndarray]:
    return [np.random.default_rng(0).random((len(s.labels), backbone.kind.width), np.float32) for s in sources]


def main() -> None:
    parser = argparse.ArgumentParser(description="What the self-test of a session costs.")
    parser.add_argument("settings", nargs="*", help="those sessions whose names begin with one of these")
    parser.add_argument("--profile", action="store_true", help="print where the time goes instead")
    options = parser.parse_args()
    chosen = [name for name in SETTINGS if not options.settings or name.startswith(tuple(options.settings))]
    if options.profile:
        for name in chosen:
            print(name)
            times_of(name, profile=True)
        return
    import torch

    context = multiprocessing.get_context("spawn")
    print(f"{torch.get_num_threads()} threads; milliseconds, in brackets processor time")
    with judged():
        for name in chosen:
            with context.Pool(1) as pool:
                first, *again = pool.apply(times_of, (name,), {"profile": False})
            again.sort()
            (wall, used), (first_wall, first_used) = again[len(again) // 2], first
            print(
                f"{name:42} first {1e3 * first_wall:6.0f} ({1e3 * first_used:6.0f}), "
                f"then {1e3 * wall:6.0f} ({1e3 * used:6.0f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
