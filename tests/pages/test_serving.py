"""Streamlit's server as it is run here: what it opens, what it asks for, and what it keeps."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from benchmarks.served_app import ROOT, ServedApp, serve_app
from medpriv_core.home import DataHome
from medpriv_core.server.doors import SOCKET, opens
from pages.parts.serving import STYLE
from tests.pages.visitor import visit
from tests.server.looking import holds, open_files_with

linux = pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="looks into another process by /proc")
PATIENCE_S = 60
# What a folder or a user could hold in a config.toml that would open a door of Streamlit's.
HOSTILE_CONFIG = """
[global]
developmentMode = true
[server]
address = "0.0.0.0"
allowedHosts = ["*"]
corsAllowedOrigins = ["http://evil.example"]
enableCORS = false
enableXsrfProtection = false
enableAgentApi = true
enableStaticServing = true
scriptHealthCheckEnabled = true
[client]
allowedOrigins = ["http://evil.example"]
showErrorDetails = "full"
[browser]
gatherUsageStats = true
serverAddress = "evil.example"
"""
# Notes every look-up and every connection that is tried, and makes look-ups as slow as a dead name server does.
WATCH = """
import os, socket, sys, time
def note(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"):
        asked = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        asked = arguments[1]
    else:
        return
    os.write(notes, f"{event} {asked}\\n".encode())
notes = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sys.addaudithook(note)
plain = socket.getaddrinfo
def slow(*arguments, **named):
    try:
        return plain(*arguments, **named)
    except PermissionError:  # refused before anybody was asked
        raise
    finally:
        if not isinstance(sys.exc_info()[1], PermissionError):
            time.sleep(20)
socket.getaddrinfo = slow
"""

# Takes away what stands in front of Streamlit, but for the refusal to ask anybody.
BREAK = f"""
sys.path.append({str(ROOT)!r})
import medpriv_core.server.doors as doors, pages.parts.serving as serving
doors.Doors.refusal = lambda self, scope, host: None
doors._spelt_once = lambda scope, host: scope
serving.keep_uploads_in_memory = lambda: None
"""


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the served app's attempts to reach somebody are noted."""
    return tmp_path_factory.mktemp("notes") / "asked"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, notes: Path) -> Iterator[ServedApp]:
    """The app, started in a folder with a hostile configuration, on a machine whose name server is dead."""
    folder = tmp_path_factory.mktemp("folder")
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "config.toml").write_text(HOSTILE_CONFIG)
    home = DataHome(tmp_path_factory.mktemp("data") / "home")
    with serve_app(home, folder=folder, before=WATCH, NOTES=str(notes)) as app:
        yield app
    # A single look-up would have taken 20 s; what is looked at is that none was tried, whatever the tests did.
    assert notes.read_text() == ""


def ask(served: ServedApp, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request, with exactly these headers beside the host's."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE_S)
    sent = {"Host": f"127.0.0.1:{served.port}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=sent)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def say(served: ServedApp, request: str) -> str:
    """The first line of the answer to a request that is sent as it stands."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_S) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        return connection.makefile("rb").readline().decode()


def handshake(served: ServedApp, *, host: str, origin: str | None) -> int:
    """The status by which the server answers a WebSocket's handshake."""
    try:
        with connect(
            f"ws://{host}{SOCKET}",
            sock=socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_S),
            origin=Origin(origin) if origin else None,
            proxy=None,
        ):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


ROUTES = """
import json, sys; sys.path.append(sys.argv[1])
import app
built, found = app.app._build_starlette_app(), {}
for route in built.routes:
    kinds = getattr(route, "methods", None) or {type(route).__name__}
    found.setdefault(route.path, set()).update(kinds)
print(json.dumps({path: sorted(kinds) for path, kinds in found.items()}))
print(json.dumps([middleware.cls.__name__ for middleware in built.user_middleware]))
"""
EVERY_METHOD = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
OPEN_ROUTES = {
    "/_stcore/health": ["GET", "HEAD", "OPTIONS"],
    "/_stcore/host-config": ["GET", "HEAD"],
    "/media/{file_id:path}": ["GET", "HEAD", "OPTIONS"],
    "/_stcore/upload_file/{session_id}/{file_id}": ["DELETE", "OPTIONS", "PUT"],
    "/_stcore/stream": ["WebSocketRoute"],
    "": ["Mount"],  # Streamlit's own files, and its page for every other path
}
CLOSED_ROUTES = {
    "/_stcore/metrics": ["GET", "HEAD", "OPTIONS"],
    "/component/{path:path}": ["GET", "HEAD", "OPTIONS"],
    "/_stcore/bidi-components/{path:path}": ["GET", "HEAD", "OPTIONS"],
    "/auth/login": ["GET", "HEAD"],
    "/auth/logout": ["GET", "HEAD"],
    "/oauth2callback": ["GET", "HEAD"],
    "/_stcore/agent/interact": EVERY_METHOD,
    "/_stcore/agent/openapi.json": EVERY_METHOD,
    "/_stcore/agent/mcp": EVERY_METHOD,
}


def test_every_route_of_the_installed_streamlit_is_known_and_open_or_closed_on_purpose() -> None:
    """A new version's new door turns up here; the doors keep it closed until somebody has opened it there."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", ROUTES, str(ROOT)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    routes, middleware = map(json.loads, done.stdout.splitlines())

    assert routes == OPEN_ROUTES | CLOSED_ROUTES
    assert middleware[0] == "Doors"
    for path in CLOSED_ROUTES:
        for method in EVERY_METHOD:
            assert opens("http", method, path.replace("{path:path}", "name/file.js")), (method, path)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST", "localhost."])
def test_the_served_app_answers_by_each_of_its_names_and_opens_the_websocket_of_its_own_page(
    served: ServedApp, name: str
) -> None:
    host = f"{name}:{served.port}"

    assert ask(served, "/_stcore/health", Host=host)[0] == 200
    assert handshake(served, host=host, origin=f"http://{name.lower().removesuffix('.')}:{served.port}") == 101


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.example:{port}", "http://evil.example:{port}"),
        ("127.0.0.1.evil.example:{port}", "http://127.0.0.1.evil.example:{port}"),
        ("127.0.0.1:{port}", "http://evil.example"),
        ("127.0.0.1:{port}", "http://localhost:9999"),
        ("127.0.0.1:{port}", "http://localhost:{port}"),
        ("127.0.0.1:{port}", "http://127.0.0.1"),
        ("127.0.0.1:{port}", "null"),
    ],
)
def test_other_pages_are_refused_at_once_though_the_name_server_is_dead(
    served: ServedApp, host: str, origin: str
) -> None:
    host, origin = host.format(port=served.port), origin.format(port=served.port)

    assert handshake(served, host=host, origin=origin) == 403
    assert ask(served, "/_stcore/health", Host=host, Origin=origin)[0] == 403


def test_two_hosts_are_none(served: ServedApp) -> None:
    ours = f"Host: 127.0.0.1:{served.port}\n"
    foreign = "Host: evil.example\n"

    assert " 200 " in say(served, f"GET /_stcore/health HTTP/1.1\n{ours}\n")
    for hosts in (ours + foreign, foreign + ours, ours + ours, "", f"{foreign}X-Forwarded-{ours}"):
        assert say(served, f"GET /_stcore/health HTTP/1.1\n{hosts}\n").split()[1] in ("400", "403"), hosts
    assert " 403 " in say(served, "GET /_stcore/health HTTP/1.0\n\n")


def test_the_doors_that_a_foreign_configuration_opens_stay_closed(served: ServedApp) -> None:
    for path in ("/_stcore/metrics", "/_stcore/agent/openapi.json", "/app/static/x", "/_stcore/script-health-check"):
        assert ask(served, path)[0] == 404, path
    config = ask(served, "/_stcore/host-config")[2]
    assert b"evil" not in config
    assert b'"allowedOrigins":[]' in config
    status, headers, _ = ask(served, "/", Origin="http://evil.example")
    assert status == 403
    assert "access-control-allow-origin" not in headers


def test_the_look_of_all_pages_is_in_the_html_that_comes_first(served: ServedApp) -> None:
    for path in ("/", "/train"):
        status, _, page = ask(served, path, Accept_Encoding="gzip")
        head = page.partition(b"</head>")[0]
        assert (status, STYLE.read_bytes() in head, b"<title>medpriv</title>" in head) == (200, True, True)


def test_the_page_itself_carries_the_headers_and_its_own_script_is_allowed(served: ServedApp) -> None:
    status, headers, page = ask(served, "/")

    assert status == 200
    assert headers.keys() - {"date", "server", "content-encoding", "vary"} == {
        *("accept-ranges", "cache-control", "content-length", "content-type"),
        *("content-security-policy", "cross-origin-opener-policy", "cross-origin-resource-policy"),
        *("permissions-policy", "referrer-policy", "x-content-type-options", "x-frame-options"),
    }
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert page.count(b"<script>") == policy.count("'sha256-") == 1
    assert f"ws://127.0.0.1:{served.port}" in policy


def test_the_health_page_is_there_while_foreign_pages_knock_and_nobody_was_asked_for_anything(
    served: ServedApp, notes: Path
) -> None:
    with visit(served.port) as visitor:
        visitor.run()
    for number in range(20):
        assert handshake(served, host=f"127.0.0.1:{served.port}", origin=f"http://evil{number}.example") == 403
        assert ask(served, "/_stcore/health")[0] == 200
    assert notes.read_text() == ""


def files_while_uploading(served: ServedApp, megabytes: int) -> tuple[list[str], list[str]]:
    """The server's open files that hold an upload, when half of it has come and when it is there."""
    begin, middle = b"FIRST-%d-OF-UPLOAD" % megabytes, b"MIDDLE-%d-OF-UPLOAD" % megabytes
    data = bytearray(megabytes * 2**20)
    data[: len(begin)] = begin
    data[len(data) // 2 : len(data) // 2 + len(middle)] = middle
    with visit(served.port) as visitor:
        visitor.run()
        connection, headers, body = visitor.upload("f1", bytes(data), "scan.dcm")
        connection.putrequest("PUT", f"/_stcore/upload_file/{visitor.session_id}/f1", skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[:-100])
        deadline = time.monotonic() + PATIENCE_S
        while not (open_files_with(served.pid, begin) or holds(served.pid, middle)):
            assert time.monotonic() < deadline
        meanwhile = open_files_with(served.pid, begin)
        connection.send(body[-100:])
        assert connection.getresponse().status == 204
        afterwards = open_files_with(served.pid, begin)
        connection.close()
    return meanwhile, afterwards


@linux
@pytest.mark.parametrize("megabytes", [5, 60])
def test_no_file_holds_an_upload_while_it_comes_nor_afterwards(served: ServedApp, megabytes: int) -> None:
    assert files_while_uploading(served, megabytes) == ([], [])


@linux
def test_a_server_whose_doors_stand_open_fails_these_tests_and_even_then_nobody_is_asked(tmp_path: Path) -> None:
    notes = tmp_path / "asked"
    with serve_app(DataHome(tmp_path / "home"), before=WATCH + BREAK, NOTES=str(notes)) as broken:
        host = f"127.0.0.1:{broken.port}"
        assert handshake(broken, host=host, origin="http://localhost:9999") == 101
        assert handshake(broken, host="evil.example", origin="http://evil.example") == 403  # only by allowedHosts
        # Streamlit asks around before it refuses; each attempt is refused, or this would have taken a minute.
        assert handshake(broken, host=host, origin="http://evil.example") == 403
        assert "8.8.8.8" in notes.read_text()
        assert "checkip.amazonaws.com" in notes.read_text()
        assert files_while_uploading(broken, 5)[0] != []


def test_an_upload_from_another_page_is_refused_though_it_knows_the_token(served: ServedApp) -> None:
    with visit(served.port) as visitor:
        visitor.run()
        connection, headers, body = visitor.upload("f1", b"x", "scan.dcm")
        path = f"/_stcore/upload_file/{visitor.session_id}/f1"
        connection.request("PUT", path, body, headers | {"Origin": "http://localhost:9999"})
        assert connection.getresponse().status == 403
        connection.close()
