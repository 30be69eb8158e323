"""Where a word stands beside its point, so that no marker, no line and no other word is printed over it.

How large a chart will be is not known before it is drawn. So places are found for a usual window, in pixels from the
lower left corner of the plot; on a smaller one words may still come close to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LETTER_PX, WORD_PX = 6.4, 15.0  # width of a letter, height of a word
AIR = "\u00a0\u00a0"
AWAY_PX = 9.0  # from the middle of a marker to the word beside it
# Plotly's name of a place, and in which direction of the point it lies; the first that is free is taken.
PLACES = {
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top center": (0, 1),
    "bottom center": (0, -1),
    "top right": (1, 1),
    "top left": (-1, 1),
    "bottom right": (1, -1),
    "bottom left": (-1, -1),
}


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> float:
        """How much of both lies over each other, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)


def around(x: float, y: float, half: float = 7.0) -> Box:
    """A marker at a point."""
    return Box(x - half, y - half, x + half, y + half)


@dataclass
class Plot:
    """A plot of so many pixels, and what already stands in it."""

    width: float
    height: float
    taken: list[Box] = field(default_factory=list)

    def take(self, *boxes: Box) -> None:
        """Nothing may be written over these."""
        self.taken += boxes

    def place(self, words: str, x: float, y: float, *, among: Sequence[str] = tuple(PLACES)) -> str:
        """The best of the places ``among`` all for words at a point, which are taken there."""
        name, box = min(
            ((name, _box(words, x, y, *PLACES[name])) for name in among), key=lambda each: self._covered(each[1])
        )
        self.take(box)
        return name

    def beside_line(self, words: str, y: float, *, above: Sequence[bool] = (True, False)) -> tuple[str, bool]:
        """Of a line across the plot at ``y``: at which end of it, "left" or "right", and whether above it words stand
        best, which are taken there."""
        wide = LETTER_PX * len(words)
        lefts = {"left": 0.01 * self.width, "right": 0.99 * self.width - wide}
        boxes = {
            (side, over): Box(left, y + 2 if over else y - 2 - WORD_PX, left + wide, y + 2 + WORD_PX if over else y - 2)
            for over in above
            for side, left in lefts.items()
        }
        best = min(boxes, key=lambda end: self._covered(boxes[end]))
        self.take(boxes[best])
        return best

    def _covered(self, box: Box) -> float:
        whole = (box.right - box.left) * (box.top - box.bottom)
        outside = whole - box.overlaps(Box(0, 0, self.width, self.height))
        return sum(box.overlaps(other) for other in self.taken) + 2 * outside


def _box(words: str, x: float, y: float, across: int, up: int) -> Box:
    wide = LETTER_PX * len(words)
    left = x - wide / 2 if across == 0 else x + AWAY_PX if across > 0 else x - AWAY_PX - wide
    bottom = y - WORD_PX / 2 + up * (AWAY_PX + (WORD_PX / 2 if across == 0 else 0))
    return Box(left, bottom, left + wide, bottom + WORD_PX)


def padded(words: str, place: str) -> str:
    """Words with some air to the marker or line that they stand beside, which Plotly writes them onto."""
    return f"{AIR if place.endswith('right') else ''}{words}{AIR if place.endswith('left') else ''}" if words else ""


def spread(places: Sequence[float], apart: float) -> list[float]:
    """The places, moved as little as it takes for each to be ``apart`` from the next, in the order that they had.

    >>> spread([10.0, 11.0, 40.0], 15.0)
    [3.0, 18.0, 40.0]
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    # Those that touch become one block around their mean, as tall as they need.
    blocks: list[list[int]] = []

    def middle(block: list[int]) -> float:
        return sum(places[one] for one in block) / len(block)

    for one in order:
        blocks.append([one])
        while len(blocks) > 1:
            lower, upper = blocks[-2:]
            room = apart * (len(lower) + len(upper)) / 2
            if middle(upper) - middle(lower) >= room:
                break
            blocks[-2:] = [lower + upper]
    moved = [0.0] * len(places)
    for block in blocks:
        for number, one in enumerate(block):
            moved[one] = middle(block) + apart * (number - (len(block) - 1) / 2)
    return moved
