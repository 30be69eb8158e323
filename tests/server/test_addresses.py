"""Names and origins: what is this server's own, and what only looks like it."""

from __future__ import annotations

import pytest

from medpriv_core.server.addresses import LOOPBACK, Host, is_allowed, is_same_origin, parse_host

OURS = Host("localhost", 8501)


@pytest.mark.parametrize(
    "text",
    [
        "localhost",
        "localhost:8501",
        "LOCALHOST:8501",
        "Localhost.",
        "localhost.:8501",
        "127.0.0.1",
        "127.0.0.1:65535",
        "127.0.0.1.:80",
        "[::1]",
        "[::1]:8501",
        "[0:0:0:0:0:0:0:1]:8501",
        "[0000::0001]",
    ],
)
def test_every_spelling_of_the_loopback_is_this_server(text: str) -> None:
    host = parse_host(text)

    assert host is not None
    assert is_allowed(host, LOOPBACK)


@pytest.mark.parametrize(
    "text",
    [
        "evil.example",
        "evil.example:8501",
        "127.0.0.1.evil.example",
        "127.0.0.1.nip.io:8501",
        "localhost.evil.example",
        "evil.localhost",
        "xlocalhost",
        "localhostx",
        "localhost-evil.example",
        "notlocalhost",
        "127.0.0.10",
        "127.0.0.2",
        "0.0.0.0:8501",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::2]:8501",
        "::1",
        "10.0.0.1",
        "xn--lcalhost-j4a",
    ],
)
def test_names_that_only_look_like_the_loopback_are_not(text: str) -> None:
    host = parse_host(text)

    assert host is None or not is_allowed(host, LOOPBACK)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":8501",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:99999999",
        "localhost:8501:8501",
        "localhost:8501@evil.example",
        "user@localhost",
        "user:password@localhost:8501",
        "evil.example#localhost",
        "localhost/path",
        "localhost\\evil.example",
        "localhost?x",
        "localhost evil.example",
        "localhost,evil.example",
        "localhost\tx",
        "localhost..",
        ".localhost",
        "http://localhost",
        "[::1",
        "[::1]x",
        "[localhost]",
        "[::1%25lo]",
        "[:::1]",
        "localhost:８５０１",  # digits, but no ASCII
        "ｌocalhost",
        "a" * 64,
        ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_name_with_a_port_is_no_host(text: str) -> None:
    assert parse_host(text) is None


def test_a_proxys_name_and_names_below_one_can_be_allowed() -> None:
    allowed = (*LOOPBACK, "Medpriv.Hospital.Example.", "*.lab.example")

    def lets_in(text: str) -> bool:
        host = parse_host(text)
        return host is not None and is_allowed(host, allowed)

    assert lets_in("medpriv.hospital.example")
    assert lets_in("MEDPRIV.hospital.example:8443")
    assert lets_in("a.lab.example")
    assert not lets_in("lab.example")
    assert not lets_in("evillab.example")
    assert not lets_in("medpriv.hospital.example.evil.example")
    assert is_allowed(Host("any.example", None), ("*",))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8501", "localhost:8501"),
        ("http://localhost:8501", "LOCALHOST.:8501"),
        ("http://127.0.0.1:8501", "127.0.0.1:8501"),
        ("http://[::1]:8501", "[::1]:8501"),
        ("http://localhost", "localhost"),
        ("http://localhost", "localhost:80"),
        ("https://medpriv.example", "medpriv.example"),  # behind a proxy that does not tell of HTTPS
        ("https://medpriv.example", "medpriv.example:443"),
        ("https://medpriv.example:8443", "medpriv.example:8443"),
    ],
)
def test_a_page_of_the_same_name_and_port_is_of_the_same_origin(origin: str, host: str) -> None:
    named = parse_host(host)

    assert named is not None
    assert is_same_origin(origin, named, secure=False)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://localhost",
        "https://localhost",
        "http://localhost:9999",
        "http://localhost:85010",
        "http://127.0.0.1:8501",
        "http://[::1]:8501",
        "http://evil.example",
        "http://evil.example:8501",
        "http://localhost.evil.example:8501",
        "http://localhost:8501.evil.example",
        "http://localhost:8501@evil.example",
        "http://evil.example@localhost:8501",
        "http://localhost:8501/",
        "http://localhost:8501#x",
        "http://localhost:8501 http://evil.example",
        "http:localhost:8501",
        "//localhost:8501",
        "localhost:8501",
        "HTTP://localhost:8501",
        "ws://localhost:8501",
        "file://localhost:8501",
        "chrome-extension://localhost:8501",
        "blob:http://localhost:8501",
    ],
)
def test_any_other_page_is_not(origin: str) -> None:
    assert not is_same_origin(origin, OURS, secure=False)


def test_a_page_that_came_in_the_clear_may_not_speak_to_a_server_behind_https() -> None:
    host = Host("medpriv.example", None)

    assert is_same_origin("https://medpriv.example", host, secure=True)
    assert not is_same_origin("http://medpriv.example", host, secure=True)
    assert is_same_origin("http://medpriv.example", host, secure=False)
