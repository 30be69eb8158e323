"""At most so many training images of a patient: a bound on what is at stake for one, where images are the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from medpriv_core.datasets.own.understood import OwnImage
from medpriv_core.datasets.report import LeftOut
from medpriv_core.errors import DatasetError


def first_of_each(images: Sequence[OwnImage], most: int | None, left_out: list[LeftOut]) -> tuple[OwnImage, ...]:
    """The images, of the training images of each patient only the first ``most`` by the names of their files.

    The rule looks at names alone, not at folders, which may be classes, and at no image. A patient more or less is then
    at most so many images more or less; an image more may take the place of another one, so what is promised for one
    image is about those that are kept. What is left out is counted. Raises ``DatasetError`` where ``most`` is below 1,
    or where it is not known whose every training image is.
    """
    if most is None:
        return tuple(images)
    if most < 1:
        raise DatasetError(f"Of each patient at least one image is needed, but at most {most} were asked for.")
    if any(image.patient is None for image in images if image.split == "train"):
        raise DatasetError(
            "The images of a patient can be bounded only where it is known whose each is. Name the column of the "
            "patient (--patient-column), or how names of files tell it (--patient-pattern)."
        )
    counts = Counter[str | None]()
    kept = []
    for image in sorted(images, key=lambda image: (image.file.rsplit("/", 1)[-1], image.file)):
        counts[image.patient] += image.split == "train"
        if image.split == "test" or counts[image.patient] <= most:
            kept.append(image)
    if len(kept) < len(images):
        left_out.append(LeftOut(f"training images beyond the first {most} of a patient", len(images) - len(kept)))
    return tuple(sorted(kept, key=lambda image: image.file))
