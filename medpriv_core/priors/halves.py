"""Two halves of a training set, so that whoever is attacked was not learned from.

The image on the explore page is one of the training set. A prior for it is learned from the half of the patients to
which its patient does not belong: no value of it depends on any image of that patient. Half of 5,216 chest X-rays does
as well as all of them, to 0.03 dB at β = 0.5 to 4.

Where it is not known whose the images are, images are divided in their order, class by class: files of a patient mostly
follow each other. Then an image of the same patient may have been learned from, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpriv_core.datasets.base import Dataset
from medpriv_core.datasets.patients import patient_numbers

FEWEST = 10  # images of other patients; of fewer, the average shows them


@dataclass(frozen=True, eq=False)
class Halves:
    """Which half each training image belongs to.

    of          int64 (n,): 0 or 1
    by_patient  all images of a patient belong to the same
    """

    of: np.ndarray
    by_patient: bool

    def to_learn_from(self, index: int | None) -> int:
        """The half without the patient of the training image at ``index``; the first for an image from elsewhere."""
        return 0 if index is None else 1 - int(self.of[index])

    def images(self, half: int, *, most: int) -> np.ndarray:
        """Indexes of the images of one half; at most so many, at even distances."""
        found = np.flatnonzero(self.of == half)
        return found[np.linspace(0, len(found) - 1, min(most, len(found))).astype(int)] if len(found) else found


def halves_of(dataset: Dataset) -> Halves:
    """The halves of a dataset's training set, always the same for the same images."""
    patients = patient_numbers(dataset, "train")
    if patients is not None:
        return Halves(patients % 2, by_patient=True)
    labels = dataset.split("train").labels
    of = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        of[members[(len(members) + 1) // 2 :]] = 1
    return Halves(of, by_patient=False)
