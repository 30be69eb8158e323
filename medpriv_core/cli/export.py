"""``export``: take runs away as zips, tables or TensorBoard events. ``import``: bring a run from another machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from medpriv_core.cli.output import ProgressBar, complain, print_json, print_table, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.errors import RunError
from medpriv_core.exports.run_tables import epochs_csv, runs_csv
from medpriv_core.exports.tensorboard import write_event_file
from medpriv_core.given_paths import given_path
from medpriv_core.home import data_home
from medpriv_core.privacy.coverage import WARNING
from medpriv_core.runs import service
from medpriv_core.runs.imports import import_runs


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("export", help="take runs away: zip, CSV or TensorBoard events")
    kinds = parser.add_subparsers(title="what", metavar="WHAT", required=True)
    run = kinds.add_parser("run", help="one zip a run: settings, figures, guarantee, charts, network and model card")
    run.add_argument("ids", metavar="RUN", nargs="+", help="as shown by: runs list; of several, a zip of their zips")
    run.add_argument(
        "--output", type=Path, metavar="ZIP", help="default: medpriv-run-RUN.zip, or medpriv-runs.zip, in this folder"
    )
    _add_training_figures(run)
    add_json_option(run)
    run.set_defaults(command=_run)
    table = kinds.add_parser("csv", help="a table with one line a run, or one an epoch")
    table.add_argument("ids", metavar="RUN", nargs="*", help="default: all runs in the list")
    table.add_argument("--epochs", action="store_true", help="one line for every finished epoch")
    table.add_argument("--output", type=Path, metavar="CSV", help="default: standard output")
    _add_training_figures(table)
    table.set_defaults(command=_table)
    events = kinds.add_parser("tensorboard", help="an event file a run, with the figures of every epoch")
    events.add_argument("ids", metavar="RUN", nargs="+", help="as shown by: runs list")
    events.add_argument("folder", type=Path, metavar="FOLDER", help="TensorBoard's log folder; made if missing")
    _add_training_figures(events)
    add_json_option(events)
    events.set_defaults(command=_events)
    bring = commands.add_parser("import", help="import runs from another machine: a zip made by export run")
    bring.add_argument("file", type=given_path, metavar="ZIP", help="or the folder that it was unpacked to")
    add_json_option(bring)
    bring.set_defaults(command=_import)


def _add_training_figures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with-training-figures",
        action="store_true",
        help="of DP-SGD runs also loss, accuracy and class counts of the training images and times, which epsilon does "
        "not cover: with the weights they can tell who was in the training set",
    )


def _warn(options: argparse.Namespace) -> None:
    if options.with_training_figures:
        complain(WARNING)


def _run(options: argparse.Namespace) -> None:
    # Charts come with it, whose libraries take half a second to load.
    from medpriv_core.exports.run_archive import archive_name, export_run, export_runs

    home = data_home()
    several = len(options.ids) > 1
    path = options.output or Path("medpriv-runs.zip" if several else archive_name(options.ids[0]))
    figures = options.with_training_figures
    _warn(options)
    with ProgressBar() as progress:
        if several:
            content = export_runs(home, options.ids, with_training_figures=figures, progress=progress)
        else:
            content = export_run(home, options.ids[0], with_training_figures=figures, progress=progress)
    path.write_bytes(content)
    _say(options, {"runs": options.ids, "file": str(path), "bytes": len(content)}, f"Written: {path}")


def _table(options: argparse.Namespace) -> None:
    home = data_home()
    summaries = service.list_runs(home)
    unknown = sorted(set(options.ids) - {run.id for run in summaries})
    if unknown:
        raise RunError(f"There is no run {unknown[0]}. The list of runs shows those that exist.")
    chosen = [run for run in summaries if not options.ids or run.id in options.ids]
    figures = options.with_training_figures
    _warn(options)
    if options.epochs:
        runs = [service.load_run(home, run.id) for run in chosen]
        text = epochs_csv(runs, with_training_figures=figures)
    else:
        text = runs_csv(chosen, with_training_figures=figures)
    if options.output:
        options.output.write_bytes(text.encode())
        say(f"Written: {options.output}")
    else:
        print_table(text)


def _events(options: argparse.Namespace) -> None:
    _warn(options)
    home, figures = data_home(), options.with_training_figures
    # All are read before the first is written, so that a wrong name leaves nothing half done.
    runs = [service.load_run(home, run_id) for run_id in dict.fromkeys(options.ids)]
    paths = {run.id: str(write_event_file(run, options.folder, with_training_figures=figures)) for run in runs}
    facts: dict[str, object] = {"run": runs[0].id, "file": paths[runs[0].id], "files": paths}
    _say(options, facts, *(f"Written: {path}" for path in paths.values()))


def _import(options: argparse.Namespace) -> None:
    home = data_home()
    imported = import_runs(home, options.file)
    names = {run_id: service.load_run(home, run_id).name for run_id in imported.ids}
    first = imported.ids[0]
    facts: dict[str, object] = {"run": first, "name": names[first], "runs": names, "complaints": imported.complaints}
    _say(options, facts, *(f"Imported: {run_id}  {name}" for run_id, name in names.items()))
    for complaint in imported.complaints:
        complain(complaint)


def _say(options: argparse.Namespace, facts: dict[str, object], *sentences: str) -> None:
    if options.json:
        print_json(facts)
    else:
        say(*sentences)
