"""The first answers about one noised picture, in plain words: by eye, by a computer, by comparing, and what ε promises.

The eye averages over neighbouring pixels, so what it sees of a noised picture is measured after a blur: of 1/128 of the
longer side, the width at which "visible", "partly" and "hidden" agreed with what we saw ourselves of a retina and two
chest X-rays at 256 pixels with Laplace noise of 0.25 to 8. A computer averages over far more. Where the words change is
a convention. None of them is a guarantee: only ε is.

>>> EYE.word(0.9), EYE.word(0.6), EYE.word(0.2), COMPUTER.word(0.9)
('visible', 'partly', 'hidden', 'yes')
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.attacks.samples import shrink
from medpriv_core.attacks.similarity import correlation
from medpriv_core.attacks.undo import undo_at_once
from medpriv_core.mechanisms.laplace import to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import STRONG_EPSILON, format_delta, format_epsilon

EYE_BLUR_SHARE = 1 / 128
MEASURED_SIDE = 256  # larger pictures are measured on averages; a correlation needs no more
# Where people begin to recognise what a picture shows, and its outlines, as correlation with the original.
RECOGNISED, OUTLINES = 0.85, 0.5

Level = Literal["open", "partly", "closed"]


@dataclass(frozen=True)
class Words:
    """What is said of a likeness that is high, middling or low."""

    high: str
    middling: str
    low: str

    def word(self, likeness: float) -> str:
        """The word for a correlation with the original."""
        return self.high if likeness >= RECOGNISED else self.middling if likeness >= OUTLINES else self.low


EYE = Words("visible", "partly", "hidden")
COMPUTER = Words("yes", "in part", "hardly")


@dataclass(frozen=True)
class FirstLook:
    """What eye and computer get out of one noised picture.

    seen     correlation with the original as an eye sees the noised picture; None where one of them has one colour only
    undone   uint8, shape of the original: what a computer makes of it in a moment, by ``attempt``
    agreed   correlation of that with the original; None as above
    """

    seen: float | None
    undone: np.ndarray
    attempt: str
    agreed: float | None


@dataclass(frozen=True)
class Answer:
    """One question about the picture, answered in a word or two and a line.

    ``level``: whether the picture is open to everybody who asks, partly, or closed.
    """

    question: str
    word: str
    detail: str
    level: Level


def first_look(original: np.ndarray, shown: np.ndarray, noise: PictureNoise) -> FirstLook:
    """Measure what is left of a picture after noise, as the eye and as a computer find it, in hundredths of a second.

    Args:
        original: uint8, shape (h, w, c), c = 1 or 3; used for the measures alone.
        shown: uint8, the same shape: the noised picture, clamped.
        noise: What was added to it; an attacker knows that.

    Returns:
        Both measures and what the computer brings back.
    """
    attempt, undone = undo_at_once(to_unit(shown), noise)
    factor = -(-max(original.shape[:2]) // MEASURED_SIDE)
    clean, noised, restored = (shrink(picture, factor) for picture in (original, shown, undone))
    width = EYE_BLUR_SHARE * max(clean.shape[:2])
    blurred = scipy.ndimage.gaussian_filter(noised, sigma=(width, width, 0), mode="nearest", truncate=3)
    return FirstLook(correlation(clean, blurred), undone, attempt, correlation(clean, restored))


def seen_answer(look: FirstLook) -> Answer:
    """What an eye sees of the noised picture."""
    question = "Seen by eye?"
    if look.seen is None:
        return _of_one_colour(question)
    detail = f"likeness {_likeness(look.seen)}, averaged as an eye does"
    return Answer(question, EYE.word(look.seen), detail, _level(look.seen))


def undone_answer(look: FirstLook) -> Answer:
    """What one quick attempt brings back."""
    question = "Undone by a computer?"
    if look.agreed is None and look.seen is None:
        return _of_one_colour(question)
    if look.agreed is None:
        return Answer(question, "no", "one filter leaves an even grey", "closed")
    detail = f"likeness {_likeness(look.agreed)} after one filter; 1 is the same"
    return Answer(question, COMPUTER.word(look.agreed), detail, _level(look.agreed))


def found_answer(success: SuccessRate, *, pictures: int, planned: int) -> Answer:
    """Say how often the patient was found, as one of the four answers.

    Args:
        success: Of the trials so far.
        pictures: How many the gallery has.
        planned: Trials that are wanted in the end.

    Returns:
        The answer; open from half of the trials on, partly where more were found than by luck (Wilson's 95 % interval).
    """
    so_far = " so far" if success.draws < planned else ""
    word = f"{success.found} of {success.draws} times{so_far}"
    detail = f"guessing finds {planned / pictures:.2g} of {planned}"
    # By the interval's lower end: a few hits may be luck.
    level: Level = "open" if success.rate >= 0.5 else "partly" if success.interval[0] > success.chance else "closed"
    return Answer(f"Patient found among {pictures}?", word, detail, level)


def epsilon_answer(guarantee: ImageGuarantee) -> Answer:
    """What ε promises for the whole picture."""
    question = "Promised by ε?"
    epsilon = guarantee.epsilon_image
    if math.isinf(epsilon):
        return Answer(question, "nothing", "no finite ε holds for the image", "open")
    detail = f"ε = {format_epsilon(epsilon)} for the whole image (δ = {format_delta(guarantee.delta)})"
    if epsilon > STRONG_EPSILON:
        return Answer(question, "nothing", f"{detail}; usual is below {STRONG_EPSILON}", "open")
    return Answer(question, "a strong limit" if epsilon <= 1 else "a limit", detail, "closed")


def _likeness(correlation: float) -> str:
    return f"{max(correlation, 0.0):.2f}"


def _level(likeness: float) -> Level:
    return "open" if likeness >= RECOGNISED else "partly" if likeness >= OUTLINES else "closed"


def _of_one_colour(question: str) -> Answer:
    return Answer(question, "nothing to see", "one colour everywhere", "closed")
