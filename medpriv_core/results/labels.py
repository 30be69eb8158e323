"""What a group of runs is called beside others: method and strength, and whatever else tells it apart from them.

The strength of DP-SGD is said by both of its numbers, the noise and the epsilon that holds with it: the same noise
protects less over more steps, and the same epsilon costs more noise on fewer images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from medpriv_core.palette import METHOD_STYLES
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.results.groups import Group
from medpriv_core.results.result import Result
from medpriv_core.spec import METHODS

LONGEST_DETAILS = 28  # characters in a label; longer ones become "setting 1" and stand in the table
# Settings that the strength already says, or that do not matter to the result.
_SAID = {"dataset", "method", "beta", "noise_draw", "noise_multiplier", "target_epsilon", "seed", "device", "memory_mb"}
_WORDS: dict[str, str] = {
    "trainable=head": "last layer",
    "trainable=norms": "last layer and norms",
    "trainable=all": "all layers",
    "features=last": "features of the last block",
    "features=layer3": "features of the block before",
    "features=layer3_grid": "features in 4 x 4 fields",
    "standardise=True": "standardised",
    "standardise=False": "not standardised",
    "head_bias=True": "with bias",
    "head_bias=False": "without bias",
    "augment=True": "augmented",
    "augment=False": "not augmented",
    "norm=frozen_batch_norm": "frozen BatchNorm",
    "norm=group_norm": "GroupNorm",
    "norm=batch_norm": "BatchNorm in training",
    "sampling=full_batch": "full batches",
    "sampling=poisson": "Poisson batches",
    "sampling=shuffled": "shuffled batches",
    "sampling=auto": "usual batches",
}
_UNITS = {"image_size": "{} px", "epochs": "{} epochs", "augmentation_multiplicity": "{} variants"}


def strength_of(result: Result) -> str:
    """Method and strength: "Local-DP β = 2", "DP-SGD σ = 1, ε = 7.16"."""
    title = METHOD_STYLES[result.method].title
    if result.method == "none":
        return title
    if result.method == "local_dp":
        draw = " per image" if result.noise_draw == "per_image" else ""
        return f"{title} β = {result.beta:g}{draw}"
    sigma = f"σ = {result.noise_multiplier:g}" if result.noise_multiplier is not None else "σ unknown"
    if result.source == "authors":
        return f"{title} “β = {result.beta:g}”, {sigma}"
    held = f"ε = {format_epsilon(result.epsilon)}" if math.isfinite(result.epsilon) else "no ε"
    return f"{title} {sigma}, {held}"


def labelled(groups: Sequence[Group]) -> list[Group]:
    """The groups from no noise to most, with labels that differ within each dataset.

    Where two of one strength stand side by side, the label names the settings in which they differ, or numbers them.
    """
    ordered = sorted(groups, key=lambda group: _order(group.first))
    several = len({group.first.source for group in groups} - {"authors"}) > 1
    kin: dict[tuple[str, str], list[Group]] = {}
    for group in ordered:
        kin.setdefault((group.first.dataset, _title(group.first, several)), []).append(group)
    named: dict[int, Group] = {}
    for (_, title), same in kin.items():
        for number, (group, details) in enumerate(zip(same, _differences(same), strict=True), start=1):
            short = details if len(details) <= LONGEST_DETAILS else f"setting {number}"
            named[id(group)] = replace(group, label=", ".join(filter(None, [title, short])), details=details)
    return [named[id(group)] for group in ordered]


def _order(result: Result) -> tuple[Any, ...]:
    noise = result.noise_multiplier if result.method == "dp_sgd" else result.beta
    return (
        METHODS.index(result.method),
        result.noise_draw or "",
        # The authors' multipliers belong to the label, by which the paper orders them.
        (result.beta if result.source == "authors" else noise) or 0.0,
        result.source == "authors",
        result.version or 0,
    )


def _title(result: Result, several_sources: bool) -> str:
    if result.source == "authors":
        return f"{strength_of(result)} (authors v{result.version})"
    source = " (reference)" if several_sources and result.source == "reference" else ""
    return f"{strength_of(result)}{source}"


def _differences(groups: list[Group]) -> list[str]:
    """For each of some groups of one strength the settings by which it differs from another of them, in words."""
    specs = [asdict(group.first.spec) if group.first.spec else {} for group in groups]
    names = [name for name in specs[0] if name not in _SAID and any(spec[name] != specs[0][name] for spec in specs)]
    details = [", ".join(_word(name, spec[name]) for name in names) for spec in specs]
    if len(set(details)) < len(details):
        # Alike in every setting that is named: then they differ in how long they went on, or in what was recorded.
        details = [
            ", ".join(filter(None, [said, f"run {g.first.id}"])) for said, g in zip(details, groups, strict=True)
        ]
    return details


def _word(name: str, value: Any) -> str:
    if name in _UNITS:
        return _UNITS[name].format(value)
    if isinstance(value, tuple):
        value = " : ".join(f"{part:g}" for part in value)
    return _WORDS.get(f"{name}={value}", f"{name.replace('_', ' ')} {value}")
