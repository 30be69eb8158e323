"""What an attack found, in a sentence for a person who is no expert."""

from __future__ import annotations

import math

from medpriv_core.attacks.first_look import OUTLINES, RECOGNISED
from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.attacks.undo import Attempt
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import format_delta, format_epsilon

RECOGNISED_SSIM = 0.5  # beside the correlation from which a picture is recognised; a convention as well


def undoing_statement(best: Attempt) -> str:
    """How much of the original the best attempt brings back; of what was learned, how much of it is individual."""
    correlation, ssim = best.likeness.correlation, best.likeness.ssim or 0.0
    if correlation is None:
        return "The image has one colour only, so there is nothing in it that an attacker could bring back."
    attempt = f"the best attempt, “{best.title}”,"
    numbers = f"(correlation {correlation:.2f} with the original, SSIM {ssim:.2f}; both are 1 for the same image)"
    if best.is_learned and not shows_individual(best):
        return (
            f"Little of what is individual comes back: {attempt} is like the original {numbers} by what all such "
            f"images have in common.{_beyond_average(best)} That is no proof: an attacker who has learned more may see "
            "more. Only a small ε is one."
        )
    beyond = _beyond_average(best) if best.is_learned else ""
    if correlation >= RECOGNISED and ssim >= RECOGNISED_SSIM:
        return (
            f"The noise can be undone: {attempt} brings back what the image shows as a whole, if not its finest "
            f"details {numbers}.{beyond}"
        )
    if correlation >= OUTLINES:
        return f"The noise can be undone in part: {attempt} brings back the outlines {numbers}.{beyond}"
    return (
        f"None of these attempts brings back much; {attempt} reaches little {numbers}.{beyond} That is no proof: an "
        "attacker who has learned from similar images may see more. Only a small ε is one."
    )


def shows_individual(attempt: Attempt) -> bool:
    """Whether an attempt by what was learned from others shows more of the patient than they have in common."""
    individual = attempt.individual
    return individual is not None and (individual.correlation or 0.0) >= OUTLINES


def _beyond_average(attempt: Attempt) -> str:
    """What is individual in an attempt by what was learned, and what the average image alone would reach."""
    individual = attempt.individual
    if individual is None or individual.average.correlation is None:
        return ""
    return (
        f" The average image of other patients, which needs no noised image, has a correlation of "
        f"{individual.average.correlation:.2f}; with what sets the original apart from it, the attempt has one of "
        f"{individual.correlation or 0.0:.2f}."
    )


def copies_statement(one: ImageGuarantee, all_copies: ImageGuarantee) -> str:
    """What releasing a picture several times costs, against releasing it once.

    Args:
        one: What holds for a single copy.
        all_copies: What holds for all copies together, at the same delta.

    Returns:
        One sentence.
    """
    if math.isinf(all_copies.epsilon_image):
        return "No finite ε holds for what the image shows, for one copy or for several."
    together = f"ε = {format_epsilon(all_copies.epsilon_image)} (δ = {format_delta(all_copies.delta)})"
    if all_copies.copies == 1:
        return f"One copy of the image has {together}."
    return (
        f"{all_copies.copies} copies together have {together}, against {format_epsilon(one.epsilon_image)} for one, "
        "and their average shows more than any of them."
    )


def identification_statement(success: SuccessRate, *, pictures: int, beta: float) -> str:
    """How often the noised picture led back to its patient, against guessing.

    Args:
        success: What the trials found.
        pictures: How many the gallery has.
        beta: Amount of noise, in units of the range from black to white.

    Returns:
        Two sentences.
    """
    low, high = success.interval
    found = (
        f"At β = {beta:.4g} the noised image leads back to the right one of {pictures} in {success.found} of "
        f"{success.draws} trials (95% interval {low:.0%} to {high:.0%}); guessing would reach {success.chance:.0%}."
    )
    if low > success.chance:
        return f"{found} Noise that hides the image from the eye does not hide whose it is."
    return f"{found} With so much noise these trials show no more than guessing would."
