"""Which runs differ by chance alone."""

from __future__ import annotations

from medpriv_core.evaluation.seeds import seed_groups
from medpriv_core.spec import RunSpec

PRIVATE = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0, batch_size=128, epochs=50)


def test_groups_hold_what_differs_by_chance_alone() -> None:
    """Noise does not follow the seed, so private runs of one seed are two networks; others are one, twice."""
    plain = RunSpec(dataset="x")
    groups = seed_groups(
        {
            "plain-0": plain,
            "private": PRIVATE,
            "plain-1": plain.changed(seed=1, device="cpu", memory_mb=500),
            "private-again": PRIVATE,
            "plain-0-again": plain,
            "longer": plain.changed(epochs=11, seed=2),
        }
    )
    assert groups == [["plain-0", "plain-1"], ["private", "private-again"]]
