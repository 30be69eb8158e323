"""``bench``: what private steps cost on this machine, beside ordinary ones."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from medpriv_core.cli.output import ProgressBar, print_json
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.errors import SettingError
from medpriv_core.spec import check_bound


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("bench", help="measure the cost of DP-SGD's step on this machine")
    parser.add_argument("what", choices=["dpsgd"])
    parser.add_argument("--image-size", type=int, action="append", metavar="N", help="default 64 and 128; repeatable")
    parser.add_argument("--batch-size", type=int, default=128, help="images a step (default 128)")
    parser.add_argument("--rounds", type=int, default=5, help="steps of each engine, in turn (default 5)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add_json_option(parser)
    parser.set_defaults(command=_bench)


def _bench(options: argparse.Namespace) -> None:
    sizes = options.image_size or [64, 128]
    for size in sizes:
        check_bound("image_size", size)
    check_bound("batch_size", options.batch_size)
    if not 1 <= options.rounds <= 1000:
        raise SettingError(f"rounds must be between 1 and 1000, but is {options.rounds}.")
    from medpriv_core.training import benchmark  # torch comes with it
    from medpriv_core.training.device import resolve_device

    device = resolve_device(options.device)
    with ProgressBar() as bar:
        rows = benchmark.benchmark_dp_sgd(
            image_sizes=sizes, batch_size=options.batch_size, rounds=options.rounds, device=device, progress=bar
        )
    if options.json:
        print_json([asdict(row) for row in rows])
        return
    print(benchmark.machine(device))
    print(f"ResNet-18 (GroupNorm), all layers, batch {options.batch_size}, median of {options.rounds} steps\n")
    print(
        f"{'engine':24}{'pixels':>7}{'s/step':>9}{'images/s':>10}{'x plain':>9}{'x Opacus':>10}{'MB':>8}{'x plain':>9}"
    )
    for row in rows:
        print(
            f"{row.engine:24}{row.image_size:7}{row.step_s:9.3f}{row.images_per_s:10.1f}{row.time_ratio_to_plain:9.2f}"
            f"{row.throughput_ratio_to_opacus_hooks:10.1f}{row.step_memory_mb:8.0f}{row.memory_ratio_to_plain:9.2f}"
        )
    print("\nx plain: time (or peak memory) beside an ordinary step; x Opacus: images/s beside Opacus's hooks")
