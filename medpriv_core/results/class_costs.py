"""What privacy costs each class of a run, beside the same run without privacy, and whether rarer ones lose more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medpriv_core.evaluation.by_class import FEWEST, Correlation, class_aurocs, losses_by_size
from medpriv_core.evaluation.by_group import FEW
from medpriv_core.evaluation.predictions import FILE_NAME, read_predictions
from medpriv_core.home import DataHome
from medpriv_core.results.group_figures import without_privacy
from medpriv_core.runs.summary import RunSummary

CAUTION = (
    "Over so few classes nearly every correlation is within chance. It rests on counts of training images without "
    "noise, so it is for the owner of the images, and no export has it."
)


@dataclass(frozen=True)
class ClassCosts:
    """The AUROC of each class against all others, with and without privacy.

    other        name of the run without privacy
    classes      their names
    sizes        training images of each
    tested       test images of each
    private, plain  AUROC of each; None where it cannot be told
    correlation  of the loss with the number of training images; None where some class has no AUROC
    """

    other: str
    classes: tuple[str, ...]
    sizes: tuple[int, ...]
    tested: tuple[int, ...]
    private: tuple[float | None, ...]
    plain: tuple[float | None, ...]
    correlation: Correlation | None

    @property
    def sentence(self) -> str:
        """The correlation in words; nothing without one."""
        if self.correlation is None:
            return ""
        r, low, high = (_with_minus(value, 2) for value in (self.correlation.r, *self.correlation.interval))
        few = sum(tested < FEW for tested in self.tested)
        rests = f" {few} of them have fewer than {FEW} test images, so their AUROC is nearly chance." if few else ""
        return (
            f"Loss and number of training images: Pearson's r = {r} (95% by Fisher's transformation: {low} to {high}; "
            f"{self.correlation.points} classes). Below 0, rarer classes lose more.{rests} {CAUTION}"
        )

    def rows(self, *, with_training_images: bool) -> list[dict[str, str]]:
        """Heading -> words, for each class; how many training images it has is for the owner of them alone."""
        rows = []
        for name, size, tested, private, plain in zip(
            self.classes, self.sizes, self.tested, self.private, self.plain, strict=True
        ):
            row = {"class": name} | ({"training images": f"{size:,}"} if with_training_images else {})
            row["test images"] = f"{tested:,}"
            if tested < FEW or private is None or plain is None:
                rows.append(row | {"AUROC": f"too few (below {FEW})", "without privacy": "", "loss": ""})
            else:
                loss = {"loss": _with_minus(plain - private, 3)}
                rows.append(row | {"AUROC": f"{private:.3f}", "without privacy": f"{plain:.3f}"} | loss)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without what rests on counts of training images."""
        told = [count >= FEW for count in self.tested]
        return {
            "held_against": self.other,
            "classes": list(self.classes),
            "auroc": [area if enough else None for area, enough in zip(self.private, told, strict=True)],
            "auroc_without_privacy": [area if enough else None for area, enough in zip(self.plain, told, strict=True)],
        }


def _with_minus(value: float, digits: int) -> str:
    """The number with a true minus, which no spreadsheet takes for a formula."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def class_costs(home: DataHome, run: RunSummary, runs: Sequence[RunSummary]) -> ClassCosts | None:
    """What privacy costs each class of a run with at least five, where the same run without privacy has finished.

    Args:
        home: Where runs are.
        run: The run.
        runs: All runs, the newest first.

    Raises:
        RunError: The predictions of the run are damaged.
    """
    sizes, names = run.setup.train_class_counts, run.setup.classes
    if run.spec is None or sizes is None or len(names) < FEWEST or len(sizes) != len(names):
        return None
    predictions = read_predictions(home.runs / run.id / FILE_NAME)
    other = None if predictions is None else without_privacy(home, run, runs, predictions.labels)
    if predictions is None or other is None or predictions.test.shape[1] != len(names):
        return None
    private, plain = (class_aurocs(each, predictions.labels) for each in (predictions.test, other[1].test))
    losses = [
        without - having
        for having, without in zip(private, plain, strict=True)
        if having is not None and without is not None
    ]
    return ClassCosts(
        other=other[0],
        classes=names,
        sizes=sizes,
        tested=tuple(int((predictions.labels == number).sum()) for number in range(len(names))),
        private=tuple(private),
        plain=tuple(plain),
        correlation=losses_by_size(losses, sizes) if len(losses) == len(names) else None,
    )
