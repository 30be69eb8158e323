"""A fundus photograph, drawn.

A fundus camera looks through the pupil at the back of the eye: a round field on black, the pale disc where the
optic nerve leaves, the dark macula beside it, and the tree of arteries and veins that grows out of the disc and
arches around the macula. Blood takes away green and blue light, so vessels and haemorrhages are drawn by
multiplying, deposits (exudates, cotton-wool spots) by mixing in their own colour.

The picture is composed for a right eye (disc on the right); left eyes are its mirror image. Brightness and
colour vary from patient to patient, not from grade to grade: what tells the grades apart are the lesions
(see ``lesions``), as in the clinic.
"""

from __future__ import annotations

import numpy as np
import scipy

from medpriv_core.datasets.synthetic.canvas import (
    Array,
    bump,
    check_request,
    child_streams,
    draw_strokes,
    rough_noise,
    smooth_noise,
    soft_step,
    squared_radius,
    unit_grid,
)
from medpriv_core.datasets.synthetic.lesions import Findings, Lesions, draw_lesions
from medpriv_core.datasets.synthetic.retina import Eye, vessel_tree

FUNDUS_CLASSES = ("No DR", "Mild", "Moderate", "Severe", "Proliferative")


def _colour(red: float, green: float, blue: float) -> Array:
    """A colour of shape (3, 1, 1): pictures are three planes until they are done, which numpy handles faster."""
    return np.array([red, green, blue], dtype=np.float32).reshape(3, 1, 1)


_BLOOD = _colour(0.42, 0.74, 0.66)  # how much of each light a thick layer of blood takes away
_EXUDATE = _colour(1.0, 0.88, 0.42)
_COTTON_WOOL = _colour(0.95, 0.84, 0.66)
_HAZE = _colour(0.9, 0.75, 0.6)


def draw_fundus(*, image_size: int, label: int, rng: np.random.Generator) -> Array:
    """One fundus photograph, uint8 of shape (image_size, image_size, 3), of diabetic retinopathy grade ``label``.

    Grades run from 0 (none) to 4 (proliferative). The same generator state with another grade shows the same
    eye with other lesions; with another size, the same photograph at another resolution. Raises
    ``SettingError``.
    """
    check_request(image_size=image_size, label=label, classes=len(FUNDUS_CLASSES))
    anatomy, disease, film = child_streams(rng, 3)
    eye = Eye.of(anatomy)
    findings = Findings.of_grade(label, disease)
    x, y = unit_grid(image_size)
    vessels = draw_strokes(vessel_tree(anatomy, eye, beading=findings.beading), image_size)
    retina = _retina(film, eye, x, y)
    lesions = draw_lesions(disease, eye, findings, image_size)
    planes = _photographed(_composed(retina, vessels, lesions, eye, x, y), eye, film, x, y)
    picture = np.moveaxis(planes, 0, 2)
    return np.ascontiguousarray(picture[:, ::-1] if eye.left else picture)


def _retina(rng: np.random.Generator, eye: Eye, x: Array, y: Array) -> Array:
    """Pigment, choroid and macula in colour, before vessels and disc; shape (3, size, size)."""
    size = len(x)
    red, green = rng.uniform(0.52, 0.88), rng.uniform(0.36, 0.60)
    tint = _colour(red, red * green, red * green * rng.uniform(0.2, 0.75))
    texture = 0.05 * rough_noise(rng, cells=5, octaves=4, size=size)
    # Between the choroid's vessels darker pigment shows, more in some eyes: the ridges of a noise make such a net.
    ridges = soft_step(0.35 - np.abs(smooth_noise(rng, cells=14, size=size)), 0.35)
    texture -= 0.06 * rng.random() ** 2 * ridges
    pit = rng.uniform(0.18, 0.32) * bump(x, y, centre=eye.fovea, radii=(0.075, 0.065))
    pit += rng.uniform(0.10, 0.20) * bump(x, y, centre=eye.fovea, radii=(0.024, 0.022))
    relief = 1.0 + texture - pit
    return tint * np.stack([0.4 + 0.6 * relief, relief, relief])


def _composed(retina: Array, vessels: Array, lesions: Lesions, eye: Eye, x: Array, y: Array) -> Array:
    """Retina with disc, vessels and lesions on it."""
    distance = np.sqrt(squared_radius(x, y, centre=eye.disc, radii=(eye.disc_radius * 0.93, eye.disc_radius)))
    disc, cup = soft_step(1.0 - distance, 0.14), soft_step(eye.cup - distance, 0.2)
    red = retina[0]
    nerve = red * _colour(1.22, 0.92, 0.48) + cup * _colour(0.04, 0.16, 0.18) + 0.10
    picture = _mixed(retina, nerve, 0.92 * disc)
    picture = _mixed(picture, _COTTON_WOOL * (red + 0.1), 0.75 * lesions.cotton_wool)
    no_vessel = bump(x, y, centre=eye.fovea, radii=(0.035, 0.035))
    picture *= 1.0 - vessels * (1.0 - 0.9 * no_vessel) * (0.85 * _BLOOD)
    picture = _mixed(picture, _EXUDATE * (red + 0.25), 0.95 * lesions.exudate)
    return picture * (1.0 - lesions.blood * _BLOOD)


def _mixed(below: Array, above: Array, cover: Array) -> Array:
    return below + cover * (above - below)


def _photographed(picture: Array, eye: Eye, rng: np.random.Generator, x: Array, y: Array) -> Array:
    """The camera: uneven light, haze of the eye's media, focus, round field, grain; uint8."""
    size = len(x)
    off_centre = np.hypot(x - rng.normal(0.5, 0.05), y - rng.normal(0.5, 0.05))
    light = rng.normal(0.98, 0.08) - rng.uniform(0.5, 1.3) * off_centre**2
    haze = max(0.0, rng.normal(0.03, 0.03))
    picture = picture * (light * (1.0 - haze)) + haze * _HAZE
    blur = rng.uniform(0.25, 0.6) * size / 128
    picture = scipy.ndimage.gaussian_filter(picture, (0, blur, blur))
    field = soft_step(eye.field_radius - np.hypot(x - 0.5, y - 0.5), 0.006)
    field = field * soft_step(eye.field_height - np.abs(y - 0.5), 0.004)
    grain = rng.standard_normal((3, size, size), dtype=np.float32) * rng.uniform(0.006, 0.014)
    picture = np.clip((picture + grain) * field + 0.01, 0.0, 1.0)
    return np.round(picture * 255).astype(np.uint8)
