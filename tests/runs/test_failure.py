"""Why a run failed: kept with settings in brackets, shown in the words of whoever shows it."""

from __future__ import annotations

import pytest

from medpriv_core.errors import DatasetError, SettingError, kept_words
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.failure import in_plain_words, reworded
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

KEPT = "Set [norm] to [norm=group_norm]; /data/[old] is full."


def test_what_is_kept_of_an_error_has_its_settings_in_brackets() -> None:
    assert kept_words(SettingError("Lower [batch_size].")) == "Lower [batch_size]."
    assert kept_words(DatasetError("The folder /data/[old] is empty.")) == "The folder /data/[old] is empty."


def test_only_settings_are_called_by_other_words() -> None:
    assert in_plain_words(KEPT) == "Set norm to group_norm; /data/[old] is full."
    assert reworded(KEPT, lambda setting, value: f"{setting}/{value}") == (
        "Set norm/None to norm/group_norm; /data/[old] is full."
    )


def test_a_summary_has_both_forms(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    for run_id in ("r1", "r2"):
        RunDirectory(home.runs / run_id).create(RunSpec(dataset="synthetic_chest"))
        RunStore(home).add(run_id, name=run_id, slot="cpu")
        RunStore(home).claim_next()
    RunStore(home).end("r1", "failed", KEPT)

    failed, running = service.load_run(home, "r1"), service.load_run(home, "r2")

    assert (failed.message, failed.kept_message) == (in_plain_words(KEPT), KEPT)
    assert (running.message, running.kept_message) == (None, None)
