"""Whether what a network is asked about is like what it learned from, where these images are still here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from medpriv_core.datasets.images import to_square
from medpriv_core.datasets.likeness import Measures, measure_training_images, unlike
from medpriv_core.datasets.registry import content_of, open_dataset
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.runs.diagnosis import TrainedRun

NOT_HERE = (
    "Whether it is like the images that the network learned from is not known, because they are not here as they were."
)


class Likeness(NamedTuple):
    """What is to be said beside a network's answer, if anything; ``known``: whether the picture could be compared."""

    known: bool
    sentence: str


def training_measures(home: DataHome, run: TrainedRun) -> Measures | None:
    """The measures of a run's training images; None where they are gone, or others lie under their name."""
    try:
        # Exports leave the key out, so of an imported run it is not known what it learned from.
        if run.content is None or run.content != content_of(home, run.dataset):
            return None
        return measure_training_images(open_dataset(home, run.dataset), size=run.image_size)
    except MedprivError:
        return None


def likeness(run: TrainedRun, typical: Measures | None, picture: np.ndarray) -> Likeness:
    """Whether a picture, ``uint8`` (h, w, 1 or 3), is like what a network learned from.

    Under Local-DP that is not known: what it learned from is noised, and like no picture.
    """
    if run.method == "local_dp":
        return Likeness(known=False, sentence="")
    if typical is None:
        return Likeness(known=False, sentence=NOT_HERE)
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    square = to_square(image.convert("L" if run.channels == 1 else "RGB"), run.image_size, run.reading.fit)
    return Likeness(known=typical.enough, sentence=unlike(square, typical))


def likenesses(home: DataHome, run: TrainedRun, pictures: Sequence[np.ndarray]) -> list[Likeness]:
    """The same of several pictures."""
    typical = training_measures(home, run) if run.method != "local_dp" else None
    return [likeness(run, typical, picture) for picture in pictures]
