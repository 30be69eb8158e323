"""One finished run as a comparison needs it, whoever made it.

Runs come from three sources: ``mine`` (the data home), ``reference`` (shipped with medpriv) and ``authors`` (logged in
the notebooks of the paper). They may stand in one chart only if each carries what its figures rest on, above all the
epsilon that really holds, which is not the one that a run was named after.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medpriv_core.records.epoch import COLUMNS, EpochRow
from medpriv_core.results.guarantee import HeldGuarantee
from medpriv_core.spec import Method, RunSpec, Trainable

Source = Literal["mine", "reference", "authors"]
SOURCES: tuple[Source, ...] = ("reference", "authors", "mine")
SOURCE_TITLES: dict[Source, str] = {"reference": "Reference set", "authors": "The authors' logs", "mine": "My runs"}

Protocol = Literal["last_epoch", "best_on_test"]
PROTOCOL_TITLES: dict[Protocol, str] = {
    "last_epoch": "Last epoch",
    "best_on_test": "Best epoch on the test images (the paper's optimistic protocol)",
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished run.

    id            of the run; of the series for the authors' logs
    beta          Laplace scale under Local-DP; for the authors' DP-SGD only what the paper calls its noise
    guarantee     the epsilon that holds after the last epoch, and all it depends on
    majority_rate accuracy (0 to 1) of always naming the most frequent class of the test images; None if not known
    epochs        the finished ones, with whatever was measured
    test_size     images that the test figures are means over; None if not known
    synthetic     whether the images were drawn by a program
    protocol      in one sentence: what was trained and measured, and how
    spec          None for the authors' runs, whose settings are known only in part
    version       of the authors' notebook
    predictions   the file with what the network says of each test image; None where it is not kept here
    """

    source: Source
    id: str
    name: str
    dataset: str
    method: Method
    beta: float | None
    noise_draw: str | None
    noise_multiplier: float | None
    target_epsilon: float | None
    trainable: Trainable
    image_size: int
    seed: int | None
    guarantee: HeldGuarantee
    majority_rate: float | None
    classes: tuple[str, ...]
    epochs: tuple[EpochRow, ...]
    test_size: int | None
    synthetic: bool
    protocol: str
    spec: RunSpec | None = None
    version: int | None = None
    tags: tuple[str, ...] = ()
    predictions: Path | None = None

    @property
    def final(self) -> EpochRow:
        """The row of the last epoch."""
        return self.epochs[-1]

    @property
    def epsilon(self) -> float:
        """What really holds; infinite where no finite epsilon does."""
        return self.guarantee.epsilon

    def figure(self, column: str, protocol: Protocol = "last_epoch") -> float | None:
        """A figure (of ``records.epoch.COLUMNS``) of the last epoch, or the paper's way: the best of all epochs.

        Each column has its best by itself.
        """
        of = COLUMNS[column].of
        if protocol == "last_epoch":
            return of(self.final)
        best = min if COLUMNS[column].metric.better == "low" else max
        return best((value for row in self.epochs if (value := of(row)) is not None), default=None)
