"""How Streamlit's server is run here: behind doors, with nothing on the disk, and without those who have left.

The rules are in ``medpriv_core/server``, which knows nothing of Streamlit. This ties them to it: by its settings, by
the form parser of its web server, and by its runtime, which keeps a closed tab's session for later.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from pathlib import Path
from typing import Any, cast

import streamlit as st
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from streamlit.file_util import get_static_dir
from streamlit.runtime import Runtime, get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.typing import UploadedFile

from medpriv_core.server.doors import Doors
from medpriv_core.server.first_page import FirstPage
from medpriv_core.server.headers import script_digests
from medpriv_core.server.memory import forget, overwrite_what_is_freed
from medpriv_core.server.other_names import OtherNames
from medpriv_core.server.outside import stay_inside
from medpriv_core.server.upload_room import UploadRoom

log = logging.getLogger("medpriv")

STYLE = Path(__file__).parent / "assets" / "app.css"

# A tab whose connection broke, because the machine slept or a proxy is restarted, finds its session again for so long.
RETURN_WITHIN_S = 3.0
# What a page was computing when its tab closed ends first; until then its session is looked for so often.
LOOK_AGAIN_S = 2.0
LOOKS = 60

_closed: dict[weakref.ref[Any], int] = {}  # sessions, and how often they are still looked for
_sweeping: set[asyncio.Task[None]] = set()  # the one task that does, while there is one


def doors() -> Middleware:
    """What stands in front of Streamlit, set up from its own settings."""
    page = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")
    return Middleware(
        Doors,
        allowed_hosts=tuple(st.get_option("server.allowedHosts")),
        base_path=st.get_option("server.baseUrlPath") or "",
        script_digests=script_digests(page),
        on_leave=close_those_who_left,
    )


def first_page() -> Middleware:
    """What puts the look of all pages into the HTML that a browser gets first."""
    return Middleware(FirstPage, style=STYLE.read_text(encoding="utf-8"), title="medpriv")


def other_names() -> Middleware:
    """What leads to the first page by its name, too."""
    return Middleware(OtherNames, names={"explore": ""})


def prepare_process() -> None:
    """Set this process up for serving; once, when it starts."""
    stay_inside()
    keep_uploads_in_memory()
    overwrite_what_is_freed()


def keep_uploads_in_memory() -> None:
    """Have the web server's form parser put no upload into a temporary file, as it does beyond 1 MB.

    ``server.maxUploadSize`` bounds what it keeps: a longer one is broken off.
    """
    if not hasattr(MultiPartParser, "spool_max_size"):
        log.warning("This version of Starlette may put uploads into temporary files.")
    MultiPartParser.spool_max_size = 0  # without bounds


def take_bytes(file: UploadedFile, key: str) -> bytes:
    """The bytes of a file in the uploader ``key``, of which Streamlit keeps nothing from then on."""
    data = file.getvalue()
    drop_upload(file, key)
    return data


def drop_upload(file: UploadedFile, key: str) -> None:
    """Have Streamlit forget the bytes of a file in the uploader ``key``; its name goes with the session.

    On later runs of the page the uploader has no file, or an empty one of the same ``file_id``.
    """
    context = get_script_run_ctx()
    if context is not None:
        cast(MemoryUploadedFileManager, context.uploaded_file_mgr).remove_file(context.session_id, file.file_id)
    # What a page gets is a copy of what the session keeps; both hold on to the bytes.
    kept = st.session_state.get(key)
    for one in (file, *(kept if isinstance(kept, list) else [kept])):
        if isinstance(one, UploadedFile) and one.file_id == file.file_id:
            one.truncate(0)


def visitor() -> str:
    """What tells the browser tab for which the page is drawn from others."""
    context = get_script_run_ctx()
    return context.session_id if context is not None else ""


def upload_room() -> Middleware:
    """What keeps uploads from filling the memory."""
    largest_bytes = st.get_option("server.maxUploadSize") * 2**20
    return Middleware(UploadRoom, largest_bytes=largest_bytes, held=_held_uploads)


def _held_uploads() -> dict[str, int]:
    """Bytes of uploads that nobody has taken yet, by session."""
    files = get_instance().uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
    return {session: sum(len(file.data) for file in list(kept.values())) for session, kept in list(files.items())}


def close_those_who_left() -> None:
    """Close the sessions whose tab is gone, soon; to be called on the event loop when a connection has ended."""
    runtime = get_instance()
    left = [weakref.ref(session) for session in _left_behind(runtime)]
    asyncio.get_running_loop().call_later(RETURN_WITHIN_S, _close, runtime, left)


def _left_behind(runtime: Runtime) -> list[Any]:
    """The sessions (Streamlit's ``AppSession``) that no tab is connected to."""
    sessions = runtime._session_mgr
    return [info.session for info in sessions.list_sessions() if not sessions.is_active_session(info.session.id)]


def _close(runtime: Runtime, left: list[weakref.ref[Any]]) -> None:
    """Close those of these sessions whose tab has not come back."""
    for reference in left:
        session = reference()
        if session is not None and not runtime.is_active_session(session.id):
            runtime.close_session(session.id)
            _closed[reference] = LOOKS
    if _closed and not _sweeping:
        task = asyncio.get_running_loop().create_task(_sweep(runtime))
        _sweeping.add(task)
        task.add_done_callback(_sweeping.discard)


async def _sweep(runtime: Runtime) -> None:
    """Free what closed sessions had, as soon as their pages have come to an end."""
    while _closed:
        emptied = [reference for reference in _closed if _is_empty(reference())]
        # What was to be downloaded is marked at the first time, and deleted at the second.
        runtime.media_file_mgr.remove_orphaned_files()
        runtime.media_file_mgr.remove_orphaned_files()
        forget()
        for reference in emptied:
            del _closed[reference]
        for reference, looks in list(_closed.items()):
            _closed[reference] = looks - 1
            if looks == 0:
                log.warning("What a closed tab had is still in the memory of the server.")
                del _closed[reference]
        await asyncio.sleep(LOOK_AGAIN_S)


def _is_empty(session: Any) -> bool:
    """Empty a closed session (``AppSession``), unless its page is still at work; says whether it is empty now.

    The loop of Streamlit's runtime keeps hold of the last session that it served, so that waiting is not enough.
    """
    if session is None:
        return True
    if session._scriptrunner is not None:
        return False
    session.session_state.clear()
    # The functions that its buttons call, which hold what they are about: a slide that was being made, say.
    session.session_state._new_widget_state.widget_metadata.clear()
    session._fragment_storage.clear()
    session._client_state.Clear()
    return True
