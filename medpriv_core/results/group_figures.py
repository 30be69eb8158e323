"""Groups in the test images of a run, and what its network does for each, beside the same one without privacy.

Groups and patients are read from the dataset, and only if the images that lie there now are those that the run was
tested on: by their content key and their classes in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from medpriv_core.datasets.base import AddedDataset
from medpriv_core.datasets.patients import patient_numbers
from medpriv_core.datasets.registry import content_of, open_dataset
from medpriv_core.errors import MedprivError, RunError
from medpriv_core.evaluation.by_group import FEW, FEWEST_TOLD, GroupFigure, GroupLine, by_group, passed_on
from medpriv_core.evaluation.predictions import FILE_NAME, Predictions, read_predictions
from medpriv_core.home import DataHome
from medpriv_core.results.counterpart import differing
from medpriv_core.runs.summary import RunSummary

WHAT_GROUPS = (
    "These are groups in the data. They say something of people only where a column of a table names people. Counted "
    "exactly, without noise, on the test images: not covered by any ε."
)
SEEDS = (
    "One training run each: a difference that another seed would turn around is chance, not the cost of privacy. "
    "The intervals are about other patients, not about other seeds."
)
FIGURES = {  # name -> its heading
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "accuracy_parity": "accuracy parity",
    "statistical_parity": "statistical parity",
}
COSTS = ("accuracy", "auroc", "sensitivity", "specificity")  # of which the difference of two networks is told
PARITY_WORDS = (
    "Accuracy parity: accuracy in the group less that of all other groups. Statistical parity: share that is called "
    "ill (the second class) in the group less that in all others; a disease that is more frequent in a group makes it "
    "differ from 0 rightly."
)


@dataclass(frozen=True)
class GroupTable:
    """The figures of a column of groups, without groups that are too small to be told of.

    column      what it is called
    positive    what the second of two classes is called; None with more classes
    left_out    how many groups are left out, see ``by_group.passed_on``
    other       name of the run without privacy that the lines are held against; None without one
    by_patient  whether the bootstrap drew patients; else it drew images
    """

    column: str
    positive: str | None
    lines: tuple[GroupLine, ...]
    left_out: int
    other: str | None
    by_patient: bool

    @property
    def intervals(self) -> str:
        """How the intervals came about."""
        return f"95% intervals by bootstrap over {'patients' if self.by_patient else 'images'}"

    @property
    def why_left_out(self) -> str | None:
        """A sentence where groups are left out."""
        if not self.left_out:
            return None
        many = "1 group is" if self.left_out == 1 else f"{self.left_out} groups are"
        of = "patients" if self.by_patient else "images"
        return (
            f"{many} left out: figures of fewer than {FEWEST_TOLD} {of} tell of single ones. So is a larger group "
            "where theirs could be computed from all others."
        )

    def figures(self) -> list[str]:
        """Names of the figures that its lines have, in the order of ``FIGURES``."""
        return [name for name in FIGURES if self.lines and name in self.lines[0].figures]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        facts = {
            "column": self.column,
            "positive": self.positive,
            "groups": [asdict(line) for line in self.lines],
            "left_out": self.left_out,
        }
        return facts | {"held_against": self.other, "intervals": self.intervals}

    def rows(self) -> list[dict[str, str]]:
        """Heading -> words, for each group."""
        return _filled(
            self._counts(line) | {FIGURES[name]: _in_words(name, line.figures[name]) for name in self.figures()}
            for line in self.lines
        )

    def cost_rows(self) -> list[dict[str, str]]:
        """Heading -> words of this network less the one without privacy; empty without one."""
        told = [name for name in self.figures() if name in COSTS]
        return _filled(
            {"group": line.group} | {FIGURES[name]: _in_words(name, line.less[name], difference=True) for name in told}
            for line in self.lines
            if line.less
        )

    def _counts(self, line: GroupLine) -> dict[str, str]:
        counts = {"group": line.group, "images": f"{line.images:,}"}
        if line.patients is not None:
            counts["patients"] = f"{line.patients:,}"
        if line.positives is not None:
            counts[f"images of {self.positive}"] = f"{line.positives:,}"
        return counts


def group_tables(home: DataHome, run: RunSummary, runs: Sequence[RunSummary]) -> list[GroupTable]:
    """A table for each column of groups, held against the newest of ``runs`` that is the same without privacy.

    Args:
        home: Where runs and datasets are.
        run: The run.
        runs: All runs, the newest first.

    Raises:
        RunError: With the reason, where nothing can be told by group.
    """
    predictions = read_predictions(home.runs / run.id / FILE_NAME)
    if run.spec is None or predictions is None:
        raise RunError(f"Run {run.id} kept no predictions, so nothing can be told by group.")
    columns, patients = _groups(home, run, predictions.labels)
    other = without_privacy(home, run, runs, predictions.labels)
    tables = []
    for column, values in columns.items():
        lines = by_group(
            predictions.test,
            predictions.labels,
            values,
            patients=patients,
            other=None if other is None else other[1].test,
        )
        told, left_out = passed_on(lines)
        tables.append(
            GroupTable(
                column=column,
                positive=_positive(run, predictions.test.shape[1]),
                lines=tuple(told),
                left_out=left_out,
                other=None if other is None else other[0],
                by_patient=patients is not None,
            )
        )
    return tables


def _positive(run: RunSummary, classes: int) -> str | None:
    if classes != 2:
        return None
    return run.setup.classes[1] if len(run.setup.classes) == 2 else "the second class"


def _filled(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """The rows without headings under which there is nothing, such as specificity where all are ill."""
    told = list(rows)
    return [{heading: words for heading, words in row.items() if any(each[heading] for each in told)} for row in told]


def _in_words(name: str, figure: GroupFigure, *, difference: bool = False) -> str:
    """The figure and its interval: shares in percent, differences of shares in points, areas with three digits.

    The minus is a true one: a cell that begins with a hyphen is a formula to spreadsheets.
    """
    if figure.value is None:
        return f"too few (below {FEW})" if figure.few else ""
    told = [figure.value, *(figure.interval or ())]
    if name == "auroc":
        words = [f"{value:.3f}" for value in told]
    else:
        words = [f"{100 * value:.1f}" for value in told]
        words[0] += " points" if difference or name.endswith("parity") else "%"
    words = [word.replace("-", "\N{MINUS SIGN}") for word in words]
    return words[0] if len(words) == 1 else f"{words[0]} ({words[1]} to {words[2]})"


def _groups(
    home: DataHome, run: RunSummary, labels: np.ndarray
) -> tuple[Mapping[str, Sequence[str]], np.ndarray | None]:
    """What a column is called -> the group of each test image; and whose each image is."""
    assert run.spec is not None
    dataset = open_dataset(home, run.spec.dataset)
    title = dataset.info.title
    if not isinstance(dataset, AddedDataset):
        raise RunError(f"Nothing is known of groups in the images of {title}.")
    here = dataset.split("test").labels
    if run.setup.content != content_of(home, run.spec.dataset) or not np.array_equal(here, labels):
        raise RunError(
            f"The images of {title} that are here now are not those that run {run.id} was tested on, so their groups "
            "are not known."
        )
    columns = {column: values for column, values in dataset.groups("test").items() if len({*values} - {""}) > 1}
    if not columns:
        raise RunError(
            f"Nothing is known of groups in the images of {title}. Of images of your own, name a column of groups when "
            "you add them."
        )
    return columns, patient_numbers(dataset, "test")


def without_privacy(
    home: DataHome, run: RunSummary, runs: Sequence[RunSummary], labels: np.ndarray
) -> tuple[str, Predictions] | None:
    """The newest of ``runs`` that is the same without privacy, by its name, with its predictions; None without one.

    Args:
        home: Where runs are.
        run: The run.
        runs: All runs, the newest first.
        labels: True classes of the test images of the run, which the other one has to have too.
    """
    if run.spec is None or run.spec.method == "none":
        return None
    for other in runs:
        if other.id == run.id or other.spec is None or other.spec.method != "none" or other.state != "finished":
            continue
        if other.setup.content != run.setup.content or differing(run.spec, other.spec):
            continue
        try:
            found = read_predictions(home.runs / other.id / FILE_NAME)
        except MedprivError:
            continue
        if found is not None and np.array_equal(found.labels, labels):
            return other.name, found
    return None
