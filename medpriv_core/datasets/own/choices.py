"""What somebody decided about their dataset; all else is found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from medpriv_core.datasets.own.recipe import Layout, OwnClass
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.pictures.reading import AS_USUAL, Reading

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Choices:
    """What somebody decided about their dataset; None, or empty, where it is to be found out.

    table    of the images, where it lies outside their folder
    patient_pattern  a regular expression that finds in the name of a file whose the image is: its first group, or all
    every_image      decode every image once: finds what cannot be read and what is nearly the same
    skip_unreadable  leave out what cannot be read as an image, and say so
    classes  in order; between them they have every label that is there
    reading  how a file becomes a square
    most_images  training images of a patient, at most: the first by the names of their files; None for all
    """

    title: str | None = None
    source: str | None = None
    layout: Layout | None = None
    table: Path | None = None
    columns: Columns = field(default_factory=Columns)
    patient_pattern: str | None = None
    classes: tuple[OwnClass, ...] = ()
    ordered: bool = False
    channels: Literal[1, 3] | None = None
    test_share: float = TEST_SHARE
    seed: int = 0
    split_anew: bool = False
    move_patients: bool = False
    skip_unreadable: bool = False
    every_image: bool = False
    reading: Reading = AS_USUAL
    most_images: int | None = None
