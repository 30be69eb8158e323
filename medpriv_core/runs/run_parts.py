"""What a run spends its time on, by a table: every part of it, from the start of its process to the last epoch.

The table holds what one core takes for an image, by the side of what the network sees. Small images cost more than
their pixels, because the deep layers then have more weights than pixels to work on. How several cores share the work
follows Amdahl's law with a serial part that falls with the size. ``estimate`` corrects it by what runs took here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

from medpriv_core.architectures import ARCHITECTURES
from medpriv_core.datasets.medmnist import FETCHABLE
from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import WeightsError
from medpriv_core.privacy.dp_sgd import steps_per_epoch
from medpriv_core.spec import RunSpec
from medpriv_core.weights_source import resolve_weights

Part = Literal["start", "images", "noised_copy", "features", "self_test", "training"]

# Of what a worker says that it is doing, how the phases of each part begin; waiting for others is in none.
PHASES: dict[Part, tuple[str, ...]] = {
    "start": ("Starting",),
    "images": ("Reading images",),
    "noised_copy": ("Adding noise",),
    "features": ("Computing features",),
    "self_test": ("Finding the noise multiplier",),
    "training": ("Epoch ",),
}
# What is made once, for all runs like it.
ONCE: tuple[Part, ...] = ("images", "noised_copy", "features")

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
# Of one core, an image: one that is drawn, one that is read from a file of one or two megapixels, one in an array.
DRAW_S = {"synthetic_chest": 0.054, "synthetic_fundus": 0.020}
FILE_S = 0.02
ARRAY_S = 0.0005
NOISE_VALUE_S = 1e-7  # a value of a noised copy
# The test of a session of DP-SGD before its first step, by what learns; docs/dp-sgd.md has more.
SELF_TEST_S = {"head": 0.1, "norms": 0.6, "all": 1.5}
SECURE_SELF_TEST_S = 1.9


def made_once(spec: RunSpec) -> dict[Part, Hashable]:
    """What a run makes unless it is there, and what tells it apart: all settings that it depends on."""
    images = ("images", spec.dataset, spec.image_size)
    made: dict[Part, Hashable] = {"images": images}
    if spec.method == "local_dp":
        made["noised_copy"] = (*images, spec.picture_noise)
    if on_features(spec):
        made["features"] = features_of(spec)
    return made


def table(
    spec: RunSpec, train_size: int, test_size: int, *, patients: int | None = None, there: Sequence[Part] = ()
) -> dict[Part, float]:
    """Seconds of each part of a run; what is ``there`` already takes none.

    ``patients`` are those of the training images, where a step draws patients.
    """
    parts: dict[Part, float] = {
        "start": START_S,
        "images": _elapsed((train_size + test_size) * _image_s(spec.dataset), spec.image_size),
        "training": spec.epochs * _epoch_seconds(spec, _Epoch.of(spec, train_size, patients), test_size),
    }
    if spec.method == "local_dp":
        values = (train_size + test_size) * spec.image_size**2 * dataset_info(spec.dataset).channels
        parts["noised_copy"] = _elapsed(values * NOISE_VALUE_S, spec.image_size)
    if on_features(spec):
        parts["features"] = _feature_seconds(spec, train_size, test_size)
    if spec.method == "dp_sgd":
        secure = spec.trainable == "all" and spec.noise_generator == "secure"
        parts["self_test"] = SELF_TEST_S[spec.trainable] + (SECURE_SELF_TEST_S if secure else 0)
    return {part: seconds for part, seconds in parts.items() if part not in there}


def _image_s(dataset: str) -> float:
    return DRAW_S.get(dataset, ARRAY_S if dataset in FETCHABLE else FILE_S)


class _Epoch(NamedTuple):
    """The training images that an epoch looks at, and its steps."""

    images: int
    steps: int

    @classmethod
    def of(cls, spec: RunSpec, train_size: int, patients: int | None) -> _Epoch:
        records, images = train_size, train_size
        if spec.record == "patient" and patients is not None:
            records, images = patients, min(train_size, patients * spec.images_drawn)
        steps = steps_per_epoch(batch_size=spec.batch_size, train_size=records, sampling=spec.sampling_scheme)
        return cls(images, steps)


def _epoch_seconds(spec: RunSpec, epoch: _Epoch, test_size: int) -> float:
    if on_features(spec):
        return _head_epoch_seconds(spec, epoch, test_size)
    return _network_epoch_seconds(spec, epoch, test_size)


def features_of(spec: RunSpec) -> tuple[object, ...]:
    """All settings that the stored features of a run depend on; runs without any are alike too."""
    if not on_features(spec):
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


def width(spec: RunSpec) -> int:
    """Numbers of each image that the last layer reads."""
    return ARCHITECTURES[spec.architecture].reads[spec.features].width


def _work(spec: RunSpec) -> float:
    """Of an image, in passes of a ResNet-18."""
    return ARCHITECTURES[spec.architecture].work


def on_features(spec: RunSpec) -> bool:
    """Whether the last layer learns from stored features."""
    return spec.trainable == "head" and not spec.augment


def evaluated(spec: RunSpec, test_size: int) -> int:
    """Test images that each epoch is tried on: under Local-DP also the noised ones."""
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


def _feature_seconds(spec: RunSpec, train_size: int, test_size: int) -> float:
    """The frozen network looks at each image and each of its variants once."""
    images = train_size * spec.augmentation_multiplicity + evaluated(spec, test_size)
    passes = _elapsed(
        images * _work(spec) * forward_s(spec.input_size),
        spec.input_size,
    )
    values = train_size * spec.image_size**2 * dataset_info(spec.dataset).channels
    return passes + values * (spec.augmentation_multiplicity - 1) * VARIANT_PIXEL_S


def _head_epoch_seconds(spec: RunSpec, epoch: _Epoch, test_size: int) -> float:
    """The last layer on what is stored."""
    images = epoch.images * spec.augmentation_multiplicity + evaluated(spec, test_size)
    step_s = PRIVATE_HEAD_STEP_S if spec.method == "dp_sgd" else HEAD_STEP_S
    core_s = images * width(spec) * HEAD_NUMBER_S + epoch.steps * step_s + HEAD_EPOCH_S
    return _elapsed(core_s, side=1)


def _network_epoch_seconds(spec: RunSpec, epoch: _Epoch, test_size: int) -> float:
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
        more_s += epoch.steps * SECURE_NOISE_S
    if spec.trainable == "all" and spec.engine == "microbatch":
        more_s += epoch.images / spec.microbatch_size * MICROBATCH_S
    core_s = epoch.images * step_s + evaluated(spec, test_size) * look_s + more_s
    return _elapsed(core_s, side)
