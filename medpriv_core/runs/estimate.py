"""What a run will take: time, by what like runs took on this machine or else by a table, memory and disk.

A run that has ended tells how long its training took (``elapsed_s``), and by its times of day how long it was at work
in all; the rest came before the first step. So three things are learned apart: how fast training of a kind is here, how
fast images, noised copies and features are made, and how long a start takes. What is made once is asked of the first
run that needs it, and of no other.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medpriv_core.architectures import ARCHITECTURES
from medpriv_core.datasets.registry import dataset_info, dataset_names
from medpriv_core.defaults import PASS_MEMORY_MB
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.patients import PatientCount
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.epoch_log import METRICS, read_ends
from medpriv_core.runs.run_parts import (
    ONCE,
    START_S,
    Part,
    evaluated,
    features_of,
    made_once,
    on_features,
    table,
    width,
)
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.unit import with_unit

LONGEST_START_S = 3 * 3600.0  # reading images and computing features besides; more means that the clock was set
LIKE_RUNS = 200  # how far back to look
FEW = 5  # of the last starts, the one in the middle counts
SHORT_S = 0.5  # less says nothing

# Memory and disk, in MB.
PROCESS_MB = 1020.0  # the worker with torch loaded and its network (measured)
KEPT_FREED = 1.35  # what a pass takes of a process that keeps freed memory, beside what it needs at once (measured)

# Training and test images of each dataset, by its name.
Sizes = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds for a run, and of each of its parts; ``measured`` if like runs on this machine stand behind it."""

    parts: Mapping[Part, float]
    measured: bool

    @property
    def seconds(self) -> float:
        return sum(self.parts.values())

    @property
    def once_s(self) -> float:
        """Of it, for what is made once for all runs like it."""
        return sum(self.parts.get(part, 0.0) for part in ONCE)


@dataclass(frozen=True)
class DiskEstimate:
    """MB that a run leaves behind: its own, and what like runs share (prepared images and features)."""

    own_mb: float
    shared_mb: float


@dataclass(frozen=True)
class _Finished:
    """A whole run of the past; ``trained_s`` of the time it took, None where it did not measure."""

    spec: RunSpec
    took_s: float
    trained_s: float | None
    train_size: int
    test_size: int
    patients: int | None


@dataclass(frozen=True)
class _Learned:
    """What the runs of the past tell.

    start_s  from the start of a process to the first step, where nothing had to be made
    making   how much longer than by the table making things once takes: of each dataset, and of the last run
    paces    how much longer training takes: of each kind of run, by the side of its input
    """

    start_s: float
    making: Mapping[str | None, float]
    paces: Mapping[tuple[object, ...], Mapping[int, float]]


def took_seconds(started_at: float, ended_at: float, last: EpochRow) -> float | None:
    """How long a finished run took by its times of day, if what it measured itself (its ``last`` row) allows that.

    The clock may have been set meanwhile. Then what it measured holds, and None where it did not measure.
    """
    took, measured = ended_at - started_at, last.elapsed_s
    if measured is None:
        return took if took > 0 else None
    return took if measured <= took <= measured + LONGEST_START_S else measured + START_S


def estimate_time(
    home: DataHome, spec: RunSpec, *, train_size: int, test_size: int, patients: PatientCount | None = None
) -> TimeEstimate:
    """The time that ``spec`` will take once it starts, without the wait in the queue."""
    sizes = {spec.dataset: (train_size, test_size)}
    return estimate_times(home, [spec], sizes=sizes, patients={spec.dataset: patients})[0]


def estimate_times(
    home: DataHome,
    specs: Sequence[RunSpec],
    *,
    sizes: Sizes,
    patients: Mapping[str, PatientCount | None] = {},
) -> list[TimeEstimate]:
    """The time of each of these runs, one after the other: what several share costs the first one only.

    ``sizes`` has the training and test images of each dataset, ``patients`` whose the former are, where it is known.
    """
    past = _finished_runs(home)
    learned = _learn(past)
    seen = {key for run in past for part, key in made_once(run.spec).items() if _is_kept(home, part)}
    estimates = []
    for spec in specs:
        train_size, test_size = sizes[spec.dataset]
        made = made_once(spec)
        known = patients.get(spec.dataset)
        there = [part for part, key in made.items() if key in seen]
        parts = table(
            with_unit(spec, known), train_size, test_size, patients=known.patients if known else None, there=there
        )
        seen |= set(made.values())
        # The table knows how sizes and epochs scale; the runs of the past say how fast this machine is.
        making = learned.making.get(spec.dataset, learned.making.get(None, 1.0))
        pace = _nearest(learned.paces.get(_kind(spec), {}), spec.input_size)
        for part in parts:
            if part == "start":
                parts[part] = learned.start_s
            elif part == "training":
                parts[part] *= 1.0 if pace is None else pace
            elif part in ONCE:
                parts[part] *= making
        estimates.append(TimeEstimate(parts, measured=pace is not None))
    return estimates


def estimate_memory(spec: RunSpec, *, train_size: int, test_size: int) -> float:
    """MB that the worker will need at its peak, about; the accelerator's own where it trains there."""
    copies = 2.0 + (spec.momentum > 0) + (spec.method == "dp_sgd") + (spec.average_last > 0)  # weights, gradients, ...
    architecture = ARCHITECTURES[spec.architecture]
    network = _mb(architecture.parameters) * (copies if spec.trainable == "all" else 1)
    if on_features(spec):
        numbers = width(spec) * (train_size * spec.augmentation_multiplicity + evaluated(spec, test_size))
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
        numbers = width(spec) * (trained + evaluated(spec, test_size))
        shared["features", *features_of(spec.changed(augment=False)), spec.augment] = _mb(numbers)
    return shared


def _finished_runs(home: DataHome) -> list[_Finished]:
    """The last runs that went from start to end without a stop, on datasets that are still known, the oldest first."""
    runs, known = [], set(dataset_names(home))
    for row in RunStore(home).all()[:LIKE_RUNS]:
        if row.state == "finished" and row.started_at is not None and row.ended_at is not None:
            run = _read_finished(home.runs / row.id, row.started_at, row.ended_at)
            runs += [run] if run is not None and run.spec.dataset in known else []
    return runs[::-1]


def _is_kept(home: DataHome, part: Part) -> bool:
    """Whether what runs of the past have made may still be there: people delete whole folders to make room."""
    return (home.features if part == "features" else home.prepared).is_dir()


def _learn(past: Sequence[_Finished]) -> _Learned:
    """What these runs tell, the oldest first."""
    starts: list[float] = []
    making: dict[str | None, float] = {}
    longest: dict[tuple[tuple[object, ...], int], tuple[float, float]] = {}
    known: set[Hashable] = set()
    for run in past:
        made = made_once(run.spec)
        there = [part for part, key in made.items() if key in known]
        expected = table(run.spec, run.train_size, run.test_size, patients=run.patients, there=there)
        known |= set(made.values())
        once_s = sum(expected.get(part, 0.0) for part in ONCE)
        start_s = statistics.median(starts[-FEW:]) if starts else START_S
        if run.trained_s is not None:
            before_s = max(run.took_s - run.trained_s, 0.0)
            if not once_s:
                starts.append(before_s - expected.get("self_test", 0.0))
            elif once_s > SHORT_S:
                making[run.spec.dataset] = making[None] = max(before_s - start_s, SHORT_S) / once_s
        key = _kind(run.spec), run.spec.input_size
        # The longest like run says most: a short one is all start.
        if key not in longest or run.took_s > longest[key][0]:
            longest[key] = run.took_s, _pace(run, expected, start_s)
    paces: dict[tuple[object, ...], dict[int, float]] = {}
    for (kind, side), (_, pace) in longest.items():
        paces.setdefault(kind, {})[side] = pace
    return _Learned(max(statistics.median(starts[-FEW:]), SHORT_S) if starts else START_S, making, paces)


def _pace(run: _Finished, expected: Mapping[Part, float], start_s: float) -> float:
    """How much longer the training of a run took than by the table."""
    training_s = expected["training"]
    if run.trained_s is not None:
        return run.trained_s / training_s
    before_s = sum(expected.values()) - training_s - expected["start"] + start_s
    # Of a run that is nearly all start, what lies beyond a usual start tells of a busy machine and not of the work.
    if training_s > start_s:
        return max(run.took_s - before_s, 1.0) / training_s
    return run.took_s / (before_s + training_s)


def _nearest(paces: Mapping[int, float], side: int) -> float | None:
    """The pace of the like run whose images are nearest in size; None without one."""
    if not paces:
        return None
    return paces[min(paces, key=lambda known: (abs(math.log(known / side)), -known))]


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
    if took_s is None:
        return None
    return _Finished(spec, took_s, last.elapsed_s or None, train_size, test_size, setup.patients)


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


def _mb(numbers: float) -> float:
    """Of so many float32 numbers."""
    return 4 * numbers / 1e6
