"""What was ever spent on the images of a dataset, kept also when its runs are gone.

What a network has taken from the images of people does not come back when its run is deleted: somebody may have the
network. So there is one file for each *content* of a dataset, ``spent/<content key>.jsonl`` in the data home, to which
the worker appends a line before it writes a checkpoint, and which nothing in medpriv ever shortens. A line says of one
run what it has spent so far:

``run``         the run's id
``mechanism``   {sampling, sample_rate, steps_per_epoch, sensitivity}; a sensitivity of null is infinite
``segments``    stretches of {noise_multiplier, sample_rate, steps}, as in the ledger
``delta``       of the run

Of several lines of a run the one that costs most counts; a torn line is passed over. No file names and nothing about
single images is in it. The content key changes with every image, so a dataset to which an image was added begins anew.

Runs of earlier versions did not record on which images they were trained. They are entered when they are looked at or
purged: for the images that lie under their dataset's name now if the sizes of the classes agree, else into
``unknown-<dataset>.jsonl``, which is counted for every content under that name.
"""

from __future__ import annotations

import functools
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from medpriv_core.datasets.registry import content_of, list_datasets
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.privacy.facts import recorded_facts
from medpriv_core.privacy.mechanism import Mechanism
from medpriv_core.privacy.spent import count_steps, segments_from_list
from medpriv_core.privacy.verdict import network_segments
from medpriv_core.private_files import make_folder, open_private
from medpriv_core.runs.epoch_log import Signature, signature
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import Sampling

_KEY = re.compile(r"[0-9A-Za-z_-]{1,100}")


@dataclass(frozen=True)
class Entry:
    """What one run has spent on the images: its mechanism, and the stretches of its ledger."""

    run: str
    mechanism: Mechanism
    segments: tuple[Mapping[str, Any], ...]
    delta: float

    @property
    def cost(self) -> tuple[float, int]:
        """What grows with every step: inverse squares of the noise, and the steps."""
        squares = sum(steps / sigma**2 if sigma else math.inf for sigma, _, steps in self.stretches)
        return squares, count_steps(self.segments)

    @property
    def stretches(self) -> list[tuple[float, float, int]]:
        """As ``composed_epsilon`` takes them."""
        return self.mechanism.stretches(self.segments)


def enter(home: DataHome, content: str, entries: Iterable[Entry]) -> None:
    """Append lines and wait until the disk has them; raises ``DataHomeError`` where it refuses."""
    lines = b"".join(_line(entry) for entry in entries)
    if not lines:
        return
    path = _path(home, content)
    with explain_disk_errors(home.root):
        make_folder(path.parent)
        with open_private(path, "a+b", buffering=0) as file:
            # A line torn by a crash must not swallow the next one; one write, because several workers may append.
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                lines = lines if file.read(1) == b"\n" else b"\n" + lines
            file.write(lines)
            os.fsync(file.fileno())


def read_entries(home: DataHome, dataset: str, content: str | None) -> dict[str, Entry]:
    """The dearest entry of each run on these images, and of those of which only the dataset's name is known."""
    found = dict(_read(_path(home, _unknown(dataset))))
    for entry in _read(_path(home, content)).values() if content is not None else ():
        if entry.run not in found or entry.cost > found[entry.run].cost:
            found[entry.run] = entry
    return found


def enter_runs(home: DataHome, runs: Iterable[RunSummary]) -> None:
    """Enter what these runs have spent, where the journals have less of them."""
    new: dict[str, list[Entry]] = {}
    images = Images(home)
    for run in runs:
        entry = entry_of(run)
        if entry is None:
            continue
        content = images.content_of_run(run)
        known = _read(_path(home, content)).get(run.id)
        if known is None or entry.cost > known.cost:
            new.setdefault(content, []).append(entry)
    for content, entries in new.items():
        enter(home, content, entries)


def entry_of(run: RunSummary) -> Entry | None:
    """What a DP-SGD run of this machine has spent, by what it recorded; None where it does not say, or for others."""
    if run.spec is None or run.spec.method != "dp_sgd" or run.imported or run.spent is None or not run.spent.steps:
        return None
    facts = recorded_facts(run.setup)
    mechanism, segments = facts.mechanism(), network_segments(facts, run.spent)
    if mechanism is None or segments is None:
        return None
    return Entry(run.id, mechanism, tuple(segments), run.spec.delta)


class Images:
    """Which content lies under each dataset's name now, looked up once for many runs."""

    def __init__(self, home: DataHome) -> None:
        self._home = home
        self._entries = {entry.info.name: entry for entry in list_datasets(home)}
        self._contents: dict[str, str | None] = {}

    def content_of(self, dataset: str) -> str | None:
        """The content key of the images under this name; None where they are not there."""
        if dataset not in self._contents:
            try:
                self._contents[dataset] = content_of(self._home, dataset)
            except MedprivError:
                self._contents[dataset] = None
        return self._contents[dataset]

    def content_of_run(self, run: RunSummary) -> str:
        """The content key of the images that a run was trained on, or what stands for it where that is not known."""
        assert run.spec is not None
        recorded = run.setup.get("content")
        if isinstance(recorded, str) and _KEY.fullmatch(recorded):
            return recorded
        entry = self._entries.get(run.spec.dataset)
        counts = (run.setup.get("train_class_counts"), run.setup.get("test_class_counts"))
        if entry is not None and None not in counts:
            now = tuple(None if some is None else list(some) for some in (entry.train_counts, entry.test_counts))
            if now == counts and (content := self.content_of(run.spec.dataset)) is not None:
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
    return home.spent / f"{content}.jsonl"


def _line(entry: Entry) -> bytes:
    mechanism = asdict(entry.mechanism)
    if math.isinf(entry.mechanism.sensitivity):
        mechanism["sensitivity"] = None
    segments = [dict(segment) for segment in entry.segments]
    line = {"run": entry.run, "mechanism": mechanism, "segments": segments, "delta": entry.delta}
    return json.dumps(line, allow_nan=False).encode() + b"\n"


def _read(path: Path) -> Mapping[str, Entry]:
    version = signature(path)
    return {} if version is None else _read_version(path, version)


@functools.lru_cache(maxsize=64)
def _read_version(path: Path, _version: Signature) -> Mapping[str, Entry]:
    dearest: dict[str, Entry] = {}
    with explain_disk_errors(path.parent):
        lines = path.read_bytes().split(b"\n") if path.exists() else []
    for line in lines:
        entry = _entry(line)
        if entry is not None and entry.cost[1] and (entry.run not in dearest or entry.cost > dearest[entry.run].cost):
            dearest[entry.run] = entry
    return dearest


def _entry(line: bytes) -> Entry | None:
    """The entry in a line; None in a torn or foreign one."""
    try:
        values = json.loads(line)
        facts = values["mechanism"]
        sensitivity = math.inf if facts["sensitivity"] is None else float(facts["sensitivity"])
        if facts["sampling"] not in get_args(Sampling) or not 0 < facts["sample_rate"] <= 1 or sensitivity <= 0:
            return None
        per_epoch = int(facts["steps_per_epoch"])
        mechanism = Mechanism(facts["sampling"], float(facts["sample_rate"]), max(1, per_epoch), sensitivity)
        return Entry(str(values["run"]), mechanism, segments_from_list(values["segments"]), float(values["delta"]))
    except (ValueError, KeyError, TypeError):
        return None
