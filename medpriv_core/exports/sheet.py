"""A figure sheet: a finding as its title, pictures in a grid with their captions, and one line at its foot.

A slide argues: what was found stands above the pictures, in a sentence that their figures were put into. And a picture
that leaves the program is separated from the page that explained it. So a sheet always carries its own explanation: in
short at its foot, in full in its notes, and no sheet without the words of its guarantee and its source. ``rendering``
makes pictures of it, ``pptx_pack`` and ``pdf_pack`` a pack of several.

>>> import numpy as np
>>> cell = Cell(np.zeros((64, 64, 1), np.uint8), ("β = 2", "ε of one pixel: 0.5"))
>>> sheet = Sheet(
...     title="At β = 2 the eye sees nothing; a computer still brings the picture back (likeness 0.96)",
...     rows=(Row((cell,)),),
...     footer="Laplace noise, β = 2; ε of the picture for any two pictures, PLD accountant; a drawing, no patient",
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
_LONGEST_NOTE = 2500  # characters; a note is never shortened, because the words after its number belong to it

PER_PIXEL_ROW = "Laplace per pixel (the paper's text)"
PER_IMAGE_ROW = "Laplace per image (the authors' code)"
PAPER = "After Figure 2 of Singh, Sikka, Kotti and Trask 2020."


@dataclass(frozen=True)
class Cell:
    """One picture and the lines below it; the first line is drawn bold. Raises ``SettingError``.

    A ``drawing`` is a chart: it may be made smaller smoothly, which would take noise away from a picture. It needs no
    caption, but, as ``alt``, what it says in words.
    """

    picture: np.ndarray  # uint8, shape (h, w, 1) or (h, w, 3)
    caption: tuple[str, ...] = ()  # one to four lines
    drawing: bool = False
    alt: str = ""  # for those who cannot see it; else its caption

    def __post_init__(self) -> None:
        check_picture(self.picture)
        object.__setattr__(self, "caption", tuple(for_picture(line) for line in self.caption))
        object.__setattr__(self, "alt", for_picture(self.alt))
        if self.drawing and self.alt and not self.caption:
            return
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

    title      the finding, as a whole sentence
    footer     settings, what the ε beside the pictures depend on, and the source, in one line if it can be
    settings   what was done: mechanism, noise, size of the pictures
    guarantee  ε in full words: with its δ, unit, adjacency and accountant, or that none holds
    source     where the original comes from, and its licence
    """

    title: str
    rows: tuple[Row, ...]
    footer: str
    settings: str
    guarantee: str
    source: str

    def __post_init__(self) -> None:
        if not self.rows:
            raise SettingError("A figure sheet needs at least one image.")
        for name in ("title", "footer", "settings", "guarantee", "source"):
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
        """The footer in full, for the notes of a slide: what each part is about, and its text."""
        return (("Settings", self.settings), ("Privacy", self.guarantee), ("Source", self.source))


def figure2_rows(
    original: np.ndarray, *, per_pixel: Mapping[float, Cell], per_image: Mapping[float, Cell]
) -> tuple[Row, Row]:
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
    return rows[0], rows[1]


def check_picture(picture: np.ndarray) -> None:
    """Raise ``SettingError`` unless ``picture`` is uint8 of shape (h, w, 1) or (h, w, 3)."""
    shape = np.shape(picture)
    if getattr(picture, "dtype", None) != np.uint8 or len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
        raise SettingError("An image to export must have 8-bit pixels in one grey or three colour channels.")
