"""Records of a run as JSON objects: frozen dataclasses whose fields and types say what a file may hold.

A run's files are shown, drawn, sorted and counted in a dozen places, each of which takes a share for a number from 0 to
1 and a time for one that a calendar has. So that is looked at once, where a file is read, whoever wrote it, and a value
of another kind is ``Unreadable``: that run is then shown with the sentence, and all others as they are. A field that is
missing has its default: not recorded.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True, kw_only=True)
... class Sizes(Record):
...     images: Count | None = None
...     share: Share | None = None
>>> Sizes.from_dict({"images": 640}), Sizes(share=0.5).to_dict()
(Sizes(images=640, share=None), {'share': 0.5})
>>> Sizes.from_dict({"images": 640, "share": 1.5})
Traceback (most recent call last):
...
medpriv_core.strict_json.Unreadable: share cannot be 1.5
>>> Sizes.from_dict({"version": 99})
Traceback (most recent call last):
...
medpriv_core.records.kinds.Newer: a newer version of medpriv wrote it

Which values are *true* is another matter: imports are looked at further in ``medpriv_core.runs.archive_checks``, and
what an epsilon rests on in ``medpriv_core.privacy``.
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from datetime import datetime
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Self,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from medpriv_core.strict_json import Unreadable

MOST_IMAGES = 100_000_000
MOST_EPOCHS = 1_000_000
MOST_CLASSES = 1000
LARGEST = 1e18
LATEST_S = 1e11  # as a time since 1970: the year 5138
VERSION = "version"
_COVERED = "covered"
_NAME = re.compile("[A-Za-z0-9_]{1,40}")
_KINDS: Mapping[type, str] = {
    bool: "true or false",
    str: "such a text",
    list: "such a list",
    dict: "an object",
    type(None): "null",
}


class Newer(Unreadable):
    """A newer version of medpriv wrote it."""

    def __init__(self) -> None:
        super().__init__("a newer version of medpriv wrote it")


def is_whole(value: Any, *, low: int = 0, high: int = MOST_IMAGES) -> bool:
    """Whether it is a whole number within these bounds."""
    return type(value) is int and low <= value <= high


def is_number(value: Any, *, low: float = -LARGEST, high: float = LARGEST) -> bool:
    """Whether it is a number within these bounds, which infinity and NaN never are."""
    return type(value) in (int, float) and low <= value <= high


def is_share(value: Any) -> bool:
    """Whether it is a number from 0 to 1."""
    return is_number(value, low=0, high=1)


def is_time(value: Any) -> bool:
    """Whether it is a time in seconds since 1970 that every calendar has."""
    return is_number(value, low=0, high=LATEST_S)


def is_text(value: Any) -> bool:
    """Whether it is a text."""
    return type(value) is str


def is_texts(value: Any) -> bool:
    """Whether it is a list of texts."""
    return isinstance(value, list) and all(map(is_text, value))


def is_date(value: Any) -> bool:
    """Whether it is a day and time as ISO 8601 writes them."""
    if not is_text(value) or len(value) > 50:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


class Within(NamedTuple):
    """Of a number: from ``low`` to ``high``, both allowed."""

    low: float
    high: float


class Fits(NamedTuple):
    """Of a value of its type: what must be true of it besides."""

    check: Callable[[Any], bool]


class Stored(NamedTuple):
    """How a value stands in a file: ``read`` raises ``ValueError`` for what is no such value."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


Count = Annotated[int, Within(1, MOST_IMAGES)]
Whole = Annotated[int, Within(0, MOST_IMAGES)]
Share = Annotated[float, Within(0, 1)]
PositiveShare = Annotated[float, Within(1e-12, 1)]
Positive = Annotated[float, Within(0, LARGEST)]
Number = Annotated[float, Within(-LARGEST, LARGEST)]
Date = Annotated[str, Fits(is_date)]

Reader = Callable[[Any], Any]
Made = TypeVar("Made")


def once_for(make: Callable[[type[Any]], Made]) -> Callable[[type[Any]], Made]:
    """``functools.cache`` for a function of a class, which mypy takes for unhashable where its instances are."""
    return cast(Callable[[type[Any]], Made], functools.cache(make))


class Record:
    """Base of a frozen dataclass that is a JSON object in a file of a run.

    ``FORMAT`` is the number of the layout in which the class is written, with the name ``version``. It grows when a
    reader of the present layout would understand a file wrongly; a new field, which older readers pass over, is no new
    layout. A file without a number is of the first one.
    """

    FORMAT: ClassVar[int] = 1

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The record in a JSON value; raises ``Unreadable`` that names what does not fit, and ``Newer``."""
        found = as_object(values)
        check_format(found, cls.FORMAT)
        given = {}
        for name, read in readers_of(cls).items():
            if name in found:
                given[name] = read_value(read, name, found[name])
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; what is not recorded is not there."""
        return {
            name: write(value)
            for name, default, write in _writers_of(type(self))
            if (value := getattr(self, name)) != default
        }

    def to_file(self) -> dict[str, Any]:
        """The same with the number of the layout, as it is written into a file."""
        return self.to_dict() | {VERSION: self.FORMAT}

    def covered_part(self) -> Self:
        """What epsilon covers of it (``medpriv_core.privacy.coverage``): the fields made by ``covered``."""
        return type(self)(**{name: getattr(self, name) for name in covered_names(type(self))})


def covered(default: Any = None) -> Any:
    """A field that epsilon covers, or whose value is public by assumption: exports of private runs may hold it.

    Any other stays at home, until somebody has thought about it.
    """
    return field(default=default, metadata={_COVERED: True})


@once_for
def covered_names(record: type[Any]) -> frozenset[str]:
    """The fields of a dataclass that were made by ``covered``."""
    return frozenset(one.name for one in fields(record) if one.metadata.get(_COVERED))


def as_object(values: Any) -> dict[str, Any]:
    """A JSON object as it is; raises ``Unreadable``."""
    if not isinstance(values, dict):
        raise Unreadable("it holds no values by name")
    return values


def check_format(values: Mapping[str, Any], known: int) -> None:
    """Raise ``Newer`` for an object of a later layout than the one numbered ``known``, ``Unreadable`` for none."""
    number = values.get(VERSION, 1)
    if not is_whole(number, low=1, high=2**31):
        raise unfit(VERSION, number)
    if number > known:
        raise Newer


def read_value(read: Reader, name: str, value: Any) -> Any:
    """What ``read`` makes of the value under a name; raises ``Unreadable``."""
    try:
        return read(value)
    except Unreadable:
        raise
    except ValueError:
        raise unfit(name, value) from None


def unfit(name: str, value: Any) -> Unreadable:
    """That a name has a value of the wrong kind. Texts are not repeated: they may be anybody's."""
    what = f"{value:.6g}" if is_number(value) else _KINDS.get(type(value), "such a number")
    return Unreadable(f"{name if _NAME.fullmatch(name) else 'a value'} cannot be {what}")


@once_for
def hints_of(record: type[Any]) -> Mapping[str, Any]:
    """The types of a dataclass's fields, with what is said of them beside."""
    hints = get_type_hints(record, include_extras=True)
    return {one.name: hints[one.name] for one in fields(record)}


@once_for
def readers_of(record: type[Any]) -> Mapping[str, Reader]:
    """For each field of a dataclass what makes its value of that in a file, by its type."""
    return {name: reader_of(hint) for name, hint in hints_of(record).items()}


@once_for
def _writers_of(record: type[Any]) -> tuple[tuple[str, Any, Callable[[Any], Any]], ...]:
    return tuple((one.name, one.default, _writer_of(hints_of(record)[one.name])) for one in fields(record))


def bounds_of(hint: Any) -> Within | None:
    """The bounds of a number's type; None where it has none."""
    for part in (hint, *get_args(hint)):
        for said in getattr(part, "__metadata__", ()):
            if isinstance(said, Within):
                return said
    return None


def reader_of(hint: Any) -> Reader:
    """What makes a value of this type from one of JSON; it raises ``ValueError`` for any other."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(parts[0], hint.__metadata__)
    if origin in (Union, types.UnionType):
        (kind,) = [part for part in parts if part is not type(None)]
        read = reader_of(kind)
        return lambda value: None if value is None else read(value)
    if origin is Literal:
        return _checking(lambda value: is_text(value) and value in parts)
    if origin is tuple:
        return _list_of(reader_of(parts[0]))
    if isinstance(hint, type) and issubclass(hint, Record):
        return lambda value: hint() if value is None else hint.from_dict(value)
    assert hint in (str, bool), f"nobody can read {hint}"
    return _checking(lambda value: type(value) is hint)


def _annotated(kind: Any, said: tuple[Any, ...]) -> Reader:
    (part,) = said
    if isinstance(part, Stored):
        read = part.read
        return lambda value: None if value is None else read(value)
    if isinstance(part, Within):
        low, high = part
        kinds = (int,) if kind is int else (int, float)
        return _checking(lambda value: type(value) in kinds and low <= value <= high)
    assert isinstance(part, Fits), f"nobody can read {kind}"
    base, check = reader_of(kind), part.check
    return _checking(lambda value: base(value) is not None and check(value))


def _checking(check: Callable[[Any], bool]) -> Reader:
    def read(value: Any) -> Any:
        if not check(value):
            raise ValueError
        return value

    return read


def _list_of(read: Reader) -> Reader:
    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > MOST_CLASSES:
            raise ValueError
        return tuple(map(read, value))

    return read_all


def _writer_of(hint: Any) -> Callable[[Any], Any]:
    for part in (hint, *get_args(hint)):
        for said in getattr(part, "__metadata__", ()):
            if isinstance(said, Stored):
                return said.write
    return _plain


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value
