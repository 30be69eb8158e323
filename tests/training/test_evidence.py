"""What runs record about themselves passes the guarantee checks, or fails them where it should."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn

from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.runs.spent_record import read_record
from medpriv_core.training.evidence import mixing_layers
from tests.training.conftest import WIDTH, Run, small_network, toy_spec

DP = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3}


def lights(run: Run, **settings: Any) -> dict[str, str]:
    spec = toy_spec(**DP, **settings)
    run.train(spec)
    checks = check_run(spec, setup=run.directory.read_setup(), spent=read_record(run.directory))
    return {check.name: check.state for check in checks}


def verdict_of(run: Run, **settings: Any) -> Any:
    last = run.directory.read_epochs()[-1]
    return last, run_verdict(
        toy_spec(**DP, **settings), setup=run.directory.read_setup(), spent=read_record(run.directory)
    )


@pytest.mark.parametrize("settings", [{}, {"engine": "opacus"}, {"sampling": "full_batch"}, {"augment": True}])
def test_sound_runs_have_no_red_light_and_the_ledgers_epsilon(new_run: Callable[..., Run], settings: Any) -> None:
    run = new_run()
    states = lights(run, **settings)
    assert [name for name, state in states.items() if state != "green"] in (
        # Names of toy images do not tell whose they are.
        ["Patients with several images", "Noise generator"],
        ["Patients with several images", "Delta", "Noise generator"],
    )
    assert run.directory.read_setup().second_accountant["epsilon"] == pytest.approx(
        run.directory.read_epochs()[-1].epsilon, rel=0.01
    )
    last, verdict = verdict_of(run, **settings)
    assert verdict.epsilon == pytest.approx(last.epsilon)
    assert verdict.claimed_epsilon is None


def test_a_secure_generator_is_green(new_run: Callable[..., Run]) -> None:
    assert lights(new_run(), noise_generator="secure")["Noise generator"] == "green"


def test_the_authors_way_shows_what_fails_and_no_epsilon(new_run: Callable[..., Run]) -> None:
    authors = {"engine": "microbatch", "microbatch_size": 4, "sampling": "shuffled", "norm": "batch_norm"}
    run = new_run()
    states = lights(run, trainable="all", **authors)
    assert sum(state == "red" for state in states.values()) >= 3
    last, verdict = verdict_of(run, trainable="all", **authors)
    assert last.epsilon == math.inf
    assert math.isinf(verdict.epsilon)
    assert math.isfinite(verdict.claimed_epsilon)


@pytest.mark.parametrize("norm", ["frozen_batch_norm", "group_norm"])
def test_a_layer_that_mixes_images_is_found_by_name_or_by_trial(norm: Any) -> None:
    network = small_network(classes=2, norm=norm, state_dict=None, seed=0)
    assert mixing_layers(network) == ()
    network.layer2[0].bn1 = nn.BatchNorm2d(2 * WIDTH)  # type: ignore[index]
    assert mixing_layers(network) == ("layer2.0.bn1",)

    class Centre(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x - x.mean(0)

    network.layer2[0].bn1 = Centre()  # type: ignore[index]
    assert mixing_layers(network) == ("a layer that is not known by name",)


def test_a_resumed_run_accounts_for_the_steps_before(new_run: Callable[..., Run]) -> None:
    run = new_run()
    lights(run, epochs=1)
    states = lights(run, epochs=3)
    assert states["Accounting"] == "green"
    last, verdict = verdict_of(run, epochs=3)
    assert verdict.epsilon == pytest.approx(last.epsilon)
