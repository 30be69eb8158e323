"""Servers that lie about lengths, send without end or hardly at all, or send on to where nobody should go."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from medpriv_core import download as module
from medpriv_core import web_addresses
from medpriv_core.datasets.medmnist import fetch_medmnist
from medpriv_core.download import download
from medpriv_core.errors import DatasetError, DownloadError
from medpriv_core.home import DataHome
from medpriv_core.progress import Cancelled
from medpriv_core.web_addresses import is_inside, is_web_address
from tests.web import Web, serve

DATA = bytes(range(256)) * 40
MD5 = f"md5:{hashlib.md5(DATA).hexdigest()}"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.05)
    with serve() as web:
        yield web


def answer(*headers: tuple[str, str], body: bytes = DATA, code: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer with exactly these headers."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return write


def fetched(web: Web, tmp_path: Path, answered: Callable[[BaseHTTPRequestHandler], object], **options: float) -> bytes:
    web.answers["/f"] = answered
    download(f"{web.url}/f", tmp_path / "f", checksum=MD5, **options)  # type: ignore[arg-type]
    return (tmp_path / "f").read_bytes()


def leftovers(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if file.suffix != ".lock"]


@pytest.mark.parametrize(
    "lengths",
    [
        ["abc"],
        [""],
        ["-1"],
        ["+10"],
        ["1e3"],
        ["0x10"],
        ["10.5"],
        ["9" * 40],
        ["9" * 5000],
        ["\u0661"],
        [str(len(DATA)), str(len(DATA) + 1)],
        [f"{len(DATA)}, 5"],
    ],
    ids=range(12),
)
def test_a_length_that_is_none_is_a_sentence(web: Web, tmp_path: Path, lengths: list[str]) -> None:
    def write(handler: BaseHTTPRequestHandler) -> None:
        head = "".join(f"Content-Length: {length}\r\n" for length in lengths)
        handler.wfile.write(f"HTTP/1.0 200 OK\r\n{head}\r\n".encode() + DATA)

    with pytest.raises(DownloadError, match=r"states a length that is none .*download it in a browser"):
        fetched(web, tmp_path, write)
    assert leftovers(tmp_path) == []


def test_the_same_length_twice_is_one_length(web: Web, tmp_path: Path) -> None:
    length = ("Content-Length", str(len(DATA)))
    assert fetched(web, tmp_path, answer(length, length)) == DATA


def test_of_an_answer_in_pieces_the_pieces_count(web: Web, tmp_path: Path) -> None:
    def write(handler: BaseHTTPRequestHandler) -> None:
        pieces = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (DATA[:5000], DATA[5000:], b""))
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + pieces)
        handler.close_connection = True

    assert fetched(web, tmp_path, write) == DATA


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (DATA[:-1], r"broke off after 10,239 of 10,240 bytes"),
        (b"", r"broke off after 0 of 10,240 bytes"),
        (DATA[:-1] + b"x" + DATA, r"wrong checksum"),
    ],
)
def test_less_and_other_than_was_said_is_told(web: Web, tmp_path: Path, body: bytes, sentence: str) -> None:
    with pytest.raises(DownloadError, match=sentence):
        fetched(web, tmp_path, answer(("Content-Length", str(len(DATA))), body=body))
    assert leftovers(tmp_path) == []


def test_a_stated_length_beyond_the_limit_is_refused_before_anything_comes(web: Web, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"sends more than 1 MB, more than this file can have"):
        fetched(web, tmp_path, answer(("Content-Length", str(10**15))), most_bytes=10**6)


def test_an_answer_without_end_is_broken_off_at_the_limit(web: Web, tmp_path: Path) -> None:
    sent = 0

    def write(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        answer(body=b"")(handler)
        try:
            while not web.closing.is_set():
                handler.wfile.write(bytes(100_000))
                sent += 100_000
        except OSError:
            return

    with pytest.raises(DownloadError, match="sends more than 2 MB"):
        fetched(web, tmp_path, write, most_bytes=2 * 10**6)
    assert leftovers(tmp_path) == []
    assert sent < 200 * 10**6


@pytest.mark.parametrize("before_the_headers", [True, False])
def test_a_server_that_sends_a_byte_at_a_time_is_given_up(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before_the_headers: bool
) -> None:
    monkeypatch.setattr(module, "SLOW_WITHIN_S", 0.3)

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"X: " if before_the_headers else b"\r\n"))
        try:
            while not web.closing.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            return

    with pytest.raises(DownloadError, match="sends almost nothing"):
        fetched(web, tmp_path, write)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("mood", ["hang", "slow"])
def test_a_download_can_be_cancelled_also_while_nothing_comes(web: Web, tmp_path: Path, mood: str) -> None:
    web.files["/f"] = bytes(10**6)
    calls = 0

    def stop(phase: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        download(f"{web.url}/f?{mood}", tmp_path / "f", checksum=MD5, progress=stop)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("file:///etc/passwd", "which is no address on the web"),
        ("ftp://127.0.0.1/f", "which is no address on the web"),
        ("data:text/plain,x", "which is no address on the web"),
        ("javascript:alert(1)", "which is no address on the web"),
        ("http://127.0.0.1:99999/", "which is no address on the web"),
        ("http://[", "which is no address"),
        ("//[::1", "which is no address"),
    ],
)
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_nothing_but_the_web_is_followed(web: Web, tmp_path: Path, place: str, sentence: str, code: int) -> None:
    with pytest.raises(DownloadError, match=f"sends on to .*{sentence}"):
        fetched(web, tmp_path, answer(("Location", place), ("Content-Length", "0"), body=b"", code=code))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_another_place_on_the_same_server_is_followed(web: Web, tmp_path: Path, code: int) -> None:
    web.files["/there"] = DATA
    assert fetched(web, tmp_path, answer(("Location", "/there"), ("Content-Length", "0"), body=b"", code=code)) == DATA


def test_an_address_inside_is_not_reached_from_outside(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This server plays one of the internet: only the address that it sends on to counts as inside.
    monkeypatch.setattr(module, "is_inside", lambda url: "localhost" in url)
    place = f"{web.url.replace('127.0.0.1', 'localhost')}/there"
    with pytest.raises(DownloadError, match="an address of this computer or its network"):
        fetched(web, tmp_path, answer(("Location", place), ("Content-Length", "0"), body=b"", code=302))
    assert "/there" not in web.asked


def test_from_an_encrypted_address_to_a_plain_one_is_not_followed() -> None:
    assert "not encrypted" in module._why_not_there("https://93.184.215.14/a", "http://93.184.215.14/b")
    assert module._why_not_there("https://93.184.215.14/a", "/b") == ""
    assert module._why_not_there("http://93.184.215.14/a", "https://93.184.215.14/b") == ""
    assert "of this computer" in module._why_not_there("http://93.184.215.14/a", "http://10.0.0.1/b")


def test_a_circle_of_addresses_ends(web: Web, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="answered 302"):
        fetched(web, tmp_path, answer(("Location", "/f"), ("Content-Length", "0"), body=b"", code=302))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n",
        b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.0 200 " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.0 500 " + "so schlimm\u2028".encode() * 1000 + b"\r\n\r\n",
    ],
    ids=range(7),
)
def test_an_answer_that_is_none_is_a_short_sentence(web: Web, tmp_path: Path, head: bytes) -> None:
    with pytest.raises(DownloadError) as caught:
        fetched(web, tmp_path, lambda handler: handler.wfile.write(head))
    assert len(str(caught.value)) < 500
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:port/f",
        "http://",
        "http:///f",
        "http://127.0.0.1:99999/f",
        "http://127.0.0.1/\u00e9 x",
        "http://[",
    ],
)
def test_an_address_that_can_be_none_is_a_sentence(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError):
        download(url, tmp_path / "f", checksum=MD5, timeout_s=1)


@pytest.mark.parametrize("mirror", ["file:///etc", "ftp://127.0.0.1", "mirror", "http://", "http://["])
def test_a_mirror_that_is_no_address_on_the_web_is_told(home: DataHome, mirror: str) -> None:
    with pytest.raises(DatasetError, match="is no address on the web"):
        fetch_medmnist(home, "pneumoniamnist", size=28, base_url=mirror)


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("127.1", True),
        ("0", True),
        ("0.0.0.0", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.0.1", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("[::1]", True),
        ("[fe80::1]", True),
        ("[fd00::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("2130706433", True),
        ("localhost", True),
        ("93.184.215.14", False),
        ("[2606:2800:21f:cb07:6820:80da:af6b:8b2c]", False),
    ],
)
def test_every_spelling_of_an_address_inside_is_known(host: str, inside: bool) -> None:
    assert is_inside(f"http://{host}/f") is inside
    assert is_web_address(f"http://{host}/f")


def test_a_name_with_one_number_inside_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [(0, 0, 0, "", ("93.184.215.14", 0)), (0, 0, 0, "", ("10.0.0.1", 0))]
    monkeypatch.setattr(web_addresses.socket, "getaddrinfo", lambda host, port: numbers)
    assert is_inside("http://two-faced.example/f")


def test_the_thread_that_asks_ends_with_the_download(web: Web, tmp_path: Path) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        if done:
            raise Cancelled

    before = threading.active_count()
    web.files["/f"] = bytes(10**6)
    with pytest.raises(Cancelled):
        download(f"{web.url}/f?slow", tmp_path / "f", checksum=MD5, progress=stop)
    deadline = time.monotonic() + 20
    while threading.active_count() > before + 1:  # the server's own thread may still be at it
        assert time.monotonic() < deadline
        time.sleep(0.02)
