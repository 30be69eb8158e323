"""Pages that have another address than their name says. An ASGI middleware.

Streamlit serves the first page at the root alone, and answers to its name that there is no such page.
"""

from __future__ import annotations

from collections.abc import Mapping

from medpriv_core.server.doors import App, Receive, Scope, Send


class OtherNames:
    """Sends a visitor who asks for a page by one of ``names`` to where it is, with all that the address says.

    - ``names``: from the last part of a path ("explore") to what takes its place ("" for the root).
    """

    def __init__(self, app: App, *, names: Mapping[str, str]) -> None:
        self._app, self._names = app, dict(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        name = scope["path"].rsplit("/", 1)[-1] if scope["type"] == "http" else ""
        if name not in self._names or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        query = scope.get("query_string", b"")
        # Relative, so that it holds wherever the app lies.
        place = f"./{self._names[name]}".encode() + (b"?" + query if query else b"")
        headers = [(b"location", place), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
