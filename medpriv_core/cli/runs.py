"""``runs``: list, look at, stop, resume, extend, name and delete training runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, get_args

from medpriv_core.cli.budget import add_release_to
from medpriv_core.cli.groups import print_groups
from medpriv_core.cli.output import complain, print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.errors import DataHomeError, RunError, RunTableError
from medpriv_core.exports.sharing import shared_run
from medpriv_core.home import data_home
from medpriv_core.privacy.coverage import NAMES_LEFT_OUT, is_withheld
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.progress import format_duration
from medpriv_core.records.epoch import LISTED, EpochRow
from medpriv_core.results.class_costs import class_costs
from medpriv_core.results.group_figures import group_tables
from medpriv_core.runs import service
from medpriv_core.runs.failure import in_plain_words
from medpriv_core.runs.health import run_health
from medpriv_core.runs.service import Extension, Run, RunLine, RunSummary
from medpriv_core.runs.store import Place


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("runs", help="list, show, stop, resume, extend, name and remove training runs")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every run, the newest first")
    listing.add_argument("--deleted", action="store_true", help="those that were removed, instead of the others")
    add_json_option(listing)
    listing.set_defaults(command=_list)
    added = {}
    for name, command, text in (
        ("show", _show, "one run with its settings and every epoch"),
        ("groups", _groups, "how good its network is for groups in the data, beside the same run without privacy"),
        ("log", _log, "the last lines that the worker printed"),
        ("stop", _stop, "stop a run; its checkpoint is kept"),
        ("resume", _resume, "go on with a stopped or failed run"),
        ("extend", _extend, "let a run that has ended go on to more epochs; says first what epsilon then holds"),
        ("rename", _rename, "give a run another name"),
        ("tag", _tag, "give a run these tags in place of those it has"),
        ("note", _note, "write the notes of a run anew"),
        ("delete", _delete, "put a run away; it is removed for good after 30 days at the earliest"),
        ("restore", _restore, "bring a removed run back"),
        ("purge", _purge, "remove for good, now, a run that was removed"),
        ("move", _move, "give a waiting run another place in the queue"),
    ):
        added[name] = action = actions.add_parser(name, help=text)
        action.add_argument("id", metavar="RUN", help="as shown by: runs list")
        action.set_defaults(command=command)
    add_json_option(added["show"])
    add_json_option(added["groups"])
    added["show"].add_argument(
        "--with-training-figures",
        action="store_true",
        help="with --json, of a DP-SGD run also the figures of training images and times that epsilon does not cover",
    )
    added["extend"].add_argument("--epochs", type=int, required=True, metavar="N", help="in all")
    added["extend"].add_argument("--dry-run", action="store_true", help="only say what it would cost")
    add_json_option(added["extend"])
    added["rename"].add_argument("name", metavar="NAME")
    added["tag"].add_argument("tags", nargs="*", metavar="TAG", help="without any, all tags are taken off")
    added["note"].add_argument("notes", metavar="TEXT")
    added["purge"].add_argument(
        "--at-once",
        action="store_true",
        help="also if it has ended and was not removed before: on a full disk nothing can be put away first",
    )
    added["move"].add_argument("where", choices=get_args(Place))
    add_release_to(actions)
    rebuilding = actions.add_parser("rebuild", help="make a lost or damaged table of runs again from the runs' folders")
    rebuilding.set_defaults(command=_rebuild)


def describe(run: RunSummary, *, with_training_figures: bool = False) -> dict[str, Any]:
    """One run as JSON: names of the fields are those of the run directory.

    Such output is passed on, so of a DP-SGD run it holds what exports hold; ``left_out`` names the rest.
    """
    withheld = is_withheld(run.spec) and not with_training_figures
    shared = shared_run(run, with_training_figures=with_training_figures)
    finding = run_health(shared)
    health = {"kind": finding.kind, "sentence": in_plain_words(finding.words)} if finding else None
    facts = vars(shared) | {"spec": run.spec.to_dict() if run.spec else None, "health": health}
    facts |= {name: getattr(shared, name).to_dict() for name in ("setup", "last", "best")}
    if isinstance(shared, Run):
        facts["epochs"] = [row.to_dict() for row in shared.epochs]
    facts["spent"] = shared.spent.to_dict() | {"recorded": shared.spent.recorded} if shared.spent else None
    del facts["kept_message"]  # ``message`` for pages
    return facts | {"left_out": list(NAMES_LEFT_OUT) if withheld else []}


def epoch_in_words(row: EpochRow) -> str:
    """One finished epoch on one line: what tables of runs have, and epsilon where there is one."""
    parts = [f"epoch {row.epoch:>3}"]
    # An epoch of empty Poisson batches has seen no training image, so it has no training accuracy.
    parts += [f"{column.title} {value:.3f}" for column in LISTED.values() if (value := column.of(row)) is not None]
    if row.epsilon is not None and row.delta is not None:
        parts.append(f"ε {format_epsilon(row.epsilon)} (δ {format_delta(row.delta)})")
    return "  ".join(parts)


def spent_in_words(run: RunSummary) -> Iterator[str]:
    """What the network of a run has spent, in full, and where it was stopped."""
    if run.spec is None or run.spent is None:
        return
    if (verdict := run_verdict(run.spec, setup=run.setup, spent=run.spent)) is not None:
        yield f"Spent: {verdict.statement}"
    if run.spent.place is not None and run.ended:
        yield run.spent.place


def _list(options: argparse.Namespace) -> int:
    home = data_home()
    if home.root.is_dir():
        try:
            home.check_writable()
        except DataHomeError as error:  # what is there can be seen all the same
            complain(error)
    if options.json:
        print_json({"runs": [describe(run) for run in service.list_runs(home, deleted=options.deleted)]})
    else:
        _print_lines(service.list_lines(home, deleted=options.deleted), deleted=options.deleted)
    missing = service.unlisted(home)
    if missing is None:
        return 0
    complain(missing)
    return RunTableError.exit_code


def _print_lines(runs: Sequence[RunLine], *, deleted: bool) -> None:
    if not runs and deleted:
        say("No removed runs.")
    elif not runs:
        say("No runs yet. Start one with: python -m medpriv_core run --dataset synthetic_chest")
    for run in runs:
        accuracy = "no test accuracy" if run.test_accuracy is None else f"test accuracy {run.test_accuracy:.3f}"
        reached = f"epoch {run.epochs_done:>4}, {accuracy}" if run.epochs_done else "no epoch yet"
        tags = f"  [{', '.join(run.tags)}]" if run.tags else ""
        found = f"  ({run.found})" if run.found else ""
        say(f"{run.id}  {run.state:9}  {reached}  {run.name}{tags}{found}")
        if run.message:
            say(f"    {run.message}")


def _groups(options: argparse.Namespace) -> None:
    home = data_home()
    run = service.load_run(home, options.id)
    runs = service.list_runs(home)
    costs = class_costs(home, run, runs)
    try:
        tables = group_tables(home, run, runs)
    except RunError:
        if costs is None:
            raise
        tables = []  # nothing is known of groups, but of classes there is
    print_groups(tables, costs, as_json=options.json)


def _show(options: argparse.Namespace) -> None:
    run = service.load_run(data_home(), options.id)
    if options.json:
        print_json(describe(run, with_training_figures=options.with_training_figures))
        return
    say(f"{run.id}  {run.state}  {run.name}")
    if run.message:
        say(run.message)
    if run.tags:
        say(f"Tags: {', '.join(run.tags)}")
    # Set in, so that none of their lines passes for one of ours.
    say(*(f"    {line}" for line in run.notes.splitlines()))
    if run.spec:
        say("  ".join(f"{name} {value}" for name, value in run.spec.to_dict().items() if value is not None))
    for row in run.epochs:
        say(epoch_in_words(row))
    for line in spent_in_words(run):
        say(line)
    if run.setup.weights_doubt:
        say(run.setup.weights or run.setup.weights_doubt)
    if (finding := run_health(run)) is not None:
        say(in_plain_words(finding.words))


def _log(options: argparse.Namespace) -> None:
    printed = service.read_log(data_home(), options.id)
    say(*printed.splitlines() or ["The worker of this run has printed nothing yet."])


def _stop(options: argparse.Namespace) -> None:
    service.cancel(data_home(), options.id)
    say(f"Stopping {options.id}. To go on from where it was: python -m medpriv_core runs resume {options.id}")


def _resume(options: argparse.Namespace) -> None:
    service.resume(data_home(), options.id)
    say(f"{options.id} is in the queue again.")


def _extend(options: argparse.Namespace) -> None:
    planned = service.extension(data_home(), options.id, epochs=options.epochs)
    if options.json:
        print_json(asdict(planned))
    else:
        for line in _in_words(planned):
            say(line)
    if options.dry_run:
        return
    service.extend(data_home(), options.id, epochs=options.epochs)
    if not options.json:
        say(f"{options.id} is in the queue again, to go on to epoch {options.epochs}.")


def _in_words(planned: Extension) -> Iterator[str]:
    """What going on costs."""
    if planned.epsilon_before is not None:
        now = format_epsilon(planned.epsilon_before)
        yield f"Now ε = {now} holds, and after epoch {planned.epochs} {planned.statement}."
    if planned.seconds is not None:
        yield f"It takes about {format_duration(planned.seconds)}."
    yield from planned.remarks


def _rename(options: argparse.Namespace) -> None:
    service.rename(data_home(), options.id, options.name)
    say(f"{options.id} is now called {service.load_run(data_home(), options.id).name}.")


def _tag(options: argparse.Namespace) -> None:
    service.set_tags(data_home(), options.id, options.tags)
    say(f"Tags of {options.id}: {', '.join(service.load_run(data_home(), options.id).tags) or 'none'}")


def _note(options: argparse.Namespace) -> None:
    run = service.load_run(data_home(), options.id)
    service.set_notes(data_home(), options.id, options.notes, expected=run.notes)
    say(f"The notes of {options.id} are written." if options.notes else f"{options.id} has no notes any more.")


def _delete(options: argparse.Namespace) -> None:
    service.delete(data_home(), options.id)
    say(f"{options.id} is removed. For 30 days it can be had back: python -m medpriv_core runs restore {options.id}")


def _restore(options: argparse.Namespace) -> None:
    service.restore(data_home(), options.id)
    say(f"{options.id} is in the list.")


def _purge(options: argparse.Namespace) -> None:
    service.purge(data_home(), options.id, at_once=options.at_once)
    say(f"{options.id} is removed for good.")


def _move(options: argparse.Namespace) -> None:
    service.move(data_home(), options.id, options.where)
    place = service.load_run(data_home(), options.id).place
    say(f"{options.id} is number {place} in the queue." if place else f"{options.id} has left the queue.")


def _rebuild(_options: argparse.Namespace) -> None:
    count = service.rebuild(data_home(), say=complain)
    say(f"The table of runs has {count:,} runs from their folders; those that waited are shown as stopped.")
