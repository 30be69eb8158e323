"""The style of all pages stands in the HTML that a browser gets first. An ASGI middleware.

Streamlit puts a style on the screen together with what a script shows, after it has painted the frame of the page in
its own: everything moved once it had come. Here it is there from the first moment, and so is the name in the tab.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from medpriv_core.server.doors import App, Message, Receive, Scope, Send

# By these a server answers with less than the page, or with something that no style can be put into.
_SHORTER_ANSWERS = frozenset({b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"})
_TITLE = re.compile(r"<title>[^<]*</title>")


class FirstPage:
    """Puts a style sheet and a title into each HTML page of ``app``.

    - ``style``: CSS, which comes before Streamlit's own; a rule wins by naming more.
    - ``title``: what the tab is called until a page says its own.
    """

    def __init__(self, app: App, *, style: str, title: str) -> None:
        if "</" in style or "<" in title:
            raise ValueError("a style or title would end too early in HTML")
        self._app, self._style, self._title = app, style, title

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or "/static/" in scope["path"]:
            await self._app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _SHORTER_ANSWERS]
        await self._app({**scope, "headers": headers}, receive, _Rewritten(send, self._put_in).send)

    def _put_in(self, page: bytes) -> bytes:
        html = page.decode("utf-8")
        html = _TITLE.sub(lambda _: f"<title>{self._title}</title>", html, count=1)
        return html.replace("</head>", f"<style>{self._style}</style>\n</head>", 1).encode()


class _Rewritten:
    """One answer on its way out: held back until it is whole if it is HTML, else passed on."""

    def __init__(self, send: Send, rewrite: Callable[[bytes], bytes]) -> None:
        self._send, self._rewrite = send, rewrite
        self._start: Message | None = None  # of a page
        self._body = b""

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_page(self._start, self._rewrite(self._body))
        else:
            await self._send(message)

    async def _send_page(self, start: Message, body: bytes) -> None:
        # Its tag and date are those of the file without the style.
        dropped = {b"content-length", b"etag", b"last-modified"}
        headers = [(name, value) for name, value in start["headers"] if name.lower() not in dropped]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _is_page(start: Message) -> bool:
    named = {name.lower(): value for name, value in start.get("headers", ())}
    html = named.get(b"content-type", b"").startswith(b"text/html")
    return bool(html and start["status"] == 200 and b"content-encoding" not in named)
