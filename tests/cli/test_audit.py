"""``audit``: both verdicts in words, as JSON, and as exit codes."""

from __future__ import annotations

import pytest

from medpriv_core.training.audit import canaries
from medpriv_core.training.audit.canaries import Audit, audit_loop
from tests.cli.conftest import Command, Refusal


def test_the_sound_loop_is_consistent_with_its_claim(medpriv: Command):
    answer = medpriv("audit")
    assert answer.code == 0
    claimed, attack, bound, step, verdict = answer.out.splitlines()
    assert step.startswith("Of one step: a record that is drawn is told apart at μ > 0.4")
    assert claimed.startswith("Claimed: ε = 1.7")
    assert "(δ = 1e-6; one image added or removed; Poisson sampling; PLD accountant)" in claimed
    assert "of 512 guesses right about 2048 canaries, noise multiplier 2, sampling rate 0.03125, 512 steps" in attack
    assert bound.startswith("Lower bound: ε > 0")
    assert bound.endswith("(δ = 1e-6) with 99.9% confidence")
    assert verdict.startswith("Consistent: ")
    assert "no proof" in verdict


def test_a_broken_loop_is_found_and_the_exit_code_says_so(medpriv: Command, monkeypatch: pytest.MonkeyPatch):
    found = []

    def audit_once(*arguments: object, **options: object) -> Audit:
        found.append(found[0] if found else audit_loop(*arguments, **options))
        return found[0]

    monkeypatch.setattr(canaries, "audit_loop", audit_once)
    answer = medpriv("audit", "--broken", "noise", "--json")
    assert answer.code == 1
    assert answer.json["consistent"] is False
    assert answer.json["lower_bound"] > answer.json["claimed_epsilon"] > 1.7
    assert answer.json | {"accountant": "pld", "sampling": "poisson", "adjacency": "add-remove"} == answer.json
    assert answer.json | {"delta": 1e-6, "confidence": 0.999, "canaries": 2048, "mistake": "noise"} == answer.json
    answer = medpriv("audit", "--broken", "noise")
    assert answer.code == 1
    assert answer.out.startswith("Broken on purpose: the noise is divided by the batch size twice.")
    assert answer.out.splitlines()[-1].startswith("Violation: ε = 1.7")


def test_an_unknown_mistake_is_refused(refused: Refusal):
    assert "invalid choice: 'typo'" in refused("audit", "--broken", "typo")
