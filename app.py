"""The server's entry: ``streamlit run app.py``.

The pages hang off ``pages/index.py``. The hook here runs once when the server starts, even if the
first visitor opens a deep link; it brings back the runner of runs that were under way. What stands in
front of Streamlit, and what of Streamlit is set otherwise, is in ``pages/parts/serving.py``.
"""

from __future__ import annotations

import os

from medpriv_core.safe_path import look_here_last

HERE = os.path.dirname(os.path.abspath(__file__))  # in a wheel app.py and the pages lie within the package
# The folder of the page's script, too: Streamlit would put it first before each run of a script and take it out after
# it, and an import in another thread that goes through the folders at that moment passes over one of them.
look_here_last(HERE, os.path.join(HERE, "pages"))

import logging  # noqa: E402
from collections.abc import AsyncIterator  # noqa: E402
from contextlib import asynccontextmanager, suppress  # noqa: E402

import streamlit as st  # noqa: E402

from medpriv_core.errors import MedprivError  # noqa: E402
from medpriv_core.home import data_home  # noqa: E402
from medpriv_core.runs.runner import ensure_runner  # noqa: E402
from medpriv_core.runs.spare import withdraw  # noqa: E402
from medpriv_core.shown_text import ForTerminal  # noqa: E402
from pages.parts.serving import doors, first_page, other_names, prepare_process, upload_room  # noqa: E402

# Before the first request, whose headers may be anything.
logging.getLogger("medpriv").addFilter(ForTerminal())


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Adopt what an earlier start of the app left running."""
    prepare_process()
    try:
        ensure_runner(data_home())
    except MedprivError as error:
        # The pages say it too; the server must come up to show them.
        logging.getLogger("medpriv").warning("%s", error)
    yield
    with suppress(MedprivError):
        withdraw(data_home())


app = st.App("pages/index.py", lifespan=lifespan, middleware=[doors(), upload_room(), other_names(), first_page()])
