"""Command lines: every command with every option that its parser knows, and hostile values.

The commands are those of the real parser, so that a new one is tried too. What trains, measures or downloads is
stopped where that would begin; paths lead into a folder of the case alone, except those that are only read."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.fuzzing.homes import BINNED, OTHERS, SWEEP, VICTIM, copied, make_home
from benchmarks.fuzzing.mutations import damage, hostile_text
from benchmarks.fuzzing.subject import STOPPED, Case, command
from benchmarks.fuzzing.uploads import dicoms, identifiers, rasters
from medpriv_core.cli.main import build_parser
from medpriv_core.errors import SettingError
from medpriv_core.home import DataHome
from tests.uploads.dicoms import SECRETS

# The processes behind the app, which nobody types.
NOT_TYPED = {"runner", "worker", "predictor", "weights"}
READ = ("image", "images", "file", "path")
WRITTEN = ("output", "csv", "figure", "folder", "directory", "directories", "weights")
KNOWN = (
    VICTIM, *OTHERS, BINNED, SWEEP, "synthetic_chest", "synthetic_fundus", "retina_photo", "chest_xray",
    "pneumoniamnist",
    "none", "imagenet", "cpu", "auto", "cuda:7", "head", "epochs=1,2", "method=dp_sgd,none", "beta=1", "seed=1,2,3",
)  # fmt: skip
NUMBERS = (
    "0", "1", "2", "3", "8", "28", "32", "64", "100", "640", "5218", "-1", "0.5", "1e-5", "1e-300", "1e300",
    "1e999", "nan",
    "inf", "-inf", "1000000000", "99999999999999999999", "9" * 5000, "0x10", "1_000", "٣", " 1", "1,2", "1,x", "",
)  # fmt: skip
NOT_MEASURED = "The fuzzer measures and trains nothing."


class Arguments:
    """Command lines that no person would type, and some that one would."""

    def __init__(self, folder: Path) -> None:
        self._template, self._place = folder / "template", folder / "home"
        make_home(DataHome(self._template))
        headers = dicoms()[:2]
        self._pictures = [*rasters(), *headers]
        self.canaries = (*SECRETS, *sorted(set().union(*map(identifiers, headers))))
        self._commands = list(_commands(build_parser()))
        _measure_nothing()

    def make(self, rng: random.Random) -> Case:
        names, parser = rng.choice(self._commands)
        words = [*names]
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                continue
            wanted = action.required or not action.option_strings or rng.random() < 0.25
            if wanted and rng.random() < 0.95:
                words += self._option(action, rng)
        if rng.random() < 0.1:
            words.insert(rng.randrange(len(words) + 1), self._text(rng))
        if rng.random() < 0.05:
            words = words[: rng.randrange(len(words) + 1)]
        picture = damage(rng.choice(self._pictures), rng, self._pictures)
        files = {"a.png": rng.choice((self._pictures[0], picture)), "a.dcm": rng.choice((self._pictures[-1], picture))}
        return Case(f"{' '.join(words)!r:.300}", files, [as_argument(word) for word in words])

    def _option(self, action: argparse.Action, rng: random.Random) -> list[str]:
        values = [self._value(action, rng) for _ in range(_count(action, rng))]
        if not action.option_strings:
            return values
        flag = rng.choice(action.option_strings)
        return [f"{flag}={values[0]}"] if len(values) == 1 and rng.random() < 0.5 else [flag, *values]

    def _value(self, action: argparse.Action, rng: random.Random) -> str:
        if action.dest in READ:
            return rng.choice(
                ("a.png", "a.dcm", ".", "nothing.png", "fifo", "loop", "full", "/dev/zero", "/dev/null", "~x/y")
            )
        if action.dest in WRITTEN:
            return rng.choice(("out.png", "out.npy", "out.svg", "out.zip", "out", "a.png", ".", "gone/out.png"))
        if action.choices and rng.random() < 0.9:
            return str(rng.choice(sorted(map(str, action.choices))))
        if action.type in (int, float) and rng.random() < 0.8:
            return rng.choice(NUMBERS)
        return self._text(rng)

    def _text(self, rng: random.Random) -> str:
        return rng.choice((hostile_text(rng), rng.choice(KNOWN), rng.choice(NUMBERS)))

    def attempt(self, case: Case) -> None:
        home = copied(self._template, self._place)
        folder = home.root.with_name("here")
        folder.mkdir(exist_ok=True)
        with _within(folder):
            _odd_places()
            for name, data in case.files.items():
                Path(name).write_bytes(data)
            command(*case.given, codes=(0, 1, 2, 3, STOPPED))


def _commands(parser: argparse.ArgumentParser, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its parser, the actions of a command among them."""
    under = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not under:
        yield names, parser
    for action in under:
        for name, child in action.choices.items():
            if name not in NOT_TYPED:
                yield from _commands(child, (*names, name))


def _count(action: argparse.Action, rng: random.Random) -> int:
    if action.nargs == 0:
        return 0
    if action.nargs in ("*", "+"):
        return rng.choice((0, 1, 1, 2))
    return 1 if action.nargs is None else rng.choice((0, 1))


def _measure_nothing() -> None:
    """What would take minutes or the network ends where it begins; the checks before it are done."""
    from medpriv_core.cli import app, datasets
    from medpriv_core.training import benchmark, worker
    from medpriv_core.training.audit import canaries

    def refuse(*_arguments: object, **_more: object) -> Any:
        raise SettingError(NOT_MEASURED)

    app.runpy.run_module = refuse
    benchmark.benchmark_dp_sgd = refuse
    canaries.audit_loop = refuse
    datasets.fetch_and_wait = refuse
    worker.prepare_dataset = refuse


@contextlib.contextmanager
def _within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _odd_places() -> None:
    """What is no file and no folder that could be read, in the folder of the case."""
    for name in os.listdir():
        if os.path.isfile(name) or os.path.islink(name):
            os.unlink(name)
    if not os.path.lexists("fifo"):
        os.mkfifo("fifo")
    os.symlink("loop", "loop")
    Path("full").write_bytes(struct.pack("<I", 1) * 1000)


def as_argument(text: str) -> str:
    """As a system can hand it over: without zero bytes, and bytes that are no UTF-8 as Python stands in for them."""
    return text.replace("\x00", "").encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
