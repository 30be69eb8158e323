"""One image under gradient inversion: what the attacker gets without DP, with clipping alone, and with noise.

Likenesses are measured on values in [0, 1] before they are rounded to bytes, so that an exact answer can be told from
a good one. Beside them stand the bound of an attacker without prior knowledge, and the floor: the average of other
images, an answer that needs no gradient at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from medpriv_core.attacks.filters import smoothers
from medpriv_core.attacks.inversion import (
    Estimate,
    Gradients,
    best_estimate,
    clip_factors,
    guess_cutoffs,
    imprint_gradients,
    invert_linear,
    is_isolated,
    nearest,
    read_imprint,
    with_noise,
)
from medpriv_core.attacks.risk import Filter, Risk, RiskMeter
from medpriv_core.attacks.similarity import likeness
from medpriv_core.attacks.undo import DEFAULT_CHOICES, attackers_choice
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.laplace import to_bytes, to_unit
from medpriv_core.privacy.reconstruction import ReconstructionBound

LARGEST_SIDE = 128  # pixels; the imprint layer holds 200 images of that size
LARGEST_BATCH = 256
LARGEST_NOISE = 1e6
USUAL_BATCH, USUAL_CLIPPING_NORM = 8, 1.0
_MIDDLE_GREY = 0.5


@dataclass(frozen=True, eq=False)
class Panel:
    """One image and how like the original it is; higher is more alike.

    name            for keys and tables, e.g. "clipped"
    title           for the screen
    image           uint8, shape of the original
    psnr_db         decibels, of values cut off at black and white; infinite for the same image
    ssim            -1 to 1; None for images with a side under 7 pixels
    correlation     -1 to 1; None where one of both has one colour only
    unclamped_db    PSNR before values are cut off, which the bound is about; None where nothing is cut off
    """

    name: str
    title: str
    image: np.ndarray
    psnr_db: float
    ssim: float | None
    correlation: float | None
    unclamped_db: float | None = None


@dataclass(frozen=True, eq=False)
class Inversion:
    """All that one inversion gave.

    panels              original, no_dp, clipped, noised, best_estimate, denoised, in this order
    single              what a plain linear layer and a batch of one give: single_clipped, single_noised
    floor               the average of the other images; None where there is no other
    isolated            whether the imprint layer had the image in a bin of its own; otherwise it gives a mixture
    noise_multiplier    sigma
    clipping_norm       C
    batch_size          images of the batch, this one included
    denoiser            title of the filter that the attacker chose for the last panel
    bound               of an attacker without prior knowledge; None for an all-black image, which has no gradient
    """

    panels: tuple[Panel, ...]
    single: tuple[Panel, ...]
    floor: Panel | None
    isolated: bool
    noise_multiplier: float
    clipping_norm: float
    batch_size: int
    denoiser: str
    bound: ReconstructionBound | None

    def panel(self, name: str) -> Panel:
        """The panel of this name."""
        return next(panel for panel in (*self.panels, *self.single) if panel.name == name)


def invert(
    pictures: np.ndarray,
    place: int,
    *,
    noise_multiplier: float,
    clipping_norm: float = USUAL_CLIPPING_NORM,
    batch_size: int = USUAL_BATCH,
    seed: int = 0,
) -> Inversion:
    """Run the attack on one image among others.

    Args:
        pictures: uint8 (n, h, w, channels) with 1 or 3 channels, sides of 1 to 128 pixels; the image and others of its
            kind. The batch takes some of the others; of the rest the attacker knows how bright they are.
        place: Which of them is attacked.
        noise_multiplier: sigma, 0 to 1e6; 0 adds no noise.
        clipping_norm: C, above 0, at most 1e6.
        batch_size: 1 to 256; fewer where there are not so many images.
        seed: Of the noise, so that a demonstration can be repeated.

    Returns:
        Panels and figures.

    Raises:
        SettingError: A value is outside these bounds.
    """
    _check(pictures, place, noise_multiplier, clipping_norm, batch_size)
    rng = np.random.default_rng(seed)
    original = pictures[place]
    flat = to_unit(pictures).reshape(len(pictures), -1).astype(np.float64)
    judge = _Judge(original.shape, flat[place])
    others = np.delete(np.arange(len(pictures)), place)
    beside = others[np.linspace(0, len(others) - 1, min(batch_size - 1, len(others))).astype(int)]
    batch = flat[np.concatenate([[place], beside])]
    known = flat[np.setdiff1d(others, beside)]
    cutoffs = guess_cutoffs(known.mean(axis=1) if len(known) else np.empty(0))

    def imprinted(clipped: bool, deviation: float = 0.0) -> np.ndarray:
        gradients = imprint_gradients(batch, cutoffs, clipping_norm=clipping_norm if clipped else None)
        found = nearest(read_imprint(with_noise(gradients, deviation, rng)), flat[place])
        return np.full_like(flat[place], _MIDDLE_GREY) if found is None else found

    deviation = noise_multiplier * clipping_norm
    estimate = best_estimate(flat[place], noise_multiplier=noise_multiplier, clipping_norm=clipping_norm, rng=rng)
    denoiser, denoised = _denoise((original.shape[0], original.shape[1], original.shape[2]), estimate)
    panels = (
        judge.panel("original", "Original", flat[place]),
        judge.panel("no_dp", "No DP", imprinted(clipped=False)),
        judge.panel("clipped", "Clipping alone", imprinted(clipped=True)),
        judge.panel("noised", "Clipping and noise", imprinted(clipped=True, deviation=deviation)),
        judge.panel("best_estimate", "Best estimate", estimate.values, cut_off=True),
        judge.panel("denoised", "Best estimate, denoised", denoised),
    )
    return Inversion(
        panels=panels,
        single=_attack_single(flat[place], judge, clipping_norm, deviation, rng),
        floor=judge.panel("floor", "Average of other images", flat[others].mean(axis=0)) if len(others) else None,
        isolated=is_isolated(batch, 0, cutoffs),
        noise_multiplier=noise_multiplier,
        clipping_norm=clipping_norm,
        batch_size=len(batch),
        denoiser=denoiser,
        bound=_bound(flat[place], noise_multiplier),
    )


class _Judge:
    """Makes panels of vectors, and says how like the original they are."""

    def __init__(self, shape: tuple[int, ...], original: np.ndarray) -> None:
        self.shape = shape
        self._original = original.reshape(shape)

    def panel(self, name: str, title: str, values: np.ndarray, *, cut_off: bool = False) -> Panel:
        image = np.clip(values, 0, 1).reshape(self.shape)
        alike = likeness(self._original, image, data_range=1.0)
        whole = likeness(self._original, values.reshape(self.shape), data_range=1.0).psnr_db if cut_off else None
        return Panel(name, title, to_bytes(image), alike.psnr_db, alike.ssim, alike.correlation, whole)


def _attack_single(
    image: np.ndarray, judge: _Judge, clipping_norm: float, deviation: float, rng: np.random.Generator
) -> tuple[Panel, Panel]:
    """A linear layer of two outputs at the start of training, and a batch of one."""
    outputs = np.array([0.5, -0.5])  # the gradient of the cross-entropy where both classes are equally likely
    norm = np.linalg.norm(outputs) * math.hypot(float(np.linalg.norm(image)), 1)
    factor = float(clip_factors(np.array([norm]), clipping_norm)[0])
    clipped = Gradients(factor * np.outer(outputs, image), factor * outputs)
    noised = with_noise(clipped, deviation, rng)
    return (
        judge.panel("single_clipped", "One image, clipped", invert_linear(clipped.weights, clipped.biases)),
        judge.panel("single_noised", "One image, clipped and noised", invert_linear(noised.weights, noised.biases)),
    )


@dataclass(frozen=True, eq=False)
class _Filtered:
    """What one filter made of the estimate, and how far off that is as far as the attacker can tell."""

    name: str
    title: str
    values: np.ndarray  # float32, shape of the original, not cut off
    picture: np.ndarray  # the same as uint8
    risk: Risk | None


def _denoise(shape: tuple[int, int, int], estimate: Estimate) -> tuple[str, np.ndarray]:
    """The filter that the attacker chooses without the original, and what it makes of the estimate, float (N,)."""
    values = estimate.values.reshape(shape).astype(np.float32)
    if estimate.noise_deviation == 0:
        return "none", estimate.values
    filters = smoothers(shape[:2], noise_deviation=estimate.noise_deviation)
    default = next(smoother for smoother in filters if smoother.name in DEFAULT_CHOICES)
    meter = None
    if RiskMeter.can_measure(values, estimate.noise_deviation):
        meter = RiskMeter(values, noise_deviation=estimate.noise_deviation, yardstick=default.smooth)

    def apply(name: str, title: str, smooth: Filter) -> _Filtered:
        smooth_values = smooth(values)
        risk = meter.measure(smooth, smooth_values) if meter else None
        return _Filtered(name, title, smooth_values, to_bytes(smooth_values), risk)

    # A median jumps, so how far off it is cannot be estimated, and who knows the noise has no need of it.
    usable = [one for one in filters if one.estimates == "mean"]
    chosen = attackers_choice(
        [apply("as_is", "none", lambda same: same), *(apply(one.name, one.title, one.smooth) for one in usable)]
    )
    return chosen.title, chosen.values.reshape(-1).astype(np.float64)


def _bound(image: np.ndarray, noise_multiplier: float) -> ReconstructionBound | None:
    norm = float(np.linalg.norm(image))
    return ReconstructionBound(noise_multiplier, image.size, norm) if norm > 0 else None


def _check(pictures: np.ndarray, place: int, sigma: float, clipping_norm: float, batch_size: int) -> None:
    if pictures.ndim != 4 or pictures.dtype != np.uint8 or pictures.shape[3] not in (1, 3) or not pictures.size:
        raise SettingError("The images must be of one size, with 8 bits a channel and 1 or 3 channels.")
    if max(pictures.shape[1:3]) > LARGEST_SIDE:
        raise SettingError(
            f"The images have {pictures.shape[2]} × {pictures.shape[1]} pixels; the attack works on at most "
            f"{LARGEST_SIDE} a side. Reduce them first."
        )
    if not 0 <= place < len(pictures):
        raise SettingError(f"There are {len(pictures)} images; there is none at {place}.")
    if not 0 <= sigma <= LARGEST_NOISE:
        raise SettingError(f"[noise_multiplier] must be 0 to {LARGEST_NOISE:g}, but is {sigma:g}.")
    if not 0 < clipping_norm <= LARGEST_NOISE:
        raise SettingError(f"[clipping_norm] must be above 0 and at most {LARGEST_NOISE:g}, but is {clipping_norm:g}.")
    if not 1 <= batch_size <= LARGEST_BATCH:
        raise SettingError(f"[batch_size] must be 1 to {LARGEST_BATCH}, but is {batch_size}.")
