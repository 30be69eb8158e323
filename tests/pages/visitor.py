"""A browser tab without a browser: it speaks to a served app over its WebSocket, and uploads as a page does."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

PATIENCE_S = 60


@contextmanager
def visit(port: int, *, name: str = "127.0.0.1", **query: str) -> Iterator[Visitor]:
    """A tab that is open until the block ends."""
    origin = f"http://{name}:{port}"
    with connect(
        f"ws://{name}:{port}/_stcore/stream",
        origin=Origin(origin),
        subprotocols=[Subprotocol("streamlit")],
        max_size=None,
        open_timeout=PATIENCE_S,
    ) as socket:
        yield Visitor(socket, port, origin, query)


class Visitor:
    """One tab on one page."""

    def __init__(self, socket: ClientConnection, port: int, origin: str, query: dict[str, str]) -> None:
        self._socket, self._port, self._origin = socket, port, origin
        self._state = ClientState(query_string=urlencode(query))
        self.session_id = ""
        self.told_to_gather_statistics: bool | None = None

    def run(self) -> None:
        """Have the page run, to its end."""
        self._socket.send(BackMsg(rerun_script=self._state).SerializeToString())
        while True:
            message = ForwardMsg.FromString(self._socket.recv(timeout=PATIENCE_S))
            if message.WhichOneof("type") == "new_session":
                self.session_id = message.new_session.initialize.session_id
                self.told_to_gather_statistics = message.new_session.config.gather_usage_stats
            if message.WhichOneof("type") == "script_finished":
                return

    def upload(
        self, file_id: str, data: bytes, file_name: str
    ) -> tuple[http.client.HTTPConnection, dict[str, str], bytes]:
        """A connection for an upload, and the headers and the body that belong to it."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        connection.request("GET", "/_stcore/health")
        answer = connection.getresponse()
        answer.read()
        found = re.search(r"_streamlit_xsrf=([^;]+)", answer.headers["Set-Cookie"])
        assert found
        boundary = "a5f1c3"
        headers = {
            "Host": self._origin.removeprefix("http://"),
            "Origin": self._origin,
            "Cookie": f"_streamlit_xsrf={found[1]}",
            "X-Xsrftoken": found[1],
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        part = f'Content-Disposition: form-data; name="file"; filename="{file_name}"\r\nContent-Type: x/y\r\n\r\n'
        body = f"--{boundary}\r\n{part}".encode() + data + f"\r\n--{boundary}--\r\n".encode()
        return connection, headers, body
