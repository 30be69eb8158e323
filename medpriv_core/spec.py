"""The run specification: everything that defines a fine-tuning run, in one frozen record.

>>> spec = RunSpec(dataset="synthetic_chest", method="local_dp", beta=2.0)
>>> RunSpec.from_dict(spec.to_dict()) == spec
True
>>> RunSpec(dataset="synthetic_chest", method="local_dp", beta=-1.0)
Traceback (most recent call last):
...
medpriv_core.errors.SettingError: beta must be between 0.001 and 10000, but is -1.0.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from medpriv_core.defaults import DEFAULT_DELTA, PASS_MEMORY_MB
from medpriv_core.errors import SettingError

Method = Literal["none", "local_dp", "dp_sgd"]
NoiseDraw = Literal["per_pixel", "per_image"]
Trainable = Literal["head", "norms", "all"]
Features = Literal["last", "layer3", "layer3_grid"]
Norm = Literal["frozen_batch_norm", "group_norm", "batch_norm"]
Sampling = Literal["auto", "poisson", "full_batch", "shuffled"]
Engine = Literal["one_pass", "opacus", "microbatch"]
NoiseGenerator = Literal["fast", "secure"]
Precision = Literal["auto", "float32", "mixed"]

METHODS: tuple[Method, ...] = get_args(Method)
NOISE_DRAWS: tuple[NoiseDraw, ...] = get_args(NoiseDraw)

# name -> (lowest, highest), both allowed; the pages take the limits of their widgets from here.
BOUNDS: dict[str, tuple[float, float]] = {
    "image_size": (16, 1024),
    "crop_size": (16, 1024),
    "beta": (1e-3, 1e4),
    # Below 0.3 the accountants need far finer grids, and the epsilon (over 100) protects nobody.
    "noise_multiplier": (0.3, 1e4),
    "target_epsilon": (0.01, 100.0),
    "delta": (1e-12, 0.1),
    "max_grad_norm": (1e-4, 1e4),
    "augmentation_multiplicity": (1, 16),
    "epochs": (1, 1000),
    "batch_size": (1, 65536),
    "microbatch_size": (1, 1024),
    "memory_mb": (64, 1 << 20),
    "learning_rate": (1e-7, 100.0),
    "momentum": (0.0, 0.999),
    "weight_decay": (0.0, 1.0),
    "average_last": (0.0, 1.0),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One fine-tuning run. Raises ``SettingError`` if any setting is impossible.

    dataset          name in the dataset registry
    image_size       side in pixels of the square image that is stored, and noised under Local-DP
    crop_size        side of the square that the network sees (random when augmenting, else central);
                     None means the whole image
    method           none | local_dp (Laplace noise on the image) | dp_sgd (noise on the gradient)
    beta             Laplace scale for pixels in [0, 1]; Local-DP only
    noise_draw       per_pixel (the paper's text) | per_image (the authors' code)
    noise_multiplier noise standard deviation / clipping norm; DP-SGD only, or else ``target_epsilon``
    target_epsilon   solved for the noise multiplier when the run starts; DP-SGD only
    delta            of the (epsilon, delta) statement; must be below 1/n
    max_grad_norm    clipping norm C: of each sample's gradient under DP-SGD; otherwise of the whole batch's, which
                     keeps the network with frozen BatchNorm from diverging
    batch_size       samples per step; under Poisson sampling the *expected* number; not used by full_batch
    sampling         poisson (what amplification by sampling assumes) | full_batch (every sample in every step, one
                     step an epoch) | shuffled (a shuffled deck, no amplification); auto: poisson under DP-SGD, else
                     shuffled
    engine           what computes DP-SGD's clipped sum: one_pass (ours) | opacus (hooks, to compare with) | microbatch
                     (as the authors ran it: clips the mean gradient of ``microbatch_size`` images)
    microbatch_size  images whose mean gradient is clipped together; above 1 only with the engine microbatch
    noise_generator  of DP-SGD: fast | secure (from OpenSSL on every device, hardened against rounding: for releases)
    class_weights    weight of each class, public constants in the order of the classes: of its images' loss, or under
                     DP-SGD, as a share of the largest, of their clipped gradients; None: all 1
    average_last     share of the steps, at the end, whose weights are averaged into the final network
    memory_mb        what one pass may keep in memory; larger batches are added up from several passes
    trainable        head (the last layer) | norms (that, and scale and shift of the normalisation layers) | all
    features         what the last layer reads where it alone learns: last (512 means of layer4) | layer3 (256 means) |
                     layer3_grid (256 means in each of 4 x 4 fields)
    standardise      each image's features by their own mean and deviation, and scaled to length 1
    head_bias        whether the last layer has a constant term, which takes up its share of each clipped gradient
    augmentation_multiplicity  gradients averaged for each image before clipping: that of the image itself and those of
                     fixed random variants of it; above 1 where the last layer alone learns
    norm             frozen_batch_norm (the pretrained function, exactly) | group_norm | batch_norm (in training
                     mode, which mixes the images of a batch: no guarantee under DP-SGD)
    weights          imagenet | none | path to a local state dict
    augment          light random affine changes of the training images
    seed             for initialisation, order and augmentation; never for a mechanism's noise
    device           auto | cpu | cuda | cuda:N | mps
    precision        auto | float32 | mixed
    """

    dataset: str
    image_size: int = 64
    crop_size: int | None = None
    method: Method = "none"
    beta: float | None = None
    noise_draw: NoiseDraw = "per_pixel"
    noise_multiplier: float | None = None
    target_epsilon: float | None = None
    delta: float = DEFAULT_DELTA
    max_grad_norm: float = 1.0
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    trainable: Trainable = "head"
    features: Features = "last"
    standardise: bool = False
    head_bias: bool = True
    augmentation_multiplicity: int = 1
    norm: Norm = "frozen_batch_norm"
    sampling: Sampling = "auto"
    engine: Engine = "one_pass"
    microbatch_size: int = 1
    noise_generator: NoiseGenerator = "fast"
    class_weights: tuple[float, ...] | None = None
    average_last: float = 0.0
    memory_mb: int | None = None
    weights: str = "imagenet"
    augment: bool = False
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        _check_types(self)
        for name in BOUNDS:
            value = getattr(self, name)
            if value is not None:
                check_bound(name, value)
        if self.crop_size is not None and self.crop_size > self.image_size:
            raise SettingError(
                f"[crop_size] ({self.crop_size}) must not be larger than [image_size] ({self.image_size})."
            )
        if not self.dataset:
            raise SettingError("[dataset] is empty: name one of the datasets in the registry.")
        if not self.weights:
            raise SettingError(
                "[weights] is empty: say [weights=imagenet], [weights=none], or the path of a ResNet-18 state dict."
            )
        check_device(self.device)
        if self.method == "local_dp" and self.beta is None:
            raise SettingError("Local-DP needs [beta], the scale of the Laplace noise (for example 1, 2 or 4).")
        if self.method != "local_dp" and self.beta is not None:
            raise SettingError(f"[beta] belongs to Local-DP, but [method] is {self.method}; leave it out.")
        if self.method == "dp_sgd" and (self.noise_multiplier is None) == (self.target_epsilon is None):
            raise SettingError("DP-SGD needs either [noise_multiplier] or [target_epsilon] (one of them, not both).")
        if self.method != "dp_sgd" and (self.noise_multiplier is not None or self.target_epsilon is not None):
            raise SettingError(
                f"[noise_multiplier] and [target_epsilon] belong to DP-SGD, but [method] is {self.method}; leave them "
                "out."
            )
        _check_training(self)

    @property
    def sampling_scheme(self) -> Sampling:
        """How batches are drawn: poisson, full_batch or shuffled."""
        if self.sampling != "auto":
            return self.sampling
        return "poisson" if self.method == "dp_sgd" else "shuffled"

    @property
    def input_size(self) -> int:
        """Side in pixels of what the network sees."""
        return self.crop_size or self.image_size

    def steps_before_average(self, steps: int) -> int:
        """How many of a run's ``steps`` come before those whose weights are averaged, which is one at least."""
        return steps - max(1, round(self.average_last * steps))

    def check_dataset_size(self, train_size: int) -> None:
        """Raise ``SettingError`` if the spec cannot run on ``train_size`` training records."""
        if self.sampling_scheme != "full_batch" and self.batch_size > train_size:
            raise SettingError(
                f"[batch_size] ({self.batch_size}) is larger than the training set ({train_size} images). "
                f"Choose {train_size} or less."
            )
        if self.method == "dp_sgd" and self.delta >= 1 / train_size:
            raise SettingError(
                f"[delta] ({self.delta:g}) must be below 1/n = {1 / train_size:.2g} for n = {train_size} training "
                "images: at 1/n, publishing one patient at random would count as private."
            )

    def to_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON."""
        values = asdict(self)
        if self.class_weights is not None:
            values["class_weights"] = list(self.class_weights)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSpec:
        """The spec with these settings; raises ``SettingError`` on unknown names or wrong values."""
        if not isinstance(values, Mapping):
            raise SettingError("A run specification must be a JSON object of settings by name.")
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingError(f"Unknown setting {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
        if "dataset" not in values:
            raise SettingError("The run specification names no dataset.")
        return cls(**values)

    def changed(self, **values: Any) -> RunSpec:
        """This spec with some settings replaced (validated again)."""
        return replace(self, **values)

    def canonical(self, *, any_seed: bool = False) -> RunSpec:
        """The one specification that stands for all that describe the same run, with defaults said aloud.

        Two specifications describe the same run exactly if these are equal; with ``any_seed`` they may differ in their
        seed as well. A setting that has no effect beside the others is at its default, and of two ways to say one thing
        one is taken:

        >>> private = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0, device="cpu", noise_draw="per_image")
        >>> said_aloud = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0, sampling="poisson", seed=3)
        >>> private.canonical() == said_aloud.canonical(), private.canonical(any_seed=True) == said_aloud.canonical(
        ...     any_seed=True)
        (False, True)

        Where and in which precision a run is computed (device, precision, memory_mb) changes its result by rounding, or
        by which random change falls on which image: as another training with the same settings would. One exception is
        BatchNorm in training mode, for which each pass has statistics of its own, so that memory_mb counts there.
        Weights are compared by name: a queued run has the absolute path of a file (``weights_source``).
        """
        return _canonical(self, any_seed)


# What each setting is unless somebody says otherwise; the dataset has to be named.
DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(RunSpec) if field.default is not MISSING}


@functools.lru_cache(maxsize=8192)
def _canonical(spec: RunSpec, any_seed: bool) -> RunSpec:
    # Lists of hundreds of runs ask again and again.
    unused = ["device", "precision"]
    if spec.method != "local_dp":
        unused.append("noise_draw")
    if spec.method == "none":
        unused.append("delta")  # under Local-DP it says how much the noised images give away
    if spec.sampling == "full_batch":
        unused.append("batch_size")
    mixes_a_pass = spec.norm == "batch_norm" and spec.engine != "microbatch"
    values: dict[str, Any] = {name: DEFAULTS[name] for name in unused}
    values["memory_mb"] = (spec.memory_mb or PASS_MEMORY_MB) if mixes_a_pass else None
    values["sampling"] = spec.sampling_scheme
    if spec.crop_size == spec.image_size:
        values["crop_size"] = None
    values["class_weights"] = _canonical_weights(spec)
    if any_seed:
        values["seed"] = DEFAULTS["seed"]
    return spec.changed(**values)


def _canonical_weights(spec: RunSpec) -> tuple[float, ...] | None:
    weights = spec.class_weights
    if weights is None:
        return None
    if spec.method == "dp_sgd" and spec.engine == "one_pass":
        weights = tuple(weight / max(weights) for weight in weights)
    return None if set(weights) == {1.0} else weights


def check_bound(name: str, value: float) -> None:
    """Raise ``SettingError`` naming the setting, its value and its bounds, if it is outside them."""
    low, high = BOUNDS[name]
    # Written so that NaN fails too; whole numbers may be too large for a float.
    if not low <= value <= high:
        raise SettingError(f"[{name}] must be between {low:.12g} and {high:.12g}, but is {value}.")


def _check_training(spec: RunSpec) -> None:
    private = spec.method == "dp_sgd"
    if spec.sampling == "poisson" and not private:
        raise SettingError(
            f"Poisson sampling belongs to DP-SGD, but [method] is {spec.method}; set [sampling] to auto."
        )
    for name, ordinary in (("engine", "one_pass"), ("noise_generator", "fast")):
        if getattr(spec, name) != ordinary and not private:
            raise SettingError(
                f"[{name}] {getattr(spec, name)} belongs to DP-SGD, but [method] is {spec.method}; leave it out."
            )
    if spec.microbatch_size > 1 and spec.engine != "microbatch":
        raise SettingError(
            f"[microbatch_size] {spec.microbatch_size} clips several images together, which doubles what one image can "
            "change. Set it to 1, or repeat what the authors did with [engine] [engine=microbatch]."
        )
    if spec.norm == "batch_norm" and private and spec.engine != "microbatch":
        raise SettingError(
            "BatchNorm in training mode mixes the images of a batch, so no guarantee would hold. Set [norm] to "
            "[norm=frozen_batch_norm] or [norm=group_norm], or, to repeat what the authors did, [engine] to "
            "[engine=microbatch]."
        )
    if spec.class_weights is not None and spec.engine == "opacus":
        raise SettingError(
            "Opacus cannot weigh clipped gradients: set [engine] to [engine=one_pass], or give no class weights."
        )
    on_features = spec.trainable == "head" and not spec.augment
    special = spec.features != "last" or spec.standardise or not spec.head_bias or spec.augmentation_multiplicity > 1
    if special and not on_features:
        raise SettingError(
            "[features], [standardise], [head_bias] and [augmentation_multiplicity] are for runs in which the last "
            "layer alone learns and [augment] is off; set [trainable] to [trainable=head] and [augment] to false, or "
            "leave them out."
        )
    if spec.norm == "batch_norm" and spec.trainable == "head":
        raise SettingError(
            "BatchNorm in training mode needs [trainable] set to [trainable=all]: below the last layer nothing "
            "learns, so its statistics are frozen anyway. Set [norm] to [norm=frozen_batch_norm]."
        )


def _check_class_weights(spec: RunSpec) -> None:
    weights = spec.class_weights
    if isinstance(weights, list):
        weights = tuple(weights)
    if weights is None:
        return
    numbers = isinstance(weights, tuple) and all(
        isinstance(weight, int | float) and not isinstance(weight, bool) and 0 < weight <= 1000 for weight in weights
    )
    if not numbers or len(weights) < 2:
        raise SettingError(
            "[class_weights] must be one number above 0 and at most 1000 for each class, in the order of the classes, "
            f"but is {spec.class_weights!r}."
        )
    object.__setattr__(spec, "class_weights", tuple(float(weight) for weight in weights))


def _check_types(spec: RunSpec) -> None:
    hints = _type_hints()
    _check_class_weights(spec)
    for field in fields(spec):
        if field.name == "class_weights":
            continue
        value = getattr(spec, field.name)
        options = [option for option in get_args(hints[field.name]) if option is not type(None)]
        if value is None:
            if type(None) in get_args(hints[field.name]):
                continue
            raise SettingError(f"[{field.name}] is missing.")
        if options and all(isinstance(option, str) for option in options):
            if value not in options:
                raise SettingError(f"[{field.name}] must be one of {', '.join(options)}, but is {value!r}.")
            continue
        kind = options[0] if options else hints[field.name]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            object.__setattr__(spec, field.name, float(value))
            continue
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise SettingError(f"[{field.name}] must be a {kind.__name__}, but is {value!r}.")


@functools.cache
def _type_hints() -> dict[str, Any]:
    # Resolving them takes a millisecond, and a list of runs has hundreds of specifications.
    return get_type_hints(RunSpec)


def check_device(name: str) -> None:
    """Raise ``SettingError`` for what names no device: auto, cpu, cuda, cuda:N and mps do, here or elsewhere."""
    if not _is_device(name):
        raise SettingError(f"[device] must be auto, cpu, cuda, cuda:N or mps, but is {name!r}.")


def _is_device(name: str) -> bool:
    kind, _, index = name.partition(":")
    return name in ("auto", "cpu", "mps", "cuda") or (
        kind == "cuda" and index.isascii() and index.isdigit() and len(index) < 4
    )
