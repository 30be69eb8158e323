"""Values of settings as people type them, "0.01, 0.1, 1", turned into what a RunSpec holds.

>>> parse_values("learning_rate", "0.01, 1")
[0.01, 1.0]
>>> parse_values("head_bias", "true,false")
[True, False]
>>> parse_values("epochs", "many")
Traceback (most recent call last):
...
medpriv_core.errors.SettingError: epochs must be a whole number, but is 'many'.
"""

from __future__ import annotations

from typing import Any

from medpriv_core.errors import SettingError
from medpriv_core.spec import SETTINGS

_TRUTH = {"true": True, "on": True, "false": False, "off": False}


def parse_values(name: str, text: str) -> list[Any]:
    """The values of one setting, with commas between them; "none" where a setting may be empty.

    Raises ``SettingError`` for an unknown setting, one whose values themselves have commas, and values of another kind.
    """
    if name not in SETTINGS:
        raise SettingError(f"Unknown setting {name}. Known: {', '.join(SETTINGS)}.")
    if name == "class_weights":
        raise SettingError("[class_weights] cannot be set here; the presets have them, and the run command takes them.")
    setting = SETTINGS[name]
    return [_parse(name, setting.kind, part.strip(), optional=setting.optional) for part in text.split(",")]


def _parse(name: str, kind: Any, text: str, *, optional: bool) -> Any:
    if optional and text == "none":
        return None
    if kind is bool:
        if text not in _TRUTH:
            raise SettingError(f"[{name}] must be true or false, but is {text!r}.")
        return _TRUTH[text]
    if kind not in (int, float):
        return text
    try:
        return kind(text)
    except ValueError:
        noun = "a whole number" if kind is int else "a number"
        raise SettingError(f"[{name}] must be {noun}, but is {text!r}.") from None
