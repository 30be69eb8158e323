"""Can it be undone? What an attacker makes of one released picture.

The attacker has the released picture and knows the mechanism: its kind and its strength are no secret, and
differential privacy must hold all the same. The attack has two steps. A filter averages the noise away
(``medpriv_core.attacks.filters``). Then the averages, which clamping has pulled towards grey, are put back by inverting
the mean curve of the clamped noise. The median needs no second step: clamping leaves the middle value where it is.

The picture's **privacy score is the likeness of the best attempt**, never that of the noised picture itself: an SSIM of
0.01 before the attack and 0.67 after it is a picture that anyone can see. Somebody who has seen images of other
patients knows more than every filter: with a ``prior`` that is one more attempt, which brings back 2 to 5 dB more of a
chest X-ray. Stronger attackers exist (networks trained on such pictures), so a poor best attempt is no proof of
privacy. Only epsilon is.

Noise that one number makes for the whole picture needs no filter: undoing it means guessing that number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from medpriv_core.attacks.filters import smoothers
from medpriv_core.attacks.individual import AgainstAverage, Individual, square_means
from medpriv_core.attacks.learned import PRIOR, PriorAttack, prior_title
from medpriv_core.attacks.prior import Prior
from medpriv_core.attacks.risk import Risk, RiskMeter
from medpriv_core.attacks.samples import MeanInversion, expand, read_samples, reduction, shrink
from medpriv_core.attacks.similarity import Likeness, likeness
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.laplace import clamp, to_bytes, to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise

# What an attacker takes if no test tells another attempt to be better.
DEFAULT_CHOICES = ("spectrum", "shift")
DOUBTS = 2  # standard errors
SHIFTED_BACK = "Brightness shifted back"


class Tried(Protocol):
    """What an attacker who has no original knows of an attempt; ``Attempt`` says what each is."""

    @property
    def name(self) -> str: ...

    @property
    def picture(self) -> np.ndarray: ...

    @property
    def risk(self) -> Risk | None: ...


OneTried = TypeVar("OneTried", bound=Tried)
T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """What one attack made of the released picture.

    name            for keys and tables, e.g. "gaussian_8"; sizes in names are those for a side of 256
    title           for the screen, with the sizes that were used
    picture         uint8, shape of the original
    likeness        with the original: for us, the attacker cannot know it
    risk            its error as the attacker can estimate it without the original; None where that is impossible
    judged_at       (h, w) at which pictures were worked on and compared; smaller than the picture if that is large
    individual      what of the likeness is individual, at the size of the prior; None without one
    """

    name: str
    title: str
    picture: np.ndarray
    likeness: Likeness
    risk: Risk | None
    judged_at: tuple[int, int]
    individual: Individual | None = None

    @property
    def is_learned(self) -> bool:
        """Whether it is made of other patients' images, too, and so like the original without any noised image."""
        return self.name == PRIOR


def undo(
    original: np.ndarray, released: np.ndarray, noise: PictureNoise, prior: Prior | None = None
) -> Iterator[Attempt]:
    """Every attempt at undoing the noise on a picture.

    Sides above ``samples.LARGEST_SIDE`` pixels are worked on and judged on a copy reduced by a whole number. What a
    prior makes of a picture is as coarse as the prior, and is judged at the size of all others nevertheless.

    Args:
        original: uint8 array (h, w, channels) with 1 or 3 channels; used for the likeness alone.
        released: Float array of the same shape, in units of [0, 1]: a release of ``noise``; clamped here if it is not
            yet.
        noise: The mechanism with its parameters, which the attacker knows.
        prior: What was learned from images of other patients, this picture's not among them, of the size that
            ``learned_side`` says; None makes no such attempt.

    Returns:
        The attempts, each as soon as it is ready; the first is the released picture itself, the last that of the prior.

    Raises:
        SettingError: At once, for pictures of unequal or other shapes or types, for values that are not finite, and for
            a prior that does not fit.
    """
    if original.shape != released.shape or original.ndim != 3 or original.shape[2] not in (1, 3) or not original.size:
        raise SettingError(
            f"Original and released image must have the same height and width and 1 or 3 channels, but have "
            f"shapes {original.shape} and {released.shape}."
        )
    if original.dtype != np.uint8 or not np.isfinite(released).all():
        raise SettingError("The original must have 8 bits a channel, and the released image numbers only.")
    clamped = clamp(released)
    learned = None if prior is None else PriorAttack(prior, clamped, noise)
    if noise.clamped_mean(np.zeros(1)) is None:
        return _undo_shift(original, clamped)
    judge = _Judge(original, None if prior is None else AgainstAverage(original, prior.mean))
    return _undo_noise(judge, clamped, noise, learned)


def undo_at_once(released: np.ndarray, noise: PictureNoise) -> tuple[str, np.ndarray]:
    """Make the one attempt that an attacker makes who has no time for all: hundredths of a second.

    Args:
        released: Float, shape (h, w, c), in units of [0, 1]; clamped here if it is not yet.
        noise: What was added.

    Returns:
        Title of the attempt (the spectrum filter, or the brightness shifted back) and its picture, uint8 (h, w, c).
    """
    clamped = clamp(released)
    if noise.clamped_mean(np.zeros(1)) is None:
        return SHIFTED_BACK, to_bytes(_shifted_back(clamped))
    samples = read_samples(clamped, noise)
    filters = smoothers(
        samples.values.shape[:2], noise_deviation=samples.noise_deviation, pixels_per_sample=samples.pixels
    )
    smoother = next(one for one in filters if one.name in DEFAULT_CHOICES)
    levels = MeanInversion(noise.clamped_mean).level(smoother.smooth(samples.values))
    return smoother.title, to_bytes(expand(levels, released.shape))


def best_in_hindsight(attempts: Iterable[Attempt]) -> Attempt:
    """The attempt most like the original: highest SSIM, or highest PSNR for a picture too small for SSIM.

    It knows the original, so no attacker can choose like this; it bounds what choosing could gain.

    Args:
        attempts: At least one, of the same picture.

    Returns:
        One of them.

    Raises:
        SettingError: There is no attempt.
    """
    return max(_some(attempts), key=lambda attempt: (attempt.likeness.ssim or 0.0, attempt.likeness.psnr_db))


def attackers_choice(attempts: Iterable[OneTried]) -> OneTried:
    """The attempt that an attacker picks, who has no original.

    It is the one of least estimated error (``medpriv_core.attacks.risk`` says how the error can be known without the
    original), if that beats the spectrum filter by more than luck: by two standard errors. Otherwise the attempts that
    are within luck of the spectrum filter, the best linear one for the spectrum that pictures have, are as good as each
    other in squared error. Of these it is the smoothest, because what noise is left is rough. Where nothing can be
    estimated (pictures of a few pixels, one number of noise for the whole picture), it is the attempt that assumes
    least.

    Args:
        attempts: At least one, of the same picture.

    Returns:
        One of them.

    Raises:
        SettingError: There is no attempt.
    """
    attempts = _some(attempts)
    measured = [(attempt, attempt.risk) for attempt in attempts if attempt.risk is not None]
    better = [(attempt, risk) for attempt, risk in measured if risk.gain > DOUBTS * risk.doubt]
    if better:
        return min(better, key=lambda pair: pair[1].error)[0]
    learned = [attempt for attempt, _ in measured if attempt.name == PRIOR]
    if learned:
        return learned[0]
    as_good = [attempt for attempt, risk in measured if risk.gain >= -DOUBTS * risk.doubt]
    if as_good:
        return min(as_good, key=lambda attempt: _roughness(attempt.picture))
    return next((attempt for attempt in attempts if attempt.name in DEFAULT_CHOICES), attempts[0])


def _roughness(picture: np.ndarray) -> float:
    levels = picture.astype(np.int16)
    return sum(float(np.abs(np.diff(levels, axis=axis)).mean()) for axis in (0, 1) if levels.shape[axis] > 1)


def _some(attempts: Iterable[T]) -> list[T]:
    found = list(attempts)
    if not found:
        raise SettingError("There is no attempt to choose from yet.")
    return found


class _Judge:
    """Makes attempts of pictures and says how like the original they are, and what of it is individual."""

    def __init__(self, original: np.ndarray, against: AgainstAverage | None = None) -> None:
        self._factor = reduction(original.shape[:2])
        self._original = shrink(original, self._factor)
        self._against = against

    def attempt(
        self,
        name: str,
        title: str,
        picture_unit: np.ndarray,
        risk: Risk | None = None,
        *,
        square: np.ndarray | None = None,
    ) -> Attempt:
        """``square``: the same at the size of the prior, where it was made at that."""
        picture = to_bytes(picture_unit)
        alike = likeness(self._original, shrink(picture, self._factor))
        height, width = self._original.shape[:2]
        individual = None
        if self._against is not None:
            square = square_means(to_unit(picture), self._against.side) if square is None else square
            individual = self._against.measure(square)
        return Attempt(name, title, picture, alike, risk, (height, width), individual)


def _undo_noise(
    judge: _Judge, clamped: np.ndarray, noise: PictureNoise, learned: PriorAttack | None
) -> Iterator[Attempt]:
    samples = read_samples(clamped, noise)
    values, deviation = samples.values, samples.noise_deviation
    filters = smoothers(values.shape[:2], noise_deviation=deviation, pixels_per_sample=samples.pixels)
    inversion = MeanInversion(noise.clamped_mean)

    meter = None
    if RiskMeter.can_measure(values, deviation):
        default = next(smoother for smoother in filters if smoother.name in DEFAULT_CHOICES)
        yardstick = default.smooth if learned is None else learned.means
        meter = RiskMeter(values, noise_deviation=deviation, yardstick=yardstick)

    untouched = meter.measure(lambda same: same, values) if meter else None
    yield judge.attempt("as_released", "As released", clamped, untouched)
    for smoother in filters:
        smooth = smoother.smooth(values)
        # Small changes do not tell how a median jumps, so its risk cannot be measured.
        risk = meter.measure(smoother.smooth, smooth) if meter and smoother.estimates == "mean" else None
        # The median of averages is an average, too.
        finds_means = smoother.estimates == "mean" or samples.averaged
        levels = inversion.level(smooth) if finds_means else np.clip(smooth, 0, 1)
        yield judge.attempt(smoother.name, smoother.title, expand(levels, clamped.shape), risk)
    if learned is not None:
        found = learned.levels(values)
        risk = meter.measure(learned.means, learned.means(values)) if meter else None
        yield judge.attempt(PRIOR, prior_title(len(found)), expand(found, clamped.shape), risk, square=found)


def _undo_shift(original: np.ndarray, clamped: np.ndarray) -> Iterator[Attempt]:
    """One number was added to the whole picture: guess it from where black and white should be."""
    judge = _Judge(original)
    yield judge.attempt("as_released", "As released", clamped)
    yield judge.attempt("shift", SHIFTED_BACK, _shifted_back(clamped))
    darkest, brightest = float(clamped.min()), float(clamped.max())
    stretched = clamped if darkest == brightest else (clamped - darkest) / (brightest - darkest)
    yield judge.attempt("stretch", "Contrast stretched to black and white", stretched)


def _shifted_back(clamped: np.ndarray) -> np.ndarray:
    darkest, brightest = float(clamped.min()), float(clamped.max())
    if darkest == brightest:
        return clamped
    # A picture that had some black and some white touches one end still, and has left the other by the shift.
    shift = darkest if brightest == 1 else brightest - 1 if darkest == 0 else 0.0
    return clamped - np.float32(shift)
