"""Which specifications are one and the same run."""

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


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        (SPEC, {"device": "cpu"}),
        (SPEC, {"memory_mb": 256}),
        (SPEC, {"precision": "float32"}),
        (SPEC, {"noise_draw": "per_image"}),
        (SPEC, {"delta": 1e-4}),
        (SPEC, {"sampling": "shuffled"}),
        (SPEC, {"crop_size": 64}),
        (SPEC.changed(sampling="full_batch"), {"batch_size": 7}),
        (PRIVATE, {"sampling": "poisson"}),
    ],
)
def test_what_changes_no_result_makes_no_other_run(spec: RunSpec, changes: dict[str, Any]):
    assert identity(spec.changed(**changes)) == identity(spec)


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        (SPEC, {"seed": 1}),
        (SPEC, {"epochs": 11}),
        (SPEC, {"batch_size": 7}),
        (SPEC, {"image_size": 96}),
        (SPEC, {"crop_size": 56}),
        (SPEC, {"max_grad_norm": 2.0}),
        (SPEC, {"method": "local_dp", "beta": 1.0}),
        (PRIVATE, {"delta": 1e-4}),
        (PRIVATE, {"noise_multiplier": 2.5}),
        (PRIVATE, {"noise_generator": "secure"}),
        (PRIVATE, {"sampling": "shuffled"}),
        (SPEC.changed(method="local_dp", beta=1.0), {"noise_draw": "per_image"}),
    ],
)
def test_what_changes_the_result_makes_another_run(spec: RunSpec, changes: dict[str, Any]):
    assert identity(spec.changed(**changes)) != identity(spec)


def test_weights_are_the_file_that_would_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)
    file = tmp_path / "weights.pth"
    file.write_bytes(b"")
    downloaded = identity(SPEC.changed(weights="imagenet"))
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(file))
    assert identity(SPEC.changed(weights="imagenet")) == identity(SPEC.changed(weights=str(file))) != downloaded


def test_a_run_on_other_images_under_the_same_name_or_from_elsewhere_is_not_taken(home: DataHome):
    entries = {entry.info.name: entry for entry in list_datasets(home)}
    entry = entries["synthetic_chest"]
    assert entry.content is not None
    counts = {"train_class_counts": list(entry.train_counts or ()), "test_class_counts": list(entry.test_counts or ())}

    def taken(spec: RunSpec = PRIVATE, *, imported: bool = False, **setup: object) -> bool:
        run = made_run(spec)
        run = replace(run, setup=run.setup | counts | setup, imported=imported)
        return bool(reusable_runs([run], entries))

    assert taken()
    assert taken(content=entry.content)
    assert not taken(content="0123abcd")
    assert not taken(imported=True)
    assert not taken(SPEC, imported=True)
