"""The slides of the explore page: each takes what was computed, finds the sentence that it comes to, and shows it.

Pictures stand in the order of their noise, from little to much. Under each stands what it is, its ε, and what the eye
sees of it; what all their ε have in common stands once, in the footer, and each in full in the notes. Seeds of the
noise are on no slide: with one, anybody could take the noise away.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from medpriv_core.attacks import findings
from medpriv_core.attacks.enough import Tried
from medpriv_core.attacks.first_look import FirstLook, seen_answer
from medpriv_core.attacks.reidentification import Identification, SuccessRate
from medpriv_core.attacks.undo import Attempt, attackers_choice, best_in_hindsight
from medpriv_core.exports.charts import to_png
from medpriv_core.exports.sheet import PAPER, Cell, Row, Sheet, figure2_rows
from medpriv_core.figures.enough import amounts_figure, amounts_in_words
from medpriv_core.mechanisms.comparison import PAPER_BETAS
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import format_epsilon, image_epsilon_conditions, image_epsilon_statement

LIKELIEST = 4


@dataclass(frozen=True, eq=False)
class Subject:
    """The picture that the slides are about.

    picture  uint8, shape (h, w, channels)
    label    what it is: its class, or that it is one's own; never a file's name
    source   where it comes from, and its licence
    """

    picture: np.ndarray
    label: str
    source: str

    @property
    def original(self) -> Cell:
        """The picture itself, as the first of a row."""
        return Cell(self.picture, ("Original", self.label))

    @property
    def size(self) -> str:
        """In words."""
        height, width, channels = self.picture.shape
        return f"{width} × {height} pixels, {'grey' if channels == 1 else 'colour'}"


@dataclass(frozen=True, eq=False)
class Noised:
    """A noised version of it.

    title      on the slide
    pixels     uint8, shape of the picture
    guarantee  what holds for it
    look       what eye and computer get out of it
    """

    title: str
    pixels: np.ndarray
    noise: PictureNoise
    guarantee: ImageGuarantee
    look: FirstLook

    @property
    def cell(self) -> Cell:
        """Title, ε of the picture, and what the eye sees."""
        return Cell(self.pixels, (self.title, _epsilon(self.guarantee), f"seen by eye: {seen_answer(self.look).word}"))


def yours_slide(subject: Subject, yours: Noised) -> Sheet:
    """The picture, its noised version, and what a computer makes of that at once."""
    agreed = yours.look.agreed
    likeness = [] if agreed is None else [f"likeness to the original: {max(agreed, 0):.2f}"]
    undone = Cell(yours.look.undone, ("Undone by a computer", yours.look.attempt, *likeness))
    row = Row((subject.original, yours.cell, undone))
    return _sheet(findings.one_amount(yours.look, yours.noise.beta), (row,), subject, yours.noise.title, [yours])


def amounts_slide(subject: Subject, shown: Sequence[Noised]) -> Sheet:
    """Amounts of one kind of noise, from little to much; of two alike, the last."""
    by_beta = {one.noise.beta: one for one in shown}
    ordered = [by_beta[beta] for beta in sorted(by_beta)]
    title = findings.several_amounts([(one.noise.beta, one.look) for one in ordered])
    row = Row((subject.original, *(one.cell for one in ordered)))
    return _sheet(title, (row,), subject, ordered[0].noise.title, ordered)


def kinds_slide(subject: Subject, shown: Sequence[Noised]) -> Sheet:
    """Every kind of noise at one beta."""
    beta = shown[0].noise.beta
    title = findings.several_kinds([one.look for one in shown], beta)
    row = Row((subject.original, *(one.cell for one in shown)))
    return _sheet(title, (row,), subject, f"Kinds of noise, β = {beta:.4g}", shown)


def figure2_slide(subject: Subject, *, per_pixel: Sequence[Noised], per_image: Sequence[Noised]) -> Sheet:
    """Figure 2 of the paper, by its text and by its code; both at the paper's betas, in order."""

    def cells(shown: Sequence[Noised]) -> dict[float, Cell]:
        return {one.noise.beta: Cell(one.pixels, (f"β = {one.noise.beta:g}", _epsilon(one.guarantee))) for one in shown}

    rows = figure2_rows(subject.picture, per_pixel=cells(per_pixel), per_image=cells(per_image))
    title = findings.two_draws(per_pixel[-1].look, per_image[-1].look, PAPER_BETAS[-1])
    return _sheet(title, rows, subject, per_pixel[0].noise.title, [*per_pixel, *per_image], more_source=f" {PAPER}")


def undone_slide(subject: Subject, yours: Noised, attempts: Sequence[Attempt], *, learned: str = "") -> Sheet:
    """The noised picture, and the best attempts to undo the noise; ``learned``: from whose images, in a sentence."""
    best, picked = best_in_hindsight(attempts), attackers_choice(attempts)
    row = Row(
        (
            subject.original,
            yours.cell,
            Cell(best.picture, ("Best with hindsight", best.title, *_likeness(best))),
            Cell(picked.picture, ("Best an attacker could choose", picked.title, *_likeness(picked))),
        )
    )
    title, more = findings.undone(best, yours.noise.beta), f". {learned}" if learned else ""
    return _sheet(title, (row,), subject, yours.noise.title, [yours], more_settings=more)


def found_slide(
    subject: Subject,
    yours: Noised,
    success: SuccessRate,
    *,
    gallery: np.ndarray,
    place: int,
    trial: Identification,
    gallery_words: str,
) -> Sheet:
    """Whose the noised picture is: how often that was found, and the likeliest pictures in one trial.

    success        of the trials
    gallery        uint8, shape (N, h, w, channels); ``place`` is the right one's
    trial          one release against it
    gallery_words  whose pictures these are, and what the attacker holds
    """
    likeliest = [
        Cell(gallery[one], (f"{number}. likeliest", "the right one" if one == place else "another image"))
        for number, one in enumerate(trial.order[:LIKELIEST], start=1)
    ]
    row = Row((yours.cell, *likeliest))
    title = findings.found(success, yours.noise.beta)
    low, high = success.interval
    trials = (
        f"; {success.found} of {success.draws} trials (95% interval {low:.0%} to {high:.0%}); the row shows one more. "
        f"{gallery_words}"
    )
    what = f"{yours.noise.title}; among {len(gallery)} images, guessing finds {success.chance:.0%}"
    return _sheet(title, (row,), subject, what, [yours], more_settings=trials)


def enough_slide(subject: Subject, noise: PictureNoise, tried: Sequence[Tried], *, gallery_words: str) -> Sheet:
    """A chart of what is left of the picture at growing amounts of this noise, ``tried`` from little to much."""
    chart = Image.open(io.BytesIO(to_png(amounts_figure(tried)))).convert("RGB")
    most, least = tried[0], tried[-1]
    epsilon = (
        f"ε of the image: {format_epsilon(most.guarantee.epsilon_image)} at β = {most.beta:g} to "
        f"{format_epsilon(least.guarantee.epsilon_image)} at β = {least.beta:g}"
    )
    about = f"{noise.title}; {subject.size}"
    trials = f"{most.trials} trials at each β, bars are 95% intervals"
    return Sheet(
        title=findings.enough(tried),
        rows=(Row((Cell(np.asarray(chart), drawing=True, alt=amounts_in_words(tried)),)),),
        footer=f"{about}; demonstration; {trials} · {epsilon} ({image_epsilon_conditions(most.guarantee)}) · "
        f"{subject.source}",
        settings=f"{about}; {trials}. {noise.formula}. {gallery_words}",
        guarantee="; ".join(f"β = {one.beta:g}: {image_epsilon_statement(one.guarantee)}" for one in tried) + ".",
        source=subject.source,
    )


def _sheet(
    title: str,
    rows: tuple[Row, ...],
    subject: Subject,
    what: str,
    shown: Sequence[Noised],
    *,
    more_settings: str = "",
    more_source: str = "",
) -> Sheet:
    # What they have in common once, then where they differ.
    parts = [part for one in shown for part in image_epsilon_conditions(one.guarantee).split("; ")]
    conditions = "; ".join(dict.fromkeys(parts))
    formulas = "; ".join(dict.fromkeys(f"{one.noise.title}: {one.noise.formula}" for one in shown))
    return Sheet(
        title=title,
        rows=rows,
        footer=f"{what}; {subject.size}; demonstration · ε: {conditions} · {subject.source}{more_source}",
        # Whatever the noise: beside its original, a noised picture protects nobody.
        settings=f"{what}; {subject.size}; demonstration. {formulas}{more_settings}",
        guarantee=_guarantees(shown),
        source=f"{subject.source}{more_source}",
    )


def _guarantees(shown: Iterable[Noised]) -> str:
    return "; ".join(f"{one.title}: {image_epsilon_statement(one.guarantee)}" for one in shown) + "."


def _epsilon(guarantee: ImageGuarantee) -> str:
    if math.isinf(guarantee.epsilon_image):
        return "no finite ε"
    return f"ε of the image: {format_epsilon(guarantee.epsilon_image)}"


def _likeness(attempt: Attempt) -> list[str]:
    correlation, individual = attempt.likeness.correlation, attempt.individual
    said = [] if correlation is None else [f"likeness to the original: {max(correlation, 0):.2f}"]
    if attempt.is_learned and individual is not None:
        said.append(f"of what is individual: {max(individual.correlation or 0.0, 0):.2f}")
    return said
