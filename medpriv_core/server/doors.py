"""The doors of the server: who may ask it, and for what. An ASGI middleware in front of everything else.

Streamlit looks at a request's origin where a WebSocket is opened, and at little else. Here every request is looked at
before anything of Streamlit's runs:

- it must name this server (``addresses.py``): a foreign name is that of somebody's page which points here;
- what a script asks for must come from a page of this server, port included. Programs other than browsers name no
  origin and are let in: whoever can start one on this machine needs no web page. A browser always names it where a
  WebSocket is opened or something is changed, and for the rest says from where it asks (``Sec-Fetch-Site``);
- the path must be one that medpriv uses (``opens``). Streamlit has others, and a later version may have more.

Behind the doors a request has one spelling of its host and origin, so that Streamlit's own look at them finds nothing
to ask about: where it is in doubt, it asks a server on the internet for this machine's address, and everybody waits.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from medpriv_core.server.addresses import LOOPBACK, Host, is_allowed, is_same_origin, parse_host
from medpriv_core.server.headers import FIXED, NOT_TO_BE_KEPT, content_policy

log = logging.getLogger("medpriv")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SOCKET = "/_stcore/stream"
_READ = frozenset({"GET", "HEAD"})
_OPEN: tuple[tuple[str, frozenset[str]], ...] = (
    (r"/_stcore/(health|host-config)", _READ),
    (r"/_stcore/upload_file/[^/]+/[^/]+", frozenset({"PUT", "DELETE", "OPTIONS"})),
    (r"/(static|media)/.+", _READ),
    # A page is a single name; what it is called is looked up by the app itself.
    (r"/(?!(?:_stcore|app|auth|component|media|oauth2callback|static)(?:/|$))[^/]*/?", _READ),
)
_MEDIA = "/media/"
_VISITS = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}
_MOST_TOLD = 20

UNKNOWN_NAME = (
    "medpriv is asked by a name that is not its own, so it does not answer. Open it as localhost or 127.0.0.1. Where a "
    "proxy stands in front, its name belongs into server.allowedHosts, as the README says."
)
FOREIGN_PAGE = "medpriv takes requests from its own pages only, and this one came from another page."
CLOSED = "There is nothing here."
NOT_SO = "This cannot be done here."
FAILED = "Something went wrong inside medpriv. The terminal in which the app runs has the details."


@dataclass(frozen=True)
class Refusal:
    """A status of HTTP and the sentence that goes with it."""

    status: int
    sentence: str


class Doors:
    """Lets through to ``app`` what may come in, and puts the headers on all that goes out.

    - ``allowed_hosts``: names by which the server is asked, as in ``addresses.is_allowed``; none means the loopback's.
    - ``base_path``: where the app lies, if not at the root.
    - ``script_digests``: of scripts that stand in its pages (``headers.script_digests``).
    - ``on_leave``: called when a visitor's WebSocket has ended, after the app has noticed.
    """

    def __init__(
        self,
        app: App,
        *,
        allowed_hosts: Sequence[str] = LOOPBACK,
        base_path: str = "",
        script_digests: Iterable[str] = (),
        on_leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._allowed = tuple(allowed_hosts) or LOOPBACK
        trimmed = base_path.strip("/")
        self._base = f"/{trimmed}" if trimmed else ""
        self._digests = tuple(script_digests)
        self._on_leave = on_leave
        self._told: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = _named_host(scope)
        refusal = self.refusal(scope, host)
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send, host, refusal)
            return
        answer = _Answer(
            send, self._headers(None if refusal else host, private=self._inner_path(scope).startswith(_MEDIA))
        )
        if refusal is not None:
            await answer.refuse(refusal)
            return
        try:
            await self._app(_spelt_once(scope, host), receive, answer.send)
        except Exception:
            # Whoever logs it stands outside, and would answer without these headers.
            await answer.refuse(Refusal(500, FAILED))
            raise

    def refusal(self, scope: Scope, host: Host | None) -> Refusal | None:
        """Why a request at ``host`` (None: it names none, or several) is not let in; None if it is."""
        if host is None or not is_allowed(host, self._allowed):
            self._tell(scope, "host")
            return Refusal(403, UNKNOWN_NAME)
        if not _comes_from_here(scope, host):
            self._tell(scope, "origin")
            return Refusal(403, FOREIGN_PAGE)
        return opens(scope["type"], scope.get("method", ""), self._inner_path(scope))

    async def _serve_socket(
        self, scope: Scope, receive: Receive, send: Send, host: Host | None, refusal: Refusal | None
    ) -> None:
        if refusal is not None:
            # Before it was accepted: the server answers the handshake with 403.
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            await self._app(_spelt_once(scope, host), receive, send)
        finally:
            self._on_leave()

    def _inner_path(self, scope: Scope) -> str:
        """The path below where the app lies; an empty one, which no door opens, for what lies elsewhere."""
        path: str = scope["path"]
        if not self._base:
            return path
        if path == self._base:
            return "/"
        return path.removeprefix(self._base) if path.startswith(f"{self._base}/") else ""

    def _headers(self, host: Host | None, *, private: bool) -> dict[str, str]:
        policy = {"Content-Security-Policy": content_policy(host, self._digests)}
        return FIXED | policy | (NOT_TO_BE_KEPT if private else {})

    def _tell(self, scope: Scope, header: str) -> None:
        """Say once, in the terminal, who was refused, for whoever sets up a proxy."""
        said = " ".join(ascii(value.decode("latin-1")[:80]) for value in _values(scope, header.encode())) or "none"
        if len(self._told) < _MOST_TOLD and (header, said) not in self._told:
            self._told.add((header, said))
            log.warning("Refused a request whose %s is not this server's: %s", header, said)


def opens(kind: str, method: str, path: str) -> Refusal | None:
    """Whether medpriv uses this path in this way: None, or how it is refused. ``kind`` is "http" or "websocket"."""
    if kind == "websocket":
        return None if path == SOCKET else Refusal(404, CLOSED)
    methods = [methods for pattern, methods in _OPEN if re.fullmatch(pattern, path)]
    if not methods:
        return Refusal(404, CLOSED)
    return None if any(method in each for each in methods) else Refusal(405, NOT_SO)


def _named_host(scope: Scope) -> Host | None:
    """The host that a request names; None without one, with several, or with one that is no name."""
    named = _values(scope, b"host")
    return parse_host(named[0].decode("latin-1")) if len(named) == 1 else None


def _comes_from_here(scope: Scope, host: Host) -> bool:
    """Whether a page of this server asks, a person who opens an address, or a program that is no browser."""
    origins = _values(scope, b"origin")
    if origins:
        secure = scope.get("scheme") in ("https", "wss")
        return len(origins) == 1 and is_same_origin(origins[0].decode("latin-1"), host, secure=secure)
    sites = set(_values(scope, b"sec-fetch-site"))
    if sites <= {b"same-origin", b"none"}:
        return True
    # A link on another page, followed by a person: it opens a whole page, and only that.
    followed = all(_values(scope, name) == [value] for name, value in _VISITS.items())
    return followed and scope["type"] == "http" and scope["method"] in _READ


def _spelt_once(scope: Scope, host: Host | None) -> Scope:
    """The request with its host, and its origin if it has one, as browsers write them."""
    assert host is not None
    headers = []
    for name, value in scope["headers"]:
        if name.lower() == b"host":
            value = str(host).encode()
        elif name.lower() == b"origin":
            # It was found to be the same; the scheme is the page's own.
            value = value.partition(b"://")[0] + f"://{host}".encode()
        headers.append((name, value))
    return {**scope, "headers": headers}


def _values(scope: Scope | Mapping[str, Any], name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key.lower() == name]


class _Answer:
    """One answer on its way out, with our headers in the place of any others of these names."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send, self._begun = send, False
        self._added = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self._begun = True
            names = {name for name, _ in self._added}
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message = {**message, "headers": [*kept, *self._added]}
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, if nothing was sent yet."""
        if self._begun:
            return
        body = f"{refusal.sentence}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
