"""What errors call the settings on a page."""

from __future__ import annotations

import re
from pathlib import Path

import medpriv_core
from medpriv_core.errors import SETTING, DatasetError, SettingError
from medpriv_core.spec import SETTINGS
from pages.parts.words import sentence

CORE = Path(medpriv_core.__file__).parent


def marks() -> set[tuple[str, str]]:
    """Settings and values that the messages of the core speak of."""
    texts = [
        (CORE / name).read_text("utf-8")
        for name in ("spec_checks.py", "setting.py", "privacy/plan.py", "privacy/calibration.py")
    ]
    strings = re.findall(r'f?"((?:[^"\\]|\\.)*)"', "\n".join(texts))
    found = {match for text in strings for match in SETTING.findall(text)}
    return {(name, value) for name, value in found if name in SETTINGS}


def test_every_setting_that_an_error_speaks_of_has_the_words_of_the_form() -> None:
    assert len(marks()) > 20
    for setting, value in marks() - {("dataset", "")}:
        assert not value or value in SETTINGS[setting].choices


def test_settings_are_bold_and_values_italic_and_all_else_is_as_it_was() -> None:
    assert sentence(SettingError("Set [norm] to [norm=group_norm], not [this].")) == (
        "Set **Normalisation layers** to *GroupNorm*, not **this**."
    )
    assert sentence(DatasetError("There is no folder [norm].")) == r"There is no folder \[norm\]."
