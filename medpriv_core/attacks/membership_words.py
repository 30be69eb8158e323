"""What a membership attack found, in sentences for a person who is no expert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medpriv_core.attacks.membership import ATTACKS, TITLES, Attack
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.records.membership import MembershipReport

WHAT_IT_DOES_NOT_SAY = (
    "What this does not say: an attack that finds little proves nothing about ε, because a better one may find more. "
    "The networks that were attacked learned by this run's recipe from half of its records each, so this is about the "
    "recipe, not about the one network of the run. A smaller cohort gives more away: do not carry these figures over "
    "to one."
)
NO_EXPORT = (
    "These figures are counted on the training records without noise and are not covered by ε. They stay on this "
    "machine and are in no export."
)
LOCAL_DP = (
    "Under Local-DP the attacker is taken to hold the noised images that the networks learned from. The noise protects "
    "what an image shows; who is in the training set it does not hide, so there is no limit to compare with."
)
_MANY = {"image": "images", "patient": "patients"}


def title_of(name: str) -> str:
    """What an attack is called."""
    return TITLES[name] if name in ATTACKS else name


def told_at(report: MembershipReport, rate: float, attack: Attack) -> Mapping[str, Any]:
    """The figures that are told of an attack at a share of false alarms."""
    return next(row for row in report.attacks[attack]["told"] if row["rate"] == rate)


def best_attack(report: MembershipReport) -> Attack:
    """The attack that finds most at 1 % false alarms."""
    return max(ATTACKS, key=lambda attack: told_at(report, 0.01, attack)["hits"] or 0.0)


def finding(report: MembershipReport) -> str:
    """How many records the best attack found, and how many the guarantee allows."""
    attack = best_attack(report)
    told = told_at(report, 0.01, attack)
    many = _MANY[report.unit]
    found = (
        f"The best of three attacks ({title_of(attack)}) found {_of_hundred(told['hits'])} of 100 {many} that the "
        f"networks learned from, where it names 1 of 100 others falsely (95% interval {_of_hundred(told['low'])} to "
        f"{_of_hundred(told['high'])})"
    )
    if report.epsilon is None:
        return f"{found}; no guarantee limits what an attack may find."
    assert report.delta is not None
    return (
        f"{found}; the guarantee allows at most {_of_hundred(told['ceiling'])} "
        f"(ε = {format_epsilon(report.epsilon)}, δ = {format_delta(report.delta)})."
    )


def alarm_sentences(report: MembershipReport) -> tuple[str, ...]:
    """What was found above the limit, and what to do; empty where nothing was."""
    alarm = report.alarm
    if alarm is None:
        return ()
    return (
        f"This training gives away more than its guarantee allows. {title_of(alarm['attack'])} found at least "
        f"{alarm['hits_low']:.2%} of the {_MANY[report.unit]} at no more than {alarm['false_alarms_high']:.2%} false "
        f"alarms, and the limit there is {alarm['ceiling']:.2%}. By chance this happens in fewer than 1 of 20 attacks.",
        "Do not release this network, and do not tell its ε. Attack again with another seed. If it stays so, run the "
        "audit (`medpriv audit`), which looks for the mistake in each step, and train the run again after it is found.",
    )


def conditions(report: MembershipReport) -> tuple[str, ...]:
    """How the attack was made, and what went wrong on the way."""
    many = _MANY[report.unit]
    made = (
        f"{report.targets} networks attacked, {report.references} references, each trained on a random half "
        f"({report.half:,}) of {report.records:,} {many}, {report.network['steps']:,} steps."
    )
    sentences = [made]
    if report.stopped:
        sentences.append(
            f"The attack was stopped: it used the {report.targets + report.references} of {report.wanted} networks "
            "that were trained by then."
        )
    if report.failed:
        sentences.append(
            f"{len(report.failed)} of {report.wanted} networks failed and were left out. The first said: "
            f"{report.failed[0]}"
        )
    if told_at(report, 0.001, "lira")["hits"] is None:
        sentences.append(
            f"Hits at 0.1% false alarms are not told below 1,000 others: with {report.records - report.half:,} they "
            "are one record's luck."
        )
    if report.network.get("method") == "local_dp":
        sentences.append(LOCAL_DP)
    if report.epsilon_at_least > 0:
        sentences.append(
            f"From these counts alone, ε is at least {report.epsilon_at_least:.2f} (Clopper-Pearson bounds at 95%"
            + ("" if report.delta is None else f", δ = {format_delta(report.delta)}")
            + ")."
        )
    else:
        sentences.append("From these counts alone, no ε above 0 follows.")
    return tuple(sentences)


def table(report: MembershipReport) -> list[dict[str, str]]:
    """A row for each attack and told share of false alarms, in words."""
    rows = []
    for attack in ATTACKS:
        figures = report.attacks[attack]
        row = {"attack": title_of(attack), "area under the curve": f"{figures['area']:.3f}"}
        for told in figures["told"]:
            heading = f"found at {told['rate']:.1%} false alarms"
            if told["hits"] is None:
                row[heading] = "too few others"
            else:
                row[heading] = f"{told['hits']:.2%} ({told['low']:.2%} to {told['high']:.2%})"
        rows.append(row)
    limit = {"attack": "the most that the guarantee allows", "area under the curve": ""}
    for told in report.attacks["lira"]["told"]:
        limit[f"found at {told['rate']:.1%} false alarms"] = (
            "no limit" if report.epsilon is None else f"{told['ceiling']:.2%}"
        )
    return [*rows, limit]


def found_by_sentence(report: MembershipReport) -> str:
    """Which attacks found the same records."""
    if not report.found_by:
        return f"At {report.found_at:.0%} false alarms no record was found."
    parts = [f"{count:,} by {names}" for names, count in report.found_by.items()]
    return (
        f"Records found at {report.found_at:.0%} false alarms, counted over all attacked networks: "
        f"{'; '.join(parts)}. Some of them are found by chance."
    )


def _of_hundred(share: float) -> str:
    return f"{100 * share:.1f}"
