"""The doors by themselves: what gets through to the app behind them, and what every answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from medpriv_core.server.doors import SOCKET, Doors, opens
from medpriv_core.server.headers import FIXED, content_policy, script_digests

HOST = ("host", "localhost:8501")
Headers = Iterable[tuple[str, str]]


class Behind:
    """An app that notes what reaches it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.fails = fails

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if self.fails:
            raise RuntimeError("inside")
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        ours = [(b"Cache-Control", b"public"), (b"x-frame-options", b"ALLOWALL"), (b"etag", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": ours})
        await send({"type": "http.response.body", "body": b"inside"})


def ask(
    doors: Doors, path: str = "/", headers: Headers = (HOST,), *, method: str = "GET", kind: str = "http", **more: Any
) -> list[dict[str, Any]]:
    """What is sent back for one request."""
    sent: list[dict[str, Any]] = []
    scope = {"type": kind, "path": path, "headers": [(name.encode(), value.encode()) for name, value in headers]}
    if kind == "http":
        scope["method"] = method

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(doors(scope | more, receive, send))
    return sent


def status(*arguments: Any, **more: Any) -> int:
    return ask(*arguments, **more)[0]["status"]


def is_accepted(headers: Headers, path: str = SOCKET, **more: Any) -> bool:
    """Whether a WebSocket with these headers is opened."""
    behind = Behind()
    (answer,) = ask(Doors(behind), path, headers, kind="websocket", **more)
    assert answer["type"] == ("websocket.accept" if behind.scopes else "websocket.close")
    return bool(behind.scopes)


def origin(text: str) -> tuple[str, str]:
    return ("origin", text)


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "headers",
    [
        [("host", "evil.example:8501")],
        [("host", "evil.example:8501"), origin("http://evil.example:8501")],
        [("host", "127.0.0.1.evil.example")],
        [("host", "localhost.evil.example:8501")],
        [("host", "user@localhost:8501")],
        [("host", "")],
        [],
        [HOST, HOST],
        [HOST, ("host", "evil.example")],
        [("host", "evil.example"), HOST],
        [("host", "evil.example"), ("x-forwarded-host", "localhost:8501")],
        [("host", "evil.example"), ("forwarded", "host=localhost")],
        [("x-forwarded-host", "localhost:8501")],
    ],
)
def test_whoever_names_another_server_or_none_or_two_is_refused(headers: Headers, kind: str) -> None:
    behind = Behind()
    path = SOCKET if kind == "websocket" else "/_stcore/health"

    (answer, *_) = ask(Doors(behind), path, headers, kind=kind)

    assert behind.scopes == []
    assert answer.get("status", 403) == 403


@pytest.mark.parametrize("name", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST.:8501"])
def test_a_page_of_this_server_opens_its_websocket_by_every_name(name: str) -> None:
    page = name.lower().replace(".:", ":")

    assert is_accepted([("host", name), origin(f"http://{page}")])


@pytest.mark.parametrize(
    "headers",
    [
        [origin("http://localhost:9999")],
        [origin("http://localhost")],
        [origin("https://localhost:8501.evil.example")],
        [origin("http://127.0.0.1:8501")],
        [origin("null")],
        [origin("")],
        [origin("http://localhost:8501"), origin("http://evil.example")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
    ],
)
def test_no_other_page_does(headers: Headers) -> None:
    assert not is_accepted([HOST, *headers])


def test_a_program_that_is_no_browser_names_no_page_and_is_let_in() -> None:
    assert is_accepted([HOST])
    assert status(Doors(Behind()), "/_stcore/upload_file/a/b", method="PUT") == 200


def test_there_is_one_websocket() -> None:
    assert not is_accepted([HOST], "/")
    assert not is_accepted([HOST], "/other")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "POST"])
@pytest.mark.parametrize("page", ["http://localhost:9999", "http://evil.example", "null"])
def test_another_pages_script_can_neither_read_nor_change_anything(page: str, method: str) -> None:
    behind = Behind()

    for path in ("/", "/_stcore/health", "/media/a.png", "/_stcore/upload_file/a/b"):
        assert status(Doors(behind), path, [HOST, origin(page)], method=method) == 403
    assert behind.scopes == []


@pytest.mark.parametrize(
    ("dest", "mode", "lets_in"),
    [
        ("document", "navigate", True),  # a link that somebody follows
        ("iframe", "navigate", False),
        ("frame", "navigate", False),
        ("embed", "navigate", False),
        ("object", "navigate", False),
        ("image", "no-cors", False),
        ("script", "no-cors", False),
        ("style", "no-cors", False),
        ("empty", "cors", False),
    ],
)
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_can_only_have_a_whole_page_opened(site: str, dest: str, mode: str, lets_in: bool) -> None:
    headers = [HOST, ("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)]

    assert status(Doors(Behind()), "/runs", headers) == (200 if lets_in else 403)
    assert status(Doors(Behind()), "/runs", headers, method="POST") in (403, 405)


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_own_pages_and_addresses_that_are_typed_are_let_in(site: str) -> None:
    assert status(Doors(Behind()), "/runs", [HOST, ("sec-fetch-site", site), ("sec-fetch-dest", "image")]) == 200


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/", "GET"),
        ("/", "HEAD"),
        ("/runs", "GET"),
        ("/runs/", "GET"),
        ("/favicon.png", "GET"),
        ("/manifest.json", "GET"),
        ("/static/js/index.js", "GET"),
        ("/media/abc.png", "GET"),
        ("/media/abc.png", "HEAD"),
        ("/_stcore/health", "GET"),
        ("/_stcore/host-config", "GET"),
        ("/_stcore/upload_file/session/file", "PUT"),
        ("/_stcore/upload_file/session/file", "DELETE"),
        ("/_stcore/upload_file/session/file", "OPTIONS"),
        ("/applesauce", "GET"),  # begins like a closed one
    ],
)
def test_what_the_pages_use_is_open(path: str, method: str) -> None:
    assert opens("http", method, path) is None


@pytest.mark.parametrize(
    ("path", "method", "refused"),
    [
        ("/_stcore/metrics", "GET", 404),
        ("/_stcore/script-health-check", "GET", 404),
        ("/_stcore/agent/interact", "POST", 404),
        ("/_stcore/agent/mcp", "POST", 404),
        ("/_stcore/agent/openapi.json", "GET", 404),
        ("/_stcore/bidi-components/x/y.js", "GET", 404),
        ("/_stcore/stream", "GET", 404),
        ("/_stcore/next-years-door", "GET", 404),
        ("/_stcore", "GET", 404),
        ("/component/x/index.html", "GET", 404),
        ("/app/static/secret.txt", "GET", 404),
        ("/auth/login", "GET", 404),
        ("/oauth2callback", "GET", 404),
        ("/runs/_stcore/health", "GET", 404),
        ("//evil.example", "GET", 404),
        ("http://evil.example/", "GET", 404),
        ("", "GET", 404),
        ("*", "OPTIONS", 404),
        ("/static", "GET", 404),
        ("/", "POST", 405),
        ("/runs", "DELETE", 405),
        ("/_stcore/health", "PUT", 405),
        ("/_stcore/upload_file/session/file", "POST", 405),
        ("/_stcore/upload_file/session/file", "GET", 405),
        ("/media/abc.png", "TRACE", 405),
    ],
)
def test_all_else_of_streamlits_is_closed_also_what_it_may_have_one_day(path: str, method: str, refused: int) -> None:
    answer = opens("http", method, path)

    assert answer is not None
    assert answer.status == refused


def test_an_app_that_lies_below_a_path_is_open_there_and_nowhere_else() -> None:
    doors = Doors(Behind(), base_path="/tools/medpriv/")

    assert status(doors, "/tools/medpriv") == 200
    assert status(doors, "/tools/medpriv/runs") == 200
    assert status(doors, "/tools/medpriv/_stcore/health") == 200
    assert status(doors, "/tools/medpriv/_stcore/metrics") == 404
    assert status(doors, "/_stcore/health") == 404
    assert status(doors, "/") == 404
    assert status(doors, "/tools/medprivate") == 404


def test_the_name_of_a_proxy_is_let_in_once_it_is_allowed() -> None:
    proxied = [("host", "medpriv.example"), origin("https://medpriv.example")]

    assert status(Doors(Behind()), "/", proxied) == 403
    assert status(Doors(Behind(), allowed_hosts=["localhost", "medpriv.example"]), "/", proxied) == 200
    assert status(Doors(Behind(), allowed_hosts=[]), "/", [HOST]) == 200, "an empty list means the loopback"
    assert status(Doors(Behind(), allowed_hosts=[]), "/", proxied) == 403


def test_behind_the_doors_a_host_and_its_origin_have_one_spelling() -> None:
    behind = Behind()

    ask(Doors(behind), "/", [("Host", "LOCALHOST.:8501"), ("Origin", "http://localhost:8501"), ("x", "y")])
    ask(Doors(behind), "/", [("host", "localhost"), ("origin", "http://localhost:80")])

    assert behind.scopes[0]["headers"][:2] == [(b"Host", b"localhost:8501"), (b"Origin", b"http://localhost:8501")]
    assert behind.scopes[0]["headers"][2:] == [(b"x", b"y")]
    assert dict(behind.scopes[1]["headers"])[b"origin"] == b"http://localhost"


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [("/", [HOST], 200), ("/", [("host", "evil.example")], 403), ("/_stcore/metrics", [HOST], 404), ("/", [], 403)],
)
def test_every_answer_forbids_frames_guesses_and_foreign_content(path: str, headers: Headers, expected: int) -> None:
    start = ask(Doors(Behind(), script_digests=["'sha256-x'"]), path, headers)[0]
    sent = {name.decode().lower(): value.decode() for name, value in start["headers"]}

    assert start["status"] == expected
    assert {name: sent[name.lower()] for name in FIXED} == FIXED
    assert "frame-ancestors 'none'" in sent["content-security-policy"]
    assert "'sha256-x'" in sent["content-security-policy"]
    assert [name for name, _ in start["headers"]].count(b"x-frame-options") == 1


def test_what_a_visitor_made_is_not_kept_by_the_browser_and_the_programs_own_files_are() -> None:
    def cached(path: str) -> dict[bytes, bytes]:
        return dict(ask(Doors(Behind()), path)[0]["headers"])

    assert cached("/media/a.png")[b"cache-control"] == b"no-store"
    assert cached("/static/js/a.js")[b"Cache-Control"] == b"public"


def test_an_app_that_fails_answers_with_a_sentence_and_the_headers_and_the_failure_is_passed_on() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"host", b"localhost")]}
    with pytest.raises(RuntimeError, match="inside"):
        asyncio.run(Doors(Behind(fails=True))(scope, None, send))
    assert sent[0]["status"] == 500
    assert b"x-frame-options" in dict(sent[0]["headers"])
    assert b"inside medpriv" in sent[1]["body"]


def test_the_end_of_a_visit_is_told_however_it_ends_and_a_refused_one_is_none() -> None:
    ends: list[str] = []

    ask(Doors(Behind(), on_leave=lambda: ends.append("left")), SOCKET, kind="websocket")
    with pytest.raises(RuntimeError):
        ask(Doors(Behind(fails=True), on_leave=lambda: ends.append("broke off")), SOCKET, kind="websocket")
    ask(Doors(Behind(), on_leave=lambda: ends.append("refused")), SOCKET, [], kind="websocket")

    assert ends == ["left", "broke off"]


def test_who_was_refused_is_told_in_the_terminal_once_and_as_harmless_text(caplog: pytest.LogCaptureFixture) -> None:
    doors = Doors(Behind())

    for _ in range(3):
        ask(doors, "/", [("host", "evil.example\x1b[2J")])
    for number in range(100):
        ask(doors, "/", [("host", f"evil{number}.example")])

    assert caplog.messages[0].endswith(r"'evil.example\x1b[2J'")
    assert len(caplog.messages) == 20


def test_a_pages_own_scripts_are_allowed_by_their_digest_and_no_others() -> None:
    page = "<script>\r\n  a = 1\r\n</script><script type='module' src='./b.js'></script><SCRIPT>c()</SCRIPT>"

    assert len(script_digests(page)) == 2
    assert script_digests("<script>alert(1)</script>") == ("'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='",)
    policy = content_policy(None, ())
    assert "script-src 'self' blob:;" in policy
    for word in ("'unsafe-eval'", "*", "http:", "https:"):
        assert word not in policy
