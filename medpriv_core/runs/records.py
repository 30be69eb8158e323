"""What the JSON files of a run may hold, by name and type, whoever wrote them.

A run's files are shown, drawn, sorted and counted in a dozen places, each of which takes a share for a number from 0 to
1 and a time for one that a calendar has. So that is looked at once, where a file is read, and a value of another kind
is ``Unreadable``: that run is then shown with the sentence, and all others as they are. What a name of another version
of medpriv stands for, nobody here knows; its value may be any that JSON has.

Which values are *true* is another matter: imports are looked at further in ``archive_checks``, and what an epsilon
rests on in ``medpriv_core.privacy``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, get_args

from medpriv_core.privacy.facts import GUARANTEE, GuaranteeFacts, Origin, Source
from medpriv_core.privacy.steps import MOST_STEPS, steps_from_json
from medpriv_core.spec import BOUNDS, Engine, NoiseGenerator, Sampling
from medpriv_core.strict_json import Unreadable

Fits = Callable[[Any], bool]

MOST_IMAGES = 100_000_000
MOST_EPOCHS = 1_000_000
MOST_CLASSES = 1000
LARGEST = 1e18
LATEST_S = 1e11  # as a time since 1970: the year 5138
_ENDS = ("finished", "cancelled", "failed")
_NAME = re.compile("[A-Za-z0-9_]{1,40}")
_KINDS: Mapping[type, str] = {
    bool: "true or false",
    str: "such a text",
    list: "such a list",
    dict: "an object",
    type(None): "null",
}


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


def _or_null(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _one_of(choices: tuple[Any, ...]) -> Fits:
    return lambda value: value is None or (is_text(value) and value in choices)


def _is_list_of(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and len(value) <= MOST_CLASSES and all(map(fits, value))


def _is_positive_share(value: Any) -> bool:
    return is_number(value, low=1e-12, high=1)


def _is_count(value: Any) -> bool:
    return is_whole(value, low=1)


def _is_segments(value: Any) -> bool:
    try:
        steps_from_json(value)
    except ValueError:
        return False
    return True


def _is_findings(value: Any) -> bool:
    plain = _or_null(lambda part: isinstance(part, bool) or is_number(part) or is_text(part))
    return isinstance(value, dict) and all(
        isinstance(finding, dict) and all(map(plain, finding.values())) for finding in value.values()
    )


# Beyond these, the accountants would take hours.
_NOISE = BOUNDS["noise_multiplier"]

_GUARANTEE: Mapping[str, Fits] = {
    "sampling": _one_of(get_args(Sampling)),
    "sample_rate": _or_null(_is_positive_share),
    "steps_per_epoch": _or_null(lambda value: is_whole(value, low=1, high=MOST_STEPS)),
    # Less than any setting is what a loop did whose noise is not the one that was set.
    "noise_multiplier": _or_null(lambda value: is_number(value, low=0, high=_NOISE[1])),
    "earlier_segments": _or_null(_is_segments),
    "engine": _one_of(get_args(Engine)),
    "clipped_together": _or_null(_is_count),
    "mixing_layers": _or_null(is_texts),
    "divisor": _one_of(("expected", "actual")),
    "normalisation": _one_of(("constants", "each_image", "training_images")),
    "augmentation": _one_of(("none", "independent", "by_place")),
    "noise_generator": _one_of(get_args(NoiseGenerator)),
    "noise_drawn_by": _one_of(get_args(Source)),
    "batches_drawn_by": _one_of(get_args(Source)),
    "pretrained": _one_of(get_args(Origin)),
    "noise_seed_stored": _or_null(lambda value: isinstance(value, bool)),
    "measured": _or_null(_is_findings),
}
assert set(_GUARANTEE) == set(GuaranteeFacts.__dataclass_fields__)

_SETUP: Mapping[str, Fits] = {
    "content": _or_null(is_text),
    "train_size": _or_null(_is_count),
    "test_size": _or_null(_is_count),
    "classes": _is_list_of(lambda name: is_text(name) and 0 < len(name) < 200),
    "train_class_counts": _or_null(_is_list_of(is_whole)),
    "test_class_counts": _or_null(_is_list_of(is_whole)),
    "majority_rate": _or_null(is_share),
    "image_size": _or_null(_is_count),
    "input_size": _or_null(_is_count),
    "steps_per_epoch": _or_null(lambda value: is_whole(value, low=1, high=MOST_STEPS)),
    "sample_rate": _or_null(_is_positive_share),
    "noise_multiplier": _or_null(lambda value: is_number(value, low=0)),
    "parameters": _or_null(lambda value: is_whole(value, high=10**12)),
    "device": is_text,
    "precision": is_text,
    "weights": is_text,
    "weights_doubt": _or_null(is_text),
    "resumed_from_epoch": _or_null(lambda value: is_whole(value, high=MOST_EPOCHS)),
    "medpriv_version": is_text,
    "torch_version": is_text,
    "opacus_version": is_text,
    "patients": _or_null(is_whole),
    "largest_patient_images": _or_null(is_whole),
    GUARANTEE: _or_null(lambda value: isinstance(value, dict)),
}

_LABELS: Mapping[str, Fits] = {
    "name": is_text,
    "tags": is_texts,
    "notes": is_text,
    "created_at": _or_null(is_time),
    "deleted_at": _or_null(is_time),
}

_SHARES = ("accuracy", "auroc", "calibration_error")
_NUMBERS = ("loss", "kappa", "images_per_s", "elapsed_s")


def check_setup(values: Any) -> dict[str, Any]:
    """``setup.json`` as it is; raises ``Unreadable`` that names what does not fit."""
    setup = _checked(values, _SETUP)
    _checked(setup.get(GUARANTEE) or {}, _GUARANTEE)
    return setup


def check_labels(values: Any) -> dict[str, Any]:
    """``labels.json`` as it is; raises ``Unreadable``."""
    return _checked(values, _LABELS)


def check_outcome(values: Any) -> dict[str, Any]:
    """``outcome.json`` as it is; raises ``Unreadable``."""
    outcome = _object(values)
    if outcome.get("state") not in _ENDS:
        raise Unreadable("it does not say how the run ended")
    if outcome.get("message") is not None and not is_text(outcome["message"]):
        raise _unfit("message", outcome["message"])
    _check_figures({name: value for name, value in outcome.items() if name not in ("state", "message")})
    return outcome


def check_row(values: Any) -> dict[str, Any]:
    """A line of ``metrics.jsonl`` as it is; raises ``Unreadable``."""
    row = _object(values)
    if not is_whole(row.get("epoch"), low=1, high=MOST_EPOCHS):
        raise _unfit("epoch", row.get("epoch"))
    _check_figures(row)
    if "epsilon" in row and row.get("delta") is None:
        raise Unreadable("it has an epsilon without its delta")
    return row


def is_figure(name: str, value: Any) -> bool:
    """Whether a value is of the kind that a figure of this name is, in a row or an outcome."""
    if name == "finished_at":
        return value is None or _is_date(value)
    if "_class_" in name:
        return value is None or _is_list_of(_or_null(is_share))(value)
    if isinstance(value, list | dict):
        return False
    if name == "delta":
        return is_share(value) and value > 0
    if name == "epoch":
        return is_whole(value, high=MOST_EPOCHS)
    if name in ("steps", "exit_code"):
        return value is None or is_whole(value, low=-(2**31), high=MOST_IMAGES)
    if name.endswith(_SHARES):
        return value is None or is_share(value)
    if name == "epsilon":
        return value is None or is_number(value, low=0)
    return not name.endswith(_NUMBERS) or value is None or is_number(value)


def _check_figures(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if not is_figure(name, value):
            raise _unfit(name, value)


def _is_date(value: Any) -> bool:
    if not is_text(value) or len(value) > 50:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _checked(values: Any, table: Mapping[str, Fits]) -> dict[str, Any]:
    found = _object(values)
    for name, value in found.items():
        if name in table and not table[name](value):
            raise _unfit(name, value)
    return found


def _object(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise Unreadable("it holds no values by name")
    return values


def _unfit(name: str, value: Any) -> Unreadable:
    """Texts are not repeated: they may be anybody's."""
    what = f"{value:.6g}" if is_number(value) else _KINDS.get(type(value), "such a number")
    return Unreadable(f"{name if _NAME.fullmatch(name) else 'a value'} cannot be {what}")
