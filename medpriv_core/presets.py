"""Starting points for a run, each with the one thing it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from medpriv_core.recipes import recipe_for

# What the authors' published accounting notebooks ran DP-SGD with, by the beta that the paper calls it: they searched
# noise multipliers for epsilon 1, 0.5 and 0.25 at delta 1e-4, for each dataset its own.
AUTHORS_DELTA = 1e-4
AUTHORS_CHEST = {1: 5.002, 2: 9.7, 4: 19.55}
AUTHORS_APTOS = {1: 6.6, 2: 12.95, 4: 26.1}

SOUND_EPSILON = 3.0


@dataclass(frozen=True)
class Preset:
    """Settings of a RunSpec by name; what is not named keeps its default. All of them: ``preset_settings``.

    ``offline``: made to run on a machine without network too, from random weights if there are no others.
    """

    name: str
    title: str
    shows: str
    settings: dict[str, Any] = field(default_factory=dict)
    offline: bool = False


def preset_settings(
    name: str, *, dataset: str, ordered: bool, target_epsilon: float = SOUND_EPSILON, paper_beta: int = 1
) -> dict[str, Any]:
    """The settings of a preset for a dataset, whose classes are grades if ``ordered``.

    ``target_epsilon`` is that of sound DP, whose recipe depends on it; ``paper_beta`` (1, 2 or 4) is what the paper
    calls the noise of the authors' runs.
    """
    if name == "sound":
        return recipe_for(dataset, ordered=ordered).settings(target_epsilon)
    if name == "authors":
        return PRESETS[name].settings | {"noise_multiplier": authors_noise(ordered=ordered)[paper_beta]}
    return dict(PRESETS[name].settings)


def authors_noise(*, ordered: bool) -> dict[int, float]:
    """The authors' noise multiplier for each of the paper's betas.

    Images of the eye in grades (``ordered`` classes) take those of APTOS, all others those of the chest images.
    """
    return AUTHORS_APTOS if ordered else AUTHORS_CHEST


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
            shows="DP-SGD at an ε that really holds, by the recipe that did best. Epochs and learning rate follow ε.",
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
                "delta": AUTHORS_DELTA,
                "engine": "microbatch",
                "microbatch_size": 4,
                "sampling": "shuffled",
                "norm": "batch_norm",
            },
        ),
    )
}
