"""Which runs without privacy are not there yet, though one's own private ones are to be held against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from medpriv_core.results.cost import comparable
from medpriv_core.results.counterpart import differing, without_privacy
from medpriv_core.results.groups import Group
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import RunSpec


@dataclass(frozen=True)
class Missing:
    """A run without privacy that is not there yet.

    spec       of this run
    groups     the private ones that would be held against it
    differs    the settings in which the nearest run without privacy is another one; empty where there is none
    under_way  the run, where it waits or trains already
    """

    spec: RunSpec
    groups: tuple[Group, ...]
    differs: tuple[str, ...] = ()
    under_way: RunSummary | None = None


def missing_counterparts(groups: Sequence[Group], runs: Sequence[RunSummary]) -> list[Missing]:
    """Those of the own private ones among ``groups`` for which no finished run of ``runs`` does.

    ``runs`` are all of the data home.
    """
    plain = [run for run in runs if run.spec is not None and run.spec.method == "none"]
    found: dict[RunSpec, Missing] = {}
    for group in groups:
        spec = group.first.spec
        if not group.own or spec is None or spec.method == "none":
            continue
        alike = [run for run in plain if _is_for(run, spec)]
        if any(run.state == "finished" for run in alike):
            continue
        wanted = without_privacy(spec)
        key = wanted.canonical(any_seed=True)
        if key in found:
            found[key] = replace(found[key], groups=(*found[key].groups, group))
            continue
        nearest = comparable(group, groups, "test_accuracy")
        differs = differing(spec, nearest.first.spec) if nearest is not None and nearest.first.spec is not None else []
        under_way = next((run for run in alike if not run.ended), None)
        found[key] = Missing(wanted, (group,), tuple(differs), under_way)
    return list(found.values())


def _is_for(run: RunSummary, private: RunSpec) -> bool:
    spec = run.spec
    return spec is not None and spec.dataset == private.dataset and not differing(spec, private)
