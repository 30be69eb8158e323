"""Too little room on the disk is said before a run waits for it."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import pytest

from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.free_space import RESERVE_MB, check_room
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

SPEC = RunSpec(dataset="synthetic_chest", weights="none")
SIZES = {"train_size": 640, "test_size": 160}
IMAGES_MB = 800 * 64 * 64 / 1e6
FEATURES_MB = 800 * 512 * 4 / 1e6
NETWORK_MB = 11_180_000 * 4 / 1e6


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.fixture
def leave_free(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets how many MB the disk has free."""

    def leave(free_mb: float) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free_mb * 1e6))

    return leave


@pytest.mark.parametrize(
    ("settings", "needed_mb"),
    [
        ({}, IMAGES_MB + FEATURES_MB),
        # Network and momentum, twice while a checkpoint replaces another.
        ({"trainable": "all"}, IMAGES_MB + 4 * NETWORK_MB),
        ({"trainable": "all", "momentum": 0.0, "method": "local_dp", "beta": 1.0}, 2 * IMAGES_MB + 2 * NETWORK_MB),
    ],
)
def test_a_run_is_queued_if_the_disk_has_room_for_it_and_not_otherwise(
    home: DataHome, leave_free: Any, settings: dict[str, Any], needed_mb: float
) -> None:
    leave_free(needed_mb + RESERVE_MB - 0.01)
    with pytest.raises(DataHomeError, match=rf"needs about {needed_mb + RESERVE_MB:,.0f} MB in .* MB free"):
        service.submit(home, SPEC.changed(**settings))
    assert service.list_runs(home) == []
    leave_free(needed_mb + RESERVE_MB + 0.01)
    service.submit(home, SPEC.changed(**settings))


def finish(home: DataHome, spec: RunSpec) -> None:
    run_id = service.submit(home, spec)
    RunDirectory(home.runs / run_id).write_setup(Setup.from_dict(SIZES))
    store = RunStore(home)
    store.claim_next()
    store.end(run_id, "finished", None)


def test_what_like_runs_have_left_needs_no_room_again(home: DataHome, leave_free: Any) -> None:
    leave_free(1000)
    finish(home, SPEC)
    home.features.mkdir()
    leave_free(RESERVE_MB + 0.01)
    check_room(home, SPEC.changed(epochs=50))
    for others, needed_mb in (
        ({"features": "layer3"}, FEATURES_MB / 2),
        ({"image_size": 32}, IMAGES_MB / 4 + FEATURES_MB),
        ({"method": "local_dp", "beta": 1.0}, IMAGES_MB + FEATURES_MB * 960 / 800),
    ):
        leave_free(needed_mb + RESERVE_MB - 0.01)
        with pytest.raises(DataHomeError):
            check_room(home, SPEC.changed(**others))
        leave_free(needed_mb + RESERVE_MB + 0.01)
        check_room(home, SPEC.changed(**others))


def test_a_stopped_run_is_not_resumed_onto_a_full_disk(home: DataHome, leave_free: Any) -> None:
    leave_free(1000)
    run_id = service.submit(home, SPEC)
    service.cancel(home, run_id)
    leave_free(50)
    with pytest.raises(DataHomeError, match="the disk has 50 MB free"):
        service.resume(home, run_id)
    assert service.load_run(home, run_id).state == "cancelled"
