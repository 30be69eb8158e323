"""What a sweep is called if nobody says otherwise."""

from __future__ import annotations

from medpriv_core.datasets.registry import dataset_names, dataset_title
from medpriv_core.spec import Trainable, in_short

SEPARATOR = " · "
PAPER, GRID = "Paper", "Grid"


def paper_title(dataset: str, trainable: Trainable) -> str:
    """Of the paper's grid.

    >>> paper_title("chest_xray", "all")
    'Paper · Chest X-rays, pneumonia · all layers'
    """
    return SEPARATOR.join((PAPER, dataset_title(dataset), in_short("trainable", trainable)))


def grid_title(dataset: str) -> str:
    """Of another grid."""
    return SEPARATOR.join((GRID, dataset_title(dataset)))


def shown_title(title: str) -> str:
    """A sweep's title on screen: earlier versions put the dataset's internal name there.

    >>> shown_title("Paper · chest_xray · all layers")
    'Paper · Chest X-rays, pneumonia · all layers'
    """
    first, *rest = title.split(SEPARATOR)
    if first in (PAPER, GRID) and rest and rest[0] in dataset_names():
        rest[0] = dataset_title(rest[0])
    return SEPARATOR.join((first, *rest))
