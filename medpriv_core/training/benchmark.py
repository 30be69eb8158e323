"""What a step of DP-SGD costs beside an ordinary one, measured side by side.

Every engine has a process of its own, which holds memory as the worker of a run does. One round takes a step of each
in turn, so that a machine that slows down slows all of them; of several rounds the median counts. The ordinary step is
the leanest there is: forward, backward, SGD with momentum, in whichever order of memory is faster. Private steps
include clipping and noise.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from medpriv_core.progress import ProgressCallback
from medpriv_core.spec import Engine, NoiseGenerator, RunSpec
from medpriv_core.training import engines
from medpriv_core.training.device import describe_device
from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.memory import keep_freed_memory
from medpriv_core.training.model import build_model

Step = Callable[[], object]

WARM_UP = 2  # steps

PLAIN = "plain"
PLAIN_CHANNELS_LAST = "plain, channels last"
PRIVATE: dict[str, tuple[Engine, NoiseGenerator]] = {
    "one_pass": ("one_pass", "fast"),
    "one_pass, secure noise": ("one_pass", "secure"),
    "opacus": ("opacus", "fast"),
}


@dataclass(frozen=True)
class BenchmarkRow:
    """One engine at one size. Ratios compare with the ordinary step, throughput with Opacus's hooks."""

    engine: str
    image_size: int
    batch_size: int
    step_s: float
    images_per_s: float
    step_memory_mb: float  # peak during steps, less what the process held before the first
    time_ratio_to_plain: float
    throughput_ratio_to_opacus_hooks: float
    memory_ratio_to_plain: float


def benchmark_dp_sgd(
    *, image_sizes: list[int], batch_size: int, rounds: int, device: torch.device, progress: ProgressCallback
) -> list[BenchmarkRow]:
    """Rows for all layers of a ResNet-18 with GroupNorm on random images, ``rounds`` steps of each engine."""
    rows = []
    for image_size in image_sizes:
        costs = _measure(image_size, batch_size, rounds, device, progress)
        plain, opacus = costs[PLAIN], costs["opacus"]
        rows += [
            BenchmarkRow(
                engine=name,
                image_size=image_size,
                batch_size=batch_size,
                step_s=cost.step_s,
                images_per_s=batch_size / cost.step_s,
                step_memory_mb=cost.memory / 2**20,
                time_ratio_to_plain=cost.step_s / plain.step_s,
                throughput_ratio_to_opacus_hooks=opacus.step_s / cost.step_s,
                memory_ratio_to_plain=cost.memory / plain.memory,
            )
            for name, cost in costs.items()
        ]
    return rows


def machine(device: torch.device) -> str:
    """The machine in a line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return (
        f"{model}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, device {describe_device(device)}, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def make_step(name: str, image_size: int, batch_size: int, device: torch.device) -> Step:
    """A function that takes one step of the engine called ``name`` (one of the two plain ones, or a private one)."""
    network = build_model(classes=2, norm="group_norm", state_dict=None, seed=0).to(device)
    random = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, 3, image_size, image_size, generator=random).to(device)
    labels = (torch.arange(batch_size) % 2).to(device)
    if name not in PRIVATE:
        if name == PLAIN_CHANNELS_LAST:
            network.to(memory_format=torch.channels_last)
            images = images.contiguous(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

        def plain() -> None:
            optimizer.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            optimizer.step()

        return plain
    engine, noise_generator = PRIVATE[name]
    spec = RunSpec(
        dataset="random",
        method="dp_sgd",
        noise_multiplier=1.0,
        batch_size=batch_size,
        learning_rate=1e-4,
        trainable="all",
        engine=engine,
        noise_generator=noise_generator,
    )
    network.to(memory_format=engines.memory_format(spec, device))
    examples = Examples(images, labels, lambda batch, _generator: batch)
    stepper = engines.make_stepper(
        network,
        spec,
        noise_multiplier=1.0,
        train_size=batch_size,
        pass_size=batch_size,
        mixed=None,
        device=device,
    )
    batch = Batch(examples, np.arange(batch_size))
    return lambda: stepper.step(batch)


@dataclass(frozen=True)
class _Cost:
    step_s: float  # median
    memory: float  # bytes that steps need at their peak, beyond what the process held before the first


def _measure(
    image_size: int, batch_size: int, rounds: int, device: torch.device, progress: ProgressCallback
) -> dict[str, _Cost]:
    """The cost of each engine's step; of the ordinary one in its faster order of memory."""
    names = [PLAIN, PLAIN_CHANNELS_LAST, *PRIVATE]
    with ExitStack() as stack:
        processes = {}
        for done, name in enumerate(names):
            progress(f"{image_size} pixels: starting", done, len(names))
            processes[name] = stack.enter_context(_steps_elsewhere(name, image_size, batch_size, device))
        times: dict[str, list[float]] = {name: [] for name in names}
        for done in range(rounds):
            progress(f"{image_size} pixels: timing", done, rounds)
            for name, process in processes.items():
                times[name].append(_ask(process, "step"))
        costs = {
            name: _Cost(statistics.median(times[name]), _ask(process, "memory")) for name, process in processes.items()
        }
    costs[PLAIN] = min(costs[PLAIN], costs.pop(PLAIN_CHANNELS_LAST), key=lambda cost: cost.step_s)
    return costs


@contextmanager
def _steps_elsewhere(name: str, image_size: int, batch_size: int, device: torch.device) -> Iterator[Connection]:
    """A process that has taken its first steps and takes one more whenever it is asked."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_answer, args=(there, name, image_size, batch_size, str(device)), daemon=True)
    process.start()
    there.close()
    try:
        _ask(here, "ready")
        yield here
    finally:
        here.close()
        process.join()


def _ask(process: Connection, question: str) -> float:
    process.send(question)
    return process.recv()


def _answer(asked: Connection, name: str, image_size: int, batch_size: int, device_name: str) -> None:
    """Answer each question by a number until there are no more."""
    keep_freed_memory(PRIVATE[name][0] if name in PRIVATE else "one_pass")
    device = torch.device(device_name)
    step = make_step(name, image_size, batch_size, device)
    gc.collect()
    held = _held_bytes(device)
    for _ in range(WARM_UP):
        step()
    with suppress(EOFError):
        while True:
            match asked.recv():
                case "step":
                    asked.send(_seconds(step, device))
                case "memory":
                    asked.send(_peak_bytes(device) - held)
                case _:
                    asked.send(0.0)


def _seconds(step: Step, device: torch.device) -> float:
    _wait(device)
    begun = time.perf_counter()
    step()
    _wait(device)
    return time.perf_counter() - begun


def _held_bytes(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    return _resident_bytes("VmRSS")


def _peak_bytes(device: torch.device) -> float:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _resident_bytes("VmHWM")


def _resident_bytes(name: str) -> float:
    """Of this process, now ("VmRSS") or at its peak ("VmHWM"); where Linux's figures are missing, always the peak."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage, whose peak counts the process that this one was started from.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines[name].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
