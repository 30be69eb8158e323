"""When two specifications are one and the same run, so that a finished one need not be trained again.

Where a run is computed (device, memory, precision) changes its result by rounding alone. Settings that its method does
not look at change nothing:

>>> one = RunSpec(dataset="synthetic_chest", weights="none", device="cpu", noise_draw="per_image")
>>> identity(one) == identity(RunSpec(dataset="synthetic_chest", weights="none", delta=1e-4))
True
>>> identity(one) == identity(one.changed(seed=1))
False

The noise of a private run is never the same twice, but a finished one is as good as another with the same settings, and
taking it instead of a second one spends no privacy.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.errors import WeightsError
from medpriv_core.privacy.facts import recorded_facts
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.verdict import network_segments
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import RunSpec
from medpriv_core.weights_source import resolve_weights

_DEFAULTS = {name: field.default for name, field in RunSpec.__dataclass_fields__.items()}
_NOT_LOOKED_AT = {
    "none": ("noise_draw", "delta"),
    "local_dp": ("delta",),
    "dp_sgd": ("noise_draw",),
}


def identity(spec: RunSpec) -> RunSpec:
    """The specification that all runs like ``spec`` have in common."""
    weights = spec.weights
    with suppress(WeightsError):  # told when it is queued
        weights = resolve_weights(weights)
    return _identity(spec, weights)


@functools.lru_cache(maxsize=8192)
def _identity(spec: RunSpec, weights: str) -> RunSpec:
    names = ["device", "memory_mb", "precision", *_NOT_LOOKED_AT[spec.method]]
    values: dict[str, Any] = {name: _DEFAULTS[name] for name in names}
    values |= {"weights": weights, "sampling": spec.sampling_scheme}
    if spec.sampling_scheme == "full_batch":
        values["batch_size"] = _DEFAULTS["batch_size"]
    if spec.crop_size == spec.image_size:
        values["crop_size"] = None
    return spec.changed(**values)


def reusable_runs(runs: Iterable[RunSummary], entries: Mapping[str, DatasetEntry]) -> dict[RunSpec, RunSummary]:
    """The runs that can stand in for one of the same ``identity``: finished ones, then those still on their way.

    Not those of other images under the same name, nor DP-SGD runs that did not record what their guarantee rests on,
    nor imported ones: nobody here knows how those were trained.
    """
    found: dict[RunSpec, RunSummary] = {}
    for state in ("finished", "running", "queued"):
        for run in runs:
            if run.state != state or run.stopping or run.imported:
                continue
            if run.spec is None or not _same_images(run, entries):
                continue
            if state == "finished" and run.spec.method == "dp_sgd" and recorded_steps(run) is None:
                continue
            found.setdefault(identity(run.spec), run)
    return found


def recorded_steps(run: RunSummary) -> tuple[Steps, ...] | None:
    """The steps of a DP-SGD run as it recorded them; None where it did not."""
    if run.spent is None or not run.spent.steps:
        return None
    return network_segments(recorded_facts(run.setup), run.spent)


def _same_images(run: RunSummary, entries: Mapping[str, DatasetEntry]) -> bool:
    assert run.spec is not None
    entry, counts = entries.get(run.spec.dataset), run.setup.get("train_class_counts")
    content = run.setup.get("content")
    if content is not None and entry is not None and entry.content is not None:
        return bool(content == entry.content)
    if entry is None or counts is None:  # it has not begun, and will read what is there now
        return entry is not None and run.state != "finished"
    return (counts, run.setup.get("test_class_counts")) == (
        list(entry.train_counts or ()),
        list(entry.test_counts or ()),
    )
