"""Whose images a step looks at, where its records are patients.

A step draws patients. A drawn patient gives one of their images at random, or the mean gradient of several of them,
which is clipped once. So a patient adds at most the clipping norm to a step, whatever images they have, and one patient
more or less is one record more or less: the ordinary guarantee, with n patients.

Which images of a patient are looked at is drawn independently of who else is there. With a generator whose numbers
depended on a patient's place in the batch, one patient more would change the images of all that come after.

>>> records = PatientRecords.of(np.array([0, 1, 1, 1, 2]), most=2)
>>> len(records), [group.shape for group in records.draw(np.array([0, 1, 2]))]
(3, [(2, 1), (1, 2)])
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medpriv_core.spec import RunSpec
from medpriv_core.training.randomness import SecretUniform


@dataclass(frozen=True)
class PatientRecords:
    """The images of each patient.

    images  indices of all images, those of patient 0 first, then those of patient 1, ...
    starts  (patients + 1,) where those of each begin, and the end
    most    images of a drawn patient that a step looks at, at most
    """

    images: np.ndarray
    starts: np.ndarray
    most: int

    @classmethod
    def of(cls, patients: np.ndarray, *, most: int) -> PatientRecords:
        """The records of images whose patients are numbered from 0, ``patients`` (n,), each number at least once."""
        counts = np.bincount(patients)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return cls(np.argsort(patients, kind="stable"), starts, most)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def draw(self, patients: np.ndarray) -> Iterator[np.ndarray]:
        """Images of the drawn ``patients`` (m,): index arrays (of some patients, images of each), every patient once.

        Patients of whom equally many images are looked at come together, so that nobody's are padded.
        """
        uniform = SecretUniform()
        counts = self.starts[patients + 1] - self.starts[patients]
        if self.most == 1:
            yield self.images[self.starts[patients] + (uniform.random(len(patients)) * counts).astype(np.int64)][
                :, None
            ]
            return
        looked_at = np.minimum(counts, self.most)
        for size in np.unique(looked_at):
            chosen = looked_at == size
            yield np.concatenate(
                [
                    self._of_some(patients[chosen & (counts == count)], int(count), uniform)
                    for count in np.unique(counts[chosen])
                ]
            )

    def _of_some(self, patients: np.ndarray, count: int, uniform: SecretUniform) -> np.ndarray:
        """Images of patients who have ``count`` each, as many as are looked at, without repetition."""
        places = np.arange(count)[None].repeat(len(patients), 0)
        if count > self.most:
            order = np.argsort(uniform.random(len(patients) * count).reshape(len(patients), count), axis=1)
            places = order[:, : self.most]
        return self.images[self.starts[patients][:, None] + places]


def records_of_patients(spec: RunSpec, patients: np.ndarray | None) -> PatientRecords | None:
    """The records of a run that draws patients, ``patients`` (n,) of its training images; None if it draws images."""
    if spec.record == "image":
        return None
    assert patients is not None  # looked at before
    return PatientRecords.of(patients, most=spec.images_drawn)
