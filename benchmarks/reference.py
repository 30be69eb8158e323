"""The reference set that is shipped with medpriv: the paper's grid, honestly redone, and what sound DP reaches.

    python -m benchmarks.reference chest_xray [--parts head sound all] [--home FOLDER]
    python -m benchmarks.reference idrid

Three parts a dataset, each a sweep with seeds 0, 1, 2: *head*, the paper's grid for the last layer on 224-pixel images;
*sound*, the preset of that name at ε = 1, 3, 8 and without privacy; *all*, the paper's grid for all layers on small
images and for few epochs, which is what two cores can do.

The dataset must have been added to the data home, and ImageNet's weights be there (``MEDPRIV_WEIGHTS``). Runs that are
there already are not repeated, so a stopped benchmark goes on where it was. The file goes to
``medpriv_core/results/data/reference/`` and has every epoch of every run. Of a file that is there, runs whose trained
layers belong to none of the parts stay, and how they were made is said after the rest.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medpriv_core.datasets.catalog import ADDABLE
from medpriv_core.datasets.registry import open_dataset
from medpriv_core.home import DataHome, data_home
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.recipes import recipe_for
from medpriv_core.records.epoch import LISTED, read_row
from medpriv_core.records.setup import Setup
from medpriv_core.results.groups import Estimate, group_results
from medpriv_core.results.labels import labelled, learned_in
from medpriv_core.results.reference import FOLDER, ReferenceRun, read_reference, write_reference
from medpriv_core.results.result import Result
from medpriv_core.results.selection import trained_in
from medpriv_core.runs import service as runs
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps import service as sweeps
from medpriv_core.sweeps.grid import Axis, Cell, Grid, vary
from medpriv_core.sweeps.paper import paper_grid
from medpriv_core.sweeps.titles import paper_title
from medpriv_core.weights_source import resolve_weights

SEEDS = 3
PARTS = ("head", "sound", "all")
# Epochs for all layers: the paper's 50 would take days on two cores.
FULL_EPOCHS = {"chest_xray": 5}
FULL_EPOCHS_OF_SMALL_SETS = 20
EPSILONS = (math.inf, 8.0, 3.0, 1.0)
# Those of the tables of runs, on the images as they are.
FIGURES = {name: column.title for name, column in LISTED.items() if column.part != "test_noised"}
LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "dp-accounting")
POLL_S = 2.0


def sweep_of(home: DataHome, dataset: str, part: str) -> tuple[str, Grid]:
    """Title and grid of one part."""
    if part == "sound":
        return f"Sound DP · {dataset}", sound_grid(dataset)
    train_size = len(open_dataset(home, dataset).split("train").labels)
    if part == "head":
        return paper_title(dataset, "head"), paper_grid(dataset, train_size=train_size, seeds=SEEDS)
    epochs = FULL_EPOCHS.get(dataset, FULL_EPOCHS_OF_SMALL_SETS)
    full = paper_grid(dataset, train_size=train_size, seeds=SEEDS, trainable="all", epochs=epochs)
    return paper_title(dataset, "all"), full


def sound_grid(dataset: str) -> Grid:
    """The preset *sound DP* at each epsilon, and without privacy."""
    recipe = recipe_for(dataset, ordered=ADDABLE[dataset].info.ordered)
    # The shipped runs protect images, as the paper's do.
    unit = {"unit": "image"}
    cells = [
        Cell(f"ε {epsilon:g}", recipe.settings(epsilon) | (unit if math.isfinite(epsilon) else {}))
        for epsilon in EPSILONS
    ]
    return Grid({"dataset": dataset}, (vary("seed", range(SEEDS)), Axis("epsilon", tuple(cells))))


def run_sweep(home: DataHome, title: str, grid: Grid) -> list[str]:
    """Queue what is missing and wait for it; returns the ids of all its runs, in the order of the grid."""
    sweep_id = sweeps.submit(home, grid, title=title)
    try:
        while (status := sweeps.load_sweep(home, sweep_id)).state not in ("finished", "stopped"):
            print(f"\r{title}: {status.done} of {status.total} runs   ", end="", file=sys.stderr, flush=True)
            time.sleep(POLL_S)
        print(file=sys.stderr)
        if status.state != "finished":
            messages = {run.message for run in status.members if run is not None and run.message}
            raise SystemExit(f"{title}: {status.to_resume} runs did not finish. {' '.join(sorted(messages))}")
        return status.run_ids
    finally:
        sweeps.delete(home, sweep_id)  # the runs stay


def reference_run(home: DataHome, run_id: str) -> ReferenceRun:
    """What is shipped of a run, without the place where its weights lay."""
    run = runs.load_run(home, run_id)
    assert run.spec is not None
    return ReferenceRun(run.id, run.name, run.spec.changed(weights="imagenet"), run.setup, run.epochs)


def about(dataset: str, parts: Sequence[str], members: Sequence[ReferenceRun]) -> dict[str, Any]:
    """How the runs were made."""
    devices = sorted({str(run.setup.device) for run in members})
    return {
        "command": f"python -m benchmarks.reference {dataset} --parts {' '.join(parts)}",
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores; trained on {', '.join(devices)}",
        "weights": weights_in_words(resolve_weights("imagenet")),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
    }


def kept_runs(path: Path, members: Sequence[ReferenceRun]) -> tuple[list[ReferenceRun], str]:
    """The runs of a file that train other layers than ``members``, and how they were made."""
    if not path.exists():
        return [], ""
    read_reference(path)  # refuses what is damaged
    content = json.loads(gzip.decompress(path.read_bytes()))
    remade = {run.spec.trainable for run in members}
    old = [
        ReferenceRun(
            run["id"],
            run["name"],
            RunSpec.from_dict(run["spec"]),
            Setup.from_dict(run["setup"]),
            list(map(read_row, run["epochs"])),
        )
        for run in content["runs"]
    ]
    kept = [run for run in old if run.spec.trainable not in remade]
    layers = " and ".join(sorted({run.spec.trainable for run in kept}))
    about = content["about"]
    return kept, f"; runs that train {layers}: {about['command']}, {about['date']}" if kept else ""


def weights_in_words(weights: str) -> str:
    """Which file the pretrained weights were: torchvision's own, or a local one by its content."""
    if weights == "imagenet":
        return "ImageNet, torchvision's own file"
    return f"{Path(weights).name}, SHA-256 {hashlib.sha256(Path(weights).read_bytes()).hexdigest()}"


def table(results: Sequence[Result]) -> list[str]:
    """The last epoch as a Markdown table: means over seeds, with intervals where there are any."""
    figures = {column: title for column, title in FIGURES.items() if results[0].figure(column) is not None}
    lines = ["| | ε | " + " | ".join(figures.values()) + " |", "| --- | --- |" + " --- |" * len(figures)]
    for group in labelled(group_results(results)):
        held = format_epsilon(group.epsilon) if math.isfinite(group.epsilon) else "none"
        cells = [_in_words(group.estimate(column)) for column in figures]
        lines.append(f"| {group.label} | {held} | " + " | ".join(cells) + " |")
    return lines


def _in_words(value: Estimate | None) -> str:
    if value is None:
        return ""
    return f"{value.mean:.3f}" + (f" ({value.low:.3f} to {value.high:.3f})" if value.kind == "seeds" else "")


def main() -> None:
    """Run what is missing, write the file and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("dataset", choices=sorted(ADDABLE))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--home", type=Path, help="data home (default: that of the app)")
    options = parser.parse_args()
    home = DataHome(options.home) if options.home else data_home()
    parts = [part for part in PARTS if part in options.parts]
    run_ids = [run_id for part in parts for run_id in run_sweep(home, *sweep_of(home, options.dataset, part))]
    path = FOLDER / f"{options.dataset}.json.gz"
    members = [reference_run(home, run_id) for run_id in dict.fromkeys(run_ids)]
    made = about(options.dataset, parts, members)
    kept, how_they_were_made = kept_runs(path, members)
    made["command"] += how_they_were_made
    members += kept
    write_reference(path, members, about=made)
    print(f"{len(members)} runs, {path.stat().st_size / 1e6:.1f} MB: {path}\n")
    results = read_reference(path).results
    for trained in trained_in(results, options.dataset):
        alike = [result for result in results if result.trainable == trained]
        print(f"### {learned_in(alike).capitalize()}\n", *table(alike), "", sep="\n")


if __name__ == "__main__":
    main()
