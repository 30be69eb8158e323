"""Text from elsewhere in the sentences of errors."""

from __future__ import annotations

import pytest

from medpriv_core.errors import RunError, SettingError
from medpriv_core.printable import brief


@pytest.mark.parametrize("text", ["", "There is no run 7.", "/" + "folder/" * 70, "a list, " * 300])
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert brief(text) == text


def test_an_error_does_not_repeat_thousands_of_characters() -> None:
    assert str(RunError(f"There is no run {5000 * '9'}. See the list.")).endswith("999. See the list.")
    assert len(str(RunError(f"There is no run {5000 * '9'}."))) < 600
    assert len(str(RunError("no " * 10_000))) < 5000
    assert str(SettingError(f"[beta] is {5000 * 'x'}, which is no number.")).startswith("beta is xxx")
