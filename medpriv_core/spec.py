"""The run specification: everything that defines a fine-tuning run, in one frozen record.

What each setting means, may be and is called stands beside it (``setting.Setting``); which go together, in
``spec_checks.py``.

>>> spec = RunSpec(dataset="synthetic_chest", method="local_dp", beta=2.0)
>>> RunSpec.from_dict(spec.to_dict()) == spec
True
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from medpriv_core.architectures import architecture_setting
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.in_runs import block_setting, changed_pixels_setting, noise_draw_setting, noise_of_run
from medpriv_core.same_run import Sampling, canonical_settings, sampling_setting, usual_sampling
from medpriv_core.setting import Choice, Setting, setting, setting_of
from medpriv_core.spec_checks import check_class_weights, check_dataset_size, check_device, check_together, on_features
from medpriv_core.unit import Unit, UnitChoice, images_drawn_setting, unit_setting

if TYPE_CHECKING:
    from medpriv_core.mechanisms.picture_noise import PictureNoise

Method = Literal["none", "local_dp", "dp_sgd"]
Trainable = Literal["head", "norms", "all"]
Features = Literal["last", "layer3", "layer3_grid"]
Norm = Literal["frozen_batch_norm", "group_norm", "batch_norm"]
Engine = Literal["one_pass", "opacus", "microbatch"]
NoiseGenerator = Literal["fast", "secure"]
Precision = Literal["auto", "float32", "mixed"]

METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One fine-tuning run. Raises ``SettingError`` if any setting is impossible."""

    dataset: str = setting(MISSING, "Dataset", "Name, as shown by: datasets list.")
    image_size: int = setting(
        64,
        "Image size (pixels)",
        "Side of the square image that is stored, and noised under Local-DP. Smaller is faster.",
        bounds=(16, 1024),
        unit="pixels",
    )
    crop_size: int | None = setting(
        None,
        "Crop size (pixels)",
        "Side of the square that the network sees: a random one when augmenting, else the middle. Without it, the "
        "whole image.",
        bounds=(16, 1024),
    )
    method: Method = setting(
        "none",
        "Method",
        "**Local-DP** puts noise on every image before training. **DP-SGD** puts noise on what the network learns "
        "from each batch (clipped gradients). **No privacy** is there to compare with.",
        choices={"none": Choice("No privacy"), "local_dp": Choice("Local-DP"), "dp_sgd": Choice("DP-SGD")},
    )
    beta: float | None = setting(
        None,
        "Amount of noise (β)",
        "Scale of Laplace noise, or standard deviation of Gaussian noise, for pixels between 0 and 1. More noise "
        "protects more.",
        bounds=(1e-3, 1e4),
        step=0.5,
        methods=("local_dp",),
    )
    # All about these stands with the mechanisms whose parameters they are.
    noise_draw: str = noise_draw_setting()
    block: int = block_setting()
    changed_pixels: int = changed_pixels_setting()
    noise_multiplier: float | None = setting(
        None,
        "Noise multiplier (σ)",
        "Standard deviation of the noise, in units of the clipping norm. More protects more.",
        # Below 0.3 the accountants need far finer grids, and the epsilon (over 100) protects nobody.
        bounds=(0.3, 1e4),
        step=0.5,
        methods=("dp_sgd",),
    )
    target_epsilon: float | None = setting(
        None,
        "Privacy budget (ε)",
        "Smaller protects more; 1 to 8 is usual. The noise that it needs is worked out.",
        bounds=(0.01, 100.0),
        step=0.5,
        methods=("dp_sgd",),
    )
    delta: float = setting(
        DEFAULT_DELTA,
        "Chance of failure (δ)",
        "The chance that the promise of ε fails altogether. Must be well below 1/n for n records (images or patients).",
        bounds=(1e-12, 0.1),
        step=1e-6,
        methods=("local_dp", "dp_sgd"),
    )
    unit: UnitChoice = unit_setting()
    images_drawn: int = images_drawn_setting()
    max_grad_norm: float = setting(
        1.0,
        "Clipping norm (C)",
        "No single record (image or patient) may push the network further than this in one step; without DP-SGD no "
        "batch, which keeps training from diverging.",
        bounds=(1e-4, 1e4),
        step=0.1,
    )
    epochs: int = setting(
        10,
        "Epochs",
        "How often, on average, each training record is used.",
        bounds=(1, 1000),
        unit="epochs",
    )
    batch_size: int = setting(
        64,
        "Batch size",
        "Images a step, or patients where these are protected. With Poisson subsampling: the expected number.",
        bounds=(1, 65536),
        step=16,
        when=lambda settings: settings["sampling"] != "full_batch",
    )
    learning_rate: float = setting(0.01, "Learning rate", "Step size of SGD.", bounds=(1e-7, 100.0), step=0.01)
    momentum: float = setting(
        0.9, "Momentum", "How much of the last step's direction is kept. Costs no privacy.", bounds=(0, 0.999), step=0.1
    )
    weight_decay: float = setting(
        0.0, "Weight decay", "Pulls the weights towards zero. Costs no privacy.", bounds=(0.0, 1.0), step=0.001
    )
    trainable: Trainable = setting(
        "head",
        "Trainable layers",
        "Which layers learn. The last layer alone takes seconds: it learns from numbers that the frozen network "
        "makes of each image once.",
        choices={
            "head": Choice("The last layer only", "last layer"),
            "norms": Choice("The last layer, and scale and shift of the normalisation", "last layer and norms"),
            "all": Choice("All layers", "all layers"),
        },
    )
    features: Features = setting(
        "last",
        "Features",
        "What the last layer reads: the frozen network sums an image up in numbers at several depths. More numbers "
        "can tell more apart, but under DP-SGD each of them gets its noise.",
        choices={
            "last": Choice("Means of the last block (512)", "features of the last block"),
            "layer3": Choice("Means of the block before (256)", "features of the block before"),
            "layer3_grid": Choice("4 x 4 fields of the block before (4,096)", "features in 4 x 4 fields"),
        },
        when=on_features,
    )
    standardise: bool = setting(
        False,
        "Standardise the features per image",
        "Each image's numbers are brought to the same mean and length, by that image alone.",
        choices={True: Choice("on", series="standardised"), False: Choice("off", series="not standardised")},
        when=on_features,
    )
    head_bias: bool = setting(
        True,
        "Bias of the last layer",
        "A constant term: the layer can lean towards one class. Under DP-SGD it takes its share of each gradient.",
        choices={True: Choice("on", series="with bias"), False: Choice("off", series="without bias")},
        when=on_features,
    )
    augmentation_multiplicity: int = setting(
        1,
        "Augmentation multiplicity",
        "How many variants of each image, itself included: the gradients of these fixed random variants are averaged "
        "before clipping. Costs time, but no privacy.",
        bounds=(1, 16),
        unit="variants",
        when=on_features,
    )
    norm: Norm = setting(
        "frozen_batch_norm",
        "Normalisation layers",
        "**Frozen BatchNorm** keeps the pretrained network exactly as it is. **GroupNorm** replaces it. "
        "**BatchNorm in training mode**, as the authors had it, mixes the images of a batch: no guarantee.",
        choices={
            "frozen_batch_norm": Choice(
                "Frozen BatchNorm (as pretrained)", "BatchNorm frozen as pretrained", "frozen BatchNorm"
            ),
            "group_norm": Choice("GroupNorm"),
            "batch_norm": Choice("BatchNorm in training mode", series="BatchNorm in training"),
        },
    )
    sampling: Sampling = sampling_setting()
    engine: Engine = setting(
        "one_pass",
        "Clipping",
        "How gradients are clipped. **One pass** is medpriv's own and about as fast as ordinary training. **Opacus** "
        "is there to compare with, and several times slower. **Microbatches** repeats what the authors did: several "
        "images are clipped as one.",
        choices={
            "one_pass": Choice("Each image, in one pass (fast)", series="one-pass clipping"),
            "opacus": Choice("Each image, by Opacus (to compare)", series="clipped by Opacus"),
            "microbatch": Choice("Microbatches, as the authors did", series="microbatches"),
        },
        methods=("dp_sgd",),
    )
    microbatch_size: int = setting(
        1,
        "Microbatch size",
        "Images that are clipped together; the authors took 4. Above 1, one image can change twice as much as the "
        "noise is meant to hide.",
        bounds=(1, 1024),
        methods=("dp_sgd",),
        when=lambda settings: settings["engine"] == "microbatch",
    )
    noise_generator: NoiseGenerator = setting(
        "fast",
        "Noise generator",
        "**Fast** is enough to learn and to demonstrate. **Secure** is hardened for a real release, and costs "
        "about 0.4 s a step when all layers learn, next to nothing for the last layer.",
        choices={"fast": Choice("Fast", series="fast noise"), "secure": Choice("Secure", series="secure noise")},
        methods=("dp_sgd",),
    )
    class_weights: tuple[float, ...] | None = setting(
        None,
        "Class weights",
        "How much an image of each class counts, in the order of the classes. From public knowledge only: counting "
        "the training images is not covered by ε.",
    )
    average_last: float = setting(
        0.0,
        "Weight averaging (share of the last steps)",
        "The result is the mean of the weights over this share of the steps, at the end. It evens out the noise "
        "and costs no privacy. 0: the weights after the last step.",
        bounds=(0.0, 1.0),
        step=0.1,
    )
    memory_mb: int | None = setting(
        None,
        "Memory of a pass (MB)",
        "Larger batches are added up from several passes, with the same result unless BatchNorm is in training "
        "mode. Empty: about 1,000.",
        bounds=(64, 1 << 20),
        step=256,
        machine=True,
    )
    architecture: str = architecture_setting()
    weights: str = setting(
        "imagenet",
        "Pretrained weights",
        "From where the network starts: imagenet, none, or the path of a ResNet-18 state dict.",
        choices={
            "imagenet": Choice("ImageNet", "as torchvision trained it on ImageNet", "ImageNet weights"),
            "none": Choice("None (random start)", "random numbers that nobody has trained", "random weights"),
            "path": Choice("My own file", "as in a weights file of the one who trained it"),
        },
    )
    augment: bool = setting(
        False,
        "Augmentation",
        "Varies the training images a little: light random turns, shifts and changes of size; no mirror images.",
        choices={True: Choice("on", series="augmented"), False: Choice("off", series="not augmented")},
    )
    seed: int = setting(
        0, "Seed", "For the start and the order of images; never for a mechanism's noise.", bounds=(0, 2**31 - 1)
    )
    device: str = setting(
        "auto",
        "Device",
        "What computes: auto, cpu, cuda, cuda:N or mps.",
        choices={name: Choice(name) for name in ("auto", "cpu", "cuda", "mps")},
        machine=True,
    )
    precision: Precision = setting(
        "auto",
        "Precision",
        "Of the arithmetic on an accelerator.",
        choices={name: Choice(name) for name in get_args(Precision)},
        machine=True,
    )

    def __post_init__(self) -> None:
        for name, each in SETTINGS.items():
            object.__setattr__(self, name, each.checked(getattr(self, name)))
        object.__setattr__(self, "class_weights", check_class_weights(self.class_weights))
        check_device(self.device)
        check_together(self)

    @property
    def picture_noise(self) -> PictureNoise:
        """The noise on its images; raises ``SettingError`` unless it is a run under Local-DP."""
        return noise_of_run(self)

    @property
    def sampling_scheme(self) -> Sampling:
        """How batches are drawn: poisson, full_batch or shuffled."""
        return usual_sampling(self.method) if self.sampling == "auto" else self.sampling

    @property
    def record(self) -> Unit:
        """What is drawn, clipped and protected as one: images, unless it is said to be patients."""
        return "patient" if self.unit == "patient" else "image"

    @property
    def input_size(self) -> int:
        """Side in pixels of what the network sees."""
        return self.crop_size or self.image_size

    def steps_before_average(self, steps: int) -> int:
        """How many of a run's ``steps`` come before those whose weights are averaged, which is one at least."""
        return steps - max(1, round(self.average_last * steps))

    def check_dataset_size(self, train_size: int) -> None:
        """Check that the run is possible on ``train_size`` training records.

        Raises:
            SettingError: There are none, a batch is larger, or δ is not below 1/n.
        """
        check_dataset_size(self, train_size)

    def to_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON."""
        weights = self.class_weights
        return asdict(self) | {"class_weights": None if weights is None else list(weights)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSpec:
        """The spec with these settings by name; those that are missing have their defaults.

        Raises:
            SettingError: A name is not known, the dataset is missing, or a value cannot be.
        """
        if not isinstance(values, Mapping):
            raise SettingError("A run specification must be a JSON object of settings by name.")
        if unknown := sorted(set(values) - set(SETTINGS)):
            raise SettingError(f"Unknown setting {', '.join(unknown)}. Known: {', '.join(sorted(SETTINGS))}.")
        if "dataset" not in values:
            raise SettingError("The run specification names no dataset.")
        return cls(**values)

    def changed(self, **values: Any) -> RunSpec:
        """This spec with some settings replaced (validated again)."""
        return replace(self, **values)

    def canonical(self, *, any_seed: bool = False) -> RunSpec:
        """The one specification that stands for all that describe the same run: ``same_run.py`` says what counts.

        With ``any_seed`` they may differ in their seed as well.
        """
        return _canonical(self, any_seed)


_HINTS = get_type_hints(RunSpec)
SETTINGS: dict[str, Setting] = {each.name: setting_of(each, _HINTS[each.name]) for each in fields(RunSpec)}
RunSpec.__doc__ = "\n    ".join(
    [f"{RunSpec.__doc__}\n\n    Args:", *(f"    {name}: {each.explanation}" for name, each in SETTINGS.items())]
)
BOUNDS = {name: each.bounds for name, each in SETTINGS.items() if each.bounds is not None}
# What each setting is unless somebody says otherwise; the dataset has to be named.
DEFAULTS: dict[str, Any] = {name: each.default for name, each in SETTINGS.items() if each.default is not MISSING}


@functools.lru_cache(maxsize=8192)
def _canonical(spec: RunSpec, any_seed: bool) -> RunSpec:
    # Lists of hundreds of runs ask again and again.
    settings = canonical_settings(vars(spec), SETTINGS)
    return RunSpec(**settings | ({"seed": DEFAULTS["seed"]} if any_seed else {}))


def in_short(name: str, value: Any) -> str:
    """What a value of a setting is called within a sentence or the name of a run.

    Args:
        name: Of a setting that has named choices.
        value: One of these.

    Returns:
        Its words: "last layer" for "head" of "trainable".
    """
    return SETTINGS[name].choices[value].short


def check_bound(name: str, value: float) -> None:
    """Check a number against the bounds of a setting.

    Args:
        name: Of a setting that has bounds.
        value: What it shall be.

    Raises:
        SettingError: It is outside them; the message names the setting, its value and its bounds.
    """
    SETTINGS[name].check_bounds(value)
