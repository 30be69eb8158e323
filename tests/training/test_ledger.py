"""The ledger: what the steps of a loop cost, over stops and resumes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from medpriv_core.errors import SettingError
from medpriv_core.privacy.dp_sgd import composed_epsilon, steps_per_epoch
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.steps import Steps, count_steps, steps_from_json
from medpriv_core.privacy.subsampled_gaussian import mechanism_of
from medpriv_core.spec import RunSpec
from medpriv_core.training.ledger import Ledger, open_ledger
from medpriv_core.training.sampling import make_sampler

N = 25


def run(**settings: Any) -> RunSpec:
    defaults: dict[str, Any] = {"dataset": "synthetic_chest", "method": "dp_sgd", "batch_size": 10, "epochs": 4}
    return RunSpec(**(defaults | {"noise_multiplier": 2.0} | settings))


def steps_of(spec: RunSpec, n: int) -> int:
    return steps_per_epoch(batch_size=spec.batch_size, train_size=n, sampling=spec.sampling_scheme)


def opened(spec: RunSpec, *, steps: int = 0, segments: Any = ()) -> Ledger:
    left = spec.epochs * steps_of(spec, N) - count_steps(segments)
    mechanism = mechanism_of(spec, train_size=N)
    ledger = open_ledger(spec, mechanism, steps_left=left, taken=tuple(segments))
    for _ in range(steps):
        ledger.count_step()
    return ledger


AS_THE_AUTHORS = {"engine": "microbatch", "microbatch_size": 5, "sampling": "shuffled"}
SCHEMES: list[Any] = [
    {},
    {"sampling": "full_batch"},
    {"sampling": "shuffled"},
    AS_THE_AUTHORS,
    AS_THE_AUTHORS | {"norm": "batch_norm", "trainable": "all"},
]


@pytest.mark.parametrize("settings", SCHEMES, ids=str)
def test_a_run_to_the_end_costs_what_was_planned(settings: dict[str, Any]) -> None:
    spec = run(**settings)
    ledger = opened(spec, steps=spec.epochs * steps_of(spec, N))
    assert ledger.epsilon() == plan_run(spec, train_size=N).epsilon
    assert ledger.epsilon() == opened(spec).epsilon(more_steps=spec.epochs * steps_of(spec, N))


def test_what_is_counted_is_what_the_loop_draws() -> None:
    def drawn(**settings: Any) -> tuple[Ledger, list[np.ndarray]]:
        spec = run(**settings)
        ledger = opened(spec)
        sampler = make_sampler(spec, N)
        assert (sampler.scheme, sampler.sample_rate) == (ledger.mechanism.sampling, ledger.sample_rate)
        return ledger, list(sampler.batches(epoch=0, first=0, steps=ledger.mechanism.steps_per_epoch))

    # One step counted for an epoch of a deck: each image is in exactly one of its batches.
    ledger, batches = drawn(sampling="shuffled")
    assert sorted(np.concatenate(batches)) == list(range(N))
    assert ledger.mechanism.counted_steps(len(batches)) == 1
    ledger, batches = drawn(sampling="full_batch")
    assert [len(batch) for batch in batches] == [N]
    assert ledger.sample_rate == 1
    ledger, batches = drawn(batch_size=N)
    assert [len(batch) for batch in batches] == [N]  # a rate of 1 draws everybody


def test_every_step_of_poisson_sampling_is_entered() -> None:
    ledger = opened(run(), steps=7)
    assert ledger.segments == (Steps(2.0, 0.4, 7),)
    assert ledger.epsilon() == composed_epsilon([Steps(2.0, 0.4, 7)], delta=1e-5)


def test_a_shuffled_deck_costs_one_step_for_every_epoch_begun() -> None:
    one = composed_epsilon([Steps(2.0, 1.0, 1)], delta=1e-5)
    two = composed_epsilon([Steps(2.0, 1.0, 2)], delta=1e-5)
    spent = [opened(run(sampling="shuffled"), steps=steps).epsilon() for steps in (0, 1, 3, 4)]
    assert spent == [0, one, one, two]
    assert opened(run(sampling="shuffled"), steps=4).steps == 4


def test_microbatches_double_what_a_record_can_change() -> None:
    ledger = opened(run(**AS_THE_AUTHORS), steps=3)
    assert ledger.epsilon() == composed_epsilon([Steps(1.0, 1.0, 1)], delta=1e-5)
    assert ledger.segments == (Steps(2.0, 1.0, 3),)


def test_batch_norm_has_no_epsilon_from_the_first_step_on() -> None:
    ledger = opened(run(**SCHEMES[-1]))
    assert ledger.epsilon() == 0
    ledger.count_step()
    assert ledger.epsilon() == math.inf


def test_a_resumed_deck_goes_on_in_the_middle_of_its_epoch() -> None:
    spec = run(sampling="shuffled")
    before = opened(spec, steps=4)
    after = opened(spec, steps=2, segments=before.segments)
    assert after.epsilon() == opened(spec, steps=6).epsilon()


def test_a_deck_resumed_with_other_noise_counts_both_parts_of_the_epoch() -> None:
    before = opened(run(sampling="shuffled"), steps=4)
    after = opened(run(sampling="shuffled", noise_multiplier=4.0), steps=3, segments=before.segments)
    # Epochs 1 and 2 began with the old noise; the new one saw the rest of epoch 2, and epoch 3.
    assert after.epsilon() == composed_epsilon([Steps(2.0, 1.0, 2), Steps(4.0, 1.0, 2)], delta=1e-5)


def test_the_ledger_of_an_earlier_version_is_read() -> None:
    earlier = steps_from_json([{"noise_multiplier": 3.0, "sample_rate": 0.4, "steps": 2}])
    ledger = opened(run(), steps=1, segments=earlier)
    assert ledger.epsilon() == composed_epsilon([Steps(3.0, 0.4, 2), Steps(2.0, 0.4, 1)], delta=1e-5)


def test_a_target_is_kept_over_a_resume() -> None:
    spec = run(noise_multiplier=None, target_epsilon=5.0, sampling="shuffled")
    first = opened(spec, steps=4)
    assert first.epsilon() < first.epsilon(more_steps=8) <= 5.0
    again = opened(spec, segments=first.segments)
    assert again.noise_multiplier == first.noise_multiplier
    with pytest.raises(SettingError, match="more than this run's target of 5"):
        opened(spec.changed(epochs=8), segments=first.segments)
