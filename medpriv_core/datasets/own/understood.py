"""A dataset of one's own as it is understood, before it is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.base import SplitName
from medpriv_core.datasets.own.recipe import Recipe
from medpriv_core.datasets.report import LeftOut


@dataclass(frozen=True)
class OwnImage:
    """One image as it is understood."""

    file: str
    label: int
    split: SplitName
    patient: str | None
    groups: tuple[str, ...]
    frame: int | None = None


@dataclass(frozen=True)
class Understood:
    """A dataset as it would be added.

    images       in the order of their files
    group_names  of the subgroup columns
    left_out     what gives no image, each under its reason
    notes        whole sentences on what is remarkable
    header       names of all columns of the table; empty without one
    image_files  how many files are images, those that no row labels among them
    dicom        whether some are DICOM
    unreadable   those among the images that cannot be read, as far as they were looked at
    """

    recipe: Recipe
    images: tuple[OwnImage, ...]
    group_names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    image_files: int
    header: tuple[str, ...] = ()
    dicom: bool = False
    unreadable: LeftOut | None = None

    def counts(self, split: SplitName) -> list[int]:
        """Images of each class."""
        labels = [image.label for image in self.images if image.split == split]
        return np.bincount(labels, minlength=len(self.recipe.classes)).tolist()
