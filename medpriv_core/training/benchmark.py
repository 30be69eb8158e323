"""What a step of DP-SGD costs beside an ordinary one, measured side by side.

One round takes a step of every engine in turn, so that a machine that slows down slows all of them; of several rounds
the median counts. The ordinary step is the leanest there is: forward, backward, SGD with momentum, in whichever order
of memory is faster. Private steps include clipping and noise. Peak memory is found in a process of its own for each.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from medpriv_core.progress import ProgressCallback
from medpriv_core.spec import Engine, NoiseGenerator, RunSpec
from medpriv_core.training import engines
from medpriv_core.training.device import describe_device
from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.model import build_model

Step = Callable[[], object]

MEMORY_STEPS = 2
WARM_UP = 1

PLAIN = "plain"
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
        names = [PLAIN, *PRIVATE]
        memory = {}
        for done, name in enumerate(names):
            progress(f"{image_size} pixels: peak memory", done, len(names))
            memory[name] = _in_own_process(name, image_size, batch_size, device)
        seconds = _time_steps(names, image_size, batch_size, rounds, device, progress)
        rows += [
            BenchmarkRow(
                engine=name,
                image_size=image_size,
                batch_size=batch_size,
                step_s=seconds[name],
                images_per_s=batch_size / seconds[name],
                step_memory_mb=memory[name] / 2**20,
                time_ratio_to_plain=seconds[name] / seconds[PLAIN],
                throughput_ratio_to_opacus_hooks=seconds["opacus"] / seconds[name],
                memory_ratio_to_plain=memory[name] / memory[PLAIN],
            )
            for name in names
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
    """A function that takes one step of the engine called ``name`` ("plain", "plain, channels last" or private)."""
    network = build_model(classes=2, norm="group_norm", state_dict=None, seed=0).to(device)
    random = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, 3, image_size, image_size, generator=random).to(device)
    labels = (torch.arange(batch_size) % 2).to(device)
    if name.startswith(PLAIN):
        if name != PLAIN:
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


def _time_steps(
    names: list[str],
    image_size: int,
    batch_size: int,
    rounds: int,
    device: torch.device,
    progress: ProgressCallback,
) -> dict[str, float]:
    """Median seconds of a step by engine; the plain one in its faster order of memory."""
    other = f"{PLAIN}, channels last"
    steps = {name: make_step(name, image_size, batch_size, device) for name in [*names, other]}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for done in range(WARM_UP + rounds):
        progress(f"{image_size} pixels: timing", done, WARM_UP + rounds)
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            _wait(device)
            if done >= WARM_UP:
                times[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    medians[PLAIN] = min(medians[PLAIN], medians.pop(other))
    return medians


def _in_own_process(name: str, image_size: int, batch_size: int, device: torch.device) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_step_memory, (name, image_size, batch_size, str(device)))


def _step_memory(name: str, image_size: int, batch_size: int, device_name: str) -> float:
    """Bytes that steps need at their peak, beyond what the process holds before the first."""
    device = torch.device(device_name)
    step = make_step(name, image_size, batch_size, device)
    gc.collect()
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        for _ in range(MEMORY_STEPS):
            step()
        return torch.cuda.max_memory_allocated(device) - before
    held = _resident_bytes("VmRSS")
    for _ in range(MEMORY_STEPS):
        step()
    return _resident_bytes("VmHWM") - held


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
