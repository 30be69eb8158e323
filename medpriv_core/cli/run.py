"""``run``: queue one training run, watch it and print its result. Ctrl-C stops it."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints

from medpriv_core.cli.output import ProgressBar, print_json
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.cli.runs import describe, epoch_in_words
from medpriv_core.home import DataHome, data_home
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.service import Run
from medpriv_core.spec import RunSpec

WATCH_S = 0.2
INTERRUPTED = 130

HELP = {
    "dataset": "name, as shown by: datasets list",
    "image_size": "side in pixels of the stored square image",
    "crop_size": "side of what the network sees; without it, the whole image",
    "method": "none, Laplace noise on the images, or noise on the gradients",
    "beta": "Laplace scale for pixels in [0, 1] (local_dp)",
    "noise_draw": "one draw a pixel (the paper's text) or a picture (its code)",
    "noise_multiplier": "noise standard deviation / clipping norm (dp_sgd)",
    "target_epsilon": "solve for the noise multiplier instead (dp_sgd)",
    "delta": "of the (epsilon, delta) statement, below 1 / training images",
    "max_grad_norm": "clipping norm of each image's gradient (dp_sgd)",
    "epochs": "looks at as many images as the training set has",
    "batch_size": "images a step; the expected number under dp_sgd",
    "learning_rate": "step size of SGD",
    "momentum": "of SGD",
    "weight_decay": "of SGD",
    "trainable": "the last layer; that and scale and shift of each normalisation; or every layer",
    "features": "what the last layer reads: means of layer4 or layer3, or layer3 in 4 x 4 fields",
    "standardise": "each image's features by their own mean and deviation",
    "head_bias": "a constant term in the last layer",
    "augmentation_multiplicity": "the image and so many variants less one, averaged before clipping",
    "norm": "keep the pretrained normalisation, replace it by GroupNorm, or train it (no guarantee)",
    "sampling": "how batches are drawn; auto means poisson under dp_sgd, else shuffled",
    "engine": "what computes the clipped sum (dp_sgd)",
    "microbatch_size": "images clipped together (engine microbatch, as the authors ran it)",
    "noise_generator": "statistical, or cryptographic for real releases (dp_sgd)",
    "class_weights": "weight of each class, as in 1,3: public constants",
    "average_last": "share of the last steps whose weights are averaged",
    "memory_mb": "what one pass may keep in memory",
    "weights": "imagenet, none, or the path of a ResNet-18 state dict",
    "augment": "light random affine changes of the training images",
    "seed": "for initialisation, order and augmentation; never for a mechanism's noise",
    "device": "auto, cpu, cuda, cuda:N or mps",
    "precision": "of the arithmetic on an accelerator",
}


def add_to(commands: Commands) -> None:
    """Add the command to the parser, with one option for each setting of a RunSpec."""
    parser = commands.add_parser("run", help="fine-tune ResNet-18 on a dataset, in the foreground")
    hints = get_type_hints(RunSpec)
    for field in fields(RunSpec):
        kinds = [kind for kind in get_args(hints[field.name]) if kind is not type(None)]
        choices = kinds if kinds and isinstance(kinds[0], str) else None
        kind: Any = str if choices else (kinds[0] if kinds else hints[field.name])
        flag, text = "--" + field.name.replace("_", "-"), HELP[field.name]
        if field.default is MISSING:
            parser.add_argument(flag, required=True, help=text)
            continue
        text += f" (default {field.default})" if field.default is not None else ""
        if field.name == "class_weights":
            parser.add_argument(flag, type=_numbers, default=None, metavar="X,X", help=text)
        elif kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default, help=text)
        else:
            name = None if choices else {int: "N", float: "X"}.get(kind, "NAME")
            parser.add_argument(flag, type=kind, choices=choices, default=field.default, metavar=name, help=text)
    add_json_option(parser)
    parser.set_defaults(command=_run)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between, as in 1,3, but is {text!r}") from None


def _run(options: argparse.Namespace) -> int:
    home = data_home()
    spec = RunSpec(**{field.name: getattr(options, field.name) for field in fields(RunSpec)})
    run = _watch(home, service.submit(home, spec))
    outcome = RunDirectory(home.runs / run.id).read_outcome() or {}
    if options.json:
        print_json(describe(run))
    else:
        if run.epochs:
            last = run.epochs[-1]
            print(f"{run.state} after epoch {last['epoch']}: test accuracy {last['test_accuracy']:.4f}")
        _print_guarantee(run)
    if run.message:
        print(f"medpriv: {run.message}", file=sys.stderr)
    if run.state == "cancelled":
        return INTERRUPTED
    return 0 if run.state == "finished" else int(outcome.get("exit_code", 1))


def _print_guarantee(run: Run) -> None:
    """Which epsilon holds for a DP-SGD run, and each condition that fails."""
    if run.spec is None:
        return
    if run.spent is not None and run.spent.place is not None:
        print(run.spent.place)
    if (verdict := run_verdict(run.spec, setup=run.setup, spent=run.spent)) is not None:
        print(verdict.statement)
        print(verdict.sentence)
    for check in check_run(run.spec, setup=run.setup, spent=run.spent):
        if check.state == "red":
            print(f"{check.name} fails: {check.sentence}")


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
