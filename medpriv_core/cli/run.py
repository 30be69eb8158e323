"""``run``: queue one training run, watch it and print its result. Ctrl-C stops it."""

from __future__ import annotations

import argparse
import time
from dataclasses import MISSING
from typing import Any

from medpriv_core.cli.output import ProgressBar, complain, print_json, say, settings_in_words, value_in_words
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.cli.runs import describe, epoch_in_words
from medpriv_core.datasets.registry import change_notice, dataset_info
from medpriv_core.home import DataHome, data_home
from medpriv_core.presets import PRESETS, FilledPreset, fill_preset
from medpriv_core.privacy.checks import check_run, confirm_run
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.failure import in_plain_words
from medpriv_core.runs.health import run_health
from medpriv_core.runs.service import Run
from medpriv_core.runs.stopping import stop_run
from medpriv_core.spec import SETTINGS, RunSpec

WATCH_S = 0.2
INTERRUPTED = 130


def add_to(commands: Commands) -> None:
    """Add the command to the parser, with one option for each setting of a RunSpec."""
    parser = commands.add_parser("run", help="fine-tune a network on a dataset, in the foreground")
    add_preset_option(parser)
    for setting in SETTINGS.values():
        # argparse reads a percent sign as a placeholder.
        flag, text = "--" + setting.name.replace("_", "-"), setting.explanation.replace("%", "%%")
        if setting.default is MISSING:
            parser.add_argument(flag, required=True, help=text)
            continue
        choices, kind = setting.options, setting.kind
        # No default of its own: what is not given is the preset's to say.
        unless: Any = argparse.SUPPRESS
        if kind is tuple:
            parser.add_argument(flag, type=_numbers, default=unless, metavar="X,X", help=text)
        elif kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=unless, help=text)
        else:
            name = None if choices else {int: "N", float: "X"}.get(kind, "NAME")
            parser.add_argument(
                flag, type=str if choices else kind, choices=choices or None, default=unless, metavar=name, help=text
            )
    parser.add_argument(
        "--stop-at-epsilon",
        metavar="X|budget",
        help="take no more epochs than this ε allows, or than is left of the budget of the images",
    )
    add_json_option(parser)
    parser.set_defaults(command=_run)


def add_preset_option(parser: argparse.ArgumentParser) -> None:
    """``--preset``: what is not given otherwise."""
    titles = ", ".join(f"{preset.name} ({preset.title})" for preset in PRESETS.values())
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        default=None,
        help=f"what is not given: {titles}; sound follows dataset, method and epsilon; what differs is said",
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between, as in 1,3, but is {text!r}") from None


def _run(options: argparse.Namespace) -> int:
    home = data_home()
    given = {name: getattr(options, name) for name in SETTINGS if hasattr(options, name)}
    filled = None
    if options.preset is not None:
        filled = fill_preset(options.preset, given, ordered=dataset_info(options.dataset).ordered)
    spec = RunSpec(**(filled.settings if filled else given))
    stop: dict[str, Any] | None = None
    if options.stop_at_epsilon is not None:
        asked, stopped = spec.epochs, stop_run(home, spec, options.stop_at_epsilon)
        spec = stopped.spec
        stop = {"asked_for": asked, "epochs": spec.epochs, "sentence": stopped.sentence}
    run_id = service.submit(home, spec)
    if filled is not None and not options.json:
        say(*preset_in_words(options.preset, filled), flush=True)
    if stop is not None and not options.json:
        say(stop["sentence"], flush=True)
    if notice := change_notice(home, spec.dataset):
        complain(notice)
    run = _watch(home, run_id)
    outcome = RunDirectory(home.runs / run.id).read_outcome()
    if options.json:
        print_json(describe(run) | _describe_preset(options.preset, filled) | {"stopped": stop})
    else:
        if run.epochs:
            last = run.epochs[-1]
            tested = "" if last.test.accuracy is None else f": test accuracy {last.test.accuracy:.4f}"
            say(f"{run.state} after epoch {last.epoch}{tested}")
        _print_guarantee(run)
        if run.setup.weights_doubt:
            say(run.setup.weights or run.setup.weights_doubt)
        if (finding := run_health(run)) is not None:
            say(in_plain_words(finding.words))
    if run.message:
        complain(run.message)
    if run.state == "cancelled":
        return INTERRUPTED
    if run.state == "finished":
        return 0
    return 1 if outcome is None or outcome.exit_code is None else outcome.exit_code


def preset_in_words(name: str, filled: FilledPreset) -> list[str]:
    """What a preset sets here, and what is otherwise; a line each."""
    title = PRESETS[name].title
    lines = [f"Preset {title}: {settings_in_words(filled.preset)}."]
    if filled.changes:
        said = "; ".join(
            f"{change.setting} {value_in_words(change.value)} instead of {value_in_words(change.preset)}"
            for change in filled.changes
        )
        lines.append(f"Changed from {title}: {said}.")
    return lines


def _describe_preset(name: str | None, filled: FilledPreset | None) -> dict[str, Any]:
    if filled is None:
        return {"preset": None}
    changes = {change.setting: {"value": change.value, "preset": change.preset} for change in filled.changes}
    return {"preset": {"name": name, "settings": filled.preset, "changes": changes}}


def _print_guarantee(run: Run) -> None:
    """Which epsilon holds for a DP-SGD run, and each condition that fails."""
    if run.spec is None:
        return
    if run.spent is not None and run.spent.place is not None:
        say(run.spent.place)
    confirm_run(run.spec, setup=run.setup, spent=run.spent)
    if (verdict := run_verdict(run.spec, setup=run.setup, spent=run.spent)) is not None:
        say(verdict.statement)
        say(verdict.sentence)
    for check in check_run(run.spec, setup=run.setup, spent=run.spent):
        if check.state == "red":
            say(f"{check.name} fails: {check.sentence}")


def _watch(home: DataHome, run_id: str) -> Run:
    """Show how the run is going until it has ended; the first Ctrl-C stops it, a second one only the watching."""
    stopping = False
    told = 0
    with ProgressBar() as bar:
        while True:
            try:
                run = service.load_run(home, run_id)
                if not told:
                    bar.say(f"Run {run_id}: {run.name}")
                _show_progress(bar, run)
                for row in run.epochs[max(0, told - 1) :]:
                    bar.say(epoch_in_words(row))
                told = 1 + len(run.epochs)
                if run.ended:
                    return run
                time.sleep(WATCH_S)
            except KeyboardInterrupt:
                if stopping:
                    raise
                stopping = True
                service.cancel(home, run_id)
                bar.say("Stopping; press Ctrl-C again to leave it to stop by itself.")


def _show_progress(bar: ProgressBar, run: Run) -> None:
    if run.state == "queued":
        bar("Waiting in the queue", 0, 0)
    elif run.progress:
        phase = run.progress["phase"]
        # The worker names each epoch; here every finished one has a line with its figures.
        bar(
            "Training" if phase.startswith("Epoch ") else phase,
            run.progress["done"],
            run.progress["total"],
            run.progress["seconds_left"],
        )
