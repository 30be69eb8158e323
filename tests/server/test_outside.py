"""The process that serves asks nobody: tried in processes of their own, because the refusal stays for good."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medpriv_core.server.outside import is_loopback

ROOT = Path(__file__).resolve().parents[2]
INSIDE = f"""
import sys; sys.path.append({str(ROOT)!r})
import asyncio, contextlib, socket, threading, urllib.request
from medpriv_core.server.outside import stay_inside
stay_inside()
def refused(act):
    try:
        act()
    except PermissionError:
        return True
    except OSError as error:
        return isinstance(getattr(error, "reason", None), PermissionError)
    return False
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-c", INSIDE + script], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "act",
    [
        "socket.getaddrinfo('evil.example', 80)",
        "socket.getaddrinfo(b'evil.example', 80)",
        "socket.getaddrinfo('localhost', 80)",
        "socket.getaddrinfo('8.8.8.8', 80)",
        "socket.gethostbyname('evil.example')",
        "socket.gethostbyname_ex('evil.example')",
        "socket.gethostbyaddr('8.8.8.8')",
        "socket.getnameinfo(('8.8.8.8', 80), 0)",
        "socket.gethostbyaddr('evil.example')",
        "socket.socket().connect_ex(('evil.example', 80))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('evil.example', 53))",
        "socket.create_connection(('evil.example', 80))",
        "socket.socket().connect(('8.8.8.8', 80))",
        "socket.socket().connect(('evil.example', 80))",
        "socket.socket().connect_ex(('8.8.8.8', 80))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('8.8.8.8', 1))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 53))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('8.8.8.8', 53))",
        "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
        "urllib.request.urlopen('http://checkip.amazonaws.com', timeout=5)",
    ],
)
def test_no_name_is_looked_up_and_nobody_else_is_connected_to(act: str) -> None:
    done = run(f"sys.exit(0 if refused(lambda: {act}) else 1)")

    assert done.returncode == 0, done.stderr


def test_the_loopback_sockets_of_this_machine_and_event_loops_go_on_working() -> None:
    done = run(
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname(), timeout=5)\n"
        "client.sendall(b'x')\n"
        "here, there = socket.socketpair()\n"
        "async def serve():\n"
        "    served = await asyncio.start_server(lambda reader, writer: writer.close(), '127.0.0.1', 0)\n"
        "    reader, _ = await asyncio.open_connection(*served.sockets[0].getsockname())\n"
        "    return await reader.read()\n"
        "assert asyncio.run(serve()) == b''\n"
        "assert socket.getaddrinfo('127.0.0.1', 80) and socket.getaddrinfo(None, 80, flags=socket.AI_PASSIVE)\n"
    )

    assert done.returncode == 0, done.stderr


def test_a_thread_is_refused_too_and_it_is_said_once() -> None:
    done = run(
        "found = []\n"
        "for _ in range(3):\n"
        "    ask = lambda: found.append(refused(lambda: socket.gethostbyname('a.example')))\n"
        "    thread = threading.Thread(target=ask); thread.start(); thread.join()\n"
        "assert found == [True] * 3\n"
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Refused socket.gethostbyname") == 1
    assert "example" not in done.stderr


def test_only_numbers_of_the_loopback_need_no_look_up() -> None:
    assert [host for host in ("", None, b"127.0.0.1", "127.8.8.8", "::1", "::1%lo") if not is_loopback(host)] == []
    others = (
        "localhost",
        "127.1",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "127.0.0.1.evil.example",
        b"evil.example",
        127,
        ("::2",),
    )
    assert [host for host in others if is_loopback(host)] == []
