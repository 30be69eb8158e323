"""Which runs can stand in for one that a sweep asks for; when two are the same, is in ``tests/test_same_run.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.datasets.registry import list_datasets
from medpriv_core.home import DataHome
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps.identity import identity, reusable_runs
from tests.exports.runs import made_run

SPEC = RunSpec(dataset="synthetic_chest", weights="none")
PRIVATE = SPEC.changed(method="dp_sgd", noise_multiplier=2.0)


def test_weights_are_the_file_that_would_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)
    file = tmp_path / "weights.pth"
    file.write_bytes(b"")
    downloaded = identity(SPEC.changed(weights="imagenet"))
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(file))
    assert identity(SPEC.changed(weights="imagenet")) == identity(SPEC.changed(weights=str(file))) != downloaded


def test_a_run_that_took_the_downloaded_weights_does_not_stand_in_for_one_on_a_file(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run kept is what it read; the variable is about runs to come."""
    entries = {entry.info.name: entry for entry in list_datasets(home)}
    run = made_run(SPEC.changed(weights="imagenet"))
    entry = entries["synthetic_chest"]
    setup = replace(
        run.setup, train_class_counts=entry.train_counts, test_class_counts=entry.test_counts, content=entry.content
    )
    run = replace(run, setup=setup)
    file = tmp_path / "weights.pth"
    file.write_bytes(b"")
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)
    wanted = run.spec.changed()
    assert identity(wanted) in reusable_runs([run], entries)
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(file))
    assert identity(wanted) not in reusable_runs([run], entries)


def test_a_run_on_other_images_under_the_same_name_or_from_elsewhere_is_not_taken(home: DataHome) -> None:
    entries = {entry.info.name: entry for entry in list_datasets(home)}
    entry = entries["synthetic_chest"]
    assert entry.content is not None
    counts: dict[str, Any] = {"train_class_counts": entry.train_counts, "test_class_counts": entry.test_counts}

    def taken(spec: RunSpec = PRIVATE, *, imported: bool = False, **setup: object) -> bool:
        run = made_run(spec)
        run = replace(run, setup=replace(run.setup, **counts | setup), imported=imported)
        return bool(reusable_runs([run], entries))

    assert taken()
    assert taken(content=entry.content)
    assert not taken(content="0123abcd")
    assert not taken(imported=True)
    assert not taken(SPEC, imported=True)
