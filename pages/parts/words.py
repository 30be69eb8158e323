"""Settings, errors and amounts in the words of the pages; what a setting is called stands in ``spec.SETTINGS``."""

from __future__ import annotations

from typing import Any

from medpriv_core.errors import MedprivError, SettingError
from medpriv_core.privacy.statement import format_delta
from medpriv_core.runs.failure import reworded
from medpriv_core.runs.summary import RunSummary
from medpriv_core.shown_text import for_cell, for_markdown
from medpriv_core.spec import SETTINGS


def sentence(error: MedprivError) -> str:
    """What is wrong, as markdown, with settings and their values called as in the form.

    The one way in which a page shows an error: names of files, classes and runs in it are text and nothing else.
    """
    return error.worded(_marked, rest=for_markdown) if isinstance(error, SettingError) else for_markdown(str(error))


def why_failed(run: RunSummary) -> str:
    """Why a run failed, as markdown, with settings and their values called as in the form; empty if it did not."""
    return in_form_words(run.kept_message or "")


def in_form_words(kept: str) -> str:
    """A sentence that was kept (``medpriv_core.runs.failure``), as markdown in the words of the form."""
    return reworded(kept, _marked, rest=for_markdown)


def why_failed_plainly(run: RunSummary) -> str:
    """The same for a cell of a table, which knows no markdown."""
    return for_cell(reworded(run.kept_message or "", _called))


def _called(setting: str, value: str | None) -> str:
    if setting not in SETTINGS:
        return setting
    return in_words(setting, value) if value else SETTINGS[setting].label


def _marked(setting: str, value: str | None) -> str:
    called = for_markdown(_called(setting, value))
    return f"*{called}*" if value else f"**{called}**"


def in_words(setting: str, value: Any) -> str:
    """A setting's value as the form shows it."""
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        return " : ".join(f"{part:g}" for part in value)
    if isinstance(value, bool | str):
        choice = SETTINGS[setting].choices.get(value)
        return str(value) if choice is None else choice.form
    return f"{value:,}" if isinstance(value, int) else format_delta(value)


def offered(setting: str) -> dict[Any, str]:
    """The values of a setting that a form offers, and what it calls them."""
    return {value: choice.form for value, choice in SETTINGS[setting].choices.items() if choice.offered}


def format_size(megabytes: float) -> str:
    """MB in words: "90 MB", "1.5 GB"."""
    if megabytes >= 950:
        return f"{megabytes / 1000:.1f} GB"
    return f"{max(1, round(megabytes, -1 if megabytes >= 100 else None)):.0f} MB"
