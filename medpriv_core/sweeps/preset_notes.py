"""What the runs of a grid have from their preset, and what they have otherwise; for people, in words of their own door.

A preset sets different things in different cells: the recipe of sound DP follows epsilon, dataset and method. Whoever
launches a grid should see that, and what of the recipe the grid overrides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from medpriv_core.presets import PRESETS
from medpriv_core.spec import DEFAULTS
from medpriv_core.sweeps.grid import GridRun

# What a preset follows.
FOLLOWED = ("dataset", "method", "target_epsilon", "noise_multiplier", "beta", "image_size")


@dataclass(frozen=True)
class Part:
    """Runs that have the same from the preset.

    where     by which settings they differ from the others; one set of them a cell
    settings  what the preset sets in these and otherwise elsewhere
    """

    where: tuple[dict[str, Any], ...]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Override:
    """A setting that ``runs`` of the ``of`` runs have otherwise than the preset: its values, and the preset's."""

    setting: str
    values: tuple[Any, ...]
    preset: tuple[Any, ...]
    runs: int
    of: int


@dataclass(frozen=True)
class PresetNotes:
    """What the runs of a grid have from a preset.

    title      of the preset
    parts      more than one where it sets different things in different cells, in the order of the runs
    overrides  what the grid sets otherwise
    """

    title: str
    parts: tuple[Part, ...]
    overrides: tuple[Override, ...]


def preset_notes(preset: str | None, runs: Sequence[GridRun]) -> PresetNotes | None:
    """The notes on ``runs`` of a grid with this preset; None without one."""
    if preset is None:
        return None
    return PresetNotes(PRESETS[preset].title, _parts(runs), _overrides(runs))


def _parts(runs: Sequence[GridRun]) -> tuple[Part, ...]:
    filled = [(run, run.filled.preset) for run in runs if run.filled is not None]
    names = [name for name in dict.fromkeys(key for _, preset in filled for key in preset) if name not in FOLLOWED]
    differing = [name for name in names if len({repr(preset.get(name)) for _, preset in filled}) > 1]
    followed = [name for name in FOLLOWED if len({repr(getattr(run.spec, name)) for run, _ in filled}) > 1]
    parts: dict[str, Part] = {}
    for run, preset in filled:
        settings = {name: preset.get(name, DEFAULTS[name]) for name in differing}
        where = {name: value for name in followed if (value := getattr(run.spec, name)) is not None}
        known = parts.get(repr(settings))
        if known is None:
            parts[repr(settings)] = Part((where,), settings)
        elif where not in known.where:
            parts[repr(settings)] = Part((*known.where, where), settings)
    return tuple(parts.values()) if differing else ()


def _overrides(runs: Iterable[GridRun]) -> tuple[Override, ...]:
    filled = [run.filled for run in runs if run.filled is not None]
    changes = [change for each in filled for change in each.changes]
    overrides = []
    for setting in dict.fromkeys(change.setting for change in changes):
        here = [change for change in changes if change.setting == setting]
        values = tuple(dict.fromkeys(change.value for change in here))
        preset = tuple(dict.fromkeys(change.preset for change in here))
        overrides.append(Override(setting, values, preset, len(here), len(filled)))
    return tuple(overrides)
