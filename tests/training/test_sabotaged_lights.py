"""What a run records is what acted, and a light turns by it where no self-test looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from medpriv_core.errors import RunError
from medpriv_core.privacy import dp_sgd, second_accountant
from medpriv_core.privacy.checks import check_plan, check_run
from medpriv_core.runs.spent_record import read_spent
from medpriv_core.training import private_steps, session
from medpriv_core.training.ledger import Ledger
from medpriv_core.training.noise import NoiseSource
from tests.training.conftest import Run, toy_spec
from tests.training.test_self_test import (
    DP,
    SABOTAGES,
    Patch,
    another_rate,
    another_way_to_draw,
    clipping_at_100,
    less_noise_than_counted,
)


def test_what_a_loop_does_otherwise_is_recorded_as_it_does_it(new_run: Callable[..., Run], monkeypatch: Patch) -> None:
    """Facts are those of the objects, and not of the settings that they were made from."""
    for sabotage, settings, facts in (
        (another_rate, {}, {"sample_rate": 0.4}),
        (another_way_to_draw, {}, {"sampling": "shuffled", "sample_rate": 1.0, "batches_drawn_by": None}),
        (less_noise_than_counted, {}, {"noise_multiplier": 0.5}),
        (clipping_at_100, {}, {"noise_multiplier": 0.01}),
    ):
        with monkeypatch.context() as patch:
            sabotage(patch)
            run = new_run()
            with pytest.raises(RunError, match="failed its own test"):
                run.open(toy_spec(**(DP | settings)))
        recorded = vars(run.directory.read_setup().guarantee)
        assert {name: recorded[name] for name in facts} == facts


def noise_that_is_not_hardened(patch: Patch) -> None:
    patch.setattr(private_steps, "NoiseSource", lambda _kind, device: NoiseSource("fast", device))


def a_step_in_two_is_counted(patch: Patch) -> None:
    real, calls = Ledger.count_step, []

    def count(self: Ledger) -> None:
        calls.append(1)
        if len(calls) % 2:
            real(self)

    patch.setattr(Ledger, "count_step", count)


def half_an_epsilon(patch: Patch) -> None:
    real = dp_sgd.pld_epsilon
    patch.setattr(dp_sgd, "pld_epsilon", lambda *arguments, **options: real(*arguments, **options) / 2)


def weights_from_elsewhere(patch: Patch) -> None:
    real = session.load_weights
    patch.setattr(session, "load_weights", lambda *a, **o: replace(real(*a, **o), origin="file"))


# What no self-test sees: lights that turn by what else acts.
OTHER_SABOTAGES = [
    (noise_that_is_not_hardened, {"noise_generator": "secure"}, "Noise generator", "amber"),
    (a_step_in_two_is_counted, {}, "Accounting", "red"),
    (half_an_epsilon, {}, "Second accountant", "red"),
    (weights_from_elsewhere, {}, "Pretrained weights", "amber"),
]


@pytest.mark.parametrize(("sabotage", "settings", "light", "state"), OTHER_SABOTAGES)
def test_what_else_acts_otherwise_turns_its_light(
    new_run: Callable[..., Run], monkeypatch: Patch, sabotage: Any, settings: Any, light: Any, state: Any
) -> None:
    run, spec = new_run(), toy_spec(**(DP | {"epochs": 1, "noise_generator": "secure"} | settings))

    def light_of() -> str:
        spent = read_spent(run.directory, spec, setup=run.directory.read_setup(), last=run.directory.read_epochs()[-1])
        checks = check_run(spec, setup=run.directory.read_setup(), spent=spent)
        return next(check.state for check in checks if check.name == light)

    run.train(spec)
    assert light_of() == "green"
    run = new_run()
    monkeypatch.setattr(second_accountant, "_answers", {})
    dp_sgd._epsilon.cache_clear()
    sabotage(monkeypatch)
    try:
        run.train(spec)
        assert light_of() == state
    finally:
        dp_sgd._epsilon.cache_clear()


def test_each_light_that_can_be_turned_by_a_loop_has_a_sabotage() -> None:
    """The others are told of the data, or hold by construction: docs/dp-sgd.md has the table."""
    turned = {light for _, _, light in SABOTAGES} | {light for _, _, light, _ in OTHER_SABOTAGES}
    spec = toy_spec(**DP)
    assert {check.name for check in check_plan(spec, train_size=40)} - turned == {
        "Patients with several images",
        "Delta",
        "No choice by test images",
    }
