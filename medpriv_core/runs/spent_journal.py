"""What was ever spent on the images of a dataset, kept also when its runs are gone.

What a network has taken from the images of people does not come back when its run is deleted: somebody may have the
network. So there is one file for each *content* of a dataset, ``spent/<content key>.jsonl`` in the data home, to which
the worker appends a line before it writes a checkpoint, and which nothing in medpriv ever shortens. A line says of one
run what it has spent so far:

``run``         the run's id
``mechanism``   {sampling, sample_rate, steps_per_epoch, sensitivity, unit}; a sensitivity of null is infinite, and
                without a unit it is an image
``segments``    the steps of its ledger, as {noise_multiplier, sample_rate, steps}
``delta``       of the run
``checkpoint``  digest of the checkpoint that it is entered for; once that lies on the disk, a line {run, kept} says so
``checksum``    of the line

Of several lines of a run the one that costs most counts. A line that was torn by a crash is passed over: nothing had
been kept of what it was to say. A damaged line is not: what its run has spent is unknown, unless a later line of that
run says it. By the lines of what was kept, an older checkpoint that is put in the place of a newer one is told, also
where the whole folder of a run is an older one. No file names and nothing about single images is in it. The content key
changes with every image, so a dataset to which an image was added begins anew.

Runs of earlier versions did not record on which images they were trained. They are entered when they are looked at or
purged: for the images that lie under their dataset's name now if the sizes of the classes agree, else into
``unknown-<dataset>.jsonl``, which is counted for every content under that name.
"""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from medpriv_core.checksums import open_line, seal_line
from medpriv_core.datasets.files import same_images
from medpriv_core.datasets.registry import content_of, list_datasets
from medpriv_core.errors import DataHomeError, MedprivError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.privacy.steps import Steps, count_steps, steps_from_json, steps_to_json
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian
from medpriv_core.privacy.verdict import network_segments
from medpriv_core.private_files import make_folder, open_private
from medpriv_core.runs.epoch_log import Signature, signature
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import Sampling
from medpriv_core.strict_json import Unreadable, parse_json, read_regular
from medpriv_core.unit import Unit

_MOST_BYTES = 1 << 30  # lines of more runs than anybody has
_KEY = re.compile(r"[0-9A-Za-z_-]{1,100}")
# Put behind a line that was torn by a crash, by whoever writes the next one.
_TORN = b" torn"
_SEALED = re.compile(rb'\{"run": .*?"blake2b:[0-9a-f]{32}"\}')


@dataclass(frozen=True)
class Entry:
    """What one run has spent on the images: its mechanism, and the steps of its ledger.

    ``checkpoint`` is the digest of the checkpoint that a worker is about to write.
    """

    run: str
    mechanism: SubsampledGaussian
    segments: tuple[Steps, ...]
    delta: float
    checkpoint: str | None = None

    @property
    def cost(self) -> tuple[float, int]:
        """What grows with every step: inverse squares of the noise, and the steps."""
        return sum(part.weight for part in self.stretches), count_steps(self.segments)

    @property
    def stretches(self) -> tuple[Steps, ...]:
        """As ``composed_epsilon`` takes them."""
        return self.mechanism.stretches(self.segments)


def enter(home: DataHome, content: str, entries: Iterable[Entry]) -> None:
    """Append lines and wait until the disk has them; raises ``DataHomeError`` where it refuses."""
    _append(home, content, b"".join(_line(entry) for entry in entries))


def confirm(home: DataHome, content: str, run_id: str, checkpoint: str) -> None:
    """Enter that the checkpoint with this digest lies on the disk; raises ``DataHomeError`` where that refuses."""
    _append(home, content, seal_line({"run": run_id, "kept": checkpoint}) + b"\n")


def _append(home: DataHome, content: str, lines: bytes) -> None:
    if not lines:
        return
    path = _path(home, content)
    with explain_disk_errors(home.root):
        make_folder(path.parent)
        with open_private(path, "a+b", buffering=0) as file:
            # A line torn by a crash must not swallow the next one; one write, because several workers may append.
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                lines = lines if file.read(1) == b"\n" else _TORN + b"\n" + lines
            file.write(lines)
            os.fsync(file.fileno())


def read_entries(home: DataHome, dataset: str, content: str | None) -> dict[str, Entry]:
    """The dearest entry of each run on these images, and of those of which only the dataset's name is known."""
    found = dict(_read(_path(home, _unknown(dataset))).dearest)
    for entry in _read(_path(home, content)).dearest.values() if content is not None else ():
        if entry.run not in found or entry.cost > found[entry.run].cost:
            found[entry.run] = entry
    return found


def count_lost(home: DataHome, dataset: str, content: str | None) -> int:
    """How many damaged lines the journals of these images have, of runs of which no later line tells."""
    names = [_unknown(dataset), *([content] if content is not None else [])]
    return sum(_read(_path(home, name)).lost for name in names)


def checkpoints_kept(home: DataHome, content: str, run_id: str) -> tuple[str, ...] | None:
    """Digests of which one must be that of a run's checkpoint: the last that was kept, and those announced after it.

    None where the journal of the images does not say.
    """
    if not _KEY.fullmatch(content):
        return None
    return _read(_path(home, content)).kept.get(run_id)


def enter_runs(home: DataHome, runs: Iterable[RunSummary]) -> None:
    """Enter what these runs have spent, where the journals have less of them."""
    new: dict[str, list[Entry]] = {}
    images = Images(home)
    for run in runs:
        entry = entry_of(run)
        if entry is None:
            continue
        content = images.content_of_run(run)
        known = _read(_path(home, content)).dearest.get(run.id)
        if known is None or entry.cost > known.cost:
            new.setdefault(content, []).append(entry)
    for content, entries in new.items():
        enter(home, content, entries)


def entry_of(run: RunSummary) -> Entry | None:
    """What a DP-SGD run of this machine has spent, by what it recorded; None where it does not say, or for others."""
    if run.spec is None or run.spec.method != "dp_sgd" or run.imported or run.spent is None or not run.spent.steps:
        return None
    facts = run.setup.guarantee
    mechanism, segments = facts.mechanism(), network_segments(facts, run.spent)
    if mechanism is None or segments is None:
        return None
    return Entry(run.id, mechanism, segments, run.spec.delta)


def recorded_steps(run: RunSummary) -> tuple[Steps, ...] | None:
    """The steps of a DP-SGD run as it recorded them; None where it did not."""
    if run.spent is None or not run.spent.steps:
        return None
    return network_segments(run.setup.guarantee, run.spent)


class Images:
    """Which content lies under each dataset's name now, looked up once for many runs."""

    def __init__(self, home: DataHome) -> None:
        self._home = home
        self._entries = {entry.info.name: entry for entry in list_datasets(home)}
        self._contents: dict[str, str | None] = {}

    def content_of(self, dataset: str) -> str | None:
        """The content key of the images under this name, however they are read; None where they are not there."""
        if dataset not in self._contents:
            try:
                self._contents[dataset] = same_images(content_of(self._home, dataset))
            except MedprivError:
                self._contents[dataset] = None
        return self._contents[dataset]

    def largest_patient(self, dataset: str) -> int | None:
        """How many training images any patient has at most; None where that is not known."""
        entry = self._entries.get(dataset)
        return entry.patients.largest if entry is not None and entry.patients is not None else None

    def content_of_run(self, run: RunSummary) -> str:
        """The content key of the images that a run was trained on, or what stands for it where that is not known."""
        assert run.spec is not None
        recorded = run.setup.content
        if recorded is not None and _KEY.fullmatch(recorded):
            return same_images(recorded)
        entry = self._entries.get(run.spec.dataset)
        counts = (run.setup.train_class_counts, run.setup.test_class_counts)
        if entry is not None and None not in counts and counts == (entry.train_counts, entry.test_counts):
            content = self.content_of(run.spec.dataset)
            if content is not None:
                return content
        return _unknown(run.spec.dataset)

    def have(self, run: RunSummary) -> bool:
        """Whether a run was, as far as is known, trained on the images that lie under its dataset's name now."""
        assert run.spec is not None
        content = self.content_of(run.spec.dataset)
        return content is None or self.content_of_run(run) in (content, _unknown(run.spec.dataset))


def _unknown(dataset: str) -> str:
    return f"unknown-{re.sub('[^0-9A-Za-z_-]', '_', dataset)[:60]}"


def _path(home: DataHome, content: str) -> Path:
    # What was spent on images stays spent when they are read in another way.
    return home.spent / f"{same_images(content)}.jsonl"


def _line(entry: Entry) -> bytes:
    mechanism = asdict(entry.mechanism)
    if math.isinf(entry.mechanism.sensitivity):
        mechanism["sensitivity"] = None
    line = {"run": entry.run, "mechanism": mechanism, "segments": steps_to_json(entry.segments), "delta": entry.delta}
    if entry.checkpoint is not None:
        line["checkpoint"] = entry.checkpoint
    return seal_line(line) + b"\n"


@dataclass
class _Journal:
    """What a file says.

    dearest  the entry of each run that costs most
    kept     of each run of which a checkpoint was kept: digests as ``checkpoints_kept`` gives them
    lost     damaged lines of runs of which no later line tells
    """

    dearest: dict[str, Entry] = field(default_factory=dict)
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lost: int = 0


def _read(path: Path) -> _Journal:
    version = signature(path)
    return _Journal() if version is None else _read_version(path, version)


@functools.lru_cache(maxsize=64)
def _read_version(path: Path, _version: Signature) -> _Journal:
    with explain_disk_errors(path.parent):
        try:
            content = read_regular(path, most_bytes=_MOST_BYTES)
        except FileNotFoundError:
            content = b""
        except Unreadable as fault:
            raise DataHomeError(
                f"The journal {path}, which says what runs have spent on these images, cannot be read: {fault}. Put it "
                "back from a copy."
            ) from fault
    journal, damaged = _Journal(), list[bytes]()
    *lines, tail = content.split(b"\n")
    for line in [*lines, tail]:
        pieces, rest = _pieces(line)
        # What a crash tore has no end; the next one to write marks it.
        if rest and line is not tail and not rest.endswith(_TORN):
            damaged.append(rest)
        for piece in pieces:
            if (entry := _take(journal, piece)) is not None:
                # A later line of a run says at least as much as an earlier one.
                damaged = [other for other in damaged if entry.run.encode() not in other]
    journal.lost = sum(b'"kept"' not in other for other in damaged)
    return journal


def _pieces(line: bytes) -> tuple[list[bytes], bytes]:
    """The whole lines in a line, two where the byte between them is damaged, and what else is in it."""
    whole = [piece for piece in _SEALED.findall(line) if open_line(piece) is not None]
    if not whole:
        return ([line], b"") if _values(line) is not None else ([], line.strip())
    rest = line
    for piece in whole:
        rest = rest.replace(piece, b"", 1)
    return whole, rest.strip() if len(rest.removesuffix(_TORN)) > 1 else b""


def _take(journal: _Journal, line: bytes) -> Entry | None:
    """Put what a line says into the journal, and return it if it is what a run has spent."""
    values, entry = _values(line), _entry(line)
    if entry is not None and entry.cost[1]:
        if entry.run not in journal.dearest or entry.cost > journal.dearest[entry.run].cost:
            journal.dearest[entry.run] = entry
        if entry.checkpoint is not None and entry.run in journal.kept:
            journal.kept[entry.run] += (entry.checkpoint,)
    elif isinstance(values, dict) and isinstance(values.get("kept"), str):
        journal.kept[str(values.get("run"))] = (values["kept"],)
    return entry


def _values(line: bytes) -> Any:
    """The JSON in a line; None in a torn or damaged one."""
    whole = open_line(line)
    try:
        return None if whole is None else parse_json(whole)
    except ValueError:
        return None


def _entry(line: bytes) -> Entry | None:
    """The entry in a line; None in a torn, damaged or foreign one."""
    values = _values(line)
    try:
        facts = values["mechanism"]
        sensitivity = math.inf if facts["sensitivity"] is None else float(facts["sensitivity"])
        if facts["sampling"] not in get_args(Sampling) or not 0 < facts["sample_rate"] <= 1 or sensitivity <= 0:
            return None
        per_epoch, digest = int(facts["steps_per_epoch"]), values.get("checkpoint")
        unit = facts.get("unit", "image")
        if unit not in get_args(Unit):
            return None
        rate = float(facts["sample_rate"])
        mechanism = SubsampledGaussian(facts["sampling"], rate, max(1, per_epoch), sensitivity, unit)
        segments, delta = steps_from_json(values["segments"]), float(values["delta"])
        return Entry(str(values["run"]), mechanism, segments, delta, digest)
    except (ValueError, LookupError, TypeError, ArithmeticError):
        return None
