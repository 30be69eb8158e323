"""A chest radiograph, drawn.

A radiograph is a shadow: each point of the film shows how much the rays lost on their way through the body.
So the drawing adds up what lies along the ray (soft tissue, bone, heart, liver), takes away where there is air
(lungs, trachea, stomach bubble), and puts the sum through the film's curve. Rounded organs are given the
thickness of an ellipsoid, hollow ones (ribs, the chest wall) that of a shell, which is why edges look right.

Pneumonia fills air spaces with fluid. It is drawn as just that: in patches with soft, cloudy edges the lung
loses part of its air, vessels drown, and air-filled bronchi stay visible.

Coordinates: ``u`` runs from -1 to 1 across the rib cage (negative is the patient's right, on the left of the
film), ``v`` from 0 at the top of the lungs to 1 at their lowest corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from medpriv_core.datasets.synthetic.canvas import (
    CHUNK,
    Array,
    Stroke,
    bump,
    check_request,
    child_streams,
    draw_strokes,
    rough_noise,
    smooth_noise,
    soft_step,
    squared_radius,
    unit_grid,
    wander,
)

CHEST_CLASSES = ("Normal", "Pneumonia")

# Strokes of the letter that marks the patient's right side, in a box of 1 by 1.
_LETTER_R = (
    np.array([(0.0, 1.0), (0.0, 0.0), (0.6, 0.0), (0.75, 0.12), (0.75, 0.38), (0.6, 0.5), (0.0, 0.5)]),
    np.array([(0.3, 0.5), (0.8, 1.0)]),
)


def draw_chest(*, image_size: int, label: int, rng: np.random.Generator) -> Array:
    """One frontal chest radiograph, uint8 of shape (image_size, image_size).

    ``label`` 0 is normal, 1 pneumonia. The same generator state with the other label shows the same patient
    with the other finding; with another size, the same film at another resolution. Raises ``SettingError``.
    """
    check_request(image_size=image_size, label=label, classes=len(CHEST_CLASSES))
    anatomy, disease, film = child_streams(rng, 3)
    body = _Body.of(anatomy, image_size)
    consolidation = _consolidation(disease, body) if label == 1 else np.zeros_like(body.u)
    return _exposed(_absorption(anatomy, body, consolidation), film)


@dataclass(frozen=True)
class _Body:
    """Where one patient's chest lies on the film, as maps over all pixels."""

    size: int
    x: Array  # film coordinates of all pixels after the patient's turn, in unit coordinates
    y: Array
    centre: float  # x of the spine
    top: float  # y of the top of the lungs
    half_width: float  # of the rib cage
    height: float  # of the lungs
    heart_size: float  # 1 = usual
    u: Array
    v: Array
    cage: Array  # half-width of the rib cage at each pixel's height, in u
    air: Array  # thickness of lung along the ray, in [0, 1]
    below: Array  # 1 below the diaphragm, 0 above

    @classmethod
    def of(cls, rng: np.random.Generator, size: int) -> _Body:
        x, y = unit_grid(size)
        tilt = rng.normal(0.0, 0.03)
        x, y = x + tilt * (y - 0.5), y - tilt * (x - 0.5)
        # A slow bend of the whole picture: nobody is symmetric.
        x = x + 0.006 * smooth_noise(rng, cells=4, size=size)
        y = y + 0.006 * smooth_noise(rng, cells=4, size=size)
        centre, top = rng.normal(0.5, 0.015), rng.normal(0.19, 0.03)
        half_width, height = rng.normal(0.365, 0.022), rng.normal(0.6, 0.035)
        heart_size = rng.normal(1.0, 0.07)
        u, v = (x - centre) / half_width, (y - top) / height
        depth = np.clip(v, 0.0, 1.0)
        cage = 0.38 + 0.62 * (1.0 - (1.0 - depth) ** rng.normal(1.85, 0.1)) ** 0.7
        below = soft_step(v - _diaphragm(u, rng), 0.022)
        air = _lung_air(u, v, cage, below)
        return cls(size, x, y, centre, top, half_width, height, heart_size, u, v, cage, air, below)


def _diaphragm(u: Array, rng: np.random.Generator) -> Array:
    """The height ``v`` of the diaphragm's two domes; the right one stands higher, over the liver."""
    right, left = rng.normal(0.80, 0.025), rng.normal(0.85, 0.025)
    dome = np.where(u < 0, right, left).astype(np.float32)
    peak = np.where(u < 0, -0.42, 0.45).astype(np.float32)
    return dome + np.minimum(0.62 * (u - peak) ** 2, 0.6)


def _lung_air(u: Array, v: Array, cage: Array, below: Array) -> Array:
    """Lung along the ray: nothing outside the cage, in the mediastinum, above the apex, below the diaphragm."""
    wall = cage - 0.035
    reach = np.clip(np.abs(u) / wall, 0.0, 1.0)
    thickness = np.sqrt(1.0 - (reach**2) ** 2) * 0.75 + 0.25
    medial = 0.17 + 0.05 * np.clip(v, 0, 1)
    outline = soft_step(wall - np.abs(u), 0.03) * soft_step(np.abs(u) - medial, 0.06)
    # The apex is a rounded vault in each half.
    vault = 0.10 - 0.09 * (1.0 - np.minimum(((np.abs(u) - 0.37) / 0.24) ** 2, 1.2))
    return thickness * outline * soft_step(v - vault, 0.03) * (1.0 - below)


def _consolidation(rng: np.random.Generator, body: _Body) -> Array:
    """Share of the lung's air that is replaced by fluid, in [0, 1], not yet cut to the lungs' outline."""
    side = rng.choice([-1.0, 1.0])
    pattern = rng.choice(["lobar", "patchy", "diffuse"], p=[0.4, 0.4, 0.2])
    if pattern == "lobar":
        foci = [(side * rng.uniform(0.4, 0.65), rng.uniform(0.25, 0.75), rng.uniform(0.2, 0.34))]
        density = rng.uniform(0.55, 0.95)
    elif pattern == "patchy":
        sides = rng.choice([side, -side], size=rng.integers(3, 7), p=[0.7, 0.3])
        foci = [(s * rng.uniform(0.3, 0.75), rng.uniform(0.15, 0.85), rng.uniform(0.09, 0.17)) for s in sides]
        density = rng.uniform(0.5, 0.9)
    else:
        foci = [(s * rng.uniform(0.3, 0.5), rng.uniform(0.4, 0.65), rng.uniform(0.25, 0.4)) for s in (-1.0, 1.0)]
        density = rng.uniform(0.35, 0.7)
    field = np.zeros_like(body.u)
    for u, v, radius in foci:
        radii = (radius * rng.uniform(0.8, 1.2), radius * rng.uniform(0.5, 0.8))
        field = np.maximum(field, bump(body.u, body.v, centre=(u, v), radii=radii, angle=rng.normal(0, 0.5)))
    clouds = rough_noise(rng, cells=7, octaves=3, size=body.size)
    return density * soft_step(field + 0.16 * clouds - 0.42, 0.34)


def _absorption(rng: np.random.Generator, body: _Body, consolidation: Array) -> Array:
    """What the rays lose on their way, in the film's units (about 0 to 1.2)."""
    u, v = np.abs(body.u), body.v
    heart = _heart(body)
    trunk, total = _soft_tissue(rng, body)
    markings = draw_strokes(_lung_vessels(rng, body), body.size) * body.air * (1.0 - heart)
    mediastinum = soft_step(0.27 - u, 0.09) * soft_step(v + 0.3, 0.3)
    spine = soft_step(0.13 - u, 0.03) * (0.08 + 0.035 * np.cos(2 * np.pi * 10.5 * v))
    belly = trunk * body.below * soft_step(body.cage + 0.04 - u, 0.08)
    belly *= 0.15 + 0.015 * smooth_noise(rng, cells=6, size=body.size)

    total += 0.12 * heart + 0.10 * mediastinum + spine + belly
    total -= rng.uniform(0.33, 0.42) * body.air * (1.0 - consolidation) * (1.0 - 0.75 * heart)
    # In a consolidated lung vessels vanish in the fluid, and the air in the bronchi shows in their place.
    total += 0.12 * markings * (1.0 - 1.6 * consolidation)
    return total + _bones(rng, body) - _airways_and_stomach(rng, body)


def _soft_tissue(rng: np.random.Generator, body: _Body) -> tuple[Array, Array]:
    """Thickness of the trunk in [0, 1], and the shade of trunk, shoulders, neck and arms."""
    across = np.abs(body.u)
    girth = rng.normal(1.17, 0.05)
    shoulders = soft_step(0.16 - body.v, 0.22) * soft_step(body.v + 0.34, 0.14)
    half = girth + rng.uniform(0.1, 0.5) * shoulders - 0.85 * soft_step(-0.2 - body.v, 0.12)
    trunk = np.sqrt(np.clip(1.0 - ((across / half) ** 2) ** 2, 0.0, 1.0))
    gap = rng.uniform(1.42, 1.6) + 0.1 * body.v
    arms = np.sqrt(np.clip(1.0 - ((across - gap) / 0.2) ** 2, 0.0, 1.0)) * soft_step(0.9 - body.v, 0.5)
    mottle = 0.012 * rough_noise(rng, cells=8, octaves=3, size=body.size)
    return trunk, 0.06 + (0.50 + mottle) * trunk + 0.2 * np.maximum(arms - trunk, 0.0)


def _heart(body: _Body) -> Array:
    """Thickness of heart and great vessels along the ray, in [0, 1]."""
    unit = 0.5 * (body.half_width + 0.6 * body.height) * body.heart_size
    x, y = (body.x - body.centre) / unit, (body.y - body.top) / unit
    base = body.height / unit  # v = 1 in these units
    chambers = squared_radius(x, y, centre=(0.16, 0.67 * base), radii=(0.62, 0.36), angle=0.80)
    atrium = squared_radius(x, y, centre=(-0.10, 0.66 * base), radii=(0.26, 0.38))
    arch = squared_radius(x, y, centre=(0.08, 0.36 * base), radii=(0.23, 0.34))
    thickness = np.maximum(np.clip(1.0 - chambers, 0.0, 1.0) ** 0.5, 0.9 * np.clip(1.0 - atrium, 0.0, 1.0) ** 0.5)
    return np.maximum(thickness, 0.75 * np.clip(1.0 - arch, 0.0, 1.0) ** 0.5)


def _bones(rng: np.random.Generator, body: _Body) -> Array:
    """Ribs, clavicles and shoulder blades."""
    u, v = np.abs(body.u), body.v
    across = np.clip(u / body.cage, 0.0, 1.0)
    inside = soft_step(body.cage + 0.01 - u, 0.02) * soft_step(v + 0.06, 0.06)
    # The ray runs longest through the shell where it grazes it: the bright rim at the side of the chest.
    graze = np.minimum(1.0 / np.sqrt(1.0 - across**2 + 0.06), 3.2)
    level = v * rng.normal(9.4, 0.5) + rng.uniform(0, 1)
    slope = rng.normal(1.0, 0.2)
    back = _rib_profile(level - slope * (2.3 * across**2 - 0.9 * across), half=0.22)
    front = _rib_profile(level - slope * (1.4 + 1.9 * (1.0 - across)), half=0.18)
    ribs = (back * soft_step(across - 0.12, 0.08) + 0.5 * front * soft_step(across - 0.55, 0.2)) * graze
    rim = 0.03 * graze * soft_step(across - 0.8, 0.2)
    cage = (rng.normal(0.08, 0.012) * ribs + rim) * inside * (1.0 - 0.7 * body.below)
    return cage + _clavicles(rng, u, v) + _shoulders(rng, u, v)


def _rib_profile(level: Array, *, half: float) -> Array:
    """A family of ribs, one at every whole number: a marrow tube with brighter walls."""
    offset = np.abs(level - np.rint(level))
    return 0.7 * soft_step(half - offset, 0.07) + 0.5 * np.exp(-0.5 * ((offset - half) / 0.05) ** 2)


def _clavicles(rng: np.random.Generator, across: Array, v: Array) -> Array:
    tilt, height = rng.normal(0.12, 0.06), rng.normal(0.06, 0.02)
    offset = np.abs(v - height + tilt * (across - 0.2) + 0.02 * np.sin(7.5 * (across - 0.2)))
    offset = offset / (0.022 + 0.016 * soft_step(0.3 - across, 0.12))
    bone = 0.7 * soft_step(1.0 - offset, 0.4) + 0.4 * np.exp(-0.5 * ((offset - 0.9) / 0.3) ** 2)
    return 0.085 * bone * soft_step(across - 0.17, 0.03) * soft_step(1.02 - across, 0.08)


def _shoulders(rng: np.random.Generator, across: Array, v: Array) -> Array:
    """Shoulder blades beside the cage and the heads of the arm bones."""
    out = rng.normal(1.0, 0.05)
    edge = across - out + 0.45 * (v - 0.1)
    blade = soft_step(edge, 0.02) * soft_step(0.25 - edge, 0.25) * soft_step(0.34 - v, 0.1) * soft_step(v + 0.02, 0.06)
    joint = squared_radius(across, v, centre=(out + 0.27, 0.02), radii=(0.15, 0.085))
    return 0.05 * blade + 0.10 * np.clip(1.0 - joint, 0.0, 1.0) ** 0.5


def _lung_vessels(rng: np.random.Generator, body: _Body) -> list[Stroke]:
    """Pulmonary vessels: from each hilum outwards, thinning and forking."""
    sides = np.repeat([-1.0, 1.0], 8)
    fan = np.tile(np.linspace(-1.25, 1.25, 8), 2) + rng.normal(0, 0.12, 16)
    starts = np.stack(
        [
            body.centre + sides * 0.23 * body.half_width,
            body.top + 0.46 * body.height + 0.05 * fan + rng.normal(0, 0.012, 16),
        ],
        axis=1,
    )
    lengths = rng.uniform(0.5, 0.8, 16) * body.half_width
    points, headings = wander(
        rng,
        starts=starts,
        headings=np.where(sides > 0, fan, np.pi - fan),
        lengths=lengths,
        bends=sides * rng.normal(0, 0.5, 16),
        wiggle=0.4,
    )
    forks = np.array([5, 8, 10])
    twigs, _ = wander(
        rng,
        starts=points[:, forks].reshape(-1, 2),
        headings=headings[:, forks].ravel() + rng.choice([-0.6, 0.6], 48),
        lengths=np.repeat(0.45 * lengths, 3),
        bends=rng.normal(0, 0.4, 48),
        wiggle=0.3,
        steps=CHUNK,
    )
    widths = np.linspace(0.018, 0.004, points.shape[1]) * rng.uniform(0.6, 1.2, (16, 1))
    strengths = rng.uniform(0.35, 0.85, 16)
    thinning = np.linspace(0.6, 0.3, twigs.shape[1])
    return [Stroke(*parts) for parts in zip(points, widths, strengths, strict=True)] + [
        Stroke(line, thinning * width, 0.8 * strength)
        for line, width, strength in zip(twigs, widths[:, forks].ravel(), np.repeat(strengths, 3), strict=True)
    ]


def _airways_and_stomach(rng: np.random.Generator, body: _Body) -> Array:
    """Air outside the lungs: the trachea and in some patients a bubble under the left dome."""
    x, y = body.x, body.y
    fork = body.top + 0.34 * body.height
    trachea = soft_step(0.022 - np.abs(x - body.centre + 0.004), 0.012) * soft_step(fork - y, 0.04)
    centre = (body.centre + rng.uniform(0.35, 0.5) * body.half_width, body.top + rng.uniform(1.0, 1.1) * body.height)
    bubble = soft_step(1.0 - squared_radius(x, y, centre=centre, radii=(0.09, rng.uniform(0.03, 0.06))), 0.5)
    gas = 0.1 if rng.random() < 0.5 else 0.0
    return 0.07 * trachea + gas * bubble * body.below


def _exposed(absorption: Array, rng: np.random.Generator) -> Array:
    """The film: exposure, contrast, side mark, blur and grain; uint8."""
    size = len(absorption)
    exposure, contrast = rng.normal(0.0, 0.035), rng.normal(1.0, 0.1)
    picture = contrast * (absorption - 0.45) + 0.45 + exposure
    picture = 0.98 / (1.0 + np.exp(-5.2 * (picture - 0.47))) - 0.05
    mark = np.array([rng.uniform(0.03, 0.09), rng.uniform(0.06, 0.4)])
    letter = [Stroke(mark + part * (0.035, 0.045), np.full(len(part), 0.008)) for part in _LETTER_R]
    picture = np.maximum(picture, rng.uniform(0.75, 0.95) * draw_strokes(letter, size))
    picture = scipy.ndimage.gaussian_filter(picture, rng.uniform(0.3, 0.6) * size / 128)
    grain = rng.standard_normal((size, size), dtype=np.float32) * rng.uniform(0.006, 0.014)
    return np.round(np.clip(picture + grain, 0.0, 1.0) * 255).astype(np.uint8)
