"""``dataset.toml``: what somebody's own dataset is and how it is read, as data and not as code.

It holds no name of a file, no identifier and no picture, so it can be edited and given to a colleague who has the same
images. A newer version of it, or a key that is not known, is refused and never guessed.

>>> recipe = Recipe("lungs", "Lungs", (OwnClass("healthy", ("0",)), OwnClass("ill", ("1", "2"))), 1, "folders")
>>> Recipe.from_toml(recipe.to_toml()) == recipe
True
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from medpriv_core.datasets.base import DatasetInfo
from medpriv_core.datasets.own.tables import MOST_CLASSES, Columns
from medpriv_core.errors import DatasetError
from medpriv_core.pictures.reading import AS_USUAL, Reading
from medpriv_core.printable import printable

Layout = Literal["folders", "table"]
VERSION = 1
LONGEST_NAME, LONGEST_TEXT = 40, 200
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_KEYS = {
    "version", "name", "title", "source", "channels", "ordered", "layout", "tables", "test_share", "seed",
    "move_patients", "skip_unreadable", "patient_pattern", "columns", "class", "reading",
    "most_images",
}  # fmt: skip


@dataclass(frozen=True)
class OwnClass:
    """A class: what it is called, and the labels that mean it, as ``rows.label_key`` gives them."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """What a dataset of one's own is.

    classes          in the order of the labels 0, 1, ...
    layout           folders: one for each class; table: rows that name images
    tables           names of the tables in it; empty where one from elsewhere was given
    columns          of the table
    patient_pattern  a regular expression that finds in the name of a file whose the image is
    test_share, seed of a split that was made; None where one was given with the images
    move_patients    images of patients who stand in both given splits count as training images
    skip_unreadable  what cannot be read as an image is left out, and said
    reading          how a file becomes a square
    most_images      training images of a patient, at most
    """

    name: str
    title: str
    classes: tuple[OwnClass, ...]
    channels: Literal[1, 3]
    layout: Layout
    source: str = "Own images."
    ordered: bool = False
    tables: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    patient_pattern: str | None = None
    test_share: float | None = None
    seed: int = 0
    move_patients: bool = False
    skip_unreadable: bool = False
    reading: Reading = AS_USUAL
    most_images: int | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        names = [one.name for one in self.classes]
        if not 2 <= len(names) <= MOST_CLASSES:
            raise DatasetError(f"A dataset needs 2 to {MOST_CLASSES} classes, but {self.name} has {len(names)}.")
        if len(set(names)) < len(names):
            raise DatasetError("Two classes have the same name. Give each class a name of its own.")
        for text in (self.title, self.source, *names):
            if not 0 < len(text.strip()) <= LONGEST_TEXT or printable(text) != text:
                raise DatasetError(
                    f"{printable(text)!r} cannot be the title, source or name of a class: 1 to {LONGEST_TEXT} "
                    "characters that can be shown."
                )

    @property
    def info(self) -> DatasetInfo:
        """The facts that every dataset has."""
        return DatasetInfo(
            name=self.name,
            title=self.title,
            classes=tuple(one.name for one in self.classes),
            channels=self.channels,
            synthetic=False,
            source=self.source,
            ordered=self.ordered,
            reading=self.reading,
        )

    @property
    def shared(self) -> Recipe:
        """What somebody without the images needs of it: not how these are found in files and tables."""
        return Recipe(
            self.name, self.title, self.classes, self.channels, "folders", self.source, self.ordered,
            reading=self.reading,
        )  # fmt: skip

    def label_of(self, key: str) -> int | None:
        """The class that a label means, by its ``label_key``."""
        return next((place for place, one in enumerate(self.classes) if key in one.labels), None)

    def to_toml(self) -> str:
        """The file."""
        lines = [
            "# A dataset of medpriv. Names and order of the classes may be changed; add the dataset again after that.",
            f"version = {VERSION}",
            *(f"{key} = {_value(getattr(self, key))}" for key in ("name", "title", "source", "channels", "ordered")),
            *(f"{key} = {_value(getattr(self, key))}" for key in ("layout", "tables", "seed")),
            *([] if self.patient_pattern is None else [f"patient_pattern = {_value(self.patient_pattern)}"]),
            *([] if self.most_images is None else [f"most_images = {self.most_images}"]),
            *([] if self.test_share is None else [f"test_share = {_value(self.test_share)}"]),
            *(f"{key} = {_value(getattr(self, key))}" for key in ("move_patients", "skip_unreadable")),
            *(["", "[reading]"] if self.reading != AS_USUAL else []),
            *(f"{key} = {_value(value)}" for key, value in self.reading.to_dict().items()),
            "",
            "[columns]",
            *(f"{key} = {_value(value)}" for key, value in vars(self.columns).items() if value is not None),
        ]
        for one in self.classes:
            lines += ["", "[[class]]", f"name = {_value(one.name)}", f"labels = {_value(one.labels)}"]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Recipe:
        """The record in a file; raises ``DatasetError`` that says what is wrong with it."""
        try:
            values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise DatasetError(f"This is no record of a dataset (dataset.toml): {printable(str(error))}.") from error
        if values.get("version") != VERSION:
            raise DatasetError(
                "This record of a dataset has no version that this medpriv knows. Update medpriv, or export it again."
            )
        if unknown := sorted(set(values) - _KEYS):
            raise DatasetError(f"This record of a dataset has the unknown key {printable(unknown[0])}. Remove it.")
        try:
            return cls(
                name=_text(values["name"]),
                title=_text(values["title"]),
                source=_text(values["source"]),
                classes=tuple(OwnClass(_text(one["name"]), _texts(one["labels"])) for one in values["class"]),
                channels=_one_of(values["channels"], (1, 3)),
                ordered=_one_of(values["ordered"], (True, False)),
                layout=_one_of(values["layout"], get_args(Layout)),
                tables=_texts(values["tables"]),
                columns=_columns(values.get("columns", {})),
                patient_pattern=_text(values["patient_pattern"]) if "patient_pattern" in values else None,
                test_share=_share(values.get("test_share")),
                seed=_whole(values["seed"]),
                move_patients=_one_of(values["move_patients"], (True, False)),
                skip_unreadable=_one_of(values["skip_unreadable"], (True, False)),
                reading=_reading(values.get("reading", {})),
                most_images=_positive(values["most_images"]) if "most_images" in values else None,
            )
        except KeyError as error:
            raise DatasetError(f"This record of a dataset lacks {printable(str(error.args[0]))}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise DatasetError(
                f"This record of a dataset has a value that cannot be ({printable(str(error))}). Correct it."
            ) from error


def check_name(name: str) -> str:
    """The name, if a dataset can be called so; raises ``DatasetError`` otherwise."""
    if not _NAME.fullmatch(name):
        raise DatasetError(
            f"{printable(name)!r} cannot be the name of a dataset: 2 to {LONGEST_NAME} small letters, digits and _, "
            "beginning with a letter."
        )
    return name


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A text of JSON is one of TOML, but for this character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list of texts")
    return tuple(map(_text, value))


def _one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    if not any(value is choice or (value == choice and type(value) is type(choice)) for choice in choices):
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, choices))}")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise ValueError(f"{value!r} is no whole number from 0 on")
    return value


def _positive(value: Any) -> int:
    if _whole(value) < 1:
        raise ValueError("0 is no number of images from 1 on")
    return int(value)


def _share(value: Any) -> float | None:
    if value is not None and (type(value) not in (int, float) or not 0 < value < 1):
        raise ValueError(f"{value!r} is no share between 0 and 1")
    return value if value is None else float(value)


def _reading(values: Mapping[str, Any]) -> Reading:
    if unknown := sorted(set(values) - {"fit", "window", "frames"}):
        raise ValueError(f"unknown key {unknown[0]} of how images are read")
    return Reading.from_dict(values)


def _columns(values: Mapping[str, Any]) -> Columns:
    known = dict(values)
    groups = _texts(known.pop("groups")) if "groups" in known else None
    named = {key: _text(known.pop(key)) for key in ("file", "label", "split", "patient") if key in known}
    if known:
        raise ValueError(f"unknown column {next(iter(known))}")
    return Columns(**named, groups=groups)
