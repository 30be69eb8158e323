"""What a step of DP-SGD costs beside an ordinary one, measured side by side.

Every kind of step has a process of its own, which holds memory as the worker of a run does. Each private kind takes
turns with the ordinary step, one step each, so that a machine that slows down slows both, and there are never more than
two processes with their memory at a time. Every pair of steps gives a ratio; their median counts, with the lowest and
the highest beside it. On a machine that was busy meanwhile no verdict is given (``medpriv_core.quiet``).
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from medpriv_core.errors import SettingError
from medpriv_core.progress import ProgressCallback
from medpriv_core.quiet import Ratio, Use, Watch, alternate, paired_ratio
from medpriv_core.systems import peak_memory_bytes
from medpriv_core.training.benchmark_steps import HOOKS, OF_RUNS, PLAIN, PLAIN_CHANNELS_LAST, PRIVATE, Step, make_step
from medpriv_core.training.device import describe_device
from medpriv_core.training.memory import keep_freed_memory

WARM_UP = 2  # steps
LEAST_ROUNDS = 3  # fewer pairs say nothing of their spread
JUDGED = "one_pass"


@dataclass(frozen=True)
class BenchmarkRow:
    """One kind of step at one size.

    step_s                            median
    step_memory_mb                    peak during steps, less what the process held before the first
    time_ratio_to_plain               median of the paired ratios to the ordinary step, with their lowest and highest
    throughput_ratio_to_opacus_hooks  images a second beside Opacus's hooks; None where these did not run
    """

    engine: str
    image_size: int
    batch_size: int
    rounds: int
    step_s: float
    images_per_s: float
    step_memory_mb: float
    time_ratio_to_plain: float
    time_ratio_low: float
    time_ratio_high: float
    throughput_ratio_to_opacus_hooks: float | None
    memory_ratio_to_plain: float


@dataclass(frozen=True)
class Benchmark:
    """All rows, what could not be measured (sentences), and who used the machine meanwhile."""

    rows: list[BenchmarkRow]
    left_out: list[str]
    use: Use

    @property
    def verdict(self) -> str | None:
        """What a private step costs, in a sentence; None where ``no_verdict`` says why."""
        if self.no_verdict is not None:
            return None
        costs = [f"{_ratio(row)} at {row.image_size} pixels" for row in self._judged]
        return f"A private step in one pass takes, of the time of an ordinary one, {', '.join(costs)}."

    @property
    def no_verdict(self) -> str | None:
        """Why these figures must not be believed; None where they may be."""
        if self.use.disturbed is not None:
            return self.use.disturbed
        if any(row.rounds < LEAST_ROUNDS for row in self._judged) or not self._judged:
            return f"Fewer than {LEAST_ROUNDS} pairs of steps say nothing of their spread, so no verdict is given."
        unsteady = [f"{_ratio(row)} at {row.image_size} pixels" for row in self._judged if not _ratio(row).steady]
        if unsteady:
            return (
                f"The ratios of the pairs differ too much ({', '.join(unsteady)}), so no verdict is given. Measure "
                "again, with more rounds."
            )
        return None

    @property
    def _judged(self) -> list[BenchmarkRow]:
        return [row for row in self.rows if row.engine == JUDGED]


def benchmark_dp_sgd(
    *, image_sizes: Sequence[int], batch_size: int, rounds: int, device: torch.device, progress: ProgressCallback
) -> Benchmark:
    """Rows for all layers of a ResNet-18 with GroupNorm on random images, ``rounds`` pairs of steps for each kind.

    Raises ``SettingError`` where not even the ordinary step fits into memory.
    """
    watch = Watch()
    rows: list[BenchmarkRow] = []
    left_out: list[str] = []
    for image_size in image_sizes:
        found, missing = _measure(image_size, batch_size, rounds, device, progress)
        rows += _rows(found, image_size, batch_size)
        left_out += missing
    return Benchmark(rows, left_out, watch.use())


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


@dataclass(frozen=True)
class _Cost:
    times: list[float]  # seconds of each step
    ratio: Ratio  # to the ordinary steps beside them
    memory: float  # bytes that steps need at their peak, beyond what the process held before the first


class _Ended(Exception):
    """The process of one kind of step is gone, most likely for lack of memory."""


def _ratio(row: BenchmarkRow) -> Ratio:
    return Ratio(row.time_ratio_to_plain, row.time_ratio_low, row.time_ratio_high)


def _rows(costs: dict[str, _Cost], image_size: int, batch_size: int) -> list[BenchmarkRow]:
    plain, hooks = costs[PLAIN], costs.get(HOOKS)
    rows = []
    for name, cost in costs.items():
        step_s = statistics.median(cost.times)
        rows.append(
            BenchmarkRow(
                engine=name,
                image_size=image_size,
                batch_size=batch_size,
                rounds=len(cost.times),
                step_s=step_s,
                images_per_s=batch_size / step_s,
                step_memory_mb=cost.memory / 2**20,
                time_ratio_to_plain=cost.ratio.median,
                time_ratio_low=cost.ratio.low,
                time_ratio_high=cost.ratio.high,
                # By way of the ordinary steps that each took turns with.
                throughput_ratio_to_opacus_hooks=hooks.ratio.median / cost.ratio.median if hooks else None,
                memory_ratio_to_plain=cost.memory / plain.memory,
            )
        )
    return rows


def _measure(
    image_size: int, batch_size: int, rounds: int, device: torch.device, progress: ProgressCallback
) -> tuple[dict[str, _Cost], list[str]]:
    """The cost of each kind of step, the ordinary one in its faster order of memory; and what could not be measured."""
    progress(f"{image_size} pixels: {PLAIN}", 0, len(PRIVATE) + 1)
    try:
        first, second = _in_turn([PLAIN, PLAIN_CHANNELS_LAST], image_size, batch_size, rounds, device)
    except _Ended as ended:
        raise SettingError(
            f"An ordinary step on {batch_size} images of {image_size} pixels does not fit into memory; choose a "
            "smaller [batch_size] or image size."
        ) from ended
    channels_last = statistics.median(second.times) < statistics.median(first.times)
    faster = PLAIN_CHANNELS_LAST if channels_last else PLAIN
    costs = {PLAIN: replace(second if channels_last else first, ratio=Ratio(1.0, 1.0, 1.0))}
    missing = []
    for done, name in enumerate(PRIVATE, start=1):
        progress(f"{image_size} pixels: {name}", done, len(PRIVATE) + 1)
        try:
            costs[name] = _in_turn([faster, name], image_size, batch_size, rounds, device)[1]
        except _Ended:
            missing.append(f"{name} at {image_size} pixels: its process ended, most likely for lack of memory.")
    return costs, missing


def _in_turn(names: Sequence[str], image_size: int, batch_size: int, rounds: int, device: torch.device) -> list[_Cost]:
    """The costs of some kinds of step that take turns; their ratios are to the first."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_steps_elsewhere(name, image_size, batch_size, device)) for name in names]
        tasks = [lambda process=process: _ask(process, "step") for process in processes]
        times = alternate(tasks, rounds=rounds)
        return [
            _Cost(own, paired_ratio(own, times[0]), _ask(process, "memory"))
            for own, process in zip(times, processes, strict=True)
        ]


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
    try:
        process.send(question)
        return process.recv()
    except (EOFError, OSError) as error:
        raise _Ended from error


def _answer(asked: Connection, name: str, image_size: int, batch_size: int, device_name: str) -> None:
    """Answer each question by a number until there are no more."""
    # Opacus's hooks and its ghost clipping run as they would anywhere.
    keep_freed_memory("opacus" if name in PRIVATE and OF_RUNS.get(name, ("opacus",))[0] == "opacus" else "one_pass")
    device = torch.device(device_name)
    try:
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
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
            raise
        asked.close()  # which says so


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
    return peak_memory_bytes()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
