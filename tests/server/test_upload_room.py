"""One visitor cannot fill the server's memory by uploads, nor can all together."""

from __future__ import annotations

import asyncio
from typing import Any

from medpriv_core.server.upload_room import MOST_OF_ALL, UploadRoom

MB = 2**20
FILE_BYTES = 64 * MB


class Server:
    """An app behind the room, whose uploads last until they are told to end."""

    def __init__(self, held: dict[str, int] | None = None) -> None:
        self.held = held or {}
        self.room = UploadRoom(self.app, largest_bytes=FILE_BYTES, held=lambda: self.held)
        self.end = asyncio.Event()
        self.fails = False

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await self.end.wait()
        if self.fails:
            raise RuntimeError
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def put(self, visitor: str, length: int | None, *, method: str = "PUT", file: str = "f") -> tuple[int, str]:
        """The status and body of one upload."""
        headers = [] if length is None else [(b"content-length", str(length).encode())]
        path = f"/base/_stcore/upload_file/{visitor}/{file}"
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await self.room({"type": "http", "method": method, "path": path, "headers": headers}, None, send)
        return sent[0]["status"], sent[1]["body"].decode()


def statuses(*uploads: tuple[str, int | None], held: dict[str, int] | None = None) -> list[int]:
    """Of uploads that are all on their way at once."""

    async def run() -> list[int]:
        server = Server(held)
        tasks = [asyncio.create_task(server.put(visitor, length)) for visitor, length in uploads]
        await asyncio.sleep(0)
        server.end.set()
        return [(await task)[0] for task in tasks]

    return asyncio.run(run())


def test_eight_large_files_into_one_tab_are_not_all_taken() -> None:
    assert statuses(*[("one", 60 * MB)] * 8) == [*[204] * 4, *[413] * 4]


def test_what_lies_there_already_counts() -> None:
    assert statuses(("one", 60 * MB), held={"one": 220 * MB}) == [413]
    assert statuses(("two", 60 * MB), held={"one": 220 * MB}) == [204]


def test_a_request_that_states_no_length_counts_as_the_largest_file() -> None:
    assert statuses(*[("one", None)] * 5) == [*[204] * 4, 413]


def test_all_together_have_a_limit_too() -> None:
    answers = statuses(*[(str(number), FILE_BYTES) for number in range(MOST_OF_ALL + 2)])
    assert answers == [204] * MOST_OF_ALL + [503] * 2


def test_a_length_beyond_any_file_is_refused() -> None:
    assert statuses(("one", 10**15)) == [413]


def test_room_is_free_again_when_an_upload_has_ended_or_failed() -> None:
    async def run() -> None:
        server = Server()
        server.end.set()
        for server.fails in (False, True, False):
            for _ in range(5):
                try:
                    assert (await server.put("one", 100 * MB))[0] == 204
                except RuntimeError:
                    assert server.fails

    asyncio.run(run())


def test_other_requests_pass_and_a_refusal_is_a_sentence() -> None:
    async def run() -> None:
        server = Server({"one": 300 * MB})
        server.end.set()
        assert (await server.put("one", None, method="DELETE"))[0] == 204
        status, sentence = await server.put("one", 1)
        assert (status, sentence.count(".")) == (413, 2)
        assert "Wait until they have been read" in sentence

    asyncio.run(run())
