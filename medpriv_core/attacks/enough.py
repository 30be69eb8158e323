"""How much noise is enough? The first answers about a picture, side by side for several amounts of noise.

What hides at one amount hides at more, but for chance; so each question has an amount from which on it is closed. It is
told for the amounts that were tried, and none of it is a guarantee: only ε is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medpriv_core.attacks.first_look import Answer, FirstLook, found_answer, seen_answer, undone_answer
from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.privacy.image_epsilon import ImageGuarantee

BETAS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0)


@dataclass(frozen=True, eq=False)
class Tried:
    """One amount of noise, and what is left of a picture there.

    look       what eye and computer get out of it
    guarantee  what ε promises
    success    how often the patient was found in ``trials`` trials; None before, and where nobody could be compared
    """

    beta: float
    look: FirstLook
    guarantee: ImageGuarantee
    trials: int
    success: SuccessRate | None = None

    @property
    def seen(self) -> Answer:
        """What the eye sees."""
        return seen_answer(self.look)

    @property
    def undone(self) -> Answer:
        """What a computer makes of it."""
        return undone_answer(self.look)

    @property
    def found(self) -> Answer | None:
        """Whether the patient is found."""
        if self.success is None:
            return None
        return found_answer(self.success, pictures=round(1 / self.success.chance), planned=self.trials)


def closed_from(tried: Sequence[Tried], answer: Callable[[Tried], Answer | None]) -> float | None:
    """The smallest amount from which on an answer is closed at all that were tried.

    Args:
        tried: In ascending order of noise.
        answer: Which of the answers.

    Returns:
        The amount; None where even the largest is not closed.
    """
    least = None
    for one in reversed(tried):
        found = answer(one)
        if found is None or found.level != "closed":
            break
        least = one.beta
    return least


def hidden_from(tried: Sequence[Tried]) -> float | None:
    """The smallest amount from which on neither eye nor computer nor comparing finds the patient; None: none tried."""
    each = [closed_from(tried, of) for of in (lambda one: one.seen, lambda one: one.undone, lambda one: one.found)]
    known = [beta for beta in each if beta is not None]
    return max(known) if len(known) == len(each) else None


def enough_statement(tried: Sequence[Tried]) -> str:
    """From which amount on this picture is hidden: from the eye, from a computer, from comparing."""
    parts = (
        ("hidden from the eye", closed_from(tried, lambda one: one.seen)),
        ("from a computer", closed_from(tried, lambda one: one.undone)),
        ("the patient found no more often than by luck", closed_from(tried, lambda one: one.found)),
    )
    largest = f"{tried[-1].beta:g}"
    said = [
        f"{words} {f'from β = {beta:g} on' if beta is not None else f'not even at β = {largest}'}"
        for words, beta in parts
        if words != parts[2][0] or tried[-1].found is not None
    ]
    return f"This image is {', '.join(said[:2])}{'; ' + said[2] if len(said) > 2 else ''}."
