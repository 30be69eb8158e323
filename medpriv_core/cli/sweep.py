"""``sweep``: the paper's grid or one of your own, queued as one; list, show, stop, resume and delete sweeps."""

from __future__ import annotations

import argparse
from typing import Any

from medpriv_core.cli.output import ProgressBar, complain, print_json, say, settings_in_words, value_in_words
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.registry import change_notice, open_dataset
from medpriv_core.errors import SettingError
from medpriv_core.home import DataHome, data_home
from medpriv_core.presets import PRESETS
from medpriv_core.progress import format_duration
from medpriv_core.runs.failure import in_plain_words
from medpriv_core.spec import SETTINGS
from medpriv_core.sweeps import service
from medpriv_core.sweeps.cost import SweepPlan, plan_sweep
from medpriv_core.sweeps.grid import Grid, vary
from medpriv_core.sweeps.paper import EPOCHS, MULTIPLIERS, PAPER_DRAWS, PAPER_TRAINABLE, paper_grid
from medpriv_core.sweeps.preset_notes import PresetNotes
from medpriv_core.sweeps.service import SweepStatus
from medpriv_core.sweeps.titles import grid_title, paper_title, shown_title
from medpriv_core.sweeps.values import parse_values

# The paper's two kinds of noise, or one of the catalog.
BOTH = "both"


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    parser = commands.add_parser("sweep", help="many runs as one: the paper's grid, or any other")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    paper = actions.add_parser("paper", help="no privacy, Local-DP and DP-SGD with beta 1, 2 and 4")
    paper.add_argument("--dataset", required=True, help="name, as shown by: datasets list")
    paper.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each cell (default 1)")
    paper.add_argument(
        "--trainable", choices=PAPER_TRAINABLE, default="head", help="the last layer, or all (default head)"
    )
    draws = [BOTH, *SETTINGS["noise_draw"].options]
    paper.add_argument("--draws", choices=draws, default=BOTH, help="noise of Local-DP (default both, the paper's)")
    paper.add_argument(
        "--noise-multipliers",
        choices=MULTIPLIERS,
        default="authors",
        help="of DP-SGD: as the authors ran it, or sigma = beta as the text reads (default authors)",
    )
    paper.add_argument("--image-size", type=int, metavar="N", help="side in pixels (default 224 for head, 64 for all)")
    paper.add_argument("--epochs", type=int, default=EPOCHS, metavar="N", help=f"(default {EPOCHS})")
    _add_machine(paper)
    paper.set_defaults(command=_paper)
    grid = actions.add_parser("grid", help="any settings varied on top of a preset")
    grid.add_argument("--dataset", required=True, help="name, as shown by: datasets list")
    grid.add_argument(
        "--preset",
        choices=list(PRESETS),
        default="quick",
        help="what each run has unless told otherwise (default quick)",
    )
    grid.add_argument(
        "--set", action="append", default=[], metavar="SETTING=VALUE", help="another value for all runs; repeatable"
    )
    grid.add_argument(
        "--vary", action="append", default=[], metavar="SETTING=VALUE,VALUE", help="what the runs differ in; repeatable"
    )
    _add_machine(grid)
    grid.set_defaults(command=_grid)
    listing = actions.add_parser("list", help="every sweep, the newest first")
    add_json_option(listing)
    listing.set_defaults(command=_list)
    for name, command, text in (
        ("show", _show, "one sweep with the state of each of its runs"),
        ("stop", _stop, "stop all its runs; their checkpoints are kept"),
        ("resume", _resume, "go on with what is stopped, failed, removed or was never queued"),
        ("delete", _delete, "remove the sweep from the list; its runs stay"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("id", metavar="SWEEP", help="as shown by: sweep list")
        if name == "show":
            add_json_option(action)
        action.set_defaults(command=command)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", default="imagenet", metavar="NAME", help="imagenet, none, or a path")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--title", help=f"of the sweep, at most {service.LONGEST_TITLE} characters")
    parser.add_argument("--dry-run", action="store_true", help="say what it would take, and queue nothing")
    add_json_option(parser)


def _paper(options: argparse.Namespace) -> None:
    home = data_home()
    grid = paper_grid(
        options.dataset,
        train_size=len(open_dataset(home, options.dataset).split("train").labels),
        seeds=options.seeds,
        noise_draws=PAPER_DRAWS if options.draws == BOTH else (options.draws,),
        trainable=options.trainable,
        image_size=options.image_size,
        epochs=options.epochs,
        noise_multipliers=options.noise_multipliers,
        weights=options.weights,
        device=options.device,
    )
    _launch(home, grid, options.title or paper_title(options.dataset, options.trainable), options)


def _grid(options: argparse.Namespace) -> None:
    base: dict[str, Any] = {"dataset": options.dataset, "weights": options.weights, "device": options.device}
    for text in options.set:
        name, values = _assignment(text)
        if len(values) != 1:
            raise SettingError(f"[{name}] is set to {len(values)} values for all runs; give one, or vary it.")
        base[name] = values[0]
    axes = tuple(vary(*_assignment(text)) for text in options.vary)
    _launch(data_home(), Grid(base, axes, options.preset), options.title or grid_title(options.dataset), options)


def _assignment(text: str) -> tuple[str, list[Any]]:
    """ "learning-rate=0.1,1" -> ("learning_rate", [0.1, 1.0])."""
    name, equals, values = text.partition("=")
    if not equals:
        raise SettingError(f"{text!r} gives no value; write SETTING=VALUE.")
    name = name.strip().replace("-", "_")
    return name, parse_values(name, values)


def _launch(home: DataHome, grid: Grid, title: str, options: argparse.Namespace) -> None:
    plan = plan_sweep(home, grid)
    for name in dict.fromkeys(run.spec.dataset for run in plan.runs):
        if notice := change_notice(home, name):
            complain(notice)
    if options.dry_run:
        sweep_id = None
    else:
        with ProgressBar() as bar:
            sweep_id = service.submit(home, grid, title=title, progress=bar)
    if options.json:
        print_json({"id": sweep_id, "title": title} | _describe_plan(plan))
        return
    say(*_plan_in_words(plan))
    if sweep_id is not None:
        say(
            f"Queued as sweep {sweep_id}: {title}. To see how it is going: python -m medpriv_core sweep show {sweep_id}"
        )


def _plan_in_words(plan: SweepPlan) -> list[str]:
    noun = "run" if len(plan.runs) == 1 else "runs"
    lines = [f"{len(plan.runs)} {noun}: {plan.to_train} to train, {plan.reused} there already."]
    lines += [f"Left out: {other.name}. {other.reason}" for other in plan.impossible]
    lines += _preset_in_words(plan.preset)
    if plan.to_train:
        basis = "going by like runs on this machine" if plan.measured else "in part a rough guess"
        lines.append(
            f"About {format_duration(plan.seconds)} one after the other ({basis}), {plan.memory_mb:,.0f} MB of memory, "
            f"{plan.disk.own_mb + plan.disk.shared_mb:,.0f} MB of disk."
        )
    lines += [sentence for cost in plan.dp_sgd for sentence in cost.sentences]
    lines += [f"Local-DP copies of {copies.image_size} pixels: {copies.statement}" for copies in plan.local_dp]
    return lines


def _preset_in_words(notes: PresetNotes | None) -> list[str]:
    if notes is None:
        return []
    lines = []
    for part in notes.parts:
        where = " or ".join(filter(None, map(settings_in_words, part.where))) or "the others"
        lines.append(f"{notes.title} for {where}: {settings_in_words(part.settings)}.")
    for other in notes.overrides:
        whose = "all runs" if other.runs == other.of else f"{other.runs} of {other.of} runs"
        values, instead = (" or ".join(map(value_in_words, them)) for them in (other.values, other.preset))
        lines.append(f"Other than {notes.title} in {whose}: {other.setting} {values} instead of {instead}.")
    return lines


def _describe_preset(notes: PresetNotes | None) -> dict[str, Any] | None:
    if notes is None:
        return None
    return {
        "title": notes.title,
        "recipes": [{"for": list(part.where), "settings": part.settings} for part in notes.parts],
        "changes": [
            {
                "setting": other.setting,
                "values": other.values,
                "preset": other.preset,
                "runs": other.runs,
            }
            for other in notes.overrides
        ],
    }


def _describe_plan(plan: SweepPlan) -> dict[str, Any]:
    return {
        "to_train": plan.to_train,
        "reused": plan.reused,
        "seconds": plan.seconds,
        "measured": plan.measured,
        "memory_mb": plan.memory_mb,
        "disk_own_mb": plan.disk.own_mb,
        "disk_shared_mb": plan.disk.shared_mb,
        "preset": _describe_preset(plan.preset),
        "runs": [
            {"name": run.name, "reused": run.reused.id if run.reused else None, "spec": run.spec.to_dict()}
            for run in plan.runs
        ],
        "impossible": [{"name": other.name, "reason": str(other.reason)} for other in plan.impossible],
        "dp_sgd_together": [
            {
                "dataset": cost.together.dataset,
                "networks": cost.together.networks,
                "epsilon": cost.together.epsilon,
                "delta": cost.together.delta,
                "adjacency": cost.together.adjacency,
                "sampling": cost.together.samplings,
                "accountant": cost.together.accountant,
                "other_networks": cost.others,
                "epsilon_with_others": cost.with_others.epsilon if cost.with_others else None,
                "epsilon_of_best_only": cost.best_only.epsilon if cost.best_only else None,
                "number_of_trainings": cost.best_only.number if cost.best_only else None,
            }
            for cost in plan.dp_sgd
        ],
        "local_dp_together": [
            {
                "dataset": copies.dataset,
                "image_size": copies.image_size,
                "epsilon_pixel": copies.epsilon_unit,
                "epsilon_image": copies.epsilon_image,
                "delta": copies.delta_together,
            }
            for copies in plan.local_dp
        ],
    }


def _list(options: argparse.Namespace) -> None:
    found = service.list_sweeps(data_home())
    if options.json:
        print_json({"sweeps": [_describe(status) for status in found.sweeps], "damaged": found.complaints})
        return
    if not found.sweeps and not found.complaints:
        say("No sweeps yet. Start one with: python -m medpriv_core sweep paper --dataset synthetic_chest")
    for status in found.sweeps:
        say(_in_words(status))
    for complaint in found.complaints:
        say(complaint)


def _show(options: argparse.Namespace) -> None:
    status = service.load_sweep(data_home(), options.id)
    if options.json:
        print_json(_describe(status))
        return
    say(_in_words(status))
    for entry, run, state in zip(status.sweep.runs, status.members, status.states, strict=True):
        reused = "  (was there already)" if entry.reused else ""
        say(f"  {run.id if run else '-':24}  {state:9}  {entry.name}{reused}")
        if run is not None and run.message:
            say(f"    {run.message}")
    for name, reason in status.sweep.impossible:
        say(f"  left out: {name}. {in_plain_words(reason)}")


def _in_words(status: SweepStatus) -> str:
    left = f", about {format_duration(status.seconds_left)} left" if status.seconds_left else ""
    title = shown_title(status.sweep.title)
    return f"{status.sweep.id}  {status.state:8}  {status.done} of {status.total} runs{left}  {title}"


def _describe(status: SweepStatus) -> dict[str, Any]:
    sweep = status.sweep
    return {
        "id": sweep.id,
        "title": sweep.title,
        "created_at": sweep.created_at,
        "state": status.state,
        "done": status.done,
        "total": status.total,
        "seconds_left": status.seconds_left,
        "runs": [
            {"name": entry.name, "id": entry.run_id, "state": state, "reused": entry.reused}
            for entry, state in zip(sweep.runs, status.states, strict=True)
        ],
        "impossible": [{"name": name, "reason": in_plain_words(reason)} for name, reason in sweep.impossible],
    }


def _stop(options: argparse.Namespace) -> None:
    stopped = service.stop(data_home(), options.id)
    say(f"Stopping {stopped} runs. To go on: python -m medpriv_core sweep resume {options.id}")


def _resume(options: argparse.Namespace) -> None:
    with ProgressBar() as bar:
        again = service.resume(data_home(), options.id, progress=bar)
    say(f"{again} runs are in the queue again." if again else "Nothing to go on with: no run is stopped or missing.")


def _delete(options: argparse.Namespace) -> None:
    service.delete(data_home(), options.id)
    say("The sweep is removed; its runs stay.")
