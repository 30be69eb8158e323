"""A web server on the loopback for tests of downloading; its misbehaviour is chosen by path."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """Serves ``files`` (path -> bytes) and notes which paths were asked for.

    A path ending in ``?short`` breaks off half-way, ``?nolength`` does not say how long it is, ``?slow`` (or
    one below ``/slow/``) sends a little at a time, ``?hang`` never answers. What ``answers`` holds for a path is
    called with the handler and may write what it likes.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], object]] = {}
        self.asked: list[str] = []
        self.closing = threading.Event()


@contextmanager
def serve() -> Iterator[Web]:
    """Run the server until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, mood = self.path.partition("?")
            web.asked.append(self.path)
            if path in web.answers:
                web.answers[path](self)
                return
            if mood == "hang":
                web.closing.wait(20)
                return
            data = web.files.get(path)
            if data is None:
                self.send_error(404)
                return
            self.send_response(200)
            if mood != "nolength":
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if mood == "short":
                self.wfile.write(data[: len(data) // 2])
            elif mood == "slow" or path.startswith("/slow/"):
                self._trickle(data)
            else:
                self.wfile.write(data)

        def _trickle(self, data: bytes) -> None:
            try:
                for start in range(0, len(data), 20_000):
                    self.wfile.write(data[start : start + 20_000])
                    if web.closing.wait(0.02):
                        return
            except ConnectionError:
                return

        def log_message(self, *_: object) -> None:
            """Keeps the test output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web = Web(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield web
    finally:
        web.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
