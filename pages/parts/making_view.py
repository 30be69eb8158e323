"""A button for a file that takes seconds to make: progress, a stop button, then the download, which begins by itself.

Streamlit's download button makes its file when it is clicked, and shows nothing until it is there. Here the file is
made aside (``exports/making.py``), and held by the session that asked for it: asked for again, it is there at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable
from pathlib import Path

import streamlit as st

from medpriv_core.exports.making import Make, Making
from medpriv_core.shown_text import for_markdown
from pages.parts.messages import explain_errors

LOOK_EVERY_S = 0.4
_SCRIPT = (Path(__file__).parent / "assets" / "begin_download.js").read_text(encoding="utf-8")
_begin_download = st.components.v2.component("begin_download", html="", js=_SCRIPT)


def offer_made(
    label: str,
    gather: Callable[[], Make],
    file_name: str,
    mime: str,
    *,
    key: str,
    content_key: Hashable,
    help: str = "",
    disabled: bool = False,
) -> None:
    """The button, and while the file is made its progress; a fragment of its own, so that nothing else is drawn again.

    ``gather`` is called at the click, on the page, and gives what makes the file in another thread: that may not ask
    the page for anything. ``content_key`` is all that the file depends on: another one, and it is made anew.
    """
    making = _held(key, content_key)
    every = LOOK_EVERY_S if making is not None and making.running else None

    @st.fragment(run_every=every)
    @explain_errors()
    def draw() -> None:
        making = _held(key, content_key)
        if (making is not None and making.running) != (every is not None):
            st.rerun()  # so that the looking again begins or ends
        if making is not None and making.running:
            _draw_progress(label, making, key)
            return
        if making is not None and making.content is not None:
            _draw_made(label, making.content, file_name, mime, key, help)
            return
        if making is not None and making.refusal:
            st.error(for_markdown(making.refusal), icon=":material/error:")
        if st.button(label, key=f"{key}_make", icon=":material/download:", help=help or None, disabled=disabled):
            with st.spinner("Gathering what belongs to it…"):
                make = gather()
            st.session_state[key] = Making(content_key, make)
            st.session_state[f"{key}_asked"] = secrets.token_hex(8)
            st.rerun()

    # Without a gap, for what begins the download takes no room.
    with st.container(width="content", gap=None):
        draw()


def _draw_progress(label: str, making: Making, key: str) -> None:
    phase, done, total = making.progress
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    count = f" ({min(done + 1, total)} of {total})" if total > 1 else ""
    share = min(done / total, 1.0) if total else 0.0
    row.progress(share, for_markdown(f"{phase}{count}") if phase else f"{label}…", width=420)
    row.button("Stop", key=f"{key}_stop", icon=":material/stop:", on_click=making.stop)


def _draw_made(label: str, content: bytes, file_name: str, mime: str, key: str, help: str) -> None:
    # The bytes themselves, for Streamlit forgets a function that gives them while a later run draws the page, and a
    # button that is pressed meanwhile does nothing.
    st.download_button(
        label,
        content,
        file_name,
        mime,
        key=f"{key}_save",
        icon=":material/download:",
        help=help or None,
        on_click="ignore",
    )
    # In each run, for the browser may never draw what only one of two quick runs has; it presses once for each word.
    begin = {"button": f"st-key-{key}_save", "asked": st.session_state[f"{key}_asked"]}
    _begin_download(data=begin, key=f"{key}_begin")


def _held(key: str, content_key: Hashable) -> Making | None:
    making: Making | None = st.session_state.get(key)
    if making is None or making.key == content_key:
        return making
    del st.session_state[key]
    return None
