"""The figures of a membership attack, from what target and reference networks said of the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medpriv_core.attacks.membership import ATTACKS, SCORES, TITLES, Array, Attack, References, separations
from medpriv_core.attacks.membership_roc import (
    FEWEST_OTHERS,
    RATES,
    Attacked,
    Found,
    area,
    check_sizes,
    counts_found,
    epsilon_at_least,
    found_by,
    hits_at,
    refutes,
    roc,
    roc_rates,
)
from medpriv_core.privacy.curve import Curve

# At which share of false alarms it is told who was found.
FOUND_AT = 0.01
MOST_EXPOSED = 24


@dataclass(frozen=True)
class Answers:
    """What the networks say of the records.

    targets     φ of each target and record, (targets, n)
    members     bool, of the same shape: whether the target learned from it
    references  the same of the reference networks
    """

    targets: Array
    members: npt.NDArray[np.bool_]
    references: References


def figures_of(
    answers: Answers,
    *,
    ceiling: Curve,
    delta: float,
    first_images: Sequence[int] | np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """The figures of a ``records.membership.MembershipReport`` that follow from the answers.

    Args:
        answers: Of one target and two references at least.
        ceiling: The most that the guarantee of the targets allows.
        delta: At which the bound on ε is meant.
        first_images: The place of each record's first image, (n,).
        rng: For the bands.

    Returns:
        By the names of the report's fields: rates, ceiling, attacks, found_at, found_by, alarm, epsilon_at_least and
        exposed.

    Raises:
        SettingError: There are fewer than 50 members or others.
    """
    attacked = {attack: _attacked(answers, attack) for attack in ATTACKS}
    check_sizes(attacked["lira"])
    others = int((~answers.members[0]).sum())
    rates = roc_rates(others)
    counts = {attack: counts_found(targets, tries=len(ATTACKS)) for attack, targets in attacked.items()}
    return {
        "rates": rates.tolist(),
        "ceiling": ceiling.hits(rates).tolist(),
        "attacks": {attack: _figures(targets, rates, ceiling, others, rng) for attack, targets in attacked.items()},
        "found_at": FOUND_AT,
        "found_by": _found_by(attacked),
        "alarm": _alarm(counts, ceiling),
        "epsilon_at_least": epsilon_at_least([one for found in counts.values() for one in found], delta=delta),
        "exposed": _exposed(answers, attacked["lira"], first_images),
    }


def _attacked(answers: Answers, attack: Attack) -> list[Attacked]:
    score = SCORES[attack]
    return [
        Attacked(score(target, answers.references), members)
        for target, members in zip(answers.targets, answers.members, strict=True)
    ]


def _figures(
    targets: Sequence[Attacked], rates: Array, ceiling: Curve, others: int, rng: np.random.Generator
) -> dict[str, Any]:
    curve = roc(targets, rates=rates, rng=rng)
    told = []
    for rate in RATES:
        row: dict[str, Any] = {"rate": rate, "ceiling": float(ceiling.hits(rate)), "hits": None}
        if others >= FEWEST_OTHERS[rate]:
            place = int(np.flatnonzero(rates == rate)[0])
            row |= {name: float(getattr(curve, name)[place]) for name in ("hits", "low", "high")}
        told.append(row)
    return {
        "area": float(np.mean([area(target) for target in targets])),
        "hits": curve.hits.tolist(),
        "low": curve.low.tolist(),
        "high": curve.high.tolist(),
        "told": told,
        "each": [[float(hits) for hits in hits_at(target, RATES)] for target in targets],
    }


def _found_by(attacked: Mapping[Attack, Sequence[Attacked]]) -> dict[str, int]:
    """Of all members of all targets, how many were found by just these attacks."""
    names = {attack: [found_by(target, FOUND_AT) for target in targets] for attack, targets in attacked.items()}
    counted: dict[str, int] = {}
    for chosen in range(1, 2 ** len(ATTACKS)):
        wanted = [attack for place, attack in enumerate(ATTACKS) if chosen >> place & 1]
        count = 0
        for target in range(len(attacked["lira"])):
            alike = [names[attack][target] == (attack in wanted) for attack in ATTACKS]
            count += int(np.logical_and.reduce(alike).sum())
        if count:
            counted[" and ".join(TITLES[attack] for attack in wanted)] = count
    return dict(sorted(counted.items(), key=lambda item: -item[1]))


def _alarm(counts: Mapping[Attack, Sequence[Found]], ceiling: Curve) -> dict[str, Any] | None:
    for attack, found in counts.items():
        one = refutes(found, ceiling)
        if one is not None:
            return {
                "attack": attack,
                "named": one.named,
                "hits_low": one.hits.low,
                "false_alarms_high": one.false_alarms.high,
                "ceiling": float(ceiling.hits(one.false_alarms.high)),
            }
    return None


def _exposed(
    answers: Answers, targets: Sequence[Attacked], first_images: Sequence[int] | np.ndarray
) -> list[dict[str, Any]]:
    """The records whose networks with and without them differ most."""
    distance = separations(answers.references)
    found = np.sum([found_by(target, FOUND_AT) for target in targets], axis=0)
    members = answers.members.sum(0)
    return [
        {
            "record": int(record),
            "image": int(first_images[record]),
            "separation": float(distance[record]),
            "found": int(found[record]),
            "member_of": int(members[record]),
        }
        for record in np.argsort(-distance, kind="stable")[:MOST_EXPOSED]
    ]
