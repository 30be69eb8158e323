"""When two specifications are one run, or one but for the seed: ``RunSpec.canonical`` of both is equal.

A setting that has no effect beside the others is at its default, and of two ways to say one thing one is taken:

>>> from medpriv_core.spec import RunSpec
>>> private = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0)
>>> other = private.changed(sampling="poisson", noise_draw="per_image", device="cpu", seed=3)
>>> other.canonical() == private.canonical(), other.canonical(any_seed=True) == private.canonical(any_seed=True)
(False, True)

Where and in which precision a run is computed (device, precision, memory_mb) changes its result by rounding, or by
which random change falls on which image: as another training with the same settings would. One exception is BatchNorm
in training mode, for which each pass has statistics of its own, so that memory_mb counts there. Under Local-DP, delta
changes nothing in the network, but what is said of the noised images. Weights are compared by name: a queued run has
the absolute path of a file (``weights_source``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, Literal

from medpriv_core.defaults import PASS_MEMORY_MB
from medpriv_core.errors import SettingError
from medpriv_core.setting import Choice, Setting, setting
from medpriv_core.spec_checks import check_class_weights

Sampling = Literal["auto", "poisson", "full_batch", "shuffled"]


def sampling_setting() -> Any:
    """The field ``sampling`` of a run specification."""
    return setting(
        "auto",
        "Sampling",
        "Which images a step sees. **Poisson subsampling**: each is drawn into each step independently, which makes "
        "the noise count for more. **Full batch**: every image in every step, one step an epoch, often better where "
        "ε is small. **Shuffled batches**: the usual way, and nothing may be credited for it. **Auto**: Poisson "
        "subsampling under DP-SGD, else shuffled batches.",
        choices={
            # In the form of DP-SGD, the only one that asks.
            "auto": Choice("Poisson subsampling"),
            "poisson": Choice("Poisson subsampling", series="Poisson batches", offered=False),
            "full_batch": Choice("Full batch (every image in every step)", "full batch", "full batches"),
            "shuffled": Choice("Shuffled batches", "shuffled batches"),
        },
    )


def canonical_settings(values: Mapping[str, Any], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The values of all ``settings`` as the canonical specification has them; they need not be possible yet."""
    said = dict(values)
    for name, each in settings.items():
        if each.default is not MISSING and (each.machine or not each.matters(values)):
            said[name] = each.default
    if values["norm"] == "batch_norm" and values["engine"] != "microbatch":
        said["memory_mb"] = values["memory_mb"] or PASS_MEMORY_MB
    if values["sampling"] == "auto":
        said["sampling"] = usual_sampling(values["method"])
    if values["crop_size"] == values["image_size"]:
        said["crop_size"] = None
    said["class_weights"] = _relative(values)
    return said


def usual_sampling(method: str) -> Literal["poisson", "shuffled"]:
    """How batches are drawn where nobody says it."""
    return "poisson" if method == "dp_sgd" else "shuffled"


def _relative(values: Mapping[str, Any]) -> Any:
    """The weights of the classes; under one-pass DP-SGD only their size beside the largest counts."""
    try:
        weights = check_class_weights(values["class_weights"])
    except SettingError:
        return values["class_weights"]  # told when it becomes a specification
    if weights is not None and values["method"] == "dp_sgd" and values["engine"] == "one_pass":
        weights = tuple(weight / max(weights) for weight in weights)
    return None if weights is None or set(weights) == {1.0} else weights
