"""``bench``: what private steps cost on this machine, beside ordinary ones."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from medpriv_core.cli.output import ProgressBar, print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.errors import SettingError
from medpriv_core.extras import require
from medpriv_core.quiet import NO_VERDICT
from medpriv_core.spec import check_bound

if TYPE_CHECKING:
    from medpriv_core.training.benchmark import Benchmark


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bench", help="measure the cost of DP-SGD's step on this machine; exit code 3 without a verdict"
    )
    parser.add_argument("what", choices=["dpsgd"])
    parser.add_argument(
        "--image-size", type=int, action="append", metavar="N", help="default 64, 128 and 224; repeatable"
    )
    parser.add_argument("--batch-size", type=int, default=128, help="images a step (default 128)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of steps for each engine (default 5)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add_json_option(parser)
    parser.set_defaults(command=_bench)


def _bench(options: argparse.Namespace) -> int:
    sizes = options.image_size or [64, 128, 224]
    for size in sizes:
        check_bound("image_size", size)
    check_bound("batch_size", options.batch_size)
    if not 1 <= options.rounds <= 1000:
        raise SettingError(f"rounds must be between 1 and 1000, but is {options.rounds}.")
    require("train")
    from medpriv_core.training import benchmark  # torch comes with it
    from medpriv_core.training.device import resolve_device

    device = resolve_device(options.device)
    with ProgressBar() as bar:
        found = benchmark.benchmark_dp_sgd(
            image_sizes=sizes, batch_size=options.batch_size, rounds=options.rounds, device=device, progress=bar
        )
    if options.json:
        print_json(
            {
                "machine": benchmark.machine(device),
                "rows": [asdict(row) for row in found.rows],
                "left_out": found.left_out,
                "use": asdict(found.use),
                "verdict": found.verdict,
                "no_verdict": found.no_verdict,
            }
        )
    else:
        _print(found, options, benchmark.machine(device))
    return NO_VERDICT if found.verdict is None else 0


def _print(found: Benchmark, options: argparse.Namespace, machine: str) -> None:
    say(machine)
    say(
        f"ResNet-18 (GroupNorm), all layers, batch {options.batch_size}; each engine in turn with the ordinary step, "
        f"{options.rounds} pairs",
        "",
    )
    say(
        f"{'engine':24}{'pixels':>7}{'s/step':>9}{'images/s':>10}{'x plain (lowest to highest)':>30}{'x Opacus':>10}"
        f"{'MB':>8}{'x plain':>9}"
    )
    for row in found.rows:
        ratio = f"{row.time_ratio_to_plain:.2f} ({row.time_ratio_low:.2f} to {row.time_ratio_high:.2f})"
        beside = row.throughput_ratio_to_opacus_hooks
        say(
            f"{row.engine:24}{row.image_size:7}{row.step_s:9.3f}{row.images_per_s:10.1f}{ratio:>30}"
            f"{'' if beside is None else f'{beside:.1f}':>10}{row.step_memory_mb:8.0f}{row.memory_ratio_to_plain:9.2f}"
        )
    for sentence in found.left_out:
        say(sentence)
    say(
        "",
        "x plain: time beside the ordinary steps it took turns with, and peak memory; x Opacus: images/s beside "
        "Opacus's hooks",
        str(found.use),
        str(found.verdict or found.no_verdict),
    )
