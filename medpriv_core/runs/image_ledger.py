"""Who took what from the images of a dataset: a line for each network, also of runs that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.home import DataHome
from medpriv_core.privacy.composition import JointEpsilon, compose
from medpriv_core.runs.budget import read_budget
from medpriv_core.runs.on_images import spendings_by_run
from medpriv_core.runs.summary import RunSummary
from medpriv_core.unit import Unit


@dataclass(frozen=True)
class LedgerLine:
    """What one DP-SGD network takes from the images, to its end if it still trains.

    name      None where its run was removed for good
    epsilon   by itself, at ``delta``; None where nobody knows
    released  the day on which it was given away, as YYYY-MM-DD; None where its owner marked none
    """

    run: str
    name: str | None
    state: str
    epsilon: float | None
    delta: float | None
    unit: Unit | None
    released: str | None


@dataclass(frozen=True)
class ImageLedger:
    """All networks on the images of a dataset, and what those cost together that were given away.

    released  None where none was
    """

    lines: tuple[LedgerLine, ...]
    released: JointEpsilon | None


def read_ledger(home: DataHome, entry: DatasetEntry, runs: Sequence[RunSummary]) -> ImageLedger:
    """The ledger of a dataset's images; ``runs`` are ``all_runs``. Raises ``DataHomeError`` where the disk refuses."""
    released = dict(read_budget(home, entry.content).released) if entry.content else {}
    known = {run.id: run for run in runs}
    found = spendings_by_run(home, entry.info.name, runs, records=entry.records)
    lines = []
    for run_id, spending in found.items():
        run = known.get(run_id)
        lines.append(
            LedgerLine(
                run=run_id,
                name=run.name if run is not None else None,
                state=run.state if run is not None else "removed",
                epsilon=None if spending is None else spending.epsilon,
                delta=None if spending is None else spending.delta,
                unit=None if spending is None else spending.mechanism.unit,
                released=released.get(run_id),
            )
        )
    given = [spending for run_id, spending in found.items() if run_id in released]
    together = None
    if given:
        largest = entry.patients.largest if entry.patients is not None else None
        of_known = [spending for spending in given if spending is not None]
        together = compose(entry.info.name, of_known, unknown=given.count(None), largest_patient=largest)
    return ImageLedger(tuple(sorted(lines, key=lambda line: line.run)), together)
