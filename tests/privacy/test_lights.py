"""Lights on what was measured, on the second accountant and on patients with several images."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from medpriv_core.patients import PatientCount, patient_facts
from medpriv_core.privacy import second_accountant
from medpriv_core.privacy.checks import check_plan, check_run
from medpriv_core.privacy.conditions import Check
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.facts import planned_facts
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.verdict import planned_question, planned_verdict, run_question, run_verdict, second_record
from medpriv_core.recipes import recipe_for
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec
from medpriv_core.strict_json import Unreadable
from tests.privacy.findings import MEASURED
from tests.privacy.recorded import (
    N,
    dp_sgd,
    lights,
    named,
    recorded,
)


@pytest.mark.parametrize(
    ("finding", "name"),
    [
        ("noise", "Noise"),
        ("repeat", "Noise not repeatable"),
        ("clipping", "Clipping"),
        ("apart", "Images kept apart"),
        ("divisor", "Batch size"),
        ("sampling", "Sampling"),
        ("preprocessing", "Preprocessing"),
        ("augmentation", "Augmentation"),
        ("class_weights", "Class weights"),
    ],
)
def test_what_was_measured_has_the_last_word(finding: str, name: str) -> None:
    spec = dp_sgd(augment=True) if finding == "augmentation" else dp_sgd(class_weights=(1.0, 2.0))
    sound = named(check_run(spec, **recorded(spec)), name)
    assert sound.state == ("amber" if finding == "class_weights" else "green")
    assert "; measured: " in sound.sentence
    run = recorded(spec, measured=MEASURED | {finding: MEASURED[finding] | {"holds": False}})
    failed = named(check_run(spec, **run), name)
    assert failed.state == "red"
    assert failed.sentence.endswith("so no ε holds.")
    assert run_verdict(spec, **run).epsilon == math.inf


@pytest.mark.parametrize("damage", [{"noise": {"holds": "yes"}}, {"noise": {}}])
def test_findings_that_say_nothing_are_never_green(damage: dict[str, dict[str, object]]) -> None:
    spec = dp_sgd()
    check = named(check_run(spec, **recorded(spec, measured=damage)), "Noise")
    assert check.state != "green"


@pytest.mark.parametrize("damage", ["text", {"noise": 3}, [1], {"noise": {"holds": [1]}}])
def test_findings_that_nobody_can_read_are_refused(damage: object) -> None:
    with pytest.raises(Unreadable, match="measured cannot be"):
        Setup.from_dict({"guarantee": {"measured": damage}})


def test_a_run_that_measured_nothing_says_so_in_amber() -> None:
    spec = dp_sgd(noise_generator="secure")
    checks = check_run(spec, **recorded(spec, measured=None))
    assert lights(checks, "amber") >= {"Noise", "Sampling", "Clipping", "Batch size", "Noise not repeatable"}
    assert "did not measure it" in named(checks, "Clipping").sentence


def test_the_generator_that_ran_is_named() -> None:
    spec = dp_sgd()
    for drawn_by, words in (("openssl", "OpenSSL's generator"), ("philox", "statistical and not of cryptographic")):
        check = named(check_run(spec, **recorded(spec, noise_drawn_by=drawn_by)), "Noise generator")
        assert (check.state, words in check.sentence) == ("amber", True)


@pytest.mark.parametrize(("dataset", "state"), [("chest_xray", "amber"), ("synthetic_chest", "green")])
def test_a_recipe_that_was_tuned_with_these_test_images_is_amber(dataset: str, state: str) -> None:
    spec = RunSpec(**({"dataset": dataset} | recipe_for(dataset, ordered=False).settings(3.0)))
    check = named(check_plan(spec, train_size=N), "No choice by test images")
    assert (check.state, "looked at" in check.sentence) == (state, state == "amber")


def test_the_second_accountants_light_waits_confirms_and_contradicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_accountant, "_answers", {})
    monkeypatch.setattr(second_accountant, "_raised", set())
    spec = dp_sgd(noise_multiplier=2.5)
    run = recorded(spec, noise_multiplier=2.5, epsilon=0.1)
    asked = run_question(spec, **run)
    assert asked == planned_question(plan_run(spec, train_size=N))

    def light(answer: float | None = -1.0) -> tuple[Check, float]:
        if answer != -1.0:
            second_accountant._answers[asked] = answer
        checks = [check_plan(spec, train_size=N), check_run(spec, **run)]
        before, after = (named(each, "Second accountant") for each in checks)
        assert before == after
        verdicts = planned_verdict(spec, train_size=N), run_verdict(spec, **run)
        assert verdicts[0].epsilon == verdicts[1].epsilon
        return before, verdicts[0].epsilon

    check, first = light()
    assert (check.state, "is being confirmed" in check.sentence) == ("amber", True)
    check, told = light(first * 1.009)
    assert (check.state, told) == ("green", first)
    check, told = light(first * 1.2)  # the first one is wrong, or the second: the larger one is told
    assert (check.state, told) == ("red", first * 1.2)
    assert f"ε = {format_epsilon(told)} for the same steps" in check.sentence
    check, told = light(first * 0.8)
    assert (check.state, told) == ("amber", first)
    check, told = light(None)
    assert (check.state, "cannot compute" in check.sentence, told) == ("amber", True, first)


def test_what_a_run_recorded_of_the_second_accountant_counts_for_these_steps_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(second_accountant, "_answers", {})
    spec = dp_sgd()
    run, facts = recorded(spec), planned_facts(spec, train_size=N)
    kept = json.loads(json.dumps(second_record(facts, steps=run["spent"].steps, delta=1e-5)))
    run["setup"] = replace(run["setup"], second_accountant=kept)
    second_accountant._answers.clear()
    assert named(check_run(spec, **run), "Second accountant").state == "green"
    fewer = run | {"spent": replace(run["spent"], steps=run["spent"].steps - 41)}
    assert named(check_run(spec, **fewer), "Second accountant").state == "amber"
    for damaged in ({"epsilon": "0.1"}, {}, None):
        run["setup"] = replace(run["setup"], second_accountant=damaged)
        assert named(check_run(spec, **run), "Second accountant").state == "amber"


def test_a_patient_with_several_images_is_told_the_epsilon_of_all_of_them() -> None:
    spec = dp_sgd(sampling="full_batch", noise_multiplier=26.403)  # ε = 0.999 an image, μ = √50 / 26.4
    run = recorded(spec, noise_multiplier=26.403)
    run["setup"] = replace(run["setup"], **patient_facts(PatientCount(3654, 30)))
    for checks in (check_plan(spec, train_size=N, patients=PatientCount(3654, 30)), check_run(spec, **run)):
        check = named(checks, "Patients with several images")
        exact = composed_epsilon([Steps(26.403 / 30 / 50**0.5, 1.0, 1)], delta=1e-5)  # 30 times the distance
        assert (check.state, f"ε = {format_epsilon(exact)} (δ = 1e-5) holds" in check.sentence) == ("amber", True)
        assert exact == pytest.approx(65.7, abs=0.1)
    unknown = named(check_plan(spec, train_size=N), "Patients with several images")
    assert (unknown.state, "do not tell" in unknown.sentence) == ("amber", True)
    run["setup"] = replace(run["setup"], **patient_facts(None))
    assert named(check_run(spec, **run), "Patients with several images") == unknown
    run["setup"] = replace(run["setup"], patients_counted=False)
    assert "did not record" in named(check_run(spec, **run), "Patients with several images").sentence
    for many in (101, 5000):
        check = named(check_plan(spec, train_size=N, patients=PatientCount(9, many)), "Patients with several images")
        assert (check.state, "hardly protected" in check.sentence) == ("amber", True)
