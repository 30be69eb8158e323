"""``audit``: both verdicts in words, as JSON, and as exit codes."""

from __future__ import annotations

from typing import Any

import pytest

from medpriv_core.training.audit import canaries
from medpriv_core.training.audit.canaries import Audit, audit_loop
from tests.cli.conftest import Command, Refusal


def test_the_sound_loop_is_consistent_with_its_claim(medpriv: Command) -> None:
    answer = medpriv("audit")
    assert answer.code == 0
    loop, claimed, attack, bound, step, *tried, verdict = answer.out.splitlines()
    assert loop == "Loop: engine one_pass, layers head, fast noise, on cpu"
    assert len(tried) == 7
    assert all(line.startswith("Self-test, ") and ": holds (" in line for line in tried)
    assert step.startswith("Of one step: a record that is drawn is told apart at μ > 0.4")
    assert step.endswith(", with a risk of 1 in 10,000,000; claimed is μ = 0.5")
    assert claimed.startswith("Claimed: ε = 1.7")
    assert "(δ = 1e-6; one image added or removed; Poisson subsampling; PLD accountant)" in claimed
    assert "of 512 guesses right about 2048 canaries, noise multiplier 2, sampling rate 0.03125, 512 steps" in attack
    assert bound.startswith("Lower bound: ε > 0")
    assert bound.endswith("(δ = 1e-6) with 99.9% confidence")
    assert verdict.startswith("Consistent: ")
    assert "no proof" in verdict


def test_a_broken_loop_is_found_and_the_exit_code_says_so(medpriv: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    audits: list[Audit] = []

    def audit_once(*arguments: Any, **options: Any) -> Audit:
        audits.append(audits[0] if audits else audit_loop(*arguments, **options))
        return audits[0]

    monkeypatch.setattr(canaries, "audit_loop", audit_once)
    answer = medpriv("audit", "--broken", "noise", "--json")
    assert answer.code == 1
    assert answer.json["consistent"] is False
    assert answer.json["lower_bound"] > answer.json["claimed_epsilon"] > 1.7
    assert answer.json | {"accountant": "pld", "sampling": "poisson", "adjacency": "add-remove"} == answer.json
    assert answer.json | {"delta": 1e-6, "confidence": 0.999, "canaries": 2048, "mistake": "noise"} == answer.json
    assert answer.json["found_by"] == ["epsilon", "mu", "self_test"]
    assert answer.json["measured"]["noise"]["holds"] is False
    assert answer.json["measured"]["clipping"]["holds"] is True
    answer = medpriv("audit", "--broken", "noise")
    assert answer.code == 1
    assert answer.out.startswith("Broken on purpose: the noise is divided by the batch size twice.")
    *_, found, verdict = answer.out.splitlines()
    assert found == "Found by the attack's bound on ε, the attack's bound on μ of one step and the self-test."
    assert verdict.startswith("Violation: ε = 1.7")


def test_what_only_the_self_test_finds_is_said(medpriv: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canaries, "EPOCHS", 1)
    options = ["--broken", "fixed_seed", "--engine", "opacus", "--layers", "norms", "--generator", "secure"]
    answer = medpriv("audit", *options)
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[1] == "Loop: engine opacus, layers norms, secure noise, on cpu"
    assert any(line.startswith("Self-test, repeat: FAILED (two draws of one stepper") for line in lines)
    assert lines[-2] == (
        "Found by the self-test; not by the attack's bound on ε or the attack's bound on μ of one step."
    )


def test_a_device_that_is_not_here_is_refused(refused: Refusal) -> None:
    assert "no Apple GPU" in refused("audit", "--device", "mps")


def test_an_unknown_mistake_is_refused(refused: Refusal) -> None:
    assert "invalid choice: 'typo'" in refused("audit", "--broken", "typo")
