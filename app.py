"""The server's entry: ``streamlit run app.py``.

The pages hang off ``pages/index.py``. The hook here runs once when the server starts, even if the
first visitor opens a deep link; it brings back the runner of runs that were under way.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from medpriv_core.errors import MedprivError
from medpriv_core.home import data_home
from medpriv_core.runs.runner import ensure_runner


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Adopt what an earlier start of the app left running."""
    try:
        ensure_runner(data_home())
    except MedprivError as error:
        # The pages say it too; the server must come up to show them.
        logging.getLogger("medpriv").warning("%s", error)
    yield


app = st.App("pages/index.py", lifespan=lifespan)
