"""Starting points for a run, each with the one thing it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# What the authors' published accounting notebooks ran DP-SGD with, by the beta that the paper calls it: they searched
# noise multipliers for epsilon 1, 0.5 and 0.25 at delta 1e-4, for each dataset its own.
AUTHORS_DELTA = 1e-4
AUTHORS_CHEST = {1: 5.002, 2: 9.7, 4: 19.55}
AUTHORS_APTOS = {1: 6.6, 2: 12.95, 4: 26.1}


@dataclass(frozen=True)
class Preset:
    """Settings of a RunSpec by name; what is not named keeps its default.

    ``offline``: made to run on a machine without network too, from random weights if there are no others.
    """

    name: str
    title: str
    shows: str
    settings: dict[str, Any] = field(default_factory=dict)
    offline: bool = False


def authors_noise(dataset: str) -> dict[int, float]:
    """The authors' noise multiplier for each of the paper's betas; those of the chest images for any other dataset."""
    return AUTHORS_APTOS if dataset == "aptos2019" else AUTHORS_CHEST


# What the paper's text and its code have in common.
_PAPER: dict[str, Any] = {
    "image_size": 256,
    "crop_size": 224,
    "trainable": "all",
    "epochs": 50,
    "batch_size": 128,
    "learning_rate": 0.01,
    "momentum": 0.0,
    "weight_decay": 0.001,
}

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="quick",
            title="Quick what-if",
            shows="A whole curve in seconds: only the last layer learns, on small images.",
            settings={"epochs": 20},
            offline=True,
        ),
        Preset(
            name="sound",
            title="Sound DP",
            shows="DP-SGD at an ε that really holds: who was in the training set stays hidden.",
            settings={
                "method": "dp_sgd",
                "target_epsilon": 3.0,
                "image_size": 224,
                "sampling": "full_batch",
                "epochs": 75,
                "learning_rate": 5.0,
                "average_last": 0.5,
            },
        ),
        Preset(
            name="paper",
            title="The paper's text",
            shows="Local-DP as described: noise on every pixel, then all layers learn. Hours without a graphics card.",
            settings=_PAPER | {"method": "local_dp", "beta": 1.0, "augment": True},
        ),
        Preset(
            name="authors",
            title="As the authors ran it",
            shows="DP-SGD as in their published code. Its lights show why the ε they claimed does not hold. Hours too.",
            settings=_PAPER
            | {
                "method": "dp_sgd",
                "noise_multiplier": AUTHORS_CHEST[1],
                "delta": AUTHORS_DELTA,
                "engine": "microbatch",
                "microbatch_size": 4,
                "sampling": "shuffled",
                "norm": "batch_norm",
            },
        ),
    )
}
