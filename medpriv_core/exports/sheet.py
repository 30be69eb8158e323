"""A figure sheet: pictures in a grid, each with its caption, and below them what they are and what ε they have.

A picture that leaves the program is separated from the page that explained it. So a sheet always carries its own
explanation: no sheet without the words of its guarantee and its source. ``rendering`` makes files of it.

>>> import numpy as np
>>> cell = Cell(np.zeros((64, 64, 1), np.uint8), ("β = 2", "ε of one pixel: 0.5"))
>>> sheet = Sheet(
...     title="What does the noise hide?",
...     rows=(Row((cell,)),),
...     settings="Laplace noise on every pixel, 64 × 64 pixels",
...     guarantee="ε = 559 (δ = 1e-5; for any two pictures; noise drawn once; PLD accountant)",
...     source="A drawing by a program, no patient",
... )
>>> sheet.columns
1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.comparison import PAPER_BETAS
from medpriv_core.shown_text import for_picture

CAPTION_LINES = 4
_LONGEST_NOTE = 1500  # characters; a note is never shortened, because the words after its number belong to it

PER_PIXEL_ROW = "Laplace per pixel (the paper's text)"
PER_IMAGE_ROW = "Laplace per image (the authors' code)"
PAPER = "After Figure 2 of Singh, Sikka, Kotti and Trask 2020."


@dataclass(frozen=True)
class Cell:
    """One picture and the lines below it; the first line is drawn bold. Raises ``SettingError``."""

    picture: np.ndarray  # uint8, shape (h, w, 1) or (h, w, 3)
    caption: tuple[str, ...]  # one to four lines

    def __post_init__(self) -> None:
        check_picture(self.picture)
        object.__setattr__(self, "caption", tuple(for_picture(line) for line in self.caption))
        if not 1 <= len(self.caption) <= CAPTION_LINES or not all(self.caption):
            raise SettingError(f"The caption of an image needs one to {CAPTION_LINES} lines, none of them empty.")


@dataclass(frozen=True)
class Row:
    """Pictures side by side, under a common title if there is one. Raises ``SettingError``."""

    cells: tuple[Cell, ...]
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", for_picture(self.title))
        if not self.cells:
            raise SettingError("A row of a figure sheet needs at least one image.")


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Everything that stands on one slide. Raises ``SettingError`` if words that belong to it are missing.

    settings   what was done: mechanism, noise, size of the pictures
    guarantee  ε in full words: with its δ, unit, adjacency and accountant, or that none holds
    source     where the original comes from, and its licence
    """

    title: str
    rows: tuple[Row, ...]
    settings: str
    guarantee: str
    source: str

    def __post_init__(self) -> None:
        if not self.rows:
            raise SettingError("A figure sheet needs at least one image.")
        for name in ("title", "settings", "guarantee", "source"):
            text = getattr(self, name)
            if len(text) > _LONGEST_NOTE:
                raise SettingError(
                    f"The {name} of a figure sheet has {len(text):,} characters; shorten it to {_LONGEST_NOTE:,}."
                )
            object.__setattr__(self, name, for_picture(text))
            if not getattr(self, name):
                raise SettingError(f"A figure sheet needs its {name} in words.")

    @property
    def columns(self) -> int:
        """Pictures in the longest row."""
        return max(len(row.cells) for row in self.rows)

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """The lines below the pictures: what each is about, and its text."""
        return (("Settings", self.settings), ("Privacy", self.guarantee), ("Source", self.source))


def figure2_sheet(
    original: np.ndarray,
    *,
    per_pixel: Mapping[float, Cell],
    per_image: Mapping[float, Cell],
    settings: str,
    guarantee: str,
    source: str,
) -> Sheet:
    """The paper's Figure 2 with both draws: two rows of the original and its noised versions at beta 1, 2 and 4.

    original              the picture, uint8, shape (h, w, channels)
    per_pixel, per_image  for each of the paper's betas the noised picture, of the same shape, with its caption

    Raises ``SettingError`` for other betas or shapes.
    """
    start = Cell(original, ("Original",))
    rows = []
    for title, noised in ((PER_PIXEL_ROW, per_pixel), (PER_IMAGE_ROW, per_image)):
        if sorted(noised) != sorted(PAPER_BETAS):
            raise SettingError("The Figure 2 view needs the noised images of β = 1, 2 and 4 in both rows.")
        if any(cell.picture.shape != original.shape for cell in noised.values()):
            raise SettingError("The noised images of the Figure 2 view must have the size of the original.")
        rows.append(Row((start, *(noised[beta] for beta in PAPER_BETAS)), title))
    return Sheet(
        title="What does the noise hide? Laplace noise of scale β",
        rows=tuple(rows),
        settings=settings,
        guarantee=guarantee,
        source=f"{source} {PAPER}",
    )


def check_picture(picture: np.ndarray) -> None:
    """Raise ``SettingError`` unless ``picture`` is uint8 of shape (h, w, 1) or (h, w, 3)."""
    shape = np.shape(picture)
    if getattr(picture, "dtype", None) != np.uint8 or len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
        raise SettingError("An image to export must have 8-bit pixels in one grey or three colour channels.")
