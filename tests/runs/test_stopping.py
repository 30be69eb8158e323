"""A run that stops at an ε has the most epochs that cost no more, by another accountant's hand too."""

from __future__ import annotations

import pytest
from dp_accounting import dp_event
from dp_accounting.pld import PLDAccountant
from hypothesis import given
from hypothesis import strategies as st

from medpriv_core.datasets.registry import DatasetEntry, list_datasets
from medpriv_core.errors import SettingError
from medpriv_core.home import DataHome
from medpriv_core.privacy.plan import plan_run
from medpriv_core.runs import service
from medpriv_core.runs.budget import budget_state, set_budget
from medpriv_core.runs.stopping import Stopped, stop_at_epsilon, stop_run
from medpriv_core.spec import RunSpec

PRIVATE = RunSpec(
    dataset="synthetic_chest",
    image_size=32,
    method="dp_sgd",
    noise_multiplier=1.0,
    batch_size=64,
    delta=1e-5,
    epochs=60,
)
RECORDS = 640


def entry_of(home: DataHome) -> DatasetEntry:
    return next(entry for entry in list_datasets(home) if entry.info.name == PRIVATE.dataset)


def by_google(epochs: int) -> float:
    accountant = PLDAccountant()
    event = dp_event.PoissonSampledDpEvent(64 / RECORDS, dp_event.GaussianDpEvent(1.0))
    accountant.compose(event, 10 * epochs)
    return accountant.get_epsilon(1e-5)


def test_one_epoch_more_would_cost_more() -> None:
    stopped = stop_at_epsilon(PRIVATE, records=RECORDS, epsilon=5.0)
    epochs = stopped.spec.epochs
    assert 1 < epochs < 60
    assert by_google(epochs) <= 5.0 * 1.001
    assert by_google(epochs + 1) > 5.0 * 0.999
    assert stopped.sentence == f"{epochs} of 60 epochs stay within ε = 5; the run stops there."
    assert stopped.spec == PRIVATE.changed(epochs=epochs)


@given(st.floats(1.2, 30), st.sampled_from(["poisson", "full_batch", "shuffled"]), st.integers(1, 200))
def test_never_more_than_was_said_whatever_the_sampling(epsilon: float, sampling: str, epochs: int) -> None:
    spec = PRIVATE.changed(sampling=sampling, epochs=epochs, noise_multiplier=4.0)
    try:
        stopped = stop_at_epsilon(spec, records=RECORDS, epsilon=epsilon)
    except SettingError:
        assert plan_run(spec.changed(epochs=1), train_size=RECORDS).epsilon > epsilon
        return
    assert plan_run(stopped.spec, train_size=RECORDS).epsilon <= epsilon
    if stopped.spec.epochs < epochs:
        assert plan_run(spec.changed(epochs=stopped.spec.epochs + 1), train_size=RECORDS).epsilon > epsilon


def test_an_epsilon_that_all_epochs_stay_within_changes_nothing() -> None:
    assert stop_at_epsilon(PRIVATE, records=RECORDS, epsilon=90) == Stopped(
        PRIVATE, "All 60 epochs stay within ε = 90."
    )


@pytest.mark.parametrize(
    ("spec", "limit", "said"),
    [
        (PRIVATE, "0.2", "Not even one epoch stays within ε = 0.2"),
        (PRIVATE, "0", "above 0"),
        (PRIVATE, "nan", "above 0"),
        (PRIVATE, "soon", "not at 'soon'"),
        (PRIVATE, "budget", "No budget is set"),
        (PRIVATE.changed(noise_multiplier=None, target_epsilon=3.0), "2", "there is none to stop at before"),
        (PRIVATE.changed(dataset="chest_xray"), "2", "are not here"),
        (RunSpec(dataset="synthetic_chest"), "2", "Only DP-SGD spends more"),
        (PRIVATE.changed(batch_size=641), "2", "batch"),
    ],
)
def test_what_cannot_stop_is_refused(home: DataHome, spec: RunSpec, limit: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        stop_run(home, spec, limit)


def test_what_is_left_of_the_budget_counts_what_was_spent(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    entry = entry_of(home)
    set_budget(home, entry, epsilon=12.0)
    alone = stop_run(home, PRIVATE, "budget").spec.epochs
    service.submit(home, PRIVATE.changed(epochs=10))
    after = stop_run(home, PRIVATE, "budget")
    assert 1 <= after.spec.epochs < alone
    assert budget_state(home, entry, more=[after.spec]).holds
    assert not budget_state(home, entry, more=[after.spec.changed(epochs=after.spec.epochs + 1)]).holds
    assert "stay within the budget of these images" in after.sentence
    service.submit(home, after.spec)
    with pytest.raises(SettingError, match="Not even one epoch stays within the budget"):
        stop_run(home, PRIVATE, "budget")
