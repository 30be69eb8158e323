"""Which runs differ by chance alone, so that their mean and their quarrels say something about chance.

The seed decides over first weights, order and augmentation. The noise of DP-SGD never follows it, so two private runs
of one seed differ too; without privacy, and under Local-DP with its stored noised copy, they are the same network twice
and count once.
"""

from __future__ import annotations

from collections.abc import Mapping

from medpriv_core.spec import RunSpec


def seed_groups(specs: Mapping[str, RunSpec]) -> list[list[str]]:
    """The ids of runs of one setting, for each setting of which there are at least two different networks.

    ``specs`` by run id; settings come in the order of their first run, and so do the runs of each.

    >>> one = RunSpec(dataset="x")
    >>> seed_groups({"a": one, "b": one.changed(seed=1), "again": one, "other": one.changed(epochs=2)})
    [['a', 'b']]
    """
    groups: dict[RunSpec, dict[object, str]] = {}
    for run_id, spec in specs.items():
        network = run_id if spec.method == "dp_sgd" else spec.seed
        groups.setdefault(spec.canonical(any_seed=True), {}).setdefault(network, run_id)
    return [list(group.values()) for group in groups.values() if len(group) > 1]
