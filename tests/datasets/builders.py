"""Small datasets on disk for the tests: a few coloured squares in the layout that a reader expects."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# Table and folder of each split of IDRiD, flat and as published.
IDRID_PLACES = {
    False: {"train": ("train.csv", "train"), "test": ("test.csv", "test")},
    True: {
        "train": (
            "2. Groundtruths/a. IDRiD_Disease Grading_Training Labels.csv",
            "1. Original Images/a. Training Set",
        ),
        "test": ("2. Groundtruths/b. IDRiD_Disease Grading_Testing Labels.csv", "1. Original Images/b. Testing Set"),
    },
}


def image_bytes(seed: int, *, file_format: str = "PNG", mode: str = "L", size: tuple[int, int] = (12, 10)) -> bytes:
    """An image of noise, another for another seed."""
    channels = {"L": (), "RGB": (3,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, file_format)
    return stream.getvalue()


def chest_files(*, train: int = 3, test: int = 2) -> dict[str, bytes]:
    """Name -> bytes of a chest X-ray tree with ``train`` and ``test`` images of each class."""
    files: dict[str, Any] = {}
    for split, count in (("train", train), ("test", test)):
        for label, folder in enumerate(("NORMAL", "PNEUMONIA")):
            for number in range(count):
                seed = len(files)
                files[f"{split}/{folder}/IM-{split}-{label}-{number}.jpeg"] = image_bytes(seed, file_format="JPEG")
    return files


def aptos_files(
    grades: Mapping[str, int | str], *, columns: tuple[str, ...] = ("id_code", "diagnosis")
) -> dict[str, bytes]:
    """Name -> bytes of an APTOS tree, one distinct image an id."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(columns)
    writer.writerows(grades.items())
    files = {"train.csv": table.getvalue().encode()}
    for seed, id_ in enumerate(grades):
        files[f"train_images/{id_}.png"] = image_bytes(seed, mode="RGB")
    return files


def idrid_files(*, train: int = 10, test: int = 5, published: bool = False) -> dict[str, bytes]:
    """Name -> bytes of an IDRiD tree, as IEEE DataPort publishes it or flat.

    Image n of both splits is called IDRiD_n, counted from 1, and has the grade n % 5.
    """
    files: dict[str, Any] = {}
    for split, count, seed in (("train", train, 1000), ("test", test, 2000)):
        table, folder = IDRID_PLACES[published][split]
        rows = [f"IDRiD_{n:03},{n % 5},0" for n in range(1, count + 1)]
        # The published tables came out of a spreadsheet, with empty columns and rows.
        lines = (
            ["Image name,Retinopathy grade,Risk of macular edema ,,,", *(f"{row},,," for row in rows), ",,,,,", ""]
            if published
            else ["image,retinopathy_grade,macular_edema_risk", *rows]
        )
        files[table] = "".join(f"{line}\r\n" for line in lines).encode()
        for n in range(1, count + 1):
            files[f"{folder}/IDRiD_{n:03}.jpg"] = image_bytes(seed + n, file_format="JPEG", mode="RGB", size=(15, 10))
    return files


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files below ``folder``."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_zip(path: Path, files: Mapping[str, bytes], *, prefix: str = "") -> Path:
    """Write the files to a zip, under ``prefix``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)
    return path


def write_npz(path: Path, *, channels: int = 1, classes: int = 2, **changed: Any) -> Path:
    """A MedMNIST-like npz; ``changed`` replaces arrays by name, or leaves them out where None."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 20), ("val", 4), ("test", 10)):
        shape = (count, 28, 28) if channels == 1 else (count, 28, 28, channels)
        arrays[f"{split}_images"] = rng.integers(0, 256, shape, dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count, dtype=np.uint8) % classes)[:, None]
    arrays |= changed
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{name: array for name, array in arrays.items() if array is not None})
    return path
