"""Why a run failed, as it is kept and as it is shown.

A sentence on settings is kept (``errors.kept_words``) as its error has it, with each setting in brackets: "Lower
[batch_size]." So a page can call the setting as its form does, and the command line as its option does. Brackets around
anything else, for example in the name of a folder, are left alone.

>>> in_plain_words("Lower [batch_size]; /data/[old] is full.")
'Lower batch_size; /data/[old] is full.'
"""

from __future__ import annotations

from collections.abc import Callable

from medpriv_core.errors import put_words
from medpriv_core.spec import SETTINGS


def in_plain_words(kept: str) -> str:
    """A kept sentence with settings called as in specifications and on the command line."""
    return reworded(kept, lambda setting, value: value or setting)


def reworded(kept: str, word: Callable[[str, str | None], str], *, rest: Callable[[str], str] = str) -> str:
    """A kept sentence with what ``word`` says for a setting (its value is None) or for one of its values.

    ``rest`` makes all else ready for where it is shown, as in ``SettingError.worded``.
    """
    return put_words(kept, lambda setting, value: word(setting, value) if setting in SETTINGS else None, rest=rest)
