"""Which settings of a run go together: what is told, in one sentence, where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medpriv_core.architectures import ARCHITECTURES
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.in_runs import OWN_PARAMETERS, kinds_of_noise, takes
from medpriv_core.unit import check_unit

if TYPE_CHECKING:
    from medpriv_core.spec import RunSpec


def check_together(spec: RunSpec) -> None:
    """Raise ``SettingError`` for settings, each possible by itself, that no run can have together."""
    if spec.crop_size is not None and spec.crop_size > spec.image_size:
        raise SettingError(f"[crop_size] ({spec.crop_size}) must not be larger than [image_size] ({spec.image_size}).")
    if not spec.dataset:
        raise SettingError("[dataset] is empty: name one of the datasets in the registry.")
    if not spec.weights:
        raise SettingError(
            "[weights] is empty: say [weights=imagenet], [weights=none], or the path of a ResNet-18 state dict."
        )
    if spec.method == "local_dp" and spec.beta is None:
        raise SettingError("Local-DP needs [beta], the amount of noise (for example 1, 2 or 4).")
    if spec.method != "local_dp" and spec.beta is not None:
        raise SettingError(f"[beta] belongs to Local-DP, but [method] is {spec.method}; leave it out.")
    if spec.method == "dp_sgd" and (spec.noise_multiplier is None) == (spec.target_epsilon is None):
        raise SettingError("DP-SGD needs either [noise_multiplier] or [target_epsilon] (one of them, not both).")
    if spec.method != "dp_sgd" and (spec.noise_multiplier is not None or spec.target_epsilon is not None):
        raise SettingError(
            f"[noise_multiplier] and [target_epsilon] belong to DP-SGD, but [method] is {spec.method}; leave them out."
        )
    _check_noise(spec)
    _check_method(spec)
    check_unit(spec)
    _check_network(spec)


def _check_noise(spec: RunSpec) -> None:
    for name, usual in OWN_PARAMETERS.items():
        if getattr(spec, name) != usual and not takes(spec.noise_draw, name):
            owners = " or ".join(f"[noise_draw={kind}]" for kind in kinds_of_noise() if takes(kind, name))
            raise SettingError(
                f"[{name}] belongs to {owners}, but [noise_draw] is [noise_draw={spec.noise_draw}]; leave it out."
            )
    if spec.method == "local_dp":
        spec.picture_noise.check_shape((spec.image_size, spec.image_size, 1))


def _check_method(spec: RunSpec) -> None:
    private = spec.method == "dp_sgd"
    if spec.sampling == "poisson" and not private:
        raise SettingError(
            f"Poisson subsampling belongs to DP-SGD, but [method] is {spec.method}; set [sampling] to auto."
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


def on_features(settings: Mapping[str, Any]) -> bool:
    """Whether the last layer alone learns, on numbers that the frozen network makes of each image once."""
    return settings["trainable"] == "head" and not settings["augment"]


def _check_network(spec: RunSpec) -> None:
    architecture = ARCHITECTURES[spec.architecture]
    if spec.features not in architecture.reads:
        raise SettingError(
            f"[features] is [features={spec.features}], which {architecture.title} does not have. It has "
            f"{' and '.join(f'[features={name}]' for name in architecture.reads)}."
        )
    if spec.weights != "none" and not architecture.pretrained:
        raise SettingError(
            f"medpriv knows no pretrained weights of {architecture.title}, the network of this run; set [weights] to "
            "[weights=none]."
        )
    special = spec.features != "last" or spec.standardise or not spec.head_bias or spec.augmentation_multiplicity > 1
    if special and not on_features(vars(spec)):
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


def check_class_weights(given: Any) -> tuple[float, ...] | None:
    """The weights as a run keeps them; raises ``SettingError`` for anything but two or more numbers in their bounds."""
    weights = tuple(given) if isinstance(given, list) else given
    if weights is None:
        return None
    numbers = isinstance(weights, tuple) and all(
        isinstance(weight, int | float) and not isinstance(weight, bool) and 0 < weight <= 1000 for weight in weights
    )
    if not numbers or len(weights) < 2:
        raise SettingError(
            "[class_weights] must be one number above 0 and at most 1000 for each class, in the order of the classes, "
            f"but is {given!r}."
        )
    return tuple(float(weight) for weight in weights)


def check_dataset_size(spec: RunSpec, train_size: int) -> None:
    """Raise ``SettingError`` if the spec cannot run on ``train_size`` training records."""
    if train_size < 1:
        raise SettingError("There are no training records.")
    records = f"{spec.record}s"
    if spec.sampling_scheme != "full_batch" and spec.batch_size > train_size:
        raise SettingError(
            f"[batch_size] ({spec.batch_size}) is larger than the training set ({train_size} {records}). "
            f"Choose {train_size} or less."
        )
    if spec.method == "dp_sgd" and spec.delta >= 1 / train_size:
        raise SettingError(
            f"[delta] ({spec.delta:g}) must be below 1/n = {1 / train_size:.2g} for n = {train_size} training "
            f"{records}: at 1/n, publishing one patient at random would count as private."
        )


def check_device(name: str) -> None:
    """Raise ``SettingError`` for what names no device: auto, cpu, cuda, cuda:N and mps do, here or elsewhere."""
    if not _is_device(name):
        raise SettingError(f"[device] must be auto, cpu, cuda, cuda:N or mps, but is {name!r}.")


def _is_device(name: str) -> bool:
    kind, _, index = name.partition(":")
    return name in ("auto", "cpu", "mps", "cuda") or (
        kind == "cuda" and index.isascii() and index.isdigit() and len(index) < 4
    )
