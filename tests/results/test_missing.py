"""The run without privacy that private ones are to be held against: which it is, and when nothing is missing."""

from __future__ import annotations

import pytest

from medpriv_core.home import DataHome
from medpriv_core.results.counterpart import differing, without_privacy
from medpriv_core.results.missing import Missing, missing_counterparts
from medpriv_core.results.selection import compare_results, gather_results
from medpriv_core.runs import service
from medpriv_core.runs.store import RunState
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, SHIFTED
from tests.results.stored import store_run

SPECS = [
    PRIVATE,
    LOCAL,
    SHIFTED,
    PRIVATE.changed(sampling="full_batch", average_last=0.5, class_weights=(1.0, 3.0), seed=4),
    PRIVATE.changed(trainable="all", engine="microbatch", microbatch_size=4, norm="batch_norm"),
    PRIVATE.changed(noise_multiplier=None, target_epsilon=3.0, noise_generator="secure", delta=1e-6),
    LOCAL.changed(noise_draw="dp_pix", block=8, changed_pixels=64),
]


def missing_in(home: DataHome) -> list[Missing]:
    results = gather_results(home).results["mine"]
    groups, _ = compare_results(results, PLAIN.dataset, trained=["head", "all"])
    return missing_counterparts(groups, service.list_runs(home))


@pytest.mark.parametrize("spec", SPECS, ids=range(len(SPECS)))
def test_the_counterpart_is_the_same_run_without_privacy(spec: RunSpec) -> None:
    plain = without_privacy(spec)

    assert (plain.method, plain.seed, plain.epochs, plain.dataset) == ("none", spec.seed, spec.epochs, spec.dataset)
    assert (plain.beta, plain.noise_multiplier, plain.target_epsilon) == (None, None, None)
    assert differing(spec, plain) == []
    assert differing(spec, plain.changed(learning_rate=0.5)) == ["learning_rate"]


def test_a_private_run_alone_lacks_its_counterpart_and_several_share_one(home: DataHome) -> None:
    store_run(home, "a", PRIVATE)
    store_run(home, "b", LOCAL)
    store_run(home, "c", PRIVATE.changed(epochs=3), (0.6, 0.7, 0.8))

    two, three = sorted(missing_in(home), key=lambda each: each.spec.epochs)

    assert two.spec == PLAIN
    assert {group.first.id for group in two.groups} == {"a", "b"}
    assert three.spec == PLAIN.changed(epochs=3)
    assert two.differs == three.differs == ()


@pytest.mark.parametrize("seed", [0, 7])
def test_nothing_is_missing_where_the_counterpart_is_finished_with_any_seed(home: DataHome, seed: int) -> None:
    store_run(home, "a", PRIVATE.changed(class_weights=(1.0, 3.0)))
    store_run(home, "b", PLAIN.changed(class_weights=(1.0, 3.0), seed=seed))

    assert missing_in(home) == []


def test_a_run_that_differs_in_more_than_privacy_is_named_as_such(home: DataHome) -> None:
    store_run(home, "a", PRIVATE)
    store_run(home, "b", PLAIN.changed(learning_rate=0.5))

    (missing,) = missing_in(home)

    assert missing.differs == ("learning_rate",)


@pytest.mark.parametrize(("state", "on_its_way"), [("queued", True), ("running", True), ("cancelled", False)])
def test_a_counterpart_that_waits_or_trains_is_not_trained_a_second_time(
    home: DataHome, state: RunState, on_its_way: bool
) -> None:
    store_run(home, "a", PRIVATE)
    store_run(home, "b", PLAIN, state=state)

    (missing,) = missing_in(home)

    assert (missing.under_way is not None) == on_its_way
