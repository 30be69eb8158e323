"""A page is found by its name, too, where its address is another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from medpriv_core.server.other_names import OtherNames


def ask(path: str, *, query: bytes = b"", method: str = "GET", kind: str = "http") -> Any:
    """The first message of the answer; "passed on" where the app was asked."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent.append("passed on")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "method": method, "path": path, "query_string": query}
    asyncio.run(OtherNames(app, names={"explore": ""})(scope, None, send))
    return sent[0]


@pytest.mark.parametrize(
    ("path", "query", "place"),
    [
        ("/explore", b"", b"./"),
        ("/explore", b"beta=2&x=%0d%0a", b"./?beta=2&x=%0d%0a"),
        ("/under/a/proxy/explore", b"beta=2", b"./?beta=2"),
    ],
)
def test_it_is_sent_to_where_it_is_with_all_that_the_address_says(path: str, query: bytes, place: bytes) -> None:
    answer = ask(path, query=query)
    assert answer["status"] == 307
    assert dict(answer["headers"])[b"location"] == place


@pytest.mark.parametrize(
    ("path", "also"),
    [
        ("/train", {}),
        ("/", {}),
        ("/explore/", {}),
        ("/explore", {"method": "PUT"}),
        ("/explore", {"kind": "websocket"}),
    ],
)
def test_all_else_is_passed_on(path: str, also: dict[str, Any]) -> None:
    assert ask(path, **also) == "passed on"
