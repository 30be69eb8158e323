"""A dataset of one's own, read by its record and by the list of its images that was made when it was added.

``<data home>/own/<name>/`` holds ``dataset.toml`` (``recipe.py``) and ``images.json``: of each image its file, class,
split, groups, and a keyed hash of whose it is. What a table or a header calls a patient is kept nowhere.
"""

from __future__ import annotations

import functools
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from medpriv_core.atomic import replace_file, write_json
from medpriv_core.datasets.base import AddedDataset, DatasetInfo, SplitName
from medpriv_core.datasets.file_dataset import FileDataset
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import FileSplit
from medpriv_core.datasets.own.images import find_images
from medpriv_core.datasets.own.recipe import Recipe
from medpriv_core.datasets.own.understood import OwnImage, Understood
from medpriv_core.datasets.patients import several_images
from medpriv_core.datasets.report import LeftOut
from medpriv_core.errors import DatasetError, MedprivError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.printable import printable
from medpriv_core.private_files import make_folder, remove_whole
from medpriv_core.progress import no_progress
from medpriv_core.regular_file import read_regular
from medpriv_core.secret import noise_secret

RECORD, IMAGES = "dataset.toml", "images.json"
_MOST_RECORD_BYTES, _MOST_IMAGES_BYTES = 2**20, 512 * 2**20


class OwnDataset(FileDataset):
    """A dataset by its recipe; the class of each has ``recipe`` and ``folder``, in which its list of images lies."""

    recipe: ClassVar[Recipe]
    folder: ClassVar[Path]

    def __init__(self, files: FileSource) -> None:
        self._files = files
        listed = _read_images(self.folder)
        there = set(files.names)
        gone = [image.file for image in listed if image.file not in there]
        if gone:
            raise DatasetError(
                f"{len(gone):,} of the {len(listed):,} images of {self.info.title} are not in {files.location} any "
                f"more ({printable(gone[0])}, …). Put them back, or add the dataset again."
            )
        self._splits = {}
        self._images: dict[SplitName, list[OwnImage]] = {"train": [], "test": []}
        for image in listed:
            self._images[image.split].append(image)
        for split, images in self._images.items():
            self._splits[split] = FileSplit(
                files=files,
                names=[image.file for image in images],
                ids=[_id(image) for image in images],
                labels=np.array([image.label for image in images], dtype=np.int64),
                channels=self.info.channels,
                reading=self.info.reading,
                frames=[image.frame for image in images],
            )

    def patients(self, name: SplitName) -> Sequence[str] | None:
        """See ``AddedDataset``; what stands for a patient is a keyed hash."""
        known = [image.patient for image in self._images[name] if image.patient is not None]
        return known if known and len(known) == len(self._images[name]) else None

    def groups(self, name: SplitName) -> Mapping[str, Sequence[str]]:
        """See ``AddedDataset``: the columns of subgroups, and how many images a patient has."""
        names = group_names(self.folder)
        found: dict[str, Sequence[str]] = {
            column: [image.groups[place] if place < len(image.groups) else "" for image in self._images[name]]
            for place, column in enumerate(names)
        }
        patients = self.patients(name)
        if patients is not None and len(set(patients)) < len(patients):
            found["images of the patient"] = several_images(patients)
        return found

    def left_out(self) -> list[LeftOut]:
        """See ``AddedDataset``: what was left out when it was understood, and images that came later."""
        kept = _read_list(self.folder)
        left = [LeftOut(str(reason), int(count)) for reason, count in kept["left_out"]]
        later = len(find_images(self._files, no_progress).names) - int(kept["image_files"])
        return [*left, LeftOut("images that came after the dataset was added", later)] if later > 0 else left

    def notes(self) -> list[str]:
        """See ``AddedDataset``."""
        return [str(note) for note in _read_list(self.folder)["notes"]]


def own_folder(home: DataHome, name: str) -> Path:
    """Where the record of a dataset lies."""
    return home.root / "own" / name


def own_readers(home: DataHome) -> Mapping[str, type[AddedDataset]]:
    """The class that reads each dataset of one's own in a data home, by name; of a damaged record, none."""
    place = home.root / "own"
    try:
        names = sorted(entry.name for entry in os.scandir(place) if entry.is_dir())
        stamps = tuple((name, os.stat(place / name / RECORD).st_mtime_ns) for name in names if _has_record(place, name))
    except OSError:
        return {}
    return _readers(place, stamps)


def _has_record(place: Path, name: str) -> bool:
    return (place / name / RECORD).is_file()


@functools.lru_cache(maxsize=64)
def _readers(place: Path, stamps: tuple[tuple[str, int], ...]) -> Mapping[str, type[AddedDataset]]:
    found: dict[str, type[AddedDataset]] = {}
    for name, _ in stamps:
        try:
            recipe = read_record(place / name)
        except MedprivError:
            continue  # its entry in the list of datasets says so
        if recipe.name == name:
            found[name] = reader_of(recipe, place / name)
    return found


def reader_of(recipe: Recipe, folder: Path) -> type[AddedDataset]:
    """The class that reads a dataset by its recipe."""
    info: DatasetInfo = recipe.info
    how_to_add = f"Give the folder or zip with the images of {recipe.title}: datasets add {recipe.name} PATH."
    return type(
        recipe.name,
        (OwnDataset,),
        {
            "info": info,
            "how_to_add": how_to_add,
            "recipe": recipe,
            "folder": folder,
            "__doc__": f"``{recipe.name}``.",
        },
    )


def read_record(folder: Path) -> Recipe:
    """The recipe in a folder; raises ``DatasetError`` if it is damaged."""
    data = read_regular(folder / RECORD, called=str(folder / RECORD), error=DatasetError, most_bytes=_MOST_RECORD_BYTES)
    try:
        return Recipe.from_toml(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{folder / RECORD} is no text in UTF-8. Put it back from a copy.") from error


def keep(home: DataHome, understood: Understood) -> None:
    """Write record and list of images; raises ``DataHomeError`` where the disk refuses."""
    folder, key = own_folder(home, understood.recipe.name), _patient_key(home)
    with explain_disk_errors(home.root):
        make_folder(folder)
        images = [
            [image.file, image.label, image.split, _hashed(key, image.patient), list(image.groups), image.frame]
            for image in understood.images
        ]
        content = {
            "version": 1,
            "groups": list(understood.group_names),
            "image_files": understood.image_files,
            "left_out": [[item.reason, item.count] for item in understood.left_out],
            "notes": list(understood.notes),
            "images": images,
        }
        write_json(folder / IMAGES, content)
        replace_file(folder / RECORD, understood.recipe.to_toml().encode())


def keep_record(home: DataHome, recipe: Recipe) -> None:
    """Write the record of images that are not here, so that runs on them can be shown."""
    with explain_disk_errors(home.root):
        folder = own_folder(home, recipe.name)
        make_folder(folder)
        replace_file(folder / RECORD, recipe.to_toml().encode())


def put_files(home: DataHome, name: str, files: Mapping[str, bytes]) -> None:
    """Write record and list as they were before."""
    with explain_disk_errors(home.root):
        for file, content in files.items():
            replace_file(own_folder(home, name) / file, content)


def forget(home: DataHome, name: str) -> None:
    """Remove record and list; the user's images stay."""
    with explain_disk_errors(home.root):
        folder = own_folder(home, name)
        if folder.is_dir():
            remove_whole(folder)


def forget_images(home: DataHome, name: str) -> None:
    """Remove the list of images, and of the record how they are found."""
    recipe = read_record(own_folder(home, name)).shared
    forget(home, name)
    keep_record(home, recipe)


def group_names(folder: Path) -> tuple[str, ...]:
    """The subgroup columns that were kept with a dataset."""
    return tuple(_read_list(folder)["groups"])


def _patient_key(home: DataHome) -> bytes:
    return hmac.digest(noise_secret(home), b"patients of own datasets", "sha256")


def _hashed(key: bytes, patient: str | None) -> str | None:
    return None if patient is None else hmac.digest(key, patient.encode("utf-8", "surrogatepass"), "sha256").hex()[:24]


def _read_list(folder: Path) -> dict[str, Any]:
    path = folder / IMAGES
    damaged = DatasetError(f"The list of images {path} is damaged. Add the dataset again.")
    data = read_regular(path, called=str(path), error=DatasetError, most_bytes=_MOST_IMAGES_BYTES)
    try:
        values: dict[str, Any] = json.loads(data)
        if values["version"] != 1:
            raise DatasetError(f"The list of images {path} was written by a newer version of medpriv. Update medpriv.")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged from error
    return values


def _read_images(folder: Path) -> list[OwnImage]:
    try:
        return [
            OwnImage(str(file), int(label), _split(split), patient, tuple(map(str, groups)), *map(_frame, frame))
            # Lists of before frames could be chosen have none.
            for file, label, split, patient, groups, *frame in _read_list(folder)["images"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The list of images {folder / IMAGES} is damaged. Add the dataset again.") from error


def _id(image: OwnImage) -> str:
    return printable(image.file) + ("" if image.frame is None else f", frame {image.frame + 1}")


def _frame(value: Any) -> int | None:
    return None if value is None else int(value)


def _split(value: Any) -> SplitName:
    if value == "train":
        return "train"
    if value == "test":
        return "test"
    raise ValueError
