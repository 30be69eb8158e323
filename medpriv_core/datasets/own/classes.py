"""The classes of somebody's own dataset in order, and whether its images are grey or have colour."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.images import decode_image, read_picture
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.recipe import OwnClass
from medpriv_core.datasets.own.rows import Row, label_key
from medpriv_core.datasets.own.tables import MOST_CLASSES
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.printable import printable

_SAMPLED = 48  # images that are decoded to tell grey from colour
_FIRST = ("normal", "healthy", "negative", "no finding", "none", "no", "benign", "control", "no dr",
          "unauffällig", "gesund", "kein befund", "sain", "sano")  # fmt: skip


def find_classes(rows: Sequence[Row], choices: Choices, notes: list[str]) -> tuple[OwnClass, ...]:
    """The classes in order, each by its most frequent spelling."""
    spelt: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        spelt[label_key(str(row.label))][str(row.label).strip()] += 1
    if len(spelt) < 2:
        raise DatasetError(
            f"All images have one label, {printable(next(iter(spelt), ''))!r}, so there is nothing to tell apart."
        )
    if len(spelt) > MOST_CLASSES:
        raise DatasetError(
            f"There are {len(spelt):,} different labels, and medpriv tells at most {MOST_CLASSES} classes apart. Name "
            "the column that holds the classes (--label-column)."
        )
    for key in sorted(spelt, key=_place):
        if len(spelt[key]) > 1:
            others = ", ".join(printable(text) for text, _ in spelt[key].most_common(4))
            notes.append(f"Taken as one label: {others}.")
    if not choices.classes:
        keys = sorted(spelt, key=_place)
        return tuple(OwnClass(_shown(spelt[key].most_common(1)[0][0], key), (key,)) for key in keys)
    classes = tuple(replace(one, labels=tuple(map(label_key, one.labels))) for one in choices.classes)
    given = Counter(label for one in classes for label in one.labels)
    wrong = [
        *(f"{printable(key)!r} is in no class" for key in sorted(set(spelt) - set(given))),
        *(f"{printable(key)!r} is no label of any image" for key in sorted(set(given) - set(spelt))),
        *(f"{printable(key)!r} is given twice" for key, count in given.items() if count > 1),
    ]
    if wrong:
        labels = ", ".join(printable(key) for key in sorted(spelt, key=_place))
        raise DatasetError(f"The classes do not fit the labels ({labels}): {wrong[0]}. Give each label once.")
    return classes


def _shown(label: str, key: str) -> str:
    return printable(" ".join(label.replace("_", " ").split()))[:80] if not key.isdigit() else key


def _place(key: str) -> tuple[int, float, str]:
    """What an order of labels goes by: numbers by their size, then what is normal, then letters."""
    try:
        return 0, float(key), key
    except ValueError:
        return (1, 0, key) if key in _FIRST or key.startswith(("no ", "normal")) else (2, 0, key)


def find_channels(files: FileSource, rows: Sequence[Row]) -> Literal[1, 3]:
    """1 if some images, spread over all, are grey; 3 if any has colour."""
    places = np.linspace(0, len(rows) - 1, min(_SAMPLED, len(rows))).astype(int)
    for name in dict.fromkeys(rows[int(place)].file for place in places.tolist()):
        try:
            picture = read_picture(files.read(name), channels=None, name=name, at_least=64).image
        except ImageError:
            continue  # told where all are looked at
        if picture.mode == "RGB":
            pixels = np.asarray(decode_image(files.read(name), channels=3, name=name, at_least=64)).astype(np.int16)
            if (np.abs(pixels - pixels[..., :1]) > 12).mean() > 0.01:
                return 3
    return 1
