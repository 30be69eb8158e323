"""What is tried in a case, and what must come of it: a result, or one sentence of a ``MedprivError``."""

from __future__ import annotations

import contextlib
import io
import random
import re
import socket
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from medpriv_core.cli.main import main
from medpriv_core.errors import MedprivError

Outcome = Literal["result", "sentence", "failure"]

LONGEST_SENTENCE = 1500  # paths among it
# Escape sequences and the like; half letters are what an unreadable byte of a name becomes, and no terminal gets them.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
STOPPED = 130  # exit code of a command that was ended, as by Ctrl-C


class Fault(Exception):
    """What must not happen, found by looking at what came out."""


@dataclass(frozen=True)
class Case:
    """What is tried, in a line, and the bytes that are worth keeping where it fails."""

    about: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    given: Any = None  # what ``attempt`` needs besides


@dataclass(frozen=True)
class Tried:
    """What came of a case: ``detail`` is the sentence, or the traceback or finding of a failure."""

    outcome: Outcome
    detail: str


class Subject(Protocol):
    """A door through which hostile input comes in."""

    canaries: Sequence[str]  # texts of headers that nothing may repeat

    def make(self, rng: random.Random) -> Case:
        """The case that follows from this generator."""

    def attempt(self, case: Case) -> None:
        """Let it in. Raises ``MedprivError`` where it is refused, and ``Fault`` for what must not be."""


def seeded(seed: int, number: int) -> random.Random:
    """The generator of a case; every case has its own, so that each can be made again alone."""
    return random.Random(f"{seed}:{number}")


def try_case(subject: Subject, case: Case) -> Tried:
    """Let a case in, and judge what comes out."""
    asked: list[str] = []
    try:
        with no_name_resolution(asked):
            subject.attempt(case)
        tried = Tried("result", "")
    except MedprivError as error:
        complaint = complaint_about(str(error), subject.canaries)
        tried = Tried("failure" if complaint else "sentence", complaint or str(error))
    except Fault as fault:
        tried = Tried("failure", str(fault))
    except Exception:
        tried = Tried("failure", traceback.format_exc())
    if asked:
        return Tried("failure", f"It asked for the address of {asked[0]!r}, which nobody wanted.")
    return tried


def complaint_about(sentence: str, canaries: Sequence[str] = ()) -> str | None:
    """What is wrong with a sentence for the user; None where nothing is."""
    repeated = [canary for canary in canaries if canary in sentence]
    if repeated:
        return f"The sentence repeats {repeated[0]!r} of a header: {sentence}"
    if "Traceback" in sentence or CONTROL.search(sentence):
        return f"No sentence for a screen: {sentence!r}"
    if not sentence.rstrip("\"')”*").endswith((".", "?", "…")):
        return f"A sentence without its end: {sentence!r}"
    if len(sentence) > LONGEST_SENTENCE:
        return f"A sentence of {len(sentence):,} characters: {sentence[:200]!r}"
    return None


@contextlib.contextmanager
def no_name_resolution(asked: list[str]) -> Iterator[None]:
    """Within the block no name is looked up outside; each that was wanted is put into ``asked``."""
    real = socket.getaddrinfo

    def refuse(host: Any, *arguments: Any, **more: Any) -> Any:
        if host in (None, "localhost", "127.0.0.1", "::1", b"127.0.0.1"):
            return real(host, *arguments, **more)
        asked.append(str(host))
        raise socket.gaierror(socket.EAI_NONAME, "not within the fuzzer")

    socket.getaddrinfo = refuse
    try:
        yield
    finally:
        socket.getaddrinfo = real


def command(*words: str, codes: Sequence[int] = (0, 1, 2)) -> str:
    """What a command line prints; raises ``MedprivError`` where it ends with a sentence, ``Fault`` where it must not.

    ``codes`` are the exit codes that it may have.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(words))
        except SystemExit as leaving:  # argparse, after --help and --version
            code = int(leaving.code or 0)
    if code not in codes:
        raise Fault(f"{words} ended with {code}: {err.getvalue()[-500:]}")
    said = err.getvalue()
    for line in said.splitlines():
        if "Traceback" in line or CONTROL.search(line):
            raise Fault(f"{words} printed {line!r}")
    if CONTROL.search(out.getvalue().replace("\n", "")):
        raise Fault(f"{words} printed control characters: {out.getvalue()!r:.300}")
    if code not in (0, STOPPED):
        _, mark, sentence = f"\n{said}".rpartition("\nmedpriv: ")
        if not mark:
            raise Fault(f"{words} ended with {code} and no sentence: {said[-300:]!r}")
        raise MedprivError(sentence.strip())
    return out.getvalue()
