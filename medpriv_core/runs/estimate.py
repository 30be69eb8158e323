"""What a run will take: time, from like runs on this machine or else from a table, memory and disk.

The table holds what one core takes for an image, by the side of what the network sees. Small images cost more than
their pixels, because the deep layers then have more weights than pixels to work on. How several cores share the work
follows Amdahl's law with a serial part that falls with the size.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medpriv_core.architectures import ARCHITECTURES
from medpriv_core.datasets.registry import dataset_info
from medpriv_core.defaults import PASS_MEMORY_MB
from medpriv_core.errors import MedprivError, WeightsError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.privacy.dp_sgd import steps_per_epoch
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.epoch_log import METRICS, read_ends
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.weights_source import resolve_weights

# Milliseconds of one core for an image, by its side in pixels: a forward pass, and a step in which all layers learn. Of
# ResNet-18 (of others ``Architecture.work`` times as much) on a server's processor; ``tests/runs/test_estimate.py`` has
# the measurements.
SIDES = (28, 32, 64, 96, 112, 128, 160, 224)
FORWARD_MS = (1.2, 1.4, 3.1, 7.3, 9.8, 12.6, 19.8, 37.0)
TRAIN_MS = (7.5, 8.0, 13.5, 28.0, 36.0, 48.0, 72.0, 134.0)
SERIAL_SIDE = 16.0  # pixels; this over the side is the share of the work that more cores do not shorten
MOST_SERIAL = 0.3
# A second of the last layer on stored features: for each number, step and epoch.
HEAD_NUMBER_S = 2.9e-9
HEAD_STEP_S = 0.0005
PRIVATE_HEAD_STEP_S = 0.004
HEAD_EPOCH_S = 0.006
# Of a step in which everything learns: without gradients of the convolutions' weights, forward and backward remain.
NORMS_SHARE = 0.53
# A random affine change of a training image, and a variant of augmentation multiplicity: seconds a value.
AUGMENT_PIXEL_S = 5e-7
VARIANT_PIXEL_S = 6e-8
# What DP-SGD costs beside an ordinary step, by engine (``bench dpsgd``), and each microbatch's clipping of all layers.
ENGINE_FACTOR = {"one_pass": 1.2, "opacus": 7.5, "microbatch": 1.3}
MICROBATCH_S = 0.08
SECURE_NOISE_S = 0.4 * 2  # a step, for all layers on one core
START_S = 8.0  # loading torch and the weights
LONGEST_START_S = 3 * 3600.0  # reading images and computing features besides; more means that the clock was set
LIKE_RUNS = 200  # how far back to look

# Memory and disk, in MB.
PROCESS_MB = 1020.0  # the worker with torch loaded and its network (measured)
KEPT_FREED = 1.35  # what a pass takes of a process that keeps freed memory, beside what it needs at once (measured)

# Training and test images of each dataset, by its name.
Sizes = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds for a run; ``measured`` if like runs on this machine stand behind it."""

    seconds: float
    measured: bool


@dataclass(frozen=True)
class DiskEstimate:
    """MB that a run leaves behind: its own, and what like runs share (prepared images and features)."""

    own_mb: float
    shared_mb: float


@dataclass(frozen=True)
class _Finished:
    """A whole run of the past."""

    spec: RunSpec
    took_s: float
    train_size: int
    test_size: int


def took_seconds(started_at: float, ended_at: float, last: EpochRow) -> float | None:
    """How long a finished run took by its times of day, if what it measured itself (its ``last`` row) allows that.

    The clock may have been set meanwhile. Then what it measured holds, and None where it did not measure.
    """
    took, measured = ended_at - started_at, last.elapsed_s
    if measured is None:
        return took if took > 0 else None
    return took if measured <= took <= measured + LONGEST_START_S else measured + START_S


def estimate_time(home: DataHome, spec: RunSpec, *, train_size: int, test_size: int) -> TimeEstimate:
    """The time that ``spec`` will take once it starts, without the wait in the queue."""
    return estimate_times(home, [spec], sizes={spec.dataset: (train_size, test_size)})[0]


def estimate_times(home: DataHome, specs: Sequence[RunSpec], *, sizes: Sizes) -> list[TimeEstimate]:
    """The time of each of these runs, one after the other: the features that several share cost the first one only.

    ``sizes`` has the training and test images of each dataset.
    """
    past = _finished_runs(home)
    seen = {_features_of(run.spec) for run in past} if home.features.is_dir() else set()
    paces = _paces(past)
    estimates = []
    for spec in specs:
        train_size, test_size = sizes[spec.dataset]
        features = _features_of(spec)
        rough = _rough_seconds(spec, train_size, test_size, stored=features in seen)
        seen.add(features)
        # The table knows how sizes and epochs scale; the like run says how fast this machine is.
        pace = _nearest(paces.get(_kind(spec), {}), spec.input_size)
        seconds = rough if pace is None else START_S + pace * (rough - START_S)
        estimates.append(TimeEstimate(seconds, measured=pace is not None))
    return estimates


def estimate_memory(spec: RunSpec, *, train_size: int, test_size: int) -> float:
    """MB that the worker will need at its peak, about; the accelerator's own where it trains there."""
    copies = 2.0 + (spec.momentum > 0) + (spec.method == "dp_sgd") + (spec.average_last > 0)  # weights, gradients, ...
    architecture = ARCHITECTURES[spec.architecture]
    network = _mb(architecture.parameters) * (copies if spec.trainable == "all" else 1)
    if _on_features(spec):
        numbers = _width(spec) * (train_size * spec.augmentation_multiplicity + _evaluated(spec, test_size))
        # Stored, gathered into a batch, and multiplied by the weights.
        return PROCESS_MB + network + 3 * _mb(numbers)
    kept = 0
    if spec.method == "dp_sgd" and spec.trainable == "all" and spec.engine != "microbatch":
        kept = 2 * (architecture.parameters if spec.engine == "opacus" else architecture.kept_gradients)
    image_mb = _mb(architecture.numbers_per_pixel * spec.input_size**2 + kept)
    images = train_size if spec.sampling_scheme == "full_batch" else spec.batch_size
    if spec.engine == "microbatch":
        images = spec.microbatch_size
    budget_mb = (PASS_MEMORY_MB if spec.memory_mb is None else spec.memory_mb) * 1.048576
    passes_mb = min(images * image_mb, max(budget_mb, image_mb))
    # What one-pass clipping and Opacus keep of each image is estimated with room to spare.
    return PROCESS_MB + network + passes_mb * (1 if kept else KEPT_FREED)


def estimate_disk(spec: RunSpec, *, train_size: int, test_size: int) -> DiskEstimate:
    """What the run writes into the data home, if nothing of it is there yet."""
    return estimate_disk_of_all([spec], sizes={spec.dataset: (train_size, test_size)})


def estimate_disk_of_all(specs: Sequence[RunSpec], *, sizes: Sizes) -> DiskEstimate:
    """What these runs write together, if nothing of it is there yet; what several of them share counts once."""
    shared: dict[tuple[object, ...], float] = {}
    for spec in specs:
        shared |= _shared_mb(spec, *sizes[spec.dataset])
    return DiskEstimate(own_mb=sum(map(_own_mb, specs)), shared_mb=sum(shared.values()))


def estimate_missing_mb(home: DataHome, spec: RunSpec, *, train_size: int, test_size: int) -> float:
    """MB of the shared files that no finished run has left behind yet."""
    there = {key for run in _finished_runs(home) for key in _shared_mb(run.spec, run.train_size, run.test_size)}
    return sum(size for key, size in _shared_mb(spec, train_size, test_size).items() if key not in there)


def _own_mb(spec: RunSpec) -> float:
    """Of a run's checkpoint."""
    all_weights = _mb(ARCHITECTURES[spec.architecture].parameters)
    momentum = all_weights if spec.momentum > 0 and spec.trainable == "all" else 0.0
    networks = 0.0 if spec.trainable == "head" else all_weights * (2 if spec.average_last else 1)
    return networks + momentum


def _shared_mb(spec: RunSpec, train_size: int, test_size: int) -> dict[tuple[object, ...], float]:
    """Prepared images, their noised copy and features, by what each of them depends on."""
    images_mb = (train_size + test_size) * spec.image_size**2 * dataset_info(spec.dataset).channels / 1e6
    prepared = ("prepared", spec.dataset, spec.image_size)
    shared: dict[tuple[object, ...], float] = {prepared: images_mb}
    if spec.method == "local_dp":
        shared[*prepared, spec.picture_noise] = images_mb
    if spec.trainable == "head":
        trained = 0 if spec.augment else train_size * spec.augmentation_multiplicity
        numbers = _width(spec) * (trained + _evaluated(spec, test_size))
        shared["features", *_features_of(spec.changed(augment=False)), spec.augment] = _mb(numbers)
    return shared


def _finished_runs(home: DataHome) -> list[_Finished]:
    """The last runs that went from start to end without a stop, the oldest first."""
    runs = []
    for row in RunStore(home).all()[:LIKE_RUNS]:
        if row.state == "finished" and row.started_at is not None and row.ended_at is not None:
            run = _read_finished(home.runs / row.id, row.started_at, row.ended_at)
            runs += [run] if run is not None else []
    return runs[::-1]


def _paces(past: list[_Finished]) -> dict[tuple[object, ...], dict[int, float]]:
    """Of each kind of run, by the side of its input: how much longer it takes here than the table says.

    By the longest run of the past, of each kind and side.
    """
    longest: dict[tuple[tuple[object, ...], int], tuple[float, float]] = {}
    known: set[tuple[object, ...]] = set()
    for run in past:
        features, key = _features_of(run.spec), (_kind(run.spec), run.spec.input_size)
        # The longest like run says most: a short one is all start.
        if key not in longest or run.took_s > longest[key][0]:
            expected = _rough_seconds(run.spec, run.train_size, run.test_size, stored=features in known)
            longest[key] = run.took_s, expected
        known.add(features)
    paces: dict[tuple[object, ...], dict[int, float]] = {}
    for (kind, side), (took, expected) in longest.items():
        paces.setdefault(kind, {})[side] = _pace(took, expected)
    return paces


def _nearest(paces: Mapping[int, float], side: int) -> float | None:
    """The pace of the like run whose images are nearest in size; None without one."""
    if not paces:
        return None
    return paces[min(paces, key=lambda known: (abs(math.log(known / side)), -known))]


def _pace(took: float, expected: float) -> float:
    work = expected - START_S
    # Of a run that is nearly all start, what lies beyond a usual start tells of a busy machine and not of the work.
    return max(took - START_S, 1.0) / work if work > START_S else took / expected


# Nothing changes a finished run any more, and a form asks again at every change of a control.
@functools.lru_cache(maxsize=2 * LIKE_RUNS)
def _read_finished(path: Path, started_at: float, ended_at: float) -> _Finished | None:
    directory = RunDirectory(path)
    try:
        spec, setup = directory.read_spec(), directory.read_setup()
        with explain_disk_errors(path):
            last = read_ends(path / METRICS).last
    except MedprivError:  # the list of runs says so
        return None
    train_size, test_size = setup.train_size, setup.test_size
    if setup.resumed_from_epoch is not None or train_size is None or test_size is None:
        return None
    took_s = took_seconds(started_at, ended_at, last)
    return None if took_s is None else _Finished(spec, took_s, train_size, test_size)


def _kind(spec: RunSpec) -> tuple[object, ...]:
    """What like runs have in common."""
    return (
        spec.method,
        spec.architecture,
        spec.trainable,
        spec.engine,
        spec.augment,
        spec.device,
        spec.precision,
    )


def _features_of(spec: RunSpec) -> tuple[object, ...]:
    """All settings that the stored features of a run depend on; runs without any are alike too."""
    if not _on_features(spec):
        return ()
    noise = spec.picture_noise if spec.method == "local_dp" else None
    weights = _weights_file(spec.weights)
    network = (
        spec.architecture,
        weights,
        spec.seed if weights == "none" else 0,
        spec.norm,
        spec.device,
        spec.precision,
    )
    return (
        spec.dataset,
        spec.image_size,
        spec.crop_size,
        spec.features,
        spec.augmentation_multiplicity,
        network,
        noise,
    )


def _weights_file(choice: str) -> str:
    """As a run of the past kept it; a file that is not there is told when the run is submitted."""
    try:
        return resolve_weights(choice)
    except WeightsError:
        return choice


def _width(spec: RunSpec) -> int:
    """Numbers of each image that the last layer reads."""
    return ARCHITECTURES[spec.architecture].reads[spec.features].width


def _work(spec: RunSpec) -> float:
    """Of an image, in passes of a ResNet-18."""
    return ARCHITECTURES[spec.architecture].work


def _on_features(spec: RunSpec) -> bool:
    return spec.trainable == "head" and not spec.augment


def _evaluated(spec: RunSpec, test_size: int) -> int:
    return test_size * (2 if spec.method == "local_dp" else 1)


def cores() -> int:
    """Processors that a worker may use, fewer than the machine has in a container with limits."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def forward_s(side: int) -> float:
    """Seconds of one core for a forward pass of one image of ``side`` pixels a side."""
    return _interpolated(side, FORWARD_MS) / 1000


def train_s(side: int) -> float:
    """Seconds of one core for an ordinary training step of all layers, for each of its images."""
    return _interpolated(side, TRAIN_MS) / 1000


def _interpolated(side: int, milliseconds: Sequence[float]) -> float:
    """Between two sides by their logarithms, above the largest by pixels."""
    if side >= SIDES[-1]:
        return milliseconds[-1] * (side / SIDES[-1]) ** 2
    if side <= SIDES[0]:
        return milliseconds[0]
    above = next(place for place, known in enumerate(SIDES) if side <= known)
    low, high = SIDES[above - 1], SIDES[above]
    share = math.log(side / low) / math.log(high / low)
    return float(milliseconds[above - 1] ** (1 - share) * milliseconds[above] ** share)


def _elapsed(core_s: float, side: int) -> float:
    """Seconds that all cores together take for so many seconds of one."""
    serial = min(MOST_SERIAL, SERIAL_SIDE / side)
    return core_s * (serial + (1 - serial) / cores())


def _rough_seconds(spec: RunSpec, train_size: int, test_size: int, *, stored: bool) -> float:
    """What the table says."""
    if _on_features(spec):
        once = 0.0 if stored else _feature_seconds(spec, train_size, test_size)
        return START_S + once + spec.epochs * _head_epoch_seconds(spec, train_size, test_size)
    return START_S + spec.epochs * _network_epoch_seconds(spec, train_size, test_size)


def _feature_seconds(spec: RunSpec, train_size: int, test_size: int) -> float:
    """The frozen network looks at each image and each of its variants once."""
    evaluated = _evaluated(spec, test_size)
    passes = _elapsed(
        (train_size * spec.augmentation_multiplicity + evaluated) * _work(spec) * forward_s(spec.input_size),
        spec.input_size,
    )
    values = train_size * spec.image_size**2 * dataset_info(spec.dataset).channels
    return passes + values * (spec.augmentation_multiplicity - 1) * VARIANT_PIXEL_S


def _head_epoch_seconds(spec: RunSpec, train_size: int, test_size: int) -> float:
    """The last layer on what is stored."""
    steps = steps_per_epoch(batch_size=spec.batch_size, train_size=train_size, sampling=spec.sampling_scheme)
    images = train_size * spec.augmentation_multiplicity + _evaluated(spec, test_size)
    step_s = PRIVATE_HEAD_STEP_S if spec.method == "dp_sgd" else HEAD_STEP_S
    core_s = images * _width(spec) * HEAD_NUMBER_S + steps * step_s + HEAD_EPOCH_S
    return _elapsed(core_s, side=1)


def _network_epoch_seconds(spec: RunSpec, train_size: int, test_size: int) -> float:
    """All images through the network, forwards and mostly backwards."""
    side = spec.input_size
    look_s, more_s = _work(spec) * forward_s(side), 0.0
    step_s = look_s
    if spec.trainable != "head":
        step_s = _work(spec) * train_s(side) * (NORMS_SHARE if spec.trainable == "norms" else 1)
        if spec.method == "dp_sgd":
            step_s *= ENGINE_FACTOR[spec.engine]
    if spec.augment:
        step_s += AUGMENT_PIXEL_S * spec.image_size**2
    if spec.trainable == "all" and spec.noise_generator == "secure":
        steps = steps_per_epoch(batch_size=spec.batch_size, train_size=train_size, sampling=spec.sampling_scheme)
        more_s += steps * SECURE_NOISE_S
    if spec.trainable == "all" and spec.engine == "microbatch":
        more_s += train_size / spec.microbatch_size * MICROBATCH_S
    core_s = train_size * step_s + _evaluated(spec, test_size) * look_s + more_s
    return _elapsed(core_s, side)


def _mb(numbers: float) -> float:
    """Of so many float32 numbers."""
    return 4 * numbers / 1e6
