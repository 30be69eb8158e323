"""How groups of runs are drawn in a chart, the same in each: what a colour, a marker and a dash stand for.

- A marker stands for the method, a triangle for one random number a picture; it is hollow for training images.
- One's own runs have the colour of their method. With them on screen all others are grey, else the authors' alone.
- A dash stands for the strength of the noise, for the authors' runs as the paper calls it.
- Where last layer and all layers stand side by side, the lines and markers of all layers are larger.

Nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from medpriv_core.mechanisms.in_runs import unusual_noise
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.results.groups import Group
from medpriv_core.results.result import Result
from medpriv_core.spec import Trainable

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
REPEATED = 3  # by so many dashes the authors' second notebooks differ from the first
LONGEST_NAME = 28  # letters beside a point
OPACITIES = (1.0, 0.85, 0.7)
# One number for the whole picture protects nothing, so it must not look like noise for each pixel.
OTHER_NOISE_MARKER = "triangle-up"
AUTHORS_RANKS: dict[float | None, int] = {1.0: 0, 2.0: 1, 4.0: 2}  # by beta; without privacy there is none


@dataclass(frozen=True)
class GroupStyle:
    """Of one group: ``shape`` is a plotly symbol, ``band`` the colour of its interval; ``large``: of more layers."""

    colour: str
    dash: str
    shape: str
    opacity: float
    band: str
    large: bool = False


def styles_of(groups: Sequence[Group]) -> list[GroupStyle]:
    """A style for each group, in the order of ``groups``; groups of one method differ in dash and marker."""
    ranks: dict[tuple[str, bool, bool], int] = {}
    versions = sorted({group.first.version or 0 for group in groups if group.first.source == "authors"})
    layers = [name for name in get_args(Trainable) if any(_trained(group) == name for group in groups)]
    with_own = any(group.own for group in groups)
    styles = []
    for group in groups:
        first = group.first
        shape, authors = _marker(first), first.source == "authors"
        large = not authors and first.trainable != layers[0]
        if authors:
            rank = AUTHORS_RANKS.get(first.beta, 0) + REPEATED * versions.index(first.version or 0)
        else:
            kind = (shape, large, group.own)
            rank = ranks.setdefault(kind, 0)
            ranks[kind] += 1
        colour = REFERENCE_COLOUR if authors or (with_own and not group.own) else METHOD_STYLES[first.method].colour
        styles.append(
            GroupStyle(
                colour=colour,
                # No noise is a solid line; the weakest noise is the first broken one.
                dash=DASHES[(rank + (first.method != "none")) % len(DASHES)],
                shape=shape,
                opacity=OPACITIES[min(rank, len(OPACITIES) - 1)],
                band=_transparent(colour),
                large=large,
            )
        )
    return styles


def name_at_point(group: Group) -> str:
    """What stands beside a point or the end of a line, cut off where it would be too long."""
    name = group.name or group.label
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


def _trained(group: Group) -> Trainable | None:
    """What learned; None for the authors' runs, which are grey and told apart by that."""
    return None if group.first.source == "authors" else group.first.trainable


def _marker(result: Result) -> str:
    return OTHER_NOISE_MARKER if unusual_noise(result.noise_draw) else METHOD_STYLES[result.method].marker


def _transparent(colour: str) -> str:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"
