"""What was found about noised pictures, each in one sentence: the titles of slides.

A slide's title is a claim, and here each claim is computed: which of these sentences holds, and the figures in it. The
words "sees", "part" and "brings back" mean the likenesses of ``first_look`` and ``statement``. Each sentence stands
whole in a table, so that it can be translated.
"""

from __future__ import annotations

from collections.abc import Sequence

from medpriv_core.attacks.enough import Tried, closed_from
from medpriv_core.attacks.first_look import EYE, OUTLINES, RECOGNISED, FirstLook, Level
from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.attacks.statement import RECOGNISED_SSIM, shows_individual
from medpriv_core.attacks.undo import Attempt

_ONE_COLOUR = "This image has one colour only, so there is nothing to hide"
# By what the eye sees of it, and what a computer brings back.
_ONE_AMOUNT: dict[tuple[Level, Level], str] = {
    ("open", "open"): "At β = {beta} the eye still sees the image, and so does a computer (likeness {undone})",
    ("open", "partly"): "At β = {beta} the eye still sees the image (likeness {seen})",
    ("open", "closed"): "At β = {beta} the eye still sees the image (likeness {seen})",
    ("partly", "open"): "At β = {beta} the eye sees part of the image; a computer brings it back (likeness {undone})",
    ("partly", "partly"): "At β = {beta} the eye sees part of the image, and a computer part of it (likeness {undone})",
    ("partly", "closed"): "At β = {beta} the eye still sees part of the image (likeness {seen})",
    ("closed", "open"): "At β = {beta} the eye sees nothing; a computer still brings the image back "
    "(likeness {undone})",
    ("closed", "partly"): "At β = {beta} the eye sees nothing; a computer still brings back the outlines "
    "(likeness {undone})",
    ("closed", "closed"): "At β = {beta} neither the eye nor one quick attempt by a computer sees the image "
    "(likeness {undone})",
}


def one_amount(look: FirstLook, beta: float) -> str:
    """What eye and computer get out of one noised picture.

    Args:
        look: What was measured on it.
        beta: Amount of noise, in units of the range from black to white.

    Returns:
        One sentence.
    """
    if look.seen is None and look.agreed is None:
        return _ONE_COLOUR
    sentence = _ONE_AMOUNT[_level(look.seen), _level(look.agreed)]
    return sentence.format(beta=_beta(beta), seen=_likeness(look.seen), undone=_likeness(look.agreed))


def several_amounts(looks: Sequence[tuple[float, FirstLook]]) -> str:
    """From which amount on the eye sees nothing, and up to which a computer brings the picture back.

    Args:
        looks: By their beta, one or more, of the same kind of noise.

    Returns:
        One sentence.
    """
    ordered = sorted(looks, key=lambda one: one[0])
    if all(look.seen is None and look.agreed is None for _, look in ordered):
        return _ONE_COLOUR
    hidden = next((beta for beta, look in ordered if _level(look.seen) == "closed"), None)
    most, last = ordered[-1]
    if hidden is None:
        return (
            f"Even at β = {_beta(most)} the eye sees {'the' if _level(last.seen) == 'open' else 'part of the'} image "
            f"(likeness {_likeness(last.seen)})"
        )
    whole = [(beta, look) for beta, look in ordered if beta >= hidden and _level(look.agreed) == "open"]
    outlines = [(beta, look) for beta, look in ordered if beta >= hidden and _level(look.agreed) == "partly"]
    if whole:
        beta, look = whole[-1]
        return (
            f"The eye sees nothing from β = {_beta(hidden)} on; a computer still brings the image back at β = "
            f"{_beta(beta)} (likeness {_likeness(look.agreed)})"
        )
    if outlines:
        beta, look = outlines[-1]
        return (
            f"The eye sees nothing from β = {_beta(hidden)} on; a computer still brings back the outlines at β = "
            f"{_beta(beta)} (likeness {_likeness(look.agreed)})"
        )
    return f"From β = {_beta(hidden)} on, neither the eye nor one quick attempt by a computer sees the image"


def several_kinds(looks: Sequence[FirstLook], beta: float) -> str:
    """How many kinds of noise hide the picture at one beta, and how many of those a computer undoes.

    Args:
        looks: One of each kind.
        beta: The amount of each.

    Returns:
        One sentence.
    """
    hidden = [look for look in looks if _level(look.seen) == "closed"]
    undone = [look for look in hidden if _level(look.agreed) != "closed"]
    count = len(looks)
    if not hidden:
        return f"At β = {_beta(beta)}, none of {count} kinds of noise hides the image from the eye"
    if not undone:
        return f"At β = {_beta(beta)}, noise hides the image from eye and computer in {len(hidden)} of {count} kinds"
    return (
        f"At β = {_beta(beta)}, noise hides the image from the eye in {len(hidden)} of {count} kinds; a computer "
        f"sees through {len(undone)} of them"
    )


def two_draws(per_pixel: FirstLook, per_image: FirstLook, beta: float) -> str:
    """Noise on every pixel against one number for all, at one beta.

    Args:
        per_pixel: What is seen under the former.
        per_image: Under the latter.
        beta: Of both.

    Returns:
        One sentence.
    """
    each, one = (EYE.word(look.seen) if look.seen is not None else EYE.low for look in (per_pixel, per_image))
    words = {EYE.high: "visible", EYE.middling: "partly visible", EYE.low: "hidden"}
    return (
        f"At β = {_beta(beta)} Laplace per pixel leaves the image {words[each]}; Laplace per image leaves "
        f"it {words[one]}"
    )


def undone(best: Attempt, beta: float) -> str:
    """What the best attempt brings back, as ``undoing_statement`` judges it.

    Args:
        best: The attempt most like the original.
        beta: Amount of noise, in units of the range from black to white.

    Returns:
        One sentence.
    """
    correlation, ssim = best.likeness.correlation, best.likeness.ssim or 0.0
    if correlation is None:
        return _ONE_COLOUR
    if best.is_learned and not shows_individual(best):
        return (
            f"At β = {_beta(beta)} little of what is individual comes back; the rest of the likeness is that of other "
            "patients"
        )
    if correlation >= RECOGNISED and ssim >= RECOGNISED_SSIM:
        return f"Noise of β = {_beta(beta)} can be undone: what comes back has a likeness of {_likeness(correlation)}"
    if correlation >= OUTLINES:
        return f"Noise of β = {_beta(beta)} can be undone in part: the outlines come back ({_likeness(correlation)})"
    return f"At β = {_beta(beta)} no attempt brings back much: the best has a likeness of {_likeness(correlation)}"


def found(success: SuccessRate, beta: float) -> str:
    """How often the patient was found, against guessing.

    Args:
        success: Of the trials.
        beta: Amount of noise, in units of the range from black to white.

    Returns:
        One sentence.
    """
    trials = f"{success.found} of {success.draws} trials"
    guessed = f"{success.chance * success.draws:.2g}"
    if success.rate >= 0.5:
        return f"At β = {_beta(beta)} a computer still finds the patient in {trials}"
    if success.interval[0] > success.chance:
        return f"At β = {_beta(beta)} a computer finds the patient in {trials}; guessing would in {guessed}"
    return f"At β = {_beta(beta)} a computer finds the patient in {trials}, no more than guessing ({guessed})"


def enough(tried: Sequence[Tried]) -> str:
    """From which amount on the patient is found no more often than by guessing, and where the eye gives up.

    ``tried``: one kind of noise, one amount or more, in ascending order, each with its trials.
    """
    lost, hidden = closed_from(tried, lambda one: one.found), closed_from(tried, lambda one: one.seen)
    if lost is None:
        last = tried[-1]
        assert last.success is not None
        return (
            f"Even at β = {_beta(last.beta)} a computer finds the patient in {last.success.found} of "
            f"{last.success.draws} trials"
        )
    if hidden is not None and hidden < lost:
        last_found = max(one.beta for one in tried if one.beta < lost)
        return f"The eye loses the image at β = {_beta(hidden)}; the patient is found up to β = {_beta(last_found)}"
    return f"From β = {_beta(lost)} on, the patient is found no more often than by guessing"


def _level(likeness: float | None) -> Level:
    if likeness is None:
        return "closed"
    return "open" if likeness >= RECOGNISED else "partly" if likeness >= OUTLINES else "closed"


def _likeness(correlation: float | None) -> str:
    return f"{max(correlation or 0.0, 0.0):.2f}"


def _beta(beta: float) -> str:
    return f"{beta:.4g}"
