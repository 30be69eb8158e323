"""What the noise does to the diagnosis: a trained run's opinion of a picture, of its noised and of its undone version.

A network answers every picture with percentages that add up to 100. They say how decided it is, not how often it is
right: a network may be 99 % sure of a picture unlike any that it learned from. So each answer here comes with a caveat,
which says how often this run's network was right on test images and what it was trained on.

The network runs in a process of its own, so that the web process needs no torch; see ``prediction_process``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import ImageError, MedprivError, RunError
from medpriv_core.extras import require
from medpriv_core.home import DataHome
from medpriv_core.pictures.reading import Reading
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.privacy.verdict import Verdict, run_verdict
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory, no_network
from medpriv_core.runs.list_lines import list_lines
from medpriv_core.runs.prediction_process import PROCESS
from medpriv_core.runs.spent_record import read_spent
from medpriv_core.runs.store import RunRow, RunStore
from medpriv_core.spec import Method, RunSpec, in_short


@dataclass(frozen=True)
class TrainedRun:
    """A finished run that can be asked about pictures.

    title          for people: method with its strength, what learned, how good it is
    verdict        which epsilon holds, in full; None unless it was trained with DP-SGD
    test_accuracy  share of the test images that it judges rightly, after its last epoch
    image_size     side in pixels of the square that it sees
    channels       1 if it sees pictures in grey, 3 in colour
    reading        how a file became a square when it learned
    dataset        name of what it learned from
    content        key of the images that it learned from; None where it was not recorded
    method         how it was trained
    """

    id: str
    title: str
    verdict: Verdict | None
    test_accuracy: float
    image_size: int
    channels: int
    reading: Reading
    dataset: str
    content: str | None
    method: Method


@dataclass(frozen=True)
class Diagnosis:
    """What a run's network says of some pictures.

    classes        names, in the order of the columns
    probabilities  float32 (n, classes), each row adding up to 1: how decided the network is
    caveat         what these numbers do not mean, with this run's own figures; to be shown beside them
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray
    caveat: str


@dataclass(frozen=True)
class _Record:
    """The files of a finished run."""

    id: str
    directory: RunDirectory
    spec: RunSpec
    setup: Setup
    last: EpochRow
    accuracy: float
    majority_rate: float
    spent: Spent | None


def runs_for_diagnosis(home: DataHome, dataset: str) -> list[TrainedRun]:
    """The finished runs of a dataset whose networks are still there, the newest first."""
    found = []
    rows = [row for row in RunStore(home).all() if row.state == "finished"]
    # The files of thousands of runs on other images are not read for this.
    for row, line in zip(rows, list_lines(home, rows), strict=True):
        if line.dataset == dataset:
            with suppress(MedprivError):  # deleted or damaged: the page of runs says so
                found.append(_trained_run(_read_record(home, row)))
    return found


def trained_run(home: DataHome, run_id: str) -> TrainedRun:
    """One run; raises ``RunError`` if it does not exist, has not finished, or its files are gone or damaged."""
    return _trained_run(_read_record(home, RunStore(home).get(run_id)))


def diagnose(home: DataHome, run_id: str, pictures: Sequence[np.ndarray]) -> Diagnosis:
    """What the run's network says of ``pictures``, ``uint8`` (h, w, 1 or 3) of any sizes.

    They are brought to the run's square first, which averages noise away where that is smaller, and reach the
    network as they are: no noise is added under Local-DP. The first call takes seconds, later ones some ten
    milliseconds; calls from several threads wait for each other.

    Raises ``ImageError`` for an array that is no picture, ``RunError`` if the run does not exist, has not finished, its
    files are gone or damaged, or the network's process fails, ``WeightsError`` if the pretrained weights that it was
    built on are gone, and ``MissingExtraError`` without PyTorch.
    """
    require("train")
    for picture in pictures:
        _check_picture(picture)
    record = _read_record(home, RunStore(home).get(run_id))
    question = {"home": str(home.root), "run": str(record.directory.path)}
    reply, (probabilities,) = PROCESS.ask(question, pictures)
    return Diagnosis(tuple(reply["classes"]), probabilities, _caveat(record))


def _read_record(home: DataHome, row: RunRow) -> _Record:
    if row.deleted_at is not None:
        raise RunError(f"Run {row.id} has been removed; restore it, or choose another run.")
    if row.state != "finished":
        raise RunError(f"Run {row.id} is {row.state}; only a finished run can be asked about an image.")
    directory = RunDirectory(home.runs / row.id)
    if directory.network is None:
        raise RunError(no_network(directory))
    spec, setup, outcome = directory.read_spec(), directory.read_setup(), directory.read_outcome()
    last = outcome.last if outcome is not None else EpochRow()
    spent = read_spent(directory, spec, setup=setup, last=last)
    # An outcome that was put back speaks of another network than the one that lies there.
    another = spent is not None and spent.recorded and (last.epoch or spent.epochs) != spent.epochs
    if last.test.accuracy is None or setup.majority_rate is None or another:
        raise RunError(
            f"Files of run {row.id} are missing or damaged, so nobody knows how good its network is; choose another "
            "run, or train it again."
        )
    return _Record(row.id, directory, spec, setup, last, last.test.accuracy, setup.majority_rate, spent)


def _trained_run(record: _Record) -> TrainedRun:
    spec, accuracy = record.spec, record.accuracy
    verdict = run_verdict(spec, setup=record.setup, spent=record.spent)
    title = (
        f"{_method(spec, verdict)}, {in_short('trainable', spec.trainable)}: {_percent(accuracy)} of test images right"
    )
    channels = dataset_info(spec.dataset).channels
    setup = record.setup
    return TrainedRun(
        id=record.id,
        title=title,
        verdict=verdict,
        test_accuracy=accuracy,
        image_size=spec.image_size,
        channels=channels,
        reading=setup.reading,
        dataset=spec.dataset,
        content=setup.content,
        method=spec.method,
    )


def _method(spec: RunSpec, verdict: Verdict | None) -> str:
    if spec.method == "local_dp":
        return f"Local-DP β = {spec.beta:g} ({in_short('noise_draw', spec.noise_draw)})"
    if verdict is None:
        return "No privacy"
    return f"DP-SGD ε = {format_epsilon(verdict.epsilon)} (δ = {format_delta(verdict.delta)})"


def _caveat(record: _Record) -> str:
    spec = record.spec
    sentences = [
        "The percentages say how decided the network is; they are not the probability of a disease. Nobody has checked "
        "whether 9 in 10 of the images that it calls 90% sure are what it says.",
        f"It was right on {_percent(record.accuracy)} of the test images; always naming the most frequent class is "
        "right on "
        f"{_percent(record.majority_rate)}.",
    ]
    if spec.method == "local_dp":
        noised = record.last.test_noised.accuracy
        measured = "" if noised is None else f" (right on {_percent(noised)} of the test images with such noise)"
        sentences.append(
            f"It learned from images of {spec.image_size} pixels a side with {spec.picture_noise.in_words}, "
            f"β = {spec.beta:g}"
            f"{measured}; noise of another strength or at another size is new to it."
        )
    else:
        sentences.append(
            "It learned from images without noise, so what it says of a noised or an undone one is still less reliable."
        )
    if record.directory.imported:
        sentences.append("It was trained on another machine, and these figures are what its sender says.")
    return " ".join(sentences)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _check_picture(picture: np.ndarray) -> None:
    fits = picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] in (1, 3) and picture.size > 0
    if not fits:
        raise ImageError(
            f"An image to be judged must have 8-bit pixels in grey or colour, but this one is {picture.dtype} of the "
            f"shape {picture.shape}."
        )
