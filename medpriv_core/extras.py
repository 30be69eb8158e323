"""What medpriv does only where more is installed than it needs itself, and the command that installs it.

``pip install medpriv`` brings pages, noise, epsilon and comparisons. Left out is what is large or has a licence of
another kind: each is an *extra* of ``pyproject.toml``, in which ``test_supply.py`` finds every module named here.
Nothing is imported to find out what is there: PyTorch alone takes seconds.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from medpriv_core.errors import MedprivError, MissingExtraError
from medpriv_core.safe_path import PACKAGE_PARENT


@dataclass(frozen=True)
class Extra:
    """Something more to install.

    what     that needs it, as the beginning of a sentence
    modules  that must be there, and by what name people know each
    """

    what: str
    modules: dict[str, str]


EXTRAS = {
    "train": Extra(
        "Training a network, asking it and taking it away",
        {"torch": "PyTorch", "opacus": "Opacus"},
    ),
    "release": Extra("Exact discrete Laplace noise", {"opendp": "OpenDP"}),
    "jpeg": Extra("Reading a DICOM file compressed in this way", {"libjpeg": "pylibjpeg-libjpeg"}),
}


def why_missing(extra: str) -> str | None:
    """A sentence with the command, if something of this extra is not installed; None if all of it is.

    It is looked up each time, in well under a millisecond, so that an app notices what is installed beside it.
    """
    told = EXTRAS[extra]
    missing = [name for module, name in told.modules.items() if not is_installed(module)]
    if not missing:
        return None
    verb, them = ("is", "it") if len(missing) == 1 else ("are", "them")
    return f"{told.what} needs {_listed(missing)}, which {verb} not installed here; {_command(extra)} installs {them}."


def require(extra: str, *, error: type[MedprivError] = MissingExtraError) -> None:
    """Raise ``error`` with ``why_missing``'s sentence, if there is one."""
    if (sentence := why_missing(extra)) is not None:
        raise error(sentence)


def is_installed(module: str) -> bool:
    """Whether this Python could import ``module``."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its package is not there either
        return False


def _command(extra: str) -> str:
    """In the source tree, whose list has everything, as ``make run`` does it; else what adds it to the package."""
    tree = (Path(PACKAGE_PARENT) / "requirements.txt").is_file()
    return "pip install -r requirements.txt" if tree else f'pip install "medpriv[{extra}]"'


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
