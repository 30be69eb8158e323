"""Starting points for a run, each with the one thing it shows.

What a preset sets may depend on other settings: the recipe of sound DP on dataset, method and epsilon, the authors'
noise on the dataset, a crop on the size of the image. So a preset is filled in from what is given beside it
(``fill_preset``), once for each run and never for several at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medpriv_core.errors import SettingError
from medpriv_core.privacy.plan import plan_dp_sgd
from medpriv_core.recipes import Recipe, recipe_for
from medpriv_core.same_run import canonical_settings
from medpriv_core.spec import BOUNDS, DEFAULTS, SETTINGS, RunSpec

# What the authors' published accounting notebooks ran DP-SGD with, by the beta that the paper calls it: they searched
# noise multipliers for epsilon 1, 0.5 and 0.25 at delta 1e-4, for each dataset its own.
AUTHORS_DELTA = 1e-4
AUTHORS_CHEST = {1: 5.002, 2: 9.7, 4: 19.55}
AUTHORS_APTOS = {1: 6.6, 2: 12.95, 4: 26.1}

SOUND_EPSILON = 3.0
# The choice that a preset is filled in for, rather than a change of it.
_CHOSEN = ("dataset", "method", "beta", "noise_multiplier", "target_epsilon", "unit", "seed", "weights", "device")


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

    @property
    def method(self) -> str:
        """The method that it is made for."""
        return "dp_sgd" if self.name == "sound" else str(self.settings.get("method", "none"))


@dataclass(frozen=True)
class Change:
    """A setting that is not as the preset has it."""

    setting: str
    value: Any
    preset: Any


@dataclass(frozen=True)
class FilledPreset:
    """A preset with what was given beside it.

    settings  of the run: those of the preset, and what was given on top
    preset    what the preset has for this dataset, method and epsilon, before anything else is given
    changes   what was given otherwise than the preset has it; which images, method, strength of the noise, seed,
              weights and device it is for is no change
    """

    settings: dict[str, Any]
    preset: dict[str, Any]
    changes: tuple[Change, ...]


def fill_preset(name: str, given: Mapping[str, Any], *, ordered: bool) -> FilledPreset:
    """A preset for what is given: settings of a RunSpec by name, among them the dataset, whose classes are grades if
    ``ordered``.

    What is given stays as it is; the preset follows it. Raises ``SettingError`` where sound DP cannot know its epsilon.
    """
    preset = _settings_for(name, given, ordered=ordered)
    kept = dict(preset)
    for one, other in (("noise_multiplier", "target_epsilon"), ("target_epsilon", "noise_multiplier")):
        if given.get(one) is not None and given.get(other) is None:
            kept.pop(other, None)
    alike = {setting: value for setting, value in given.items() if setting in _CHOSEN}
    changed = differing(kept | dict(given), preset | alike)
    changes = tuple(
        Change(setting, value, preset.get(setting, DEFAULTS[setting]))
        for setting, value in given.items()
        if setting not in _CHOSEN and setting in changed
    )
    return FilledPreset(kept | dict(given), preset, changes)


def differing(settings: Mapping[str, Any], preset: Mapping[str, Any]) -> list[str]:
    """Which settings of a run are otherwise than in ``preset``: those that matter in it, however they are said.

    Both are settings of a RunSpec by name; what they do not name keeps its default.
    """
    now, before = DEFAULTS | dict(settings), DEFAULTS | dict(preset)
    said, instead = canonical_settings(now, SETTINGS), canonical_settings(before, SETTINGS)
    return [
        name
        for name, setting in SETTINGS.items()
        if setting.matters(now)
        and (now[name] != before[name] if setting.machine else said.get(name) != instead.get(name))
    ]


def preset_settings(
    name: str, *, dataset: str, ordered: bool, target_epsilon: float = SOUND_EPSILON, paper_beta: int = 1
) -> dict[str, Any]:
    """The settings of a preset for a dataset, whose classes are grades if ``ordered``.

    ``target_epsilon`` is that of sound DP, whose recipe depends on it; ``paper_beta`` (1, 2 or 4) is what the paper
    calls the noise of the authors' runs.
    """
    if name == "sound":
        return recipe_for(dataset, ordered=ordered, unit="auto").settings(target_epsilon)
    if name == "authors":
        return PRESETS[name].settings | {"noise_multiplier": authors_noise(ordered=ordered)[paper_beta]}
    return dict(PRESETS[name].settings)


def follows_sound(spec: RunSpec, *, ordered: bool) -> bool:
    """Whether a run has the recipe of sound DP for its own dataset, method and epsilon."""
    strengths = ("beta", "noise_multiplier", "target_epsilon")
    given = {"dataset": spec.dataset, "method": spec.method, "delta": spec.delta}
    given |= {name: value for name in strengths if (value := getattr(spec, name)) is not None}
    given |= {"unit": spec.unit} if spec.method == "dp_sgd" else {}
    try:
        recipe = fill_preset("sound", given, ordered=ordered).settings
    except SettingError:
        return False
    return all(getattr(spec, name) == value for name, value in recipe.items())


def other_recipe(spec: RunSpec, *, epsilon: float, ordered: bool) -> dict[str, Any]:
    """What sound DP sets otherwise at ``epsilon`` than in a run that has its recipe for another one.

    Empty for a run by no recipe, and where both are the same. Its length is no part of it.
    """
    if spec.method != "dp_sgd" or not _within("target_epsilon", epsilon) or not follows_sound(spec, ordered=ordered):
        return {}
    then = recipe_for(spec.dataset, ordered=ordered, unit=spec.unit).settings(epsilon)
    return {
        name: value
        for name, value in then.items()
        if name not in ("epochs", "target_epsilon") and value != getattr(spec, name)
    }


def authors_noise(*, ordered: bool) -> dict[int, float]:
    """The authors' noise multiplier for each of the paper's betas.

    Images of the eye in grades (``ordered`` classes) take those of APTOS, all others those of the chest images.
    """
    return AUTHORS_APTOS if ordered else AUTHORS_CHEST


def _settings_for(name: str, given: Mapping[str, Any], *, ordered: bool) -> dict[str, Any]:
    dataset, own = given["dataset"], PRESETS[name].method
    method = given.get("method", own)
    if name == "sound":
        settings = _sound(recipe_for(dataset, ordered=ordered, unit=given.get("unit", "auto")), method, given)
    else:
        settings = preset_settings(name, dataset=dataset, ordered=ordered)
    if method != own:
        foreign = {"method"} | {setting for setting, said in SETTINGS.items() if own in said.methods}
        if settings.get("sampling") != "full_batch":
            foreign.add("sampling")  # each method has its own usual way
        settings = {setting: value for setting, value in settings.items() if setting not in foreign}
        settings |= {"method": method} if method != "none" else {}
    size = given.get("image_size")
    if isinstance(size, int) and settings.get("crop_size") is not None:
        settings["crop_size"] = max(int(BOUNDS["crop_size"][0]), size * 7 // 8)
    return settings


def _sound(recipe: Recipe, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe for a method and what says how strong it is."""
    if method != "dp_sgd":
        settings = recipe.settings(math.inf)
        if method == "local_dp":
            # Chosen for networks that see clean images; each kind of image noise would need its own.
            settings |= {"class_weights": None, "augmentation_multiplicity": 1}
        return settings
    epsilon = given.get("target_epsilon")
    noise_multiplier = given.get("noise_multiplier")
    if epsilon is None and noise_multiplier is not None and _within("noise_multiplier", noise_multiplier):
        return _sound_for_noise(recipe, noise_multiplier, given)
    # What is out of bounds is told by the specification.
    return recipe.settings(epsilon if epsilon is not None and _within("target_epsilon", epsilon) else SOUND_EPSILON)


def _sound_for_noise(recipe: Recipe, noise_multiplier: float, given: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of the epsilon to which its own steps lead with this noise."""
    if given.get("sampling", "full_batch") != "full_batch":
        raise SettingError(
            "The recipe of sound DP depends on ε; with [noise_multiplier] that can be told beforehand for full batches "
            "alone. Give [target_epsilon] instead, or leave [sampling] at [sampling=full_batch]."
        )
    delta = given.get("delta", DEFAULTS["delta"])
    settings: dict[str, Any] = {}
    for stage in recipe.stages:
        # Full batches do not depend on how many images there are.
        epsilon = plan_dp_sgd(
            train_size=1,
            batch_size=1,
            epochs=given.get("epochs", stage.epochs),
            delta=delta,
            noise_multiplier=noise_multiplier,
            sampling="full_batch",
        ).epsilon
        settings = recipe.settings(min(stage.up_to, BOUNDS["target_epsilon"][1]))
        if epsilon <= stage.up_to:
            break
    del settings["target_epsilon"]
    return settings | {"noise_multiplier": noise_multiplier}


def _within(setting: str, value: Any) -> bool:
    low, high = BOUNDS[setting]
    return isinstance(value, int | float) and low <= value <= high


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
