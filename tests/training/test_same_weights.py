"""That settings without effect have none, by training with and without them: what ``RunSpec.canonical`` leaves out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from medpriv_core.datasets.base import PreparedDataset
from medpriv_core.spec import RunSpec
from medpriv_core.training.noise import NoiseSource
from tests.training.conftest import Run, toy_spec, toy_split

PRIVATE = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3, "sampling": "full_batch"}
MIXING = {"trainable": "all", "norm": "batch_norm", "epochs": 1, "batch_size": 16, "image_size": 128}


@pytest.fixture(autouse=True)
def no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two private runs can be compared; the self-test, which would miss it, has tests of its own."""
    monkeypatch.setattr(NoiseSource, "add_to_all", lambda source, sums, deviation: None)
    monkeypatch.setattr("medpriv_core.training.session.try_session", lambda *arguments, **settings: {})


def weights(run: Run, spec: RunSpec) -> Tensor:
    """All numbers of the trained part after training."""
    return torch.cat([parameter.detach().flatten() for parameter in run.train(spec).trained.parameters()])


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({}, {"noise_draw": "per_image", "delta": 1e-4, "sampling": "shuffled", "crop_size": 32, "memory_mb": 64}),
        ({}, {"class_weights": (1.0, 1.0), "precision": "float32", "device": "auto"}),
        ({"augment": True, "trainable": "all", "epochs": 1}, {"crop_size": 32}),
        ({"sampling": "full_batch"}, {"batch_size": 7}),
        (PRIVATE, {"batch_size": 7, "noise_draw": "per_image"}),
        (PRIVATE | {"class_weights": (1.0, 2.0)}, {"class_weights": (2.0, 4.0)}),
    ],
)
def test_runs_with_one_canonical_specification_end_with_the_same_weights(
    new_run: Any, settings: dict[str, Any], changes: dict[str, Any]
) -> None:
    one, other = toy_spec(**settings), toy_spec(**(settings | changes))
    assert one.canonical() == other.canonical()
    first = weights(new_run(), one)
    assert torch.equal(first, weights(new_run(), other))
    assert torch.equal(first, weights(new_run(), one.canonical().changed(device="cpu")))


@pytest.mark.parametrize(
    ("settings", "changes"),
    [({}, {"class_weights": (2.0, 2.0)}), ({}, {"batch_size": 7}), (PRIVATE, {"class_weights": (1.0, 2.0)})],
)
def test_what_is_kept_changes_the_weights(new_run: Any, settings: dict[str, Any], changes: dict[str, Any]) -> None:
    one, other = toy_spec(**settings), toy_spec(**(settings | changes))
    assert one.canonical() != other.canonical()
    assert not torch.equal(weights(new_run(), one), weights(new_run(), other))


def test_memory_counts_for_batchnorm_in_training_mode_alone(new_run: Any, toy: PreparedDataset) -> None:
    """64 MB hold 6 of these pictures in one pass, and 1 GB all 16."""
    rng = np.random.default_rng(0)
    large = PreparedDataset(
        toy.info, toy.key, 128, toy.folder / "large", toy_split(16, rng, 128), toy_split(4, rng, 128)
    )
    for norm, close in (("batch_norm", False), ("frozen_batch_norm", True)):
        roomy = toy_spec(**(MIXING | {"norm": norm}))
        tight = roomy.changed(memory_mb=64)
        assert (roomy.canonical() == tight.canonical()) is close
        first, second = (weights(new_run(clean=large), spec) for spec in (roomy, tight))
        assert torch.allclose(first, second, rtol=1e-3, atol=1e-5) is close
