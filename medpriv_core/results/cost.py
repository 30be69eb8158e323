"""What privacy costs: the figure of private runs against that of comparable runs without privacy.

Comparable is the group without privacy, of the same source and dataset, that differs in the fewest settings which have
nothing to do with privacy; of several such the best one, so that no cost is made to look smaller than it is.

The interval of the difference comes from the intervals of the two figures by the method of variance estimates recovery
(Zou and Donner 2008): for a - b with a in [la, ua] and b in [lb, ub],

    low = a - b - sqrt((a - la)^2 + (ub - b)^2),    high = a - b + sqrt((ua - a)^2 + (b - lb)^2).

It takes the two for independent. Both are measured on the same test images, so it is rather too wide than too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from medpriv_core.mechanisms.in_runs import USUAL, kinds_of_noise, place_among_noises
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.records.epoch import COMPARED
from medpriv_core.results.groups import Estimate, Group
from medpriv_core.results.labels import learned_in, strength_of
from medpriv_core.results.result import Protocol, Source
from medpriv_core.spec import SETTINGS

# Settings in which a private run has to differ from one without privacy.
_OF_PRIVACY = {"method", "sampling"} | {name for name, setting in SETTINGS.items() if setting.methods}
# In the order in which the sentence looks for something to say.
IN_WORDS: dict[Source, str] = {
    "mine": "in your runs",
    "reference": "in the reference set",
    "authors": "in the authors' logs",
}
TALKED_ABOUT_EPSILON = 1.0


def usual_measure(groups: Sequence[Group], *, ordered: bool) -> str:
    """The figure to speak of unless told otherwise: of grades (``ordered``) kappa, else the paper's accuracy.

    Accuracy takes a grade that is wrong by four for no worse than one that is wrong by one. It stays where those runs
    of which the sentence would speak have not measured kappa, as the authors'.
    """
    if ordered:
        for source in IN_WORDS:
            own = [group for group in groups if group.first.source == source]
            if privacy_costs(own, "test_accuracy"):
                return "test_kappa" if privacy_costs(own, "test_kappa") else "test_accuracy"
    return "test_accuracy"


@dataclass(frozen=True)
class Cost:
    """By how much ``private`` is worse than ``baseline`` in one figure; negative where it is better.

    ``low`` and ``high`` are None where they cannot be told (``difference_interval``); ``rests_on``: where from.
    """

    private: Group
    baseline: Group
    points: float  # percentage points
    low: float | None
    high: float | None
    rests_on: str = ""


def privacy_costs(groups: Sequence[Group], column: str, protocol: Protocol = "last_epoch") -> list[Cost]:
    """For each private group with a comparable one, in the order of ``groups``."""
    costs = []
    for group in groups:
        baseline = comparable(group, groups, column)
        mine = group.estimate(column, protocol)
        other = baseline.estimate(column, protocol) if baseline else None
        if baseline is not None and mine is not None and other is not None:
            better, worse = (mine, other) if COMPARED[column].metric.better == "low" else (other, mine)
            low, high = difference_interval(better, worse) if protocol == "last_epoch" else (None, None)
            rests_on = f"{mine.words}, against {other.words}"
            costs.append(Cost(group, baseline, 100 * (better.mean - worse.mean), low, high, rests_on))
    return costs


def comparable(group: Group, groups: Sequence[Group], column: str) -> Group | None:
    """The group without privacy that ``group`` may be held against; None for one without privacy itself."""
    if group.first.method == "none":
        return None
    candidates = [
        other
        for other in groups
        if other.first.method == "none"
        and (other.first.source, other.first.dataset) == (group.first.source, group.first.dataset)
        and other.estimate(column) is not None
    ]
    sign = 1 if COMPARED[column].metric.better == "low" else -1
    return min(candidates, key=lambda other: (distance(group, other), sign * _mean(other, column)), default=None)


def distance(group: Group, other: Group) -> int:
    """In how many settings that have nothing to do with privacy two groups of one source differ."""
    if group.first.spec is None or other.first.spec is None:
        return abs((group.first.version or 0) - (other.first.version or 0))
    mine, others = (vars(spec.canonical(any_seed=True)) for spec in (group.first.spec, other.first.spec))
    return sum(mine[name] != others[name] for name in mine if name not in _OF_PRIVACY)


def difference_interval(first: Estimate, second: Estimate) -> tuple[float, float] | tuple[None, None]:
    """Of ``first`` - ``second`` in percentage points; nothing where one of them has no interval.

    One that came out the same for several seeds is taken as it is: it has no chance of its own to add. One of which
    nobody knows how it varies would make the interval too narrow.
    """
    if first.kind == second.kind == "none" or any(
        found.kind == "none" and not found.steady for found in (first, second)
    ):
        return None, None
    between = first.mean - second.mean
    down = math.hypot(first.mean - first.low, second.high - second.mean)
    up = math.hypot(first.high - first.mean, second.mean - second.low)
    return 100 * (between - down), 100 * (between + up)


@dataclass(frozen=True)
class CostReport:
    """What the runs on screen say of the cost: a paragraph of markdown, and what each figure in it rests on."""

    sentence: str
    footnotes: tuple[str, ...] = ()


def report_cost(groups: Sequence[Group], column: str, *, dataset: str, protocol: Protocol = "last_epoch") -> CostReport:
    """The answer to "what does privacy cost here?"; ``dataset`` is its title.

    Speaks of one source only: of the visitor's own runs if these can be compared, else of the reference set, else of
    the authors. Of DP-SGD it takes the epsilon nearest to 1, of Local-DP the weakest noise of each kind.
    """
    figure = COMPARED[column].metric.word
    for source, place in IN_WORDS.items():
        own = [group for group in groups if group.first.source == source]
        costs = privacy_costs(own, column, protocol)
        if costs:
            chosen = _chosen(costs)
            learned, *others = {learned_in(cost.private.results) for cost in chosen}
            where = f" ({learned})" if learned and not others else ""
            said = " ".join(_said(cost, figure, with_learned=bool(others)) for cost in chosen)
            return CostReport(
                f"**{dataset}**, {place}{where}: {said} {_about(chosen, protocol)}",
                tuple(_footnote(cost) for cost in chosen),
            )
    return CostReport(
        f"**{dataset}**: nothing on screen says what privacy costs in {figure}. That takes runs with and without "
        "privacy of the same source, both of which have measured it."
    )


def _chosen(costs: Sequence[Cost]) -> list[Cost]:
    """One of DP-SGD and one of each kind of Local-DP; of several of one strength that most like its baseline.

    If these can be had where the same layers learned on pictures of one size, then there, or as many of them as can.
    """
    kinds: dict[str, dict[tuple[str, str | None], Cost]] = {}
    for cost in costs:
        first = cost.private.first
        here = kinds.setdefault(learned_in(cost.private.results), {})
        kind = (first.method, first.noise_draw)
        if kind not in here or _rank(cost) < _rank(here[kind]):
            here[kind] = cost
    chosen: dict[tuple[str, str | None], Cost] = {}
    for here in sorted(kinds.values(), key=len, reverse=True):
        chosen = here | chosen
    return [
        chosen[kind] for kind in sorted(chosen, key=lambda kind: (kind[0] != "dp_sgd", place_among_noises(kind[1])))
    ]


def _rank(cost: Cost) -> tuple[float, int]:
    first, epsilon = cost.private.first, cost.private.epsilon
    far = abs(math.log(epsilon / TALKED_ABOUT_EPSILON)) if first.method == "dp_sgd" and epsilon > 0 else 0.0
    noise = first.beta or 0.0 if first.method == "local_dp" or first.source == "authors" else 0.0
    # Rounded, because two runs for the same target may hold 0.998 and 0.999.
    return (round(far, 1) if math.isfinite(far) else 1e9) + noise, distance(cost.private, cost.baseline)


def _said(cost: Cost, figure: str, *, with_learned: bool) -> str:
    verb = "costs" if cost.points >= 0 else "gains"
    size = abs(cost.points)
    unit = "point" if f"{size:.1f}" == "1.0" else "points"
    learned = f" ({learned_in(cost.private.results)})" if with_learned else ""
    against = f"{_subject(cost.private)}{learned} {verb} {size:.1f} {unit} of {figure}"
    if cost.low is None or cost.high is None:
        return f"{against}."
    low, high = (cost.low, cost.high) if cost.points >= 0 else (-cost.high, -cost.low)
    doubt = ", so it may be nothing" if low < 0 < high else ""
    return f"{against} ({_signed(low)} to {_signed(high)}{doubt})."


def _signed(points: float) -> str:
    return f"{points:.1f}".replace("-", "−")


def _subject(group: Group) -> str:
    first = group.first
    if not first.guarantee.established:
        return f"{strength_of(first)} (ε not established)"
    held = "no finite ε"
    if math.isfinite(group.epsilon):
        held = f"ε = {format_epsilon(group.epsilon)}, δ = {format_delta(first.guarantee.delta or 0)}"
    if first.method == "local_dp":
        drawn = kinds_of_noise()[first.noise_draw or USUAL].drawn
        return f"Local-DP at β = {first.beta:g}, {drawn} ({held}{' for the image' if ',' in held else ''})"
    return f"DP-SGD with {held}"


def _about(costs: Sequence[Cost], protocol: Protocol) -> str:
    if protocol == "best_on_test":
        return "By the best epoch on the test images, which flatters all of them and has no honest interval."
    if all(cost.low is None for cost in costs):
        return "Against no privacy; with a single run on one side or both, how much of it is chance is not known."
    return "Against no privacy; in brackets the 95% interval of the difference."


def _footnote(cost: Cost) -> str:
    interval = f" The interval comes from {cost.rests_on}." if cost.low is not None else ""
    return f"{cost.private.label}, against {cost.baseline.label}: {cost.private.first.guarantee.statement}.{interval}"


def _mean(group: Group, column: str) -> float:
    found = group.estimate(column)
    return found.mean if found else -math.inf
