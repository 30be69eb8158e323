"""How the images of a dataset become squares of grey or colour: which frame, in which window, and how they are fitted.

It belongs to what a network has learned: other images have to reach it in the same way. The defaults are those of the
paper, and of every dataset whose owner chose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from medpriv_core.records.kinds import Record

Fit = Literal["squash", "crop", "pad"]
Window = Literal["file", "percentiles", "soft tissue", "lung", "bone", "brain"]
Frames = Literal["first", "middle", "each", "refuse"]

FIT_WORDS: dict[Fit, str] = {
    "squash": "squashed to a square",
    "crop": "cut to the square in the middle",
    "pad": "put into the middle of a black square",
}
WINDOW_WORDS: dict[Window, str] = {
    "file": "the window of its header, else all values",
    "percentiles": "from the 1st to the 99th percentile of each image",
    "soft tissue": "CT, soft tissue",
    "lung": "CT, lung",
    "bone": "CT, bone",
    "brain": "CT, brain",
}
FRAMES_WORDS: dict[Frames, str] = {
    "first": "the first frame",
    "middle": "the middle frame",
    "each": "each frame is an image",
    "refuse": "refused",
}
FRAMES_USED: dict[Frames, str] = {
    "first": "the first of each is used",
    "middle": "the one in the middle of each is used",
    "each": "each frame is an image",
}


@dataclass(frozen=True, kw_only=True)
class Reading(Record):
    """How a file becomes a square.

    fit     what is done with an image that is not square
    window  which grey values of a DICOM, or of another file of more than 8 bits, are spread from black to white
    frames  what a DICOM file with several frames gives
    """

    fit: Fit = "squash"
    window: Window = "file"
    frames: Frames = "first"

    @property
    def in_words(self) -> str:
        """What was chosen otherwise than usual, for people; empty where nothing was.

        >>> Reading(fit="crop", window="lung").in_words
        'cut to the square in the middle; window: CT, lung'
        """
        words = [FIT_WORDS[self.fit]] if self.fit != "squash" else []
        words += [f"window: {WINDOW_WORDS[self.window]}"] if self.window != "file" else []
        words += [f"DICOM with several frames: {FRAMES_WORDS[self.frames]}"] if self.frames != "first" else []
        return "; ".join(words)


AS_USUAL = Reading()
