"""What the last layer is fed: features standardised image by image, and variants side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from medpriv_core.training.inputs import standardise
from tests.training.conftest import FEATURES, Run, toy_spec

DP = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3}
# The third stage has half the channels of the last, here in 4 by 4 places.
GRID_FEATURES = FEATURES // 2 * 16


def test_standardised_rows_have_mean_zero_and_length_one_whatever_the_others_are() -> None:
    rows = np.random.default_rng(0).normal(3, 2, (5, 40)).astype(np.float32)
    result = standardise(rows)
    assert np.allclose(result.mean(1), 0, atol=1e-6)
    assert np.allclose(np.linalg.norm(result, axis=1), 1, atol=1e-6)
    assert np.array_equal(standardise(rows[2:3]), result[2:3])
    assert not standardise(np.ones((1, 4), dtype=np.float32)).any()


@pytest.mark.parametrize("settings", [{}, DP])
def test_a_run_learns_from_images_and_variants_and_is_tested_on_images(
    new_run: Callable[..., Run], settings: Any
) -> None:
    recipe = {"features": "layer3_grid", "standardise": True, "augmentation_multiplicity": 3}
    recipe |= {"sampling": "full_batch", "head_bias": False}
    run = new_run()
    session = run.train(toy_spec(epochs=30, learning_rate=2.0, average_last=0.5, **recipe, **settings))
    assert session.train.values.shape == (40, 3, GRID_FEATURES)
    assert session.tests["test"].values.shape == (12, GRID_FEATURES)
    assert session.trained.weight.shape == (2, GRID_FEATURES)
    assert session.trained.bias is None
    assert np.allclose(np.linalg.norm(session.train.values.numpy(), axis=2), 1, atol=1e-5)
    last = run.directory.read_epochs()[-1]
    assert last.train.accuracy <= 1
    if not settings:
        assert last.test.accuracy > 0.9


def test_without_options_the_features_are_as_the_network_gives_them(new_run: Callable[..., Run]) -> None:
    session = new_run().train(toy_spec(epochs=1))
    assert session.train.values.shape == (40, FEATURES)
    assert (session.train.values >= 0).all()
