"""Guarantee checks and verdicts: what fails is red with what holds instead, and nothing unknown is green."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest

from medpriv_core.errors import SettingError
from medpriv_core.privacy.checks import check_plan, check_run, confirm_run
from medpriv_core.privacy.facts import GuaranteeFacts, planned_facts
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.spent import spent_at
from medpriv_core.privacy.statement import dp_sgd_meaning
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.verdict import planned_verdict, run_verdict
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.spec import Method, RunSpec
from medpriv_core.strict_json import Unreadable
from tests.privacy.recorded import (
    AS_THE_AUTHORS,
    ONE_EACH,
    WITH_BATCH_NORM,
    N,
    dp_sgd,
    lights,
    named,
    recorded,
)


@pytest.mark.parametrize("settings", [{}, {"sampling": "full_batch"}, {"augment": True}], ids=str)
def test_a_sound_run_has_no_red_light_before_or_after(settings: dict[str, Any]) -> None:
    spec = dp_sgd(noise_generator="secure", **settings)
    confirm_run(spec, **recorded(spec))
    for checks in (check_plan(spec, train_size=N, patients=ONE_EACH), check_run(spec, **recorded(spec))):
        assert {check.state for check in checks} == {"green"}
        assert len(checks) == 16


@pytest.mark.parametrize("method", ["none", "local_dp"])
def test_other_methods_have_no_checks(method: Method) -> None:
    spec = RunSpec(dataset="synthetic_chest", method=method, beta=1.0 if method == "local_dp" else None)
    assert check_plan(spec, train_size=N) == check_run(spec, setup=Setup(train_size=N), spent=None) == []
    assert planned_verdict(spec, train_size=N) is None
    assert run_verdict(spec, setup=Setup(train_size=N), spent=spent_at(EpochRow(epoch=1, steps=5))) is None


def test_the_authors_run_is_red_where_it_fails_and_says_what_holds() -> None:
    spec = dp_sgd(**WITH_BATCH_NORM, delta=1e-4)
    for checks in (check_plan(spec, train_size=N), check_run(spec, **recorded(spec))):
        assert lights(checks, "red") == {"Sampling", "Clipping", "Images kept apart"}
        assert named(checks, "Sampling").sentence.endswith("raises ε from 0.69 to 5.77.")
        assert named(checks, "Clipping").sentence.endswith("raises ε from 0.69 to 1.58.")
        assert "no ε holds" in named(checks, "Images kept apart").sentence


@pytest.mark.parametrize("after", [False, True])
def test_the_verdict_names_what_holds_and_what_does_not(after: bool) -> None:
    def verdict(spec: RunSpec) -> Any:
        return run_verdict(spec, **recorded(spec)) if after else planned_verdict(spec, train_size=N)

    worst = verdict(dp_sgd(**AS_THE_AUTHORS, delta=1e-4))
    assert worst.epsilon == pytest.approx(13.9, rel=0.005)
    assert worst.claimed_epsilon == pytest.approx(0.687, rel=0.01)
    assert "one image replaced by an empty one; shuffled batches" in worst.statement
    assert worst.sentence.startswith("What holds for this run is ε = 13.9: ε = 0.69 would need")
    # The Gaussian of the 50 counted steps at half the noise, and not the bound by (ε, δ), which is 100 of 100.
    assert worst.risk.mu == pytest.approx(50**0.5 * 2 / 5.002)
    assert worst.sentence.endswith(
        "finds at most 70 of 100 images that were in the training set, while wrongly naming 1 of 100 that were not."
    )
    none = verdict(dp_sgd(**WITH_BATCH_NORM, delta=1e-4))
    assert none.sentence.endswith(
        "Nothing is promised: anyone who has the model may find every image that was in the training set, without a "
        "false alarm."
    )
    assert none.epsilon == math.inf
    assert none.sentence.startswith("No ε holds for this run")
    assert none.statement.startswith("ε = ∞")


@pytest.mark.parametrize("settings", [{}, {"sampling": "full_batch"}, {"target_epsilon": 2.0}], ids=str)
def test_a_sound_verdict_is_the_plan_and_claims_nothing_else(settings: dict[str, Any]) -> None:
    spec = dp_sgd(**settings)
    verdict = planned_verdict(spec, train_size=N)
    assert verdict.epsilon == plan_run(spec, train_size=N).epsilon
    assert verdict.claimed_epsilon is None
    assert verdict.risk == plan_run(spec, train_size=N).risk
    assert verdict.sentence == dp_sgd_meaning(verdict.risk)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"mixing_layers": ("layer1.0.bn1",)}, "Images kept apart"),
        ({"divisor": "actual"}, "Batch size"),
        ({"augmentation": "by_place"}, "Augmentation"),
        ({"noise_seed_stored": True}, "Noise not repeatable"),
        ({"normalisation": "training_images"}, "Preprocessing"),
    ],
    ids=str,
)
def test_a_loop_that_did_otherwise_than_its_settings_say_has_no_epsilon(changes: dict[str, Any], name: str) -> None:
    spec = dp_sgd()
    run = recorded(spec, **changes)
    checks = check_run(spec, **run)
    assert named(checks, name).state == "red"
    assert math.isfinite(run["spent"].epsilon)
    verdict = run_verdict(spec, **run)
    assert verdict.epsilon == math.inf
    assert verdict.sentence.startswith("No ε holds")


def test_who_was_drawn_may_be_known_where_nothing_is_credited_for_it() -> None:
    spec = dp_sgd(sampling="shuffled")
    checks = check_run(spec, **recorded(spec, divisor="actual", augmentation="by_place"))
    assert lights(checks, "red") == {"Sampling"}


def test_recorded_microbatches_double_the_sensitivity_whatever_the_ledger_says() -> None:
    spec = dp_sgd()
    run = recorded(spec, clipped_together=4)
    checks = check_run(spec, **run)
    assert lights(checks, "red") == {"Clipping", "Accounting"}
    assert run_verdict(spec, **run).epsilon > 2 * run["spent"].epsilon


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampling": "shuffled", "sample_rate": 1.0}, "another way than its settings say"),
        ({"sample_rate": 0.5}, "another way than its settings say"),
        ({"steps": 49 * 41 + 3}, None),
        ({"epsilon": 0.3}, "The ledger says ε = 0.3, but what the loop recorded costs ε = 0.83."),
        ({"noise_multiplier": 2.5}, "but what the loop recorded costs"),
    ],
    ids=str,
)
def test_steps_and_rate_must_match_the_ledger(changes: dict[str, Any], words: str | None) -> None:
    spec = dp_sgd()
    check = named(check_run(spec, **recorded(spec, **changes)), "Accounting")
    assert check.state == ("red" if words else "green")
    assert words is None or words in check.sentence


def test_a_missing_step_is_noticed() -> None:
    spec = dp_sgd()
    run = recorded(spec, steps=40 * 41)
    run["spent"] = replace(run["spent"], epochs=41)
    check = named(check_run(spec, **run), "Accounting")
    assert (check.state, "1,640 steps, but 41 epochs of 41" in check.sentence) == ("red", True)


def test_a_ledger_that_says_more_than_its_steps_cost_is_believed() -> None:
    spec = dp_sgd()
    risk = run_verdict(spec, **recorded(spec)).risk
    assert run_verdict(spec, **recorded(spec, epsilon=0.83)).risk == risk  # the last digit of another version
    assert run_verdict(spec, **recorded(spec, epsilon=2.0)).risk.at_one_percent > 2 * risk.at_one_percent


def test_an_infinite_epsilon_of_the_ledger_is_not_improved() -> None:
    spec = dp_sgd()
    assert run_verdict(spec, **recorded(spec, epsilon=None)).epsilon == math.inf


def test_a_resumed_run_with_other_noise_is_neither_a_fault_nor_a_false_claim() -> None:
    spec = dp_sgd()
    earlier = (Steps(3.0, 128 / N, 20 * 41),)
    run = recorded(spec, earlier_segments=earlier, epsilon=100.0)
    assert named(check_run(spec, **run), "Accounting").state == "green"
    run = recorded(spec, earlier_segments=earlier)  # a ledger that forgot the old noise
    check = named(check_run(spec, **run), "Accounting")
    assert (check.state, "The ledger says" in check.sentence) == ("red", True)
    verdict = run_verdict(spec, **run)
    assert verdict.epsilon > run["spent"].epsilon
    assert verdict.claimed_epsilon is None


def test_a_run_of_an_earlier_version_is_amber_where_nothing_was_recorded() -> None:
    spec = dp_sgd()
    run: dict[str, Any] = {
        "setup": Setup(train_size=N, noise_multiplier=5.002),
        "spent": spent_at(EpochRow(epoch=1, steps=41, epsilon=0.2)),
    }
    checks = check_run(spec, **run)
    silent = {"Sampling", "Clipping", "Images kept apart", "Batch size", "Accounting", "Preprocessing"}
    silent |= {"Second accountant", "Patients with several images", "Pretrained weights"}
    assert lights(checks, "amber") == silent | {"Augmentation", "Noise generator", "Noise not repeatable", "Noise"}
    assert not lights(checks, "red")
    verdict = run_verdict(spec, **run)
    assert (verdict.epsilon, verdict.claimed_epsilon) == (0.2, None)
    # Without its steps, only what follows from ε and δ: e^0.2 times the false alarms.
    assert verdict.risk.at_one_percent == pytest.approx(math.exp(0.2) * 0.01 + 1e-5)
    assert "Poisson subsampling; PLD" in verdict.statement


def test_each_fact_that_is_missing_takes_a_green_light_away() -> None:
    spec = dp_sgd(noise_generator="secure")
    confirm_run(spec, **recorded(spec))
    for field in fields(GuaranteeFacts):
        # Where no unit was recorded there was none but the image.
        if field.name not in ("engine", "batches_drawn_by", "unit", "images_drawn"):
            checks = check_run(spec, **recorded(spec, **{field.name: None}))
            assert lights(checks, "amber"), field.name


def test_facts_come_back_from_json_as_they_were() -> None:
    facts = planned_facts(dp_sgd(**WITH_BATCH_NORM), train_size=N)
    assert GuaranteeFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts
    assert GuaranteeFacts.from_dict({"sampling": "poisson", "of_a_later_version": 1}).sampling == "poisson"
    with pytest.raises(Unreadable, match="no values by name"):
        Setup.from_dict({"guarantee": "damaged"})


@pytest.mark.parametrize(("delta", "state"), [(1e-5, "green"), (1.9e-5, "green"), (2e-5, "amber"), (1e-4, "amber")])
def test_delta_is_green_up_to_a_tenth_of_one_over_n(delta: float, state: str) -> None:
    check = named(check_plan(dp_sgd(delta=delta), train_size=N), "Delta")
    assert check.state == state
    if delta == 1e-4:
        assert "up to 52.2%" in check.sentence
        assert "1e-5 or less" in check.sentence


def test_a_delta_of_one_over_n_is_red_after_and_refused_before() -> None:
    spec = dp_sgd(delta=2e-4)
    with pytest.raises(SettingError, match="must be below 1/n"):
        check_plan(spec, train_size=N)
    run: dict[str, Any] = {"setup": Setup(train_size=N, noise_multiplier=5.002), "spent": None}
    assert named(check_run(spec, **run), "Delta").state == "red"


@pytest.mark.parametrize(
    ("settings", "name", "state"),
    [
        ({"weights": "none"}, "Pretrained weights", "green"),
        ({"weights": "/somewhere/resnet18.pth"}, "Pretrained weights", "amber"),
        ({"class_weights": (1.0, 3.0)}, "Class weights", "amber"),
        ({"noise_generator": "fast"}, "Noise generator", "amber"),
        ({"noise_generator": "secure"}, "Noise generator", "green"),
        ({"average_last": 0.5}, "No choice by test images", "green"),
    ],
    ids=str,
)
def test_what_only_the_user_can_know_is_amber(settings: dict[str, Any], name: str, state: str) -> None:
    assert named(check_plan(dp_sgd(**settings), train_size=N), name).state == state


@pytest.mark.parametrize(
    ("share", "epochs", "step", "result"),
    [
        (0.0, 3, 0, "network after the last epoch"),
        (0.0, 3, 7, "network as it was when the run was stopped"),
        (0.0, 0, 7, "network as it was when the run was stopped"),
        (0.5, 10, 0, "average of the last steps"),
        (0.5, 7, 7, "average of the last steps"),
        (0.5, 4, 7, "network as it was when the run was stopped"),  # before the average began
        (0.5, 4, 0, "network after the last epoch"),
    ],
)
def test_the_result_is_called_what_it_is_also_of_a_run_that_was_stopped(
    share: Any, epochs: Any, step: Any, result: Any
) -> None:
    spec = dp_sgd(average_last=share, epochs=10)
    run = recorded(spec, steps=41 * epochs + step)  # 41 in an epoch
    check = named(check_run(spec, **run), "No choice by test images")
    assert check.state == "green"
    assert check.sentence.startswith(f"By construction the result is the {result}, never the best one")


def test_every_light_has_one_sentence() -> None:
    for spec in (dp_sgd(), dp_sgd(**WITH_BATCH_NORM, class_weights=(1.0, 2.0), weights="/a.pth", average_last=0.5)):
        for check in check_plan(spec, train_size=N):
            assert check.sentence.endswith(".")
            assert ". " not in check.sentence
            assert check.sentence[0].isupper() or check.sentence.startswith("δ")


def test_weights_that_do_not_look_trained_take_the_light_on_them_its_green() -> None:
    spec = dp_sgd(weights="imagenet")
    run = recorded(spec)
    assert named(check_run(spec, **run), "Pretrained weights").state == "green"
    doubt = "These do not look like weights that were trained on photographs."
    run["setup"] = replace(run["setup"], weights_doubt=doubt)
    check = named(check_run(spec, **run), "Pretrained weights")
    assert check.state == "amber"
    assert "These do not look like weights" in check.sentence
