"""The settings of the explore page as one record: for its link, for a JSON file, for the pictures it exports.

Of a picture of one's own it holds no more than that it was one: neither pixels nor the name of a file.

>>> from medpriv_core.mechanisms.catalog import picture_noise
>>> noise = picture_noise("laplace_per_pixel", beta=2.0)
>>> settings = ExploreSettings(dataset="retina_photo", size=256, noise=noise)
>>> ExploreSettings.from_json(settings.to_json()) == settings
True
>>> ExploreSettings.from_dict(settings.to_dict() | {"beta": -1})
Traceback (most recent call last):
...
medpriv_core.errors.SettingError: beta must be between 0.001 and 10000, but is -1.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import MECHANISMS, all_parameters, own_parameters, picture_noise
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.image_epsilon import MAX_COPIES
from medpriv_core.spec import BOUNDS

OWN_PICTURE = "own picture"

_WHOLE_NUMBERS: dict[str, tuple[float, float]] = {
    "image": (1, 10_000_000),
    "size": BOUNDS["image_size"],
    "copies": (1, MAX_COPIES),
    "seed": BOUNDS["seed"],
}
_NOISE = ("mechanism", "beta")  # what every noise has, beside the parameters of its own
_NUMBERS: dict[str, tuple[float, float]] = {"beta": BOUNDS["beta"], "delta": BOUNDS["delta"]}
_LONGEST_JSON = 20_000  # characters; the settings need some 300


@dataclass(frozen=True, kw_only=True)
class ExploreSettings:
    """What is shown on the explore page. Raises ``SettingError`` with a sentence for each impossible setting.

    dataset         name in the dataset registry, or ``OWN_PICTURE``
    class_name      the class whose pictures are browsed; None means all
    image           number of the picture within the class, from 1
    size            longer side of the picture in pixels
    noise           mechanism and parameters; flat among the others in JSON
    copies          independent noised versions of the picture
    delta           of the (epsilon, delta) statement
    seed            makes a demonstration repeatable; None where the noise is drawn for good
    """

    dataset: str
    size: int
    noise: PictureNoise
    class_name: str | None = None
    image: int | None = None
    copies: int = 1
    delta: float = DEFAULT_DELTA
    seed: int | None = None

    def __post_init__(self) -> None:
        _raise_if_any(_problems(self.to_dict()))
        object.__setattr__(self, "delta", float(self.delta))

    def to_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "noise"} | self.noise.to_dict()

    def to_json(self) -> str:
        """All settings as an indented JSON object."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ExploreSettings:
        """The settings by name; raises ``SettingError`` that names every unknown, missing or impossible one."""
        known = {field.name: field.default is MISSING for field in fields(cls) if field.name != "noise"}
        # Files of earlier versions have the parameters of every noise.
        known |= dict.fromkeys(_NOISE, True) | dict.fromkeys(all_parameters(), False)
        problems = [
            f"There is no setting {reprlib.repr(name)}; known are {', '.join(known)}."
            for name in values
            if name not in known
        ]
        problems += [f"{name} is missing." for name, needed in known.items() if needed and name not in values]
        _raise_if_any([*problems, *_problems({name: value for name, value in values.items() if name in known})])
        own = own_parameters(values["mechanism"], values)
        others = {name: values[name] for name in values if name not in _NOISE and name not in all_parameters()}
        return cls(noise=picture_noise(values["mechanism"], beta=values["beta"], **own), **others)

    @classmethod
    def from_json(cls, text: str | bytes) -> ExploreSettings:
        """The settings in a JSON file; raises ``SettingError`` if it is no such file, or as ``from_dict`` does."""
        if len(text) > _LONGEST_JSON:
            raise SettingError("This file is far too long to hold settings; choose a JSON file saved from this page.")
        try:
            values = json.loads(text)
        # RecursionError: brackets within brackets within brackets.
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise SettingError("This file does not hold settings; choose a JSON file saved from this page.")
        return cls.from_dict(values)


def _raise_if_any(problems: list[str]) -> None:
    if problems:
        raise SettingError(" ".join(problems))


def _problems(values: Mapping[str, Any]) -> list[str]:
    """A sentence for each impossible setting among ``values``."""
    parameters = {name: (one.low, one.high) for name, one in all_parameters().items()}
    return [
        *_name_problems(values),
        *_number_problems(values, _WHOLE_NUMBERS | parameters, whole=True),
        *_number_problems(values, _NUMBERS, whole=False),
    ]


def _name_problems(values: Mapping[str, Any]) -> Iterator[str]:
    dataset, mechanism, class_name = (values.get(name) for name in ("dataset", "mechanism", "class_name"))
    # A file name or a path must not get in here.
    if "dataset" in values and dataset != OWN_PICTURE and not _matches(r"[a-z0-9_]{1,64}", dataset):
        yield f'dataset must be the name of a dataset or "{OWN_PICTURE}", but is {reprlib.repr(dataset)}.'
    if "mechanism" in values and not (isinstance(mechanism, str) and mechanism in MECHANISMS):
        yield f"mechanism must be one of {', '.join(MECHANISMS)}, but is {reprlib.repr(mechanism)}."
    if class_name is not None and not _matches(r"[^\x00-\x1f\x7f]{1,100}", class_name):
        yield f"class_name must be the name of a class, but is {reprlib.repr(class_name)}."
    if dataset == OWN_PICTURE and (class_name is not None or values.get("image") is not None):
        yield "An image of your own has no class and no number in a dataset; leave out class_name and image."


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _number_problems(
    values: Mapping[str, Any], bounds: Mapping[str, tuple[float, float]], *, whole: bool
) -> Iterator[str]:
    optional = {field.name for field in fields(ExploreSettings) if field.default is None}
    for name, (low, high) in bounds.items():
        if name not in values or (values[name] is None and name in optional):
            continue
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            yield f"{name} must be a {'whole ' if whole else ''}number, but is {reprlib.repr(value)}."
        elif not low <= value <= high:  # NaN too
            shown = reprlib.repr(value) if not isinstance(value, float) or math.isfinite(value) else "not finite"
            yield f"{name} must be between {low:.12g} and {high:.12g}, but is {shown}."
