"""Which names the server answers to, and which pages may speak to it.

A browser sends along the name that was asked for (``Host``) and, with everything that a script does, the page that the
script came with (``Origin``). Neither can be forged by a page. Both are needed: by *DNS rebinding* a page at
``evil.example`` has its own name point to 127.0.0.1 and is then of the same origin as the app, but the name is still
its own; and a page of another program on this machine (``localhost:9999``) is at the right name, but not at this port.

Names are compared as browsers write them: lower case, without the dot at their end, IPv6 in its shortest form.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

# The names by which a browser reaches the loopback. No other name does without somebody else's name server.
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z_-]{1,63}(?:\.[0-9A-Za-z_-]{1,63})*)\.?(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Host:
    """A name, as browsers write it, and a port; None where the scheme's own is meant."""

    name: str
    port: int | None

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"


def parse_host(text: str) -> Host | None:
    """What a ``Host`` header names, or None for anything but a name and perhaps a port.

    >>> parse_host("LocalHost.:8501")
    Host(name='localhost', port=8501)
    >>> parse_host("[0:0:0:0:0:0:0:1]")
    Host(name='[::1]', port=None)
    >>> parse_host("localhost:8501@evil.example") is None
    True
    """
    found = _HOST.fullmatch(text)
    if found is None or len(text) > 255:
        return None
    port = int(found["port"]) if found["port"] else None
    name = _shortest(found["name"].lower())
    if name is None or (port is not None and not 0 < port < 2**16):
        return None
    return Host(name, port)


def is_allowed(host: Host, allowed: Iterable[str]) -> bool:
    """Whether the host's name is among ``allowed``; its port does not matter.

    An entry is a name, an address, ``*.name`` for every name below one, or ``*`` for any: the same as in Streamlit's
    ``server.allowedHosts``, which looks at these too.

    >>> is_allowed(Host("[::1]", 8501), LOOPBACK), is_allowed(Host("localhost.evil.example", None), LOOPBACK)
    (True, False)
    """
    for entry in allowed:
        pattern = entry.strip().lower().rstrip(".")
        if pattern == "*" or (pattern.startswith("*.") and host.name.endswith(pattern[1:])):
            return True
        if ":" in pattern and not pattern.startswith("["):
            pattern = f"[{pattern}]"
        if _shortest(pattern) == host.name:
            return True
    return False


def is_same_origin(origin: str, host: Host, *, secure: bool) -> bool:
    """Whether a page of this ``Origin`` was loaded from this host: scheme, name and port.

    ``secure`` says that the request is known to have come by HTTPS. Where it is not known, it may have all the same:
    a proxy in front need not tell. So a page that came by HTTPS is taken, and one that came without is not taken where
    HTTPS is in use. ``null``, the origin of sandboxed frames and of files, is never the same.

    >>> is_same_origin("http://localhost:8501", Host("localhost", 8501), secure=False)
    True
    >>> is_same_origin("http://localhost:9999", Host("localhost", 8501), secure=False)
    False
    """
    scheme, separator, rest = origin.partition("://")
    page = parse_host(rest)
    if not separator or scheme not in DEFAULT_PORTS or page is None or (secure and scheme == "http"):
        return False
    own = DEFAULT_PORTS[scheme]
    return page.name == host.name and (page.port or own) == (host.port or own)


def _shortest(name: str) -> str | None:
    """An IPv6 address in brackets as browsers write it, None if it is none; any other name as it is."""
    if not name.startswith("["):
        return name
    try:
        return f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
    except ValueError:
        return None
