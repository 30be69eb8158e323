"""The eye behind a fundus photograph: where disc and macula lie, and how its vessels grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.synthetic.canvas import CHUNK, Array, Stroke, wander

# The eight main vessels: first heading from the disc (radians, y points down), turn on the way, length.
# Temporal ones arch over and under the macula, nasal ones run straight; of each pair the first is the artery.
_MAINS = np.array(
    [
        (-2.00, -1.40, 0.80),
        (-1.75, -1.55, 0.84),
        (2.00, 1.40, 0.80),
        (1.75, 1.55, 0.84),
        (-1.00, 0.35, 0.34),
        (-0.65, 0.15, 0.34),
        (1.00, -0.35, 0.34),
        (0.65, -0.15, 0.34),
    ]
)
_ARTERY = np.array([True, False] * 4)
_TRUNK_FORKS = np.array([4, 7, 10, 13, 15])
_BRANCH_FORKS = np.array([4, 7])


@dataclass(frozen=True)
class Eye:
    """One eye in unit coordinates, as a right eye; ``left`` asks for its mirror image."""

    left: bool
    field_radius: float
    field_height: float  # half-height at which the camera's frame cuts the round field
    disc: tuple[float, float]
    disc_radius: float
    cup: float  # cup-to-disc ratio
    fovea: tuple[float, float]
    vessel_width: float  # of the largest vein
    tortuosity: float

    @classmethod
    def of(cls, rng: np.random.Generator) -> Eye:
        disc = (rng.normal(0.755, 0.035), rng.normal(0.48, 0.03))
        radius = rng.normal(0.060, 0.005)
        return cls(
            left=bool(rng.random() < 0.5),
            field_radius=rng.uniform(0.455, 0.49),
            field_height=0.5 if rng.random() < 0.5 else rng.uniform(0.37, 0.46),
            disc=disc,
            disc_radius=radius,
            cup=rng.uniform(0.3, 0.6),
            fovea=(disc[0] - rng.normal(5.0, 0.25) * radius, disc[1] + rng.normal(0.03, 0.015)),
            vessel_width=rng.normal(0.0145, 0.0015),
            tortuosity=rng.uniform(0.25, 0.6),
        )


def vessel_tree(rng: np.random.Generator, eye: Eye, *, beading: float) -> list[Stroke]:
    """Arteries and veins in three generations, thinning outwards.

    ``beading`` is the relative swing of the veins' calibre, 0 in a healthy eye: a sign of severe retinopathy.
    Arteries are paler and narrower than veins.
    """
    count = len(_MAINS)
    scatter = rng.normal(0.0, 1.0, (count, 3)) * (0.10, 0.12, 0.03)
    first, turn, length = (_MAINS + scatter).T
    starts = np.asarray(eye.disc) + rng.normal(0.0, 0.12, (count, 2)) * eye.disc_radius
    trunks, headings = wander(
        rng, starts=starts, headings=first, lengths=length, bends=turn, wiggle=eye.tortuosity, steps=4 * CHUNK
    )
    calibre = np.where(_ARTERY, 0.72, 1.0) * np.repeat([1.0, 0.65], 4)
    widths = calibre * eye.vessel_width * rng.uniform(0.8, 1.05, count)
    widths = widths[:, None] * np.linspace(1.0, 0.4, trunks.shape[1])

    branches, branch_headings, branch_lengths, branch_widths = _offspring(
        rng, trunks, headings, length, widths, forks=_TRUNK_FORKS, share=0.42, wiggle=eye.tortuosity, steps=2 * CHUNK
    )
    twigs, _, _, twig_widths = _offspring(
        rng,
        branches,
        branch_headings,
        branch_lengths,
        branch_widths,
        forks=_BRANCH_FORKS,
        share=0.55,
        wiggle=eye.tortuosity,
        steps=CHUNK,
    )
    strokes = []
    for lines, calibres in ((trunks, widths), (branches, branch_widths), (twigs, twig_widths)):
        shades = np.repeat(np.where(_ARTERY, 0.62, 1.0), len(lines) // count)
        strokes += [Stroke(*parts) for parts in zip(lines, calibres, shades, strict=True)]
    if beading:
        strokes[:count] = [
            trunk if is_artery else _beaded(trunk, beading)
            for trunk, is_artery in zip(strokes[:count], _ARTERY, strict=True)
        ]
    return strokes


def _beaded(vein: Stroke, swing: float) -> Stroke:
    """The same vein like a string of beads, now wider, now narrower."""
    place = np.arange(len(vein.widths))
    fine = np.linspace(0.0, place[-1], 32 * CHUNK + 1)
    points = np.stack([np.interp(fine, place, column) for column in vein.points.T], axis=1)
    wave = 1.0 + swing * np.cos((np.arange(len(fine)) - (CHUNK + 1) // 2) * np.pi / CHUNK)
    return Stroke(points, np.interp(fine, place, vein.widths) * wave, vein.strength)


def _offspring(
    rng: np.random.Generator,
    parents: Array,
    headings: Array,
    lengths: Array,
    widths: Array,
    *,
    forks: Array,
    share: float,
    wiggle: float,
    steps: int,
) -> tuple[Array, Array, Array, Array]:
    """The next generation: one line at each fork, alternating sides; points, headings, lengths, widths."""
    sides = np.where(np.arange(len(forks)) % 2, 1.0, -1.0) * rng.choice([-1.0, 1.0], (len(parents), 1))
    number = sides.size
    own_lengths = np.repeat(lengths, len(forks)) * share * rng.uniform(0.5, 1.1, number)
    lines, own_headings = wander(
        rng,
        starts=parents[:, forks].reshape(number, 2),
        headings=headings[:, forks].ravel() + sides.ravel() * rng.uniform(0.5, 1.0, number),
        lengths=own_lengths,
        bends=-0.5 * sides.ravel() * rng.uniform(0.0, 1.0, number),
        wiggle=wiggle,
        steps=steps,
    )
    calibre = widths[:, forks].ravel() * rng.uniform(0.45, 0.75, number)
    return lines, own_headings, own_lengths, calibre[:, None] * np.linspace(1.0, 0.45, lines.shape[1])
