"""The finished runs of the data home, as results."""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import replace

from medpriv_core.errors import MedprivError
from medpriv_core.evaluation.predictions import FILE_NAME
from medpriv_core.home import DataHome
from medpriv_core.privacy.coverage import exported_part
from medpriv_core.results.from_run import make_result
from medpriv_core.results.result import Result
from medpriv_core.runs import service


def read_own_runs(home: DataHome, *, chosen: Collection[str] | None = None) -> list[Result]:
    """The finished runs, oldest first; with ``chosen`` only those of these ids.

    A run without a readable specification, without an epoch, or of a dataset that this version does not know is left
    out: there is nothing to compare, and the page of runs says what is wrong with it.
    """
    results = []
    for run in reversed(service.list_runs(home)):
        if run.state != "finished" or run.spec is None or (chosen is not None and run.id not in chosen):
            continue
        result = _read(home, run.id, run.ended_at, run.name, run.tags)
        if result is not None:
            results.append(result)
    return results


# A finished run changes only by being extended, which ends it anew.
@functools.lru_cache(maxsize=2048)
def _read(home: DataHome, run_id: str, _ended_at: float | None, name: str, tags: tuple[str, ...]) -> Result | None:
    try:
        run = service.load_run(home, run_id)
        if run.spec is None or not run.epochs:
            return None
        result = make_result(
            source="mine",
            id=run.id,
            name=name,
            spec=run.spec,
            setup=run.setup,
            # What is compared is handed on as charts and tables.
            epochs=[exported_part(row, run.spec) for row in run.epochs],
            spent=run.spent,
            tags=tags,
        )
        return replace(result, predictions=home.runs / run.id / FILE_NAME)
    except MedprivError:
        return None
