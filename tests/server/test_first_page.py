"""The style of all pages is in the HTML that comes first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from medpriv_core.server.first_page import FirstPage

PAGE = b"<!DOCTYPE html><html><head><title>Other</title></head><body><p>\xc3\xa9 </head></p></body></html>"
STYLED = (
    b"<!DOCTYPE html><html><head><title>ours</title><style>p {color: red}</style>\n</head>"
    b"<body><p>\xc3\xa9 </head></p></body></html>"
)


def answer(
    body: bytes,
    *headers: tuple[bytes, bytes],
    status: int = 200,
    asked: tuple[tuple[bytes, bytes], ...] = (),
    method: str = "GET",
    path: str = "/train",
) -> tuple[dict[bytes, bytes], bytes, dict[bytes, bytes]]:
    """Headers and body of an answer that ``body`` became, and the headers that the app was asked with."""
    seen: dict[bytes, bytes] = {}
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope["headers"])
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        middle = len(body) // 2
        await send({"type": "http.response.body", "body": body[:middle], "more_body": True})
        await send({"type": "http.response.body", "body": body[middle:]})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": method, "path": path, "headers": list(asked)}
    asyncio.run(FirstPage(app, style="p {color: red}", title="ours")(scope, receive, send))
    assert sent[0]["status"] == status
    return dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:]), seen


HTML = (b"content-type", b"text/html; charset=utf-8")


def test_a_page_gets_the_style_before_anything_is_painted_and_its_length_is_true() -> None:
    headers, body, _ = answer(PAGE, HTML, (b"content-length", b"%d" % len(PAGE)), (b"etag", b"1"), (b"x", b"kept"))
    assert body == STYLED
    assert headers == {HTML[0]: HTML[1], b"x": b"kept", b"content-length": b"%d" % len(STYLED)}


def test_the_app_is_not_asked_for_less_than_the_page() -> None:
    asked = ((b"If-None-Match", b"1"), (b"accept-encoding", b"gzip"), (b"host", b"localhost"))
    assert answer(PAGE, HTML, asked=asked)[2] == {b"host": b"localhost"}


@pytest.mark.parametrize(
    ("changed", "headers"),
    [
        ({"status": 404}, (HTML,)),
        ({"method": "HEAD"}, (HTML,)),
        ({"path": "/static/js/index.html"}, (HTML,)),
        ({}, ((b"content-type", b"application/json"),)),
        ({}, (HTML, (b"content-encoding", b"gzip"))),
    ],
)
def test_what_is_no_page_passes_as_it_is(changed: dict[str, Any], headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert answer(PAGE, *headers, **changed)[:2] == (dict(headers), PAGE)


@pytest.mark.parametrize("asked", [{"style": "p {} </style><script>", "title": "a"}, {"style": "", "title": "<b>"}])
def test_neither_style_nor_title_ends_where_html_would_begin(asked: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="end too early"):
        FirstPage(None, **asked)
