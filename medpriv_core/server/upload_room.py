"""How much of the server's memory uploads may take, for one visitor and for all together. An ASGI middleware.

A file that is uploaded lies in memory from its first byte until it has been decoded, and somebody can send many at once
through one browser tab. What is on its way counts by the length that its request states (a request without one counts
as the largest file), what has arrived by its bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

from medpriv_core.server.doors import App, Receive, Scope, Send

# In largest files. Some runs may be brought at once.
MOST_OF_ONE, MOST_OF_ALL = 4, 12
_LINES_BYTES = 2**20  # by so many a request may be longer than its file

TOO_MUCH = (
    "This browser tab has as many images on their way as it may have. Wait until they have been read, then choose "
    "the next."
)
TOO_MUCH_OF_ALL = "Others are sending images right now, as many as the memory of this server takes. Try again soon."
_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")


class UploadRoom:
    """Lets an upload through to ``app`` if there is room for it.

    - ``largest_bytes``: of a file, which the app itself sees to.
    - ``held``: tells the bytes that lie there, by visitor.
    """

    def __init__(self, app: App, *, largest_bytes: int, held: Callable[[], Mapping[str, int]]) -> None:
        self._app, self._largest, self._held = app, largest_bytes, held
        self._coming: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it with status 413 or 503."""
        found = _UPLOAD.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        visitor, length = found[1], self._stated_length(scope)
        held = self._held()
        if held.get(visitor, 0) + self._coming[visitor] + length > MOST_OF_ONE * self._largest + _LINES_BYTES:
            await _refuse(send, 413, TOO_MUCH)
            return
        if sum(held.values()) + self._coming.total() + length > MOST_OF_ALL * self._largest + _LINES_BYTES:
            await _refuse(send, 503, TOO_MUCH_OF_ALL)
            return
        self._coming[visitor] += length
        try:
            await self._app(scope, receive, send)
        finally:
            self._coming[visitor] -= length
            if not self._coming[visitor]:
                del self._coming[visitor]

    def _stated_length(self, scope: Scope) -> int:
        """The length that a request states; that of the largest file where it states none, or no number."""
        stated = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
        return int(stated[0]) if len(stated) == 1 and stated[0].isdigit() and len(stated[0]) < 19 else self._largest


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
