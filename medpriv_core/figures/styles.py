"""How groups of runs are drawn in a chart: a colour for each method, a dash and a marker for each strength of noise.

Nothing is told by colour alone. The authors' runs are grey, with the dash of the strength that the paper calls alike;
where several of their notebooks did the same, the marks of every second one are hollow.
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
VARIANTS = ("", "-open")
OPACITIES = (1.0, 0.85, 0.7)
# One number for the whole picture protects nothing, so it must not look like noise for each pixel.
OTHER_NOISE_MARKER = "triangle-up"
AUTHORS_RANKS: dict[float | None, int] = {1.0: 0, 2.0: 1, 4.0: 2}  # by beta; without privacy there is none


@dataclass(frozen=True)
class GroupStyle:
    """Of one group: ``marker`` and its plain form ``shape`` are plotly symbols, ``band`` the colour of its interval."""

    colour: str
    dash: str
    marker: str
    shape: str
    opacity: float
    band: str


def styles_of(groups: Sequence[Group]) -> list[GroupStyle]:
    """A style for each group, in the order of ``groups``; groups of one method differ in dash and marker."""
    ranks: dict[tuple[str, bool], int] = {}
    versions = sorted({group.first.version or 0 for group in groups if group.first.source == "authors"})
    layers = [name for name in get_args(Trainable) if any(_trained(group) == name for group in groups)]
    styles = []
    for group in groups:
        first = group.first
        authors = first.source == "authors"
        marker = _marker(first)
        # Where last layer and all layers stand side by side, hollow markers tell the latter.
        hollow = not authors and first.trainable != layers[0]
        kind = (marker, hollow)
        rank = AUTHORS_RANKS.get(first.beta, 0) if authors else ranks.setdefault(kind, 0)
        if not authors:
            ranks[kind] += 1
        variant = hollow if len(layers) > 1 else rank
        if authors:
            variant = versions.index(first.version or 0)
        colour = REFERENCE_COLOUR if authors else METHOD_STYLES[first.method].colour
        styles.append(
            GroupStyle(
                colour=colour,
                # No noise is a solid line; the weakest noise is the first broken one.
                dash=DASHES[(rank + (first.method != "none")) % len(DASHES)],
                marker=marker + VARIANTS[variant % len(VARIANTS)],
                shape=marker,
                opacity=OPACITIES[min(rank, len(OPACITIES) - 1)],
                band=_transparent(colour),
            )
        )
    return styles


def _trained(group: Group) -> Trainable | None:
    """What learned; None for the authors' runs, which are grey and told apart by that."""
    return None if group.first.source == "authors" else group.first.trainable


def _marker(result: Result) -> str:
    return OTHER_NOISE_MARKER if unusual_noise(result.noise_draw) else METHOD_STYLES[result.method].marker


def _transparent(colour: str) -> str:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"
