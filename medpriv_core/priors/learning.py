"""Learning from the patients of a dataset, as a job: once for its images and a size.

Images are read as for training, and each half of the patients is learned from by itself (``halves``). At most
``MOST_IMAGES`` of each half are taken, at even distances: more hardly help, and memory and time grow with them.
"""

from __future__ import annotations

import numpy as np

from medpriv_core.attacks.learned import learned_side
from medpriv_core.attacks.prior import Prior, learn
from medpriv_core.datasets.arrays import work_in_order
from medpriv_core.datasets.base import Dataset
from medpriv_core.datasets.files import square_of
from medpriv_core.datasets.registry import DatasetEntry, content_of, open_dataset, remember_content
from medpriv_core.errors import DataHomeError, DatasetError
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job, job_at
from medpriv_core.locks import hold_lock
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.priors.halves import FEWEST, Halves, halves_of
from medpriv_core.priors.store import PriorPlace
from medpriv_core.progress import ProgressCallback, no_progress

MOST_IMAGES = {1: 3000, 3: 2000}  # by colours; 3,000 X-rays of 64 × 64 pixels take half a gigabyte of memory
PHASE = "Reading images"
_BATCH_IMAGES = 16


def prior_place(home: DataHome, name: str, side: int) -> PriorPlace:
    """Where the priors of a dataset's images lie, or will; raises ``DatasetError`` where it cannot be opened."""
    return PriorPlace(home, content_of(home, name), side)


def side_to_learn(entry: DatasetEntry, shape: tuple[int, int, int], noise: PictureNoise) -> int | str:
    """The size at which a dataset must be learned from to attack a picture.

    Args:
        entry: The dataset.
        shape: (h, w, c) of the picture.
        noise: What was added to it.

    Returns:
        Pixels a side; or the sentence why other patients' images are of no use here: plain text with the title of the
        dataset, which may be the user's words.

    Raises:
        SettingError: The picture is too small for the mechanism.
    """
    side, title = learned_side(shape, noise), entry.info.title
    if isinstance(side, str):
        return side
    if entry.info.channels != shape[2]:
        colours = {1: "grey", 3: "in colour"}
        return (
            f"The images of {title} are {colours[entry.info.channels]} and this one is {colours[shape[2]]}, so they do "
            "not tell what such images look like."
        )
    if entry.info.reading.fit != "squash" and shape[0] != shape[1]:
        return (
            f"The images of {title} are made square by cutting or by a margin, and this one is not square, so they do "
            "not lie on each other."
        )
    if (entry.train or 0) < 2 * FEWEST:
        return f"{title} has too few images to learn from: {entry.train or 0} training images, {2 * FEWEST} are needed."
    return side


def learned_statement(images: int, halves: Halves, entry: DatasetEntry, *, own: bool) -> str:
    """Whose images were learned from, in a sentence or two.

    Args:
        images: How many.
        halves: Of the dataset's training set.
        entry: The dataset.
        own: Whether the attacked image is not of this dataset.

    Returns:
        Plain text with the title of the dataset, which may be the user's words.
    """
    if own:
        whose = "" if entry.info.synthetic else " Whether the patient of the image above is among them is not known."
        return f"Learned from {images:,} training images of {entry.info.title}.{whose}"
    if entry.info.synthetic:
        return f"Learned from {images:,} other drawn images of this dataset."
    if halves.by_patient:
        return f"Learned from {images:,} images of other patients of this dataset."
    return (
        f"Learned from {images:,} other images of this dataset. It is not known whose they are, so some may be of the "
        "same patient."
    )


def prior_job(home: DataHome, name: str, side: int) -> Job:
    """The job that learns from a dataset at this size."""
    return job_at(home, "prior", f"{name}-{side}")


def start_learning(home: DataHome, name: str, side: int) -> Job:
    """Learn in the background, unless that is being done already; raises as ``Job.start``."""
    job = prior_job(home, name, side)
    home.check_writable()
    job.start(home, "prior", name=name, side=side)
    return job


def learn_from(home: DataHome, report: ProgressCallback = no_progress, *, name: str, side: int) -> None:
    """What the job does: learn from each half of a training set and keep it, unless it is there.

    Raises:
        DatasetError: The dataset is not there, or has too few images.
        ImageError: One of its images cannot be read.
        DataHomeError: The disk refuses.
    """
    dataset = open_dataset(home, name)
    content = dataset.content_key()
    remember_content(home, name, content)
    place, halves = PriorPlace(home, content, side), halves_of(dataset)
    check_enough(dataset, halves)
    with hold_lock(place.lock, progress=report, phase="Waiting for another process that learns from the same images"):
        if all(place.read(half) is not None for half in (0, 1)):
            return
        chosen = [halves.images(half, most=MOST_IMAGES[dataset.info.channels]) for half in (0, 1)]
        total = sum(map(len, chosen))
        priors: list[Prior] = []
        for half, indexes in enumerate(chosen):
            images = _read(dataset, indexes, side, report, half * len(chosen[0]), total)
            priors.append(learn(images, progress=report))
        place.write(priors)
        if any(place.read(half) is None for half in (0, 1)):
            raise DataHomeError(f"What was just written to {place.folder} cannot be read back. Check the disk.")


def check_enough(dataset: Dataset, halves: Halves) -> None:
    """Raise ``DatasetError`` for a dataset with too few images to learn what others have in common."""
    fewest = min(np.bincount(halves.of, minlength=2).tolist())
    if fewest < FEWEST:
        raise DatasetError(
            f"{dataset.info.title} has too few images to learn from: {FEWEST} of each half of its patients are needed, "
            f"and one half has {fewest}."
        )


def _read(
    dataset: Dataset, indexes: np.ndarray, side: int, report: ProgressCallback, done: int, total: int
) -> np.ndarray:
    """The training images at ``indexes`` as squares, uint8 (n, side, side, c)."""
    split, fit = dataset.split("train"), dataset.info.reading.fit
    images = np.empty((len(indexes), side, side, dataset.info.channels), dtype=np.uint8)

    def read_batch(start: int) -> list[np.ndarray]:
        return [square_of(split, int(one), side, fit) for one in indexes[start : start + _BATCH_IMAGES]]

    place = 0
    for batch in work_in_order(read_batch, range(0, len(indexes), _BATCH_IMAGES)):
        images[place : place + len(batch)] = batch
        place += len(batch)
        report(PHASE, done + place, total)
    return images
