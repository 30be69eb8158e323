"""Adding a dataset of one's own: looked at first, then kept as a record and added as every other dataset is.

Adding is a job, so that it goes on when a page is closed or read anew.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from medpriv_core.datasets.added import read_added
from medpriv_core.datasets.catalog import ADDABLE, BUILT_IN
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.images import decode_image, to_square
from medpriv_core.datasets.medmnist import READERS
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.dataset import (
    forget,
    forget_images,
    keep,
    own_folder,
    own_readers,
    put_files,
    read_record,
)
from medpriv_core.datasets.own.recipe import OwnClass, Recipe, check_name
from medpriv_core.datasets.own.remarks import unreadable_in_words
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.datasets.own.understanding import understand
from medpriv_core.datasets.own.understood import Understood
from medpriv_core.datasets.registry import DatasetEntry, add_dataset, list_datasets, remove_dataset
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.given_paths import find_place
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job, JobStatus, job_at
from medpriv_core.pictures.reading import Reading
from medpriv_core.progress import ProgressCallback, no_progress


def is_own(home: DataHome, name: str) -> bool:
    """Whether a dataset is one of the user's own."""
    return name in own_readers(home)


def look(
    home: DataHome, name: str, path: str | Path, choices: Choices, *, progress: ProgressCallback = no_progress
) -> Understood:
    """What would be added; nothing is kept but fingerprints of files. Raises ``DatasetError``."""
    check_free(name)
    files = open_files(find_place(path), memory=home.fingerprints, progress=progress)
    return understand(name, files, choices, progress)


def check_free(name: str) -> str:
    """The name, if one's own dataset can have it; raises ``DatasetError`` otherwise."""
    check_name(name)
    if name in BUILT_IN or name in ADDABLE:
        kind = "a set of MedMNIST" if name in READERS else "a dataset"
        raise DatasetError(f"{name} is {kind} that medpriv knows by that name. Choose another name for yours.")
    return name


def add_own(
    home: DataHome, name: str, path: str | Path, choices: Choices, *, progress: ProgressCallback = no_progress
) -> DatasetEntry:
    """Understand the images at ``path``, keep their record and add them; where that fails, all is as it was before.

    Raises ``DatasetError`` or ``DataHomeError``.
    """
    place = find_place(path)
    home.check_writable()
    understood = look(home, name, place, choices, progress=progress)
    if understood.unreadable is not None:
        raise DatasetError(unreadable_in_words(understood.unreadable))
    before = _saved(home, name)
    keep(home, understood)
    try:
        return add_dataset(home, name, place, progress=progress)
    except BaseException:
        _put_back(home, name, before)
        raise


def refresh_own(home: DataHome, name: str, *, progress: ProgressCallback = no_progress) -> DatasetEntry:
    """Understand a dataset anew where it lies, by its record, so that images that came or went are counted.

    Raises ``DatasetError`` or ``DataHomeError``.
    """
    entry = next(entry for entry in list_datasets(home) if entry.info.name == name)
    if entry.location is None:
        raise DatasetError(f"The dataset {name} was not added, so there is nothing to add again.")
    recipe = read_record(own_folder(home, name))
    if recipe.layout == "table" and not recipe.tables:
        raise DatasetError(
            f"The table of {name} lay elsewhere when it was added. Add the dataset again with it: datasets add {name} "
            "PATH --table TABLE."
        )
    return add_own(home, name, entry.location, choices_of(recipe), progress=progress)


def remove_own(home: DataHome, name: str, *, keep_record: bool) -> None:
    """Take a dataset off the list and remove what is known of its images; the user's images stay.

    ``keep_record``: what it is called and its classes stay too, for runs on it are shown by that.
    """
    if keep_record or name in read_added(home):  # what is known by its record alone lies nowhere
        remove_dataset(home, name)
    (forget_images if keep_record else forget)(home, name)


def record_of(home: DataHome, name: str) -> bytes:
    """The record of a dataset as a file (``dataset.toml``); raises ``DatasetError`` if it is damaged."""
    return read_record(own_folder(home, name)).to_toml().encode()


def choices_of(recipe: Recipe) -> Choices:
    """The decisions that a record stands for."""
    return Choices(
        title=recipe.title,
        source=recipe.source,
        layout=recipe.layout,
        columns=recipe.columns,
        patient_pattern=recipe.patient_pattern,
        classes=recipe.classes,
        ordered=recipe.ordered,
        channels=recipe.channels,
        test_share=recipe.test_share or Choices().test_share,
        seed=recipe.seed,
        split_anew=recipe.test_share is not None,
        move_patients=recipe.move_patients,
        skip_unreadable=recipe.skip_unreadable,
        reading=recipe.reading,
        most_images=recipe.most_images,
    )


def import_record(
    home: DataHome, text: str, path: str | Path, *, progress: ProgressCallback = no_progress
) -> DatasetEntry:
    """Add the images at ``path`` by a record that somebody else exported; raises as ``add_own``."""
    recipe = Recipe.from_toml(text)
    return add_own(home, recipe.name, path, choices_of(recipe), progress=progress)


def adding_job(home: DataHome, name: str) -> Job:
    """The job that adds a dataset of this name."""
    return job_at(home, "own", check_free(name))


def start_adding(home: DataHome, name: str, path: str, choices: Choices) -> Job:
    """Add a dataset in the background, unless one of that name is being added; raises as ``Job.start``."""
    job = adding_job(home, name)
    find_place(path)
    home.check_writable()
    table = None if choices.table is None else str(choices.table)
    settings = asdict(choices) | {"table": table, "reading": choices.reading.to_dict()}
    job.start(home, "own", name=name, path=str(path), choices=settings)
    return job


def under_way(home: DataHome) -> list[tuple[str, JobStatus]]:
    """Datasets that are being added, or whose adding was stopped or failed, by name, whoever began it."""
    names = sorted(folder.name.removeprefix("own-") for folder in home.jobs.glob("own-*") if folder.is_dir())
    found = [(name, job_at(home, "own", name).status()) for name in names]
    return [(name, status) for name, status in found if status is not None and status.state != "finished"]


def thumbnails(path: str | Path, understood: Understood, *, of_each: int = 4, side: int = 96) -> list[list[np.ndarray]]:
    """Some images of each class, spread over all, uint8 (side, side, channels); without what cannot be read."""
    files, info = open_files(find_place(path)), understood.recipe.info
    grid: list[list[np.ndarray]] = []
    for label in range(len(understood.recipe.classes)):
        images = [image for image in understood.images if image.label == label]
        places = np.linspace(0, max(0, len(images) - 1), min(of_each, len(images))).astype(int)
        row = []
        for one in dict.fromkeys(images[place] for place in places.tolist()):
            with suppress(ImageError):
                picture = decode_image(
                    files.read(one.file),
                    channels=info.channels,
                    name=one.file,
                    at_least=side,
                    reading=info.reading,
                    frame=one.frame,
                )
                row.append(to_square(picture, side, info.reading.fit))
        grid.append(row)
    return grid


def add_in_job(home: DataHome, report: ProgressCallback, *, name: str, path: str, choices: dict[str, Any]) -> None:
    """What the job does."""
    add_own(home, name, path, choices_from(choices), progress=report)


def choices_from(settings: dict[str, Any]) -> Choices:
    """Choices as JSON has them."""
    groups = settings["columns"]["groups"]
    columns = settings["columns"] | {"groups": None if groups is None else tuple(groups)}
    table = settings["table"]
    return Choices(
        **settings
        | {
            "columns": Columns(**columns),
            "classes": tuple(OwnClass(one["name"], tuple(one["labels"])) for one in settings["classes"]),
            "table": None if table is None else Path(table),
            "reading": Reading.from_dict(settings["reading"]),
        }
    )


def _saved(home: DataHome, name: str) -> dict[str, bytes]:
    folder = own_folder(home, name)
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.is_dir() else {}


def _put_back(home: DataHome, name: str, before: dict[str, bytes]) -> None:
    if before:
        put_files(home, name, before)
    else:
        forget(home, name)
