"""How errors reach the person at the screen: one sentence, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from medpriv_core.errors import MedprivError, RunTableError
from medpriv_core.shown_text import ForTerminal
from pages.parts.words import sentence

log = logging.getLogger("medpriv")
log.addFilter(ForTerminal())

OUR_FAULT = (
    "Something went wrong inside medpriv, and it is not your doing. The terminal in which the app runs has the "
    "details; reload the page to go on."
)


def show_error(place: Any, error: MedprivError) -> None:
    """An error as a message in ``place``, with the way to where it can be mended, if there is one."""
    place.error(sentence(error), icon=":material/error:")
    if isinstance(error, RunTableError):
        place.page_link("runs.py", label="Repair it on the page of runs", icon=":material/build:")


@contextmanager
def explain_errors() -> Iterator[None]:
    """Show an error of the block as a message and go on after it.

    Fragments need one of their own, because they run again without the page around them.
    """
    try:
        yield
    except MedprivError as error:
        show_error(st, error)
    except Exception:
        # Streamlit's own control flow (stop, rerun) is no Exception and passes through.
        log.exception("A page failed")
        st.error(OUR_FAULT, icon=":material/error:")
