"""Grids: many runs that differ in a few settings, written down as one thing.

A grid is what all its runs share (``base``) and what varies (``axes``). Each axis is a list of cells, and a cell sets
one or several settings together, because not every value goes with every other: an amount of image noise belongs to
Local-DP alone. The runs are all combinations of one cell from each axis:

>>> grid = Grid(
...     base={"dataset": "synthetic_chest", "weights": "none"},
...     axes=(
...         vary("seed", [0, 1]),
...         Axis("method", (Cell("none", {}), Cell("beta 2", {"method": "local_dp", "beta": 2.0}))),
...     ),
... )
>>> [run.name for run in grid.expand().runs]
['seed 0 · none', 'seed 0 · beta 2', 'seed 1 · none', 'seed 1 · beta 2']

With a ``preset``, what neither base nor cells say is the preset's, filled in for each run by itself: what it sets may
depend on what is varied, as the recipe of sound DP on epsilon.

>>> base = {"dataset": "synthetic_chest", "weights": "none"}
>>> grid = Grid(base, (vary("target_epsilon", [1.0, 8.0]),), preset="sound")
>>> [(run.spec.target_epsilon, run.spec.epochs) for run in grid.expand().runs]
[(1.0, 50), (8.0, 100)]

A combination that cannot be trained is neither an error nor passed over in silence: it is among ``impossible``, with
the reason.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import MedprivError, SettingError
from medpriv_core.presets import FilledPreset, fill_preset
from medpriv_core.spec import SETTINGS, RunSpec

MAX_RUNS = 500
# Of these two a run has one, so whichever an axis sets takes the place of the other in the base.
_EITHER = {"noise_multiplier": "target_epsilon", "target_epsilon": "noise_multiplier"}


@dataclass(frozen=True)
class Cell:
    """One step along an axis: settings of a RunSpec that go together, and what they are called."""

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Axis:
    """What is varied. Raises ``SettingError`` without cells, or with the same cell twice."""

    name: str
    cells: tuple[Cell, ...]

    def __post_init__(self) -> None:
        if not self.cells:
            raise SettingError(f"[{self.name}] is to be varied, but has no values; give at least one.")
        seen: set[str] = set()
        for cell in self.cells:
            settings = repr(sorted(cell.settings.items()))
            if settings in seen:
                raise SettingError(f"[{self.name}] has {cell.name} twice; leave one out.")
            seen.add(settings)


@dataclass(frozen=True)
class GridRun:
    """One run of a grid; ``name`` says by what it differs from the others, ``filled`` what its preset says."""

    name: str
    spec: RunSpec
    filled: FilledPreset | None = None


@dataclass(frozen=True)
class Impossible:
    """A combination that no run can have, and why."""

    name: str
    reason: MedprivError


@dataclass(frozen=True)
class Expansion:
    """All combinations of a grid, in order."""

    runs: tuple[GridRun, ...]
    impossible: tuple[Impossible, ...]


@dataclass(frozen=True)
class Grid:
    """Settings that all runs share, and the axes; the last axis changes fastest. ``preset`` is the name of one.

    Raises ``SettingError`` for a setting that does not exist or is varied by two axes.
    """

    base: Mapping[str, Any]
    axes: tuple[Axis, ...]
    preset: str | None = None

    def __post_init__(self) -> None:
        varied = [{name for cell in axis.cells for name in cell.settings} for axis in self.axes]
        unknown = sorted(set(self.base).union(*varied).difference(SETTINGS))
        if unknown:
            raise SettingError(f"Unknown setting {', '.join(unknown)}. Known: {', '.join(SETTINGS)}.")
        for one, other in itertools.combinations(varied, 2):
            if one & other:
                raise SettingError(f"[{min(one & other)}] is varied twice; give all its values at one place.")

    @property
    def count(self) -> int:
        """Number of combinations, possible or not, without making them."""
        return math.prod(len(axis.cells) for axis in self.axes)

    def expand(self) -> Expansion:
        """Every combination as a run; raises ``SettingError`` with the count if there are more than ``MAX_RUNS``."""
        if self.count > MAX_RUNS:
            raise SettingError(
                f"This grid has {self.count:,} runs; {MAX_RUNS} is the most that can be queued as one. Take fewer "
                "values or fewer seeds."
            )
        runs: list[GridRun] = []
        impossible: list[Impossible] = []
        for cells in itertools.product(*(axis.cells for axis in self.axes)):
            name = " · ".join(cell.name for cell in cells)
            try:
                given = self._settings(cells)
                filled = self._filled(given)
                runs.append(GridRun(name, RunSpec.from_dict(filled.settings if filled else given), filled))
            except MedprivError as reason:  # also of a dataset that nobody knows
                impossible.append(Impossible(name, reason))
        return Expansion(tuple(runs), tuple(impossible))

    def _filled(self, given: Mapping[str, Any]) -> FilledPreset | None:
        if self.preset is None or "dataset" not in given:  # the specification says that none is named
            return None
        return fill_preset(self.preset, given, ordered=dataset_info(given["dataset"]).ordered)

    def _settings(self, cells: Sequence[Cell]) -> dict[str, Any]:
        varied = {name: value for cell in cells for name, value in cell.settings.items()}
        replaced = {_EITHER[name] for name in varied if name in _EITHER}
        return {name: value for name, value in self.base.items() if name not in replaced} | varied


def vary(name: str, values: Sequence[Any]) -> Axis:
    """The axis of one setting; raises as ``Axis`` does.

    >>> [cell.name for cell in vary("learning_rate", [0.1, 1.0]).cells]
    ['learning_rate 0.1', 'learning_rate 1']
    """
    return Axis(name, tuple(Cell(f"{name} {_in_words(value)}", {name: value}) for value in values))


def _in_words(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
