"""A second opinion on every epsilon, by somebody else's program.

The first accountant is this package's own: a closed form without sampling, its own composition of privacy losses with
sampling. Here the same steps are composed by dp_accounting's PLD accountant (Doroshenko et al. 2022), on a fixed grid
and with its own convolutions and tails. Both are pessimistic, so they lie within a percent above the same truth; if
they do not, one of them is wrong, the larger one is told, and a light says so.

It takes from a tenth of a second to seconds, which no page waits for: a page asks (``ask_second_epsilon``), shows that
the epsilon is being confirmed, and looks again. Command line and exports wait (``second_epsilon``).

>>> second_epsilon([Steps(50.0, 1.0, 900)], delta=1e-5)  # doctest: +ELLIPSIS
2.44...
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.privacy.dp_sgd import MAX_EPSILON, Adjacency, composed_epsilon
from medpriv_core.privacy.loss_distribution import resolvable
from medpriv_core.privacy.steps import Steps, count_steps, merge_steps

# By how much of epsilon the two may differ, and by how much in any case: each lies above the truth by its own grid.
TOLERANCE, SMALLEST_DIFFERENCE = 0.01, 1e-4
# Of epsilon, what the second one's grid is meant to add, and what it may.
GRID_ERROR_AIM, GRID_ERROR = 0.001, 0.005
# Points of its grid for one step; it looks at each in Python.
MAX_POINTS = 300_000
# Questions that wait; the last ones asked are those that somebody looks at.
MOST_WAITING = 16


@dataclass(frozen=True)
class Question:
    """Steps as ``composed_epsilon`` takes them, brought into one order."""

    stretches: tuple[Steps, ...]
    delta: float
    replace_one: bool
    images: int

    @property
    def first_epsilon(self) -> float:
        """What the first accountant says."""
        return composed_epsilon(
            self.stretches,
            delta=self.delta,
            adjacency="replace-one" if self.replace_one else "add-remove",
            images_per_patient=self.images,
        )


NOTHING_ASKED = Question((), DEFAULT_DELTA, False, 1)


@dataclass(frozen=True)
class Answer:
    """What became of a question.

    state    confirmed: both agree; higher, lower: the second one says more, or less, than the tolerance allows;
             pending: it has not been asked, or has not answered; unavailable: its grid would be too coarse, or its
             rounding too large for this delta
    epsilon  what it says; None where it says nothing
    """

    state: Literal["confirmed", "higher", "lower", "pending", "unavailable"]
    first: float
    epsilon: float | None = None

    @property
    def larger(self) -> float:
        """What is told where the two differ: the first one's epsilon, or the second one's if that is higher."""
        return self.epsilon if self.state == "higher" and self.epsilon is not None else self.first


_answers: dict[Question, float | None] = {}
_raised: set[Question] = set()
_waiting: list[Question] = []
_lock = threading.Lock()
_thread: threading.Thread | None = None


def question(
    counted: Iterable[Steps], *, delta: float, adjacency: Adjacency = "add-remove", images_per_patient: int = 1
) -> Question:
    """The question that all functions here ask by.

    Args:
        counted: The steps, in whatever order. Their noise multipliers are in units of the most that one record can
            change the sum by.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.
        adjacency: How neighbouring training sets differ.
        images_per_patient: Images that are added or removed together.

    Returns:
        The same one for the same steps in another order.

    Raises:
        SettingError: A rate or a number of steps cannot be.
    """
    return Question(merge_steps(counted), delta, adjacency == "replace-one", images_per_patient)


def second_epsilon(
    counted: Iterable[Steps], *, delta: float, adjacency: Adjacency = "add-remove", images_per_patient: int = 1
) -> float | None:
    """What steps cost by the second accountant, waited for.

    Args:
        counted: The steps, in whatever order. Their noise multipliers are in units of the most that one record can
            change the sum by.
        delta: The chance with which the promise of ε may fail; above 0 and below 1.
        adjacency: How neighbouring training sets differ.
        images_per_patient: Images that are added or removed together.

    Returns:
        ε, infinite above ``MAX_EPSILON``; None where it cannot say.

    Raises:
        SettingError: A rate or a number of steps cannot be.
    """
    return _ask(question(counted, delta=delta, adjacency=adjacency, images_per_patient=images_per_patient))


def wait_for_answer(asked: Question) -> Answer:
    """The second accountant's answer, as soon as it is there; it takes up to some seconds."""
    _ask(asked)
    return answer_to(asked)


def ask_second_epsilon(asked: Question) -> None:
    """Have the question answered in the background, the last one asked first."""
    global _thread
    with _lock:
        if asked in _answers:
            return
        if asked in _waiting:
            _waiting.remove(asked)
        _waiting.append(asked)
        del _waiting[:-MOST_WAITING]
        if _thread is None:
            _thread = threading.Thread(target=_answer_all, name="second accountant", daemon=True)
            _thread.start()


def answer_to(asked: Question, *, recorded: Mapping[str, Any] | None = None) -> Answer:
    """What is known by now of the second accountant's answer, without waiting.

    Args:
        asked: The question.
        recorded: What a run kept of the answer, in its ``Setup``; it counts only if it is of this
            question.

    Returns:
        The answer, "pending" until there is one.
    """
    first = asked.first_epsilon
    if math.isinf(first) or not asked.stretches:  # nothing is promised, or nothing spent
        return Answer("confirmed", first, first)
    if asked in _answers:
        second = _answers[asked]
    elif isinstance(recorded, Mapping) and recorded == record_of(asked, recorded.get("epsilon")):
        second = recorded["epsilon"]
    else:
        return Answer("pending", first)
    if second is None:
        return Answer("unavailable", first)
    slack = max(TOLERANCE * first, SMALLEST_DIFFERENCE)
    state: Literal["confirmed", "higher", "lower"] = "confirmed"
    if second > first + slack:
        state = "higher"
    elif second < first - slack:
        state = "lower"
    return Answer(state, first, second)


def corrections() -> int:
    """How many epsilons the second accountant has raised: what was cached before has to be looked at again."""
    return len(_raised)


def record_of(asked: Question, epsilon: Any) -> dict[str, Any]:
    """What a run keeps of an answer: the question with it, so that it is never taken for another one's.

    Args:
        asked: The question.
        epsilon: The second accountant's ε; anything but a finite number is kept as None.

    Returns:
        Ready for JSON.
    """
    known = isinstance(epsilon, int | float) and math.isfinite(epsilon)
    return {
        "stretches": [list(stretch) for stretch in asked.stretches],
        "delta": asked.delta,
        "epsilon": epsilon if known else None,
    }


def _answer_all() -> None:
    global _thread
    while True:
        with _lock:
            if not _waiting:
                _thread = None
                return
            asked = _waiting.pop()
        _ask(asked)


def _ask(asked: Question) -> float | None:
    if asked not in _answers:
        _answers[asked] = _composed_by_the_other(asked)
        if answer_to(asked).state == "higher":
            _raised.add(asked)
    return _answers[asked]


def _composed_by_the_other(asked: Question) -> float | None:
    """Epsilon by dp_accounting's accountant, with its grid as fine as this epsilon needs."""
    # Imported here: it takes a second to load, and most callers never need it.
    from dp_accounting import NeighboringRelation, dp_event
    from dp_accounting.pld.pld_privacy_accountant import PLDAccountant

    if not asked.stretches:
        return 0.0
    steps = count_steps(asked.stretches)
    sampled = any(rate < 1 for _, rate, _ in asked.stretches)
    first = asked.first_epsilon
    if math.isinf(first):  # its grid would have no end, and nothing is promised that it could confirm
        return math.inf
    if sampled and not resolvable(asked.delta, steps=steps):
        return None
    # Steps without sampling are composed in the closed form before they come to the grid.
    on_grid = sum(count if rate < 1 else 1 for _, rate, count in asked.stretches)
    slope = 1 + 2 * math.log(1 / asked.delta) / max(first, 1e-6)
    wanted = math.sqrt(12 * GRID_ERROR_AIM * max(first, SMALLEST_DIFFERENCE) / (on_grid * slope))
    interval = max(wanted, _widest(asked) / MAX_POINTS)
    if interval > wanted * math.sqrt(GRID_ERROR / GRID_ERROR_AIM):
        return None
    relation = NeighboringRelation.REPLACE_ONE if asked.replace_one else NeighboringRelation.ADD_OR_REMOVE_ONE
    accountant = PLDAccountant(relation, value_discretization_interval=interval)
    for noise, rate, count in asked.stretches:
        event: dp_event.DpEvent
        if rate == 1:
            event = dp_event.GaussianDpEvent(noise / asked.images)
        elif asked.images == 1:
            event = dp_event.PoissonSampledDpEvent(rate, dp_event.GaussianDpEvent(noise))
        else:
            event = _several_images(noise, rate, asked.images)
        accountant.compose(event, count)
    epsilon = float(accountant.get_epsilon(asked.delta))
    return epsilon if epsilon <= MAX_EPSILON else math.inf


def _several_images(noise: float, rate: float, images: int) -> Any:
    """A step in which each of a patient's images is drawn independently."""
    from dp_accounting import dp_event
    from scipy import stats

    drawn = range(images + 1)
    shares = stats.binom.pmf(drawn, images, rate)
    return dp_event.MixtureOfGaussiansDpEvent(noise, list(drawn), list(shares / shares.sum()))


def _widest(asked: Question) -> float:
    """About the range of losses of one entry on the grid: ten standard deviations of the noise to each side."""
    reach = (2 if asked.replace_one else 1) * asked.images
    widest = 0.0
    for noise, rate, count in asked.stretches:
        if rate == 1:
            mu = reach * math.sqrt(count) / noise
            widest = max(widest, 20 * mu)
        else:
            most = (reach**2 / 2 + 10 * reach * noise) / noise**2
            share = min(1.0, rate * asked.images)
            widest = max(widest, 2 * (most + math.log(share) if most > 50 else math.log1p(share * math.expm1(most))))
    return widest
