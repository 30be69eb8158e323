"""The server's process asks no other computer for anything, whatever its libraries would like to.

Python tells an *audit hook* before a name is looked up and before a connection is opened, in every library, and lets it
say no. What the app fetches, it fetches in processes of their own, on the user's click; the process that serves the
pages needs nothing but the loopback.

A look-up is refused, not only its use: a slow name server would hold up the whole server, and to ask for a name tells
somebody that it was wanted.
"""

from __future__ import annotations

import errno
import functools
import ipaddress
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

log = logging.getLogger("medpriv")

REFUSED = "The process that serves the pages of medpriv asks no other computer for anything."
_LOOK_UPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})
_SENDING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_told: set[str] = set()


def stay_inside() -> None:
    """Refuse look-ups of names and connections to other computers for the rest of this process.

    What was refused raises ``PermissionError`` where it was tried, and is said in the log once.
    """
    sys.addaudithook(_refuse_outside)
    # A socket that is given a name looks it up before the hook is asked.
    for method in ("connect", "connect_ex", "sendto", "sendmsg"):
        if hasattr(socket.socket, method):
            setattr(socket.socket, method, _asked_first(getattr(socket.socket, method)))


def _asked_first(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def ask(self: socket.socket, *arguments: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, tuple):
                sys.audit("socket.connect", self, argument)
        return method(self, *arguments)

    return ask


def _refuse_outside(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _LOOK_UPS:
        wanted = arguments[0]
    elif event in _SENDING and isinstance(arguments[1], tuple):  # else a socket on this machine, named by a path
        wanted = arguments[1]
    else:
        return
    if is_loopback(wanted[0] if isinstance(wanted, tuple) else wanted):
        return
    if event not in _told:
        _told.add(event)
        log.warning("Refused %s. %s", event, REFUSED)
    raise PermissionError(errno.EACCES, REFUSED)


def is_loopback(host: object) -> bool:
    """Whether this stands for this machine without any look-up: a number of the loopback, or no host at all.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("8.8.8.8")
    (True, True, False, False)
    """
    if host is None or host in ("", b""):
        return True
    text = bytes(host).decode("latin-1") if isinstance(host, bytes | bytearray) else str(host)
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False
