"""How good a network is at an honest epsilon: a table of runs, by the product's own runner and presets.

    python -m benchmarks.utility chest_xray [--unit patient] [--seeds 3] [--home FOLDER]

The dataset must have been added to the data home, and ImageNet's weights be there (``MEDPRIV_WEIGHTS``). Every cell is
the mean and standard deviation over seeds of the last epoch's figures on the test images. Finished runs of the same
specification are not repeated. Each draw of the noise gives other figures; those of ``docs/utility.md`` are of the runs
that are shipped (``benchmarks.reference``).
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from pathlib import Path
from typing import get_args

from medpriv_core.datasets.catalog import ADDABLE
from medpriv_core.home import DataHome, data_home
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.recipes import recipe_for
from medpriv_core.records.epoch import COMPARED, EpochRow
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.spec import RunSpec
from medpriv_core.unit import Unit

EPSILONS = (math.inf, 8.0, 3.0, 1.0)
POLL_S = 0.5


def recipe(dataset: str, *, epsilon: float, seed: int, unit: Unit = "image") -> RunSpec:
    """The sound recipe for the dataset at this epsilon; infinite: without privacy, else the same."""
    settings = recipe_for(dataset, ordered=ADDABLE[dataset].info.ordered, unit=unit).settings(epsilon)
    return RunSpec(dataset=dataset, seed=seed, **settings | ({"unit": unit} if math.isfinite(epsilon) else {}))


def finished(home: DataHome) -> dict[RunSpec, EpochRow]:
    """The last epoch of every finished run, by its specification."""
    rows = {}
    for run in service.list_runs(home):
        if run.state == "finished" and run.spec is not None and run.last:
            # The queue notes where the ImageNet weights were found.
            rows[run.spec.changed(weights="imagenet")] = run.last
    return rows


def run_all(home: DataHome, specs: list[RunSpec]) -> list[EpochRow]:
    """The last epoch of each specification's run, queued and awaited where there is none."""
    have = finished(home)
    ids = [service.submit(home, spec) for spec in specs if spec not in have]
    for run_id in ids:
        while not (run := service.load_run(home, run_id)).ended:
            time.sleep(POLL_S)
        if run.state != "finished":
            outcome = RunDirectory(home.runs / run_id).read_outcome()
            raise SystemExit(f"{run.name}: {run.state}. {outcome.message if outcome and outcome.message else ''}")
    have = finished(home)
    return [have[spec] for spec in specs]


def table(home: DataHome, dataset: str, *, seeds: int, unit: Unit = "image") -> list[str]:
    """The rows of a Markdown table."""
    lines: list[str] = []
    for epsilon in EPSILONS:
        rows = run_all(home, [recipe(dataset, epsilon=epsilon, seed=seed, unit=unit) for seed in range(seeds)])
        columns = [column for column in COMPARED.values() if column.of(rows[0]) is not None]
        if not lines:
            lines += ["| ε | " + " | ".join(column.metric.word for column in columns) + " |"]
            lines += ["| --- |" + " --- |" * len(columns)]
        cells = []
        for column in columns:
            values = [value for row in rows if (value := column.of(row)) is not None]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(f"{statistics.mean(values):.3f} ± {spread:.3f}")
        spent = max(row.epsilon or math.inf for row in rows)
        lines.append(f"| {format_epsilon(spent)} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Run the cells that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("dataset", choices=sorted(ADDABLE))
    parser.add_argument("--unit", choices=get_args(Unit), default="image", help="what a record is (default image)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--home", type=Path, help="data home (default: that of the app)")
    options = parser.parse_args()
    home = DataHome(options.home) if options.home else data_home()
    print("\n".join(table(home, options.dataset, seeds=options.seeds, unit=options.unit)))


if __name__ == "__main__":
    main()
