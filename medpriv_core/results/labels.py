"""What a group of runs is called beside others: method and strength, and whatever else tells it apart from them.

The strength of DP-SGD is said by both of its numbers, the noise and the epsilon that holds with it: the same noise
protects less over more steps, and the same epsilon costs more noise on fewer images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, get_args

from medpriv_core.mechanisms.in_runs import place_among_noises, unusual_noise
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.results.groups import Group
from medpriv_core.results.result import Result
from medpriv_core.runs.naming import named_after
from medpriv_core.spec import METHODS, SETTINGS, Trainable

LAYERS = SETTINGS["trainable"].choices
LONGEST_DETAILS = 32  # characters in a label; longer ones become "setting 1" and stand in the table
# The first settings in which groups differ, as few as tell them apart.
_PREFIXES = (slice(0, 1), slice(0, 2), slice(0, 3))
_TELLING = ("trainable", "image_size", "features", "sampling", "epochs")
# Settings that the strength already says.
_SAID = {"dataset", "method", "beta", "noise_draw", "noise_multiplier", "target_epsilon"}


def strength_of(result: Result) -> str:
    """Method and strength: "Local-DP β = 2", "DP-SGD σ = 1, ε = 7.16"."""
    title = METHOD_STYLES[result.method].title
    if result.method == "none":
        return title
    if result.method == "local_dp":
        return f"{title} β = {result.beta:g}{unusual_noise(result.noise_draw)}"
    sigma = f"σ = {result.noise_multiplier:g}" if result.noise_multiplier is not None else "σ unknown"
    if result.source == "authors":
        return f"{title} “β = {result.beta:g}”, {sigma}"
    held = f"ε = {format_epsilon(result.epsilon)}" if math.isfinite(result.epsilon) else "no ε"
    return f"{title} {sigma}, {held}"


def learned_in(results: Iterable[Result]) -> str:
    """What learned in these runs, on how large pictures: "all layers, 64 pixels"; empty for the authors' runs."""
    own = [result for result in results if result.source != "authors"]
    trained = [choice.short for name, choice in LAYERS.items() if any(each.trainable == name for each in own)]
    layers = [short if short.startswith("all") else f"the {short}" for short in trained]
    sizes = [str(size) for size in sorted({result.image_size for result in own})]
    return f"{' and '.join(layers)}, {' and '.join(sizes)} pixels" if own else ""


def labelled(groups: Sequence[Group]) -> list[Group]:
    """The groups from no noise to most, with labels that differ within each dataset.

    Where two of one strength stand side by side, the label names the settings in which they differ, or numbers them.
    """
    ordered = sorted(groups, key=lambda group: _order(group.first))
    kin: dict[tuple[str, str], list[Group]] = {}
    for group in ordered:
        kin.setdefault((group.first.dataset, _title(group, ordered)), []).append(group)
    named: dict[int, Group] = {}
    for (_, title), same in kin.items():
        names = _differing(same)
        short = next((few for few in map(names.__getitem__, _PREFIXES) if _tells_apart(same, few)), None)
        for number, group in enumerate(same, start=1):
            details = _details(group, names) if len(same) > 1 else ""
            said = f"setting {number}" if short is None else _details(group, short)
            label = ", ".join(filter(None, [title, said if len(same) > 1 else ""]))
            named[id(group)] = replace(group, label=label, details=details, name=given_name(group))
    return [named[id(group)] for group in ordered]


def given_name(group: Group) -> str:
    """What somebody called all runs of a group of one's own; empty where they have the names that medpriv gives."""
    names = {result.name for result in group.results}
    if not group.own or len(names) > 1 or group.first.name.startswith(named_after(group.first.dataset)):
        return ""
    return group.first.name


def _order(result: Result) -> tuple[Any, ...]:
    noise = result.noise_multiplier if result.method == "dp_sgd" else result.beta
    authors = result.source == "authors"
    return (
        METHODS.index(result.method),
        authors,
        place_among_noises(result.noise_draw),
        get_args(Trainable).index(result.trainable),
        # The authors' multipliers belong to the label, by which the paper orders them.
        (result.beta if authors else noise) or 0.0,
        result.version or 0,
    )


def _title(group: Group, others: Sequence[Group]) -> str:
    """The strength, and what is trained or whose it is where others of the dataset differ in that."""
    first = group.first
    if first.source == "authors":
        return f"{strength_of(first)} (authors v{first.version})"
    beside = [other.first for other in others if other.first.dataset == first.dataset]
    own = [other for other in beside if other.source != "authors"]
    trained = ""
    if len({other.trainable for other in own}) > 1:
        trained = f", {SETTINGS['trainable'].in_series(first.trainable)}"
        if len({other.image_size for other in own}) > 1:
            trained += f", {SETTINGS['image_size'].in_series(first.image_size)}"
    several = len({other.source for other in own}) > 1
    return f"{strength_of(first)}{trained}{' (reference)' if several and first.source == 'reference' else ''}"


def _differing(groups: Sequence[Group]) -> list[str]:
    """The settings in which groups of one title differ, the most telling ones first."""
    specs = [_settings(group) for group in groups]
    names = [name for name in specs[0] if name not in _SAID and any(spec[name] != specs[0][name] for spec in specs)]
    return sorted(names, key=lambda name: _TELLING.index(name) if name in _TELLING else len(_TELLING))


def _tells_apart(groups: Sequence[Group], names: Sequence[str]) -> bool:
    details = [_details(group, names) for group in groups]
    return len(set(details)) == len(details) and max(map(len, details)) <= LONGEST_DETAILS


def _details(group: Group, names: Sequence[str]) -> str:
    settings = _settings(group)
    return ", ".join(SETTINGS[name].in_series(settings[name]) for name in names)


def _settings(group: Group) -> dict[str, Any]:
    """Those that its runs have in common; none for the authors' runs."""
    spec = group.first.spec
    return vars(spec.canonical(any_seed=True)) if spec else {}
