"""``attack membership``: what it prints, as JSON too, and its exit codes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from medpriv_core.attacks.membership_report import figures_of
from medpriv_core.cli import attack_membership
from medpriv_core.cli.main import main
from medpriv_core.home import DataHome
from medpriv_core.privacy.curve import GaussianCurve
from medpriv_core.progress import Cancelled
from medpriv_core.records.membership import MembershipReport
from tests.attacks.test_membership import gaussian_answers, whole_report


class EndedJob:
    """A job that has ended, as the command sees it."""

    def __init__(self, result: dict[str, Any], *, stopped: bool = False) -> None:
        self.result, self._stopped = result, stopped

    def wait(self, **_: Any) -> dict[str, Any]:
        if self._stopped:
            raise Cancelled
        return self.result

    def status(self) -> EndedJob:
        return self


def found(ceiling: float) -> MembershipReport:
    figures = figures_of(
        gaussian_answers(1.0, records=2400),
        ceiling=GaussianCurve(ceiling),
        delta=1e-5,
        first_images=np.arange(2400),
        rng=np.random.default_rng(0),
    )
    return MembershipReport.from_dict(whole_report(figures))


def put(monkeypatch: pytest.MonkeyPatch, report: MembershipReport | None, job: EndedJob) -> list[dict[str, int]]:
    asked: list[dict[str, int]] = []

    def start(_home: DataHome, _run: str, **numbers: int) -> EndedJob:
        asked.append(numbers)
        return job

    monkeypatch.setattr(attack_membership, "start_attack", start)
    monkeypatch.setattr(attack_membership, "read_attack", lambda *_: report)
    return asked


def test_a_sound_run_is_told_with_its_limit(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = put(monkeypatch, found(1.2), EndedJob({"targets": 4}))

    assert main(["attack", "membership", "r1", "--references", "32", "--targets", "4", "--seed", "7"]) == 0
    said = capsys.readouterr().out
    assert asked == [{"references": 32, "targets": 4, "seed": 7}]
    assert "the guarantee allows at most" in said
    assert "the most that the guarantee allows" in said
    assert "ALARM" not in said


def test_an_alarm_is_an_exit_code_and_json_has_it(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(monkeypatch, found(0.2), EndedJob({"targets": 4}))
    assert main(["attack", "membership", "r1"]) == 1
    assert "ALARM: This training gives away more" in capsys.readouterr().out
    assert main(["attack", "membership", "r1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["alarm"]["attack"] == "lira"


def test_a_stopped_attack_tells_what_it_has_or_ends_as_interrupted(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(monkeypatch, found(1.2), EndedJob({"targets": 4}, stopped=True))
    assert main(["attack", "membership", "r1"]) == 0
    put(monkeypatch, None, EndedJob({}, stopped=True))
    assert main(["attack", "membership", "r1"]) == 130


def test_a_run_that_is_not_there_or_too_few_references_are_refused(
    home: DataHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attack", "membership", "r1"]) == 2
    assert main(["attack", "membership", "r1", "--references", "15"]) == 2
    assert "from 16 to 128" in capsys.readouterr().err
