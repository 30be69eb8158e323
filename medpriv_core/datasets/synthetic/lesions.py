"""Lesions of diabetic retinopathy, grade by grade.

High blood sugar damages the walls of the retina's capillaries. First they bulge (microaneurysms, red dots), then
leak and break (haemorrhages; fatty deposits called exudates), then close (cotton-wool spots, veins of uneven
calibre), until the starved retina grows new, fragile vessels that bleed into the eye. The counts follow the
international clinical severity scale (Wilkinson et al., Ophthalmology 2003) in its order, not in its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from medpriv_core.datasets.synthetic.canvas import Array, Spot, Stroke, draw_spots, draw_strokes, wander
from medpriv_core.datasets.synthetic.retina import Eye

_CORNERS = np.linspace(0.0, 2 * np.pi, 13)[:-1]


@dataclass(frozen=True)
class Findings:
    """How much of each lesion one eye has."""

    microaneurysms: int
    blots: int  # round haemorrhages, deep in the retina
    flames: int  # streaky haemorrhages, along the nerve fibres
    exudate_clusters: int
    cotton_wool: int
    beading: float  # relative swing of the veins' calibre
    new_vessels: int
    preretinal: bool  # a pool of blood before the retina

    @classmethod
    def of_grade(cls, grade: int, rng: np.random.Generator) -> Findings:
        """Findings drawn at random for a grade from 0 to 4; neighbouring grades overlap in every count."""

        def between(bounds: tuple[int, int]) -> int:
            return int(rng.integers(bounds[0], bounds[1] + 1))

        return cls(
            microaneurysms=between(((0, 0), (3, 7), (6, 16), (10, 24), (4, 18))[grade]),
            blots=between(((0, 0), (0, 0), (2, 8), (10, 22), (2, 16))[grade]),
            flames=between(((0, 0), (0, 0), (0, 3), (3, 9), (0, 6))[grade]),
            exudate_clusters=between(((0, 0), (0, 0), (0, 3), (1, 5), (0, 3))[grade]),
            cotton_wool=between(((0, 0), (0, 0), (0, 1), (1, 4), (0, 3))[grade]),
            beading=(0.0, 0.0, 0.0, 0.4, 0.25)[grade],
            new_vessels=between(((0, 0), (0, 0), (0, 0), (0, 0), (14, 26))[grade]),
            preretinal=bool(rng.random() < (0.0, 0.0, 0.0, 0.0, 0.7)[grade]),
        )


@dataclass(frozen=True)
class Lesions:
    """Coverage maps in [0, 1], float32 of shape (size, size)."""

    blood: Array
    exudate: Array
    cotton_wool: Array


def draw_lesions(rng: np.random.Generator, eye: Eye, findings: Findings, size: int) -> Lesions:
    """The lesions of one eye as coverage maps."""
    blood = [_blot(rng, _anywhere(rng, eye), rng.uniform(0.0055, 0.008)) for _ in range(findings.microaneurysms)]
    blood += [_blot(rng, _anywhere(rng, eye), rng.uniform(0.009, 0.021)) for _ in range(findings.blots)]
    blood += [_flame(rng, _anywhere(rng, eye), eye) for _ in range(findings.flames)]
    if findings.preretinal:
        blood.append(_pool(rng, eye))
    exudate = [spot for _ in range(findings.exudate_clusters) for spot in _exudates(rng, eye)]
    wool = [_blot(rng, _anywhere(rng, eye), rng.uniform(0.018, 0.03)) for _ in range(findings.cotton_wool)]
    tangle = _new_vessels(rng, eye, findings.new_vessels)
    return Lesions(
        blood=_soft(np.maximum(draw_spots(blood, size), draw_strokes(tangle, size)), 0.003),
        exudate=draw_spots(exudate, size),
        cotton_wool=_soft(draw_spots(wool, size), 0.009),
    )


def _soft(coverage: Array, blur: float) -> Array:
    return scipy.ndimage.gaussian_filter(coverage, blur * len(coverage), truncate=3.0) if coverage.any() else coverage


def _anywhere(rng: np.random.Generator, eye: Eye) -> Array:
    """A random place on the retina, off the disc and away from the field's edge."""
    reach = 0.85 * min(eye.field_radius, eye.field_height)
    while True:
        place = rng.uniform(0.5 - reach, 0.5 + reach, 2)
        off_disc = np.hypot(*(place - eye.disc)) > 1.6 * eye.disc_radius
        if off_disc and np.hypot(*(place - 0.5)) < reach:
            return place


def _patch(rng: np.random.Generator, place: Array, radii: tuple[float, float], angle: float, rough: float) -> Spot:
    """A spot with a ragged edge, more or less dense."""
    edge = 1.0 + rough * rng.uniform(-1.0, 1.0, len(_CORNERS))
    along, across = radii[0] * edge * np.cos(_CORNERS), radii[1] * edge * np.sin(_CORNERS)
    cos, sin = np.cos(angle), np.sin(angle)
    outline = place + np.stack([cos * along - sin * across, sin * along + cos * across], axis=1)
    return Spot(outline, rng.uniform(0.6, 1.0))


def _blot(rng: np.random.Generator, place: Array, radius: float) -> Spot:
    return _patch(rng, place, (radius * rng.uniform(1.0, 1.4), radius), rng.uniform(0, np.pi), 0.25)


def _flame(rng: np.random.Generator, place: Array, eye: Eye) -> Spot:
    away = place - eye.disc
    angle = float(np.arctan2(away[1], away[0])) + rng.normal(0.0, 0.3)
    return _patch(rng, place, (rng.uniform(0.025, 0.045), rng.uniform(0.005, 0.009)), angle, 0.4)


def _exudates(rng: np.random.Generator, eye: Eye) -> list[Spot]:
    """A cluster of small waxy spots, part of a ring around a leak, mostly near the macula."""
    distance, bearing = rng.uniform(0.05, 0.22), rng.uniform(0, 2 * np.pi)
    leak = np.asarray(eye.fovea) + distance * np.array([np.cos(bearing), np.sin(bearing)])
    number = int(rng.integers(7, 20))
    around = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 1.4 * np.pi, number)
    ring = rng.uniform(0.02, 0.05) * rng.normal(1.0, 0.2, number)
    places = leak + np.stack([np.cos(around), np.sin(around)], axis=1) * ring[:, None]
    return [_blot(rng, place, rng.uniform(0.003, 0.009)) for place in places]


def _new_vessels(rng: np.random.Generator, eye: Eye, number: int) -> list[Stroke]:
    """Fine, curly vessels that sprout on the disc and grow over its edge."""
    around = rng.uniform(0, 2 * np.pi) + rng.normal(0.0, 1.0, number)
    starts = eye.disc + 0.7 * eye.disc_radius * np.stack([np.cos(around), np.sin(around)], axis=1)
    points, _ = wander(
        rng,
        starts=starts,
        headings=around + rng.normal(0, 0.5, number),
        lengths=rng.uniform(0.08, 0.22, number),
        bends=rng.normal(0.0, 2.5, number),
        wiggle=2.0,
    )
    widths = np.full(points.shape[1], 0.0055)
    return [Stroke(line, widths, 0.85) for line in points]


def _pool(rng: np.random.Generator, eye: Eye) -> Spot:
    """Blood that has sunk before the retina: boat-shaped, with a level surface."""
    reach = 0.6 * min(eye.field_radius, eye.field_height)
    angle = rng.uniform(0, 2 * np.pi)
    centre = np.array([0.5, 0.5]) + reach * rng.uniform(0.4, 1.0) * np.array([np.cos(angle), np.sin(angle)])
    half = rng.uniform(0.05, 0.11)
    turn = np.linspace(0.0, np.pi, 20)
    hull = np.stack([half * np.cos(turn), half * rng.uniform(0.4, 0.8) * np.sin(turn)], axis=1)
    hull *= 1.0 + 0.05 * rng.uniform(-1.0, 1.0, (len(turn), 1))
    return Spot(centre + hull, 1.0)
