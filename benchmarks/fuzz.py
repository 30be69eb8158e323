"""Ten thousand hostile inputs at every door: each must end in a result or in one sentence.

Tried are pictures that are uploaded, zips and folders of datasets, the files of runs, zips of runs from elsewhere,
addresses of pages, and command lines. A case follows from its seed and number alone (``benchmarks.fuzzing``). None
may end in a traceback, repeat a name from a DICOM header, decode in the process of the app, ask for an address
outside, print what a terminal takes for a command, take longer than two minutes or more memory than a machine can
spare; a damaged run must not change the others, and can always be deleted.

    python -m benchmarks.fuzz [--cases 600] [--kinds uploads zips ...] [--seed 0]
    python -m benchmarks.fuzz --only 0:123

Each kind is tried in a process of its own, which is started anew if a case ends it. What fails is printed with the
command that tries it alone, and kept with its files in the folder that ``--failures`` names."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import queue
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("uploads", "zips", "runs", "imports", "addresses", "arguments")
LIMIT_S = 120.0  # for a case, on a busy machine
START_S = 300.0  # until a process has made its home and its sound files
MOST_MEMORY_MB = 1536  # that a process and one child of it may take together
ADDRESS_SPACE = 12 * 2**30  # beyond which a case is stopped, so that it does not take the machine with it
LARGEST_FILE = 2**30


@dataclass(frozen=True)
class Result:
    """What came of one case: outcome "result", "sentence" or "failure", and what was said or found."""

    number: int
    outcome: str
    detail: str = ""
    about: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass
class Summary:
    """What came of all cases of one kind."""

    kind: str
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Result] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_mb: float = 0.0

    def add(self, result: Result) -> None:
        """Count a case."""
        self.counts[result.outcome] += 1
        if result.outcome == "failure":
            self.failures.append(result)
        self.slowest_s = max(self.slowest_s, result.seconds)
        self.peak_mb = max(self.peak_mb, result.peak_mb)

    @property
    def too_much_memory(self) -> bool:
        return self.peak_mb > MOST_MEMORY_MB

    def __str__(self) -> str:
        counts = self.counts
        return (
            f"{self.kind:10} {sum(counts.values()):6,} cases: {counts['result']:,} results, {counts['sentence']:,} "
            f"sentences, {counts['failure']:,} failures; slowest {self.slowest_s:.1f} s, {self.peak_mb:,.0f} MB"
        )


def kind_of(number: int) -> str:
    """The kind of a case, whichever kinds are tried."""
    return KINDS[number % len(KINDS)]


def numbers_of(kind: str, *, cases: int, kinds: Sequence[str]) -> list[int]:
    """Its share of so many cases of these kinds, which are tried in turn."""
    wanted = (number for number in itertools.count() if kind_of(number) in kinds)
    return [number for number in itertools.islice(wanted, cases) if kind_of(number) == kind]


def try_numbers(command: Sequence[str], numbers: Sequence[int], *, limit_s: float = LIMIT_S) -> Iterator[Result]:
    """What the process of ``command`` says of each case; that a case ends it or takes too long is a failure."""
    left = list(numbers)
    while left:
        with _started(command, left) as (process, lines):
            try:
                ready = lines.get(timeout=START_S)
            except queue.Empty:
                ready = None
            if ready is None:
                raise SystemExit(f"The process that tries the cases did not start: {' '.join(command)}")
            while left:
                begun = time.monotonic()
                try:
                    line = lines.get(timeout=limit_s)
                except queue.Empty:
                    yield Result(left.pop(0), "failure", f"It took longer than {limit_s:.0f} s.", seconds=limit_s)
                    break
                if line is None:
                    died = f"It ended the process (exit code {process.wait()})."
                    yield Result(left.pop(0), "failure", died, seconds=time.monotonic() - begun)
                    break
                result = Result(**json.loads(line))
                left.remove(result.number)
                yield result


@contextlib.contextmanager
def _started(
    command: Sequence[str], numbers: Sequence[int]
) -> Iterator[tuple[subprocess.Popen[str], queue.Queue[str | None]]]:
    """A process that has been told these numbers, and its lines as they come; None at their end."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    stream = process.stdout

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        with contextlib.suppress(BrokenPipeError), process.stdin as numbers_wanted:
            numbers_wanted.write("\n".join(map(str, numbers)))
        yield process, lines
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()
        stream.close()


def fuzz(options: argparse.Namespace) -> list[Summary]:
    """Try all cases, some kinds beside each other, and print what came of them as they end."""

    def try_kind(kind: str) -> Summary:
        summary = Summary(kind)
        for result in try_numbers(
            child_command(kind, options), numbers_of(kind, cases=options.cases, kinds=options.kinds)
        ):
            summary.add(result)
            if options.verbose or result.outcome == "failure":
                print(
                    f"{result.outcome} {options.seed}:{result.number} {kind}: {result.about} {result.detail}",
                    flush=True,
                )
            if result.outcome == "failure":
                keep(result, kind, options)
        print(summary, flush=True)
        return summary

    with ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(try_kind, [kind for kind in KINDS if kind in options.kinds]))


def child_command(kind: str, options: argparse.Namespace) -> list[str]:
    """The process that tries the cases of one kind."""
    words = [sys.executable, "-m", "benchmarks.fuzz", "--child", kind, "--seed", str(options.seed)]
    return [*words, "--failures", str(Path(options.failures).absolute()), *(["--fork"] if options.fork else [])]


def keep(result: Result, kind: str, options: argparse.Namespace) -> None:
    """What is known of a failure, beside the files that its process has kept."""
    folder = failure_folder(options, result.number)
    folder.mkdir(parents=True, exist_ok=True)
    again = f"python -m benchmarks.fuzz --only {options.seed}:{result.number}"
    (folder / "failure.json").write_text(json.dumps(asdict(result) | {"kind": kind, "again": again}, indent=2))
    print(f"    again: {again}    kept: {folder}", flush=True)


def failure_folder(options: argparse.Namespace, number: int) -> Path:
    return Path(options.failures) / f"{options.seed}-{number}"


def be_child(options: argparse.Namespace) -> None:
    """Try the cases whose numbers come in, and say what came of each, a line of JSON a case."""
    from benchmarks.fuzzing.subject import seeded, try_case

    # Whatever is printed by what is tried must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for limit, most in ((resource.RLIMIT_AS, ADDRESS_SPACE), (resource.RLIMIT_FSIZE, LARGEST_FILE)):
        resource.setrlimit(limit, (most, most))
    with tempfile.TemporaryDirectory() as place:
        subject = _subject(options.child, Path(place), fork=options.fork)
        print("ready", file=answers, flush=True)
        for number in map(int, sys.stdin.read().split()):
            case = subject.make(seeded(options.seed, number))
            begun = time.monotonic()
            tried = try_case(subject, case)
            seconds = round(time.monotonic() - begun, 2)
            if tried.outcome == "failure":
                folder = failure_folder(options, number)
                folder.mkdir(parents=True, exist_ok=True)
                for name, data in case.files.items():
                    (folder / Path(name).name).write_bytes(data)
            result = Result(number, tried.outcome, tried.detail, case.about, seconds, round(_peak_mb(), 1))
            print(json.dumps(asdict(result)), file=answers, flush=True)


def _subject(kind: str, place: Path, *, fork: bool) -> Any:
    """Each kind loads only what it needs."""
    from benchmarks.fuzzing.homes import start_nothing
    from medpriv_core.runs import service

    service.ensure_runner = start_nothing
    if kind == "uploads":
        from benchmarks.fuzzing.uploads import Uploads

        return Uploads(place, fork=fork)
    if kind == "zips":
        from benchmarks.fuzzing.datasets import Zips

        return Zips(place)
    if kind == "runs":
        from benchmarks.fuzzing.runs import RunFiles

        return RunFiles(place)
    if kind == "imports":
        from benchmarks.fuzzing.archives import Imports

        return Imports(place)
    if kind == "addresses":
        from benchmarks.fuzzing.addresses import Addresses

        return Addresses(place)
    from benchmarks.fuzzing.arguments import Arguments

    return Arguments(place)


def _peak_mb() -> float:
    """The most memory that this process has taken, and the largest of its children."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status")
    if status.is_file():  # Linux's getrusage counts the process that this one was started from
        own = int(dict(line.split(":", 1) for line in status.read_text().splitlines())["VmHWM"].split()[0])
    return (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def try_only(options: argparse.Namespace) -> int:
    """One case by its seed and number: what came of it, and its files; 1 if it fails."""
    seed, _, number = options.only.partition(":")
    options.seed = int(seed)
    kind = kind_of(int(number))
    (result,) = try_numbers(child_command(kind, options), [int(number)])
    print(f"{kind}: {result.about}\n{result.outcome}: {result.detail}")
    if result.outcome == "failure":
        keep(result, kind, options)
    return int(result.outcome == "failure")


def main() -> None:
    """Print what came of the cases; leaves with 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="kinds tried beside each other")
    parser.add_argument("--fork", action="store_true", help="decode in copies of a process: quicker, same limits")
    parser.add_argument("--only", metavar="SEED:NUMBER", help="one case")
    parser.add_argument("--failures", default="fuzz-failures", metavar="FOLDER", help="where what fails is kept")
    parser.add_argument("--verbose", action="store_true", help="print what came of every case")
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        be_child(options)
        return
    if options.only:
        sys.exit(try_only(options))
    begun = time.monotonic()
    summaries = fuzz(options)
    total = sum((summary.counts for summary in summaries), Counter())
    print(f"{total.total():,} cases in {time.monotonic() - begun:,.0f} s, {total['failure']:,} failures")
    for summary in summaries:
        if summary.too_much_memory:
            print(f"TOO MUCH MEMORY: {summary.kind} took {summary.peak_mb:,.0f} MB, {MOST_MEMORY_MB:,} are allowed")
    sys.exit(bool(total["failure"]) or any(summary.too_much_memory for summary in summaries))


if __name__ == "__main__":
    main()
