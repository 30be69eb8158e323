"""What a membership attack on networks like a run's own found: ``membership.json``, which its job writes last.

Nothing in it is covered by ε: it is counted on the records without noise, and says who was found. So it stays in the
data home and is in no export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from medpriv_core.records.kinds import VERSION, as_object, check_format, is_number, is_text, is_whole, unfit
from medpriv_core.strict_json import Unreadable

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class MembershipReport:
    """The attack as a whole. Shares are from 0 to 1.

    unit           what a record is: image or patient
    records        of the run; each network learned from ``half`` of them
    targets, references   networks that were attacked, and that they were compared with
    wanted         how many of both were asked for
    failed         a sentence for each network that came to nothing
    stopped        whether somebody stopped it before all were trained
    content        key of the images
    network        of the attacked ones: ``epochs``, ``batch_size``, ``steps``, and under DP-SGD ``noise_multiplier``
    epsilon, delta of the attacked ones; None where nothing is guaranteed
    ceiling        the most hits that their guarantee allows, at ``rates``
    rates          shares of false alarms of ``ceiling`` and of the curves
    attacks        by name: ``area``, curve (``hits``, ``low``, ``high`` at ``rates``), and ``told``, at each told rate
                   ``rate``, ``hits``, ``low``, ``high``, ``ceiling``, or None for hits where there are too few others
    found_at       the share of false alarms at which ``found_by`` and ``exposed`` count
    found_by       of all members of all targets, by which attacks they were found: names joined by " and " -> count
    alarm          where more was found than the guarantee allows: ``attack``, ``named``, ``hits_low``,
                   ``false_alarms_high`` and ``ceiling``; None if nowhere
    epsilon_at_least  the ε that the counts refute any smaller one than; 0 if none
    exposed        the most exposed records: ``record``, ``image`` (place of its first one), ``separation`` and, of the
                   targets that learned from it, ``found`` of ``member_of``
    seconds        that it took
    """

    FORMAT: ClassVar[int] = 1

    unit: str
    records: int
    half: int
    targets: int
    references: int
    wanted: int
    failed: tuple[str, ...]
    stopped: bool
    content: str
    network: Row
    epsilon: float | None
    delta: float | None
    rates: tuple[float, ...]
    ceiling: tuple[float, ...]
    attacks: Mapping[str, Row]
    found_at: float
    found_by: Mapping[str, int]
    alarm: Row | None
    epsilon_at_least: float
    exposed: tuple[Row, ...]
    seconds: float

    def to_file(self) -> dict[str, Any]:
        """Ready for JSON, with the number of the layout."""
        return asdict(self) | {VERSION: self.FORMAT}

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> MembershipReport:
        """The report in a JSON value; raises ``Unreadable``, and ``Newer`` for a later layout."""
        found = as_object(values)
        check_format(found, cls.FORMAT)
        kept = {name: value for name, value in found.items() if name != VERSION}
        try:
            for name in ("failed", "rates", "ceiling", "exposed"):
                kept[name] = tuple(kept[name])
            report = cls(**kept)
            _check(report)
        except (TypeError, KeyError, AttributeError) as error:
            raise Unreadable("it does not say what a membership attack found") from error
        return report


def _check(report: MembershipReport) -> None:
    """Raise ``Unreadable``, ``KeyError`` or ``TypeError`` for what pages and commands could not show."""
    for name in ("records", "half", "targets", "references", "wanted"):
        if not is_whole(getattr(report, name)):
            raise unfit(name, getattr(report, name))
    for name in ("epsilon_at_least", "seconds", "found_at"):
        if not is_number(getattr(report, name), low=0):
            raise unfit(name, getattr(report, name))
    for name in ("epsilon", "delta"):
        if getattr(report, name) is not None and not is_number(getattr(report, name), low=0):
            raise unfit(name, getattr(report, name))
    if report.unit not in ("image", "patient"):
        raise unfit("unit", report.unit)
    if not all(map(is_text, (*report.failed, report.content, *report.attacks, *report.found_by))):
        raise unfit("failed", report.failed)
    _check_shares("rates", report.rates, len(report.rates))
    _check_shares("ceiling", report.ceiling, len(report.rates))
    for attack in report.attacks.values():
        for name in ("hits", "low", "high"):
            _check_shares(name, attack[name], len(report.rates))
        _check_shares("area", [attack["area"]], 1)
        for told in attack["told"]:
            shares = [told["rate"], told["ceiling"]]
            shares += [] if told["hits"] is None else [told["hits"], told["low"], told["high"]]
            _check_shares("told", shares, len(shares))
    for one in report.exposed:
        sound = all(is_whole(one[name]) for name in ("record", "image", "found", "member_of"))
        if not sound or not is_number(one["separation"]):
            raise unfit("exposed", one)
    if report.alarm is not None:
        _check_shares("alarm", [report.alarm[n] for n in ("named", "hits_low", "false_alarms_high", "ceiling")], 4)
        if report.alarm["attack"] not in report.attacks:
            raise unfit("alarm", report.alarm)


def _check_shares(name: str, values: Any, count: int) -> None:
    if len(values) != count or not all(is_number(value, low=0, high=1) for value in values):
        raise unfit(name, values)
