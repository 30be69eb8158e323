"""Addresses on the web: what is one, and whether it leads to this machine or its own network.

>>> is_web_address("https://example.org/a"), is_web_address("file:///etc/passwd"), is_web_address("http://")
(True, False, False)
>>> is_inside("http://127.0.0.1/"), is_inside("http://[fe80::1]/"), is_inside("http://93.184.215.14/")
(True, True, False)
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit


def is_web_address(url: str) -> bool:
    """Whether ``url`` is an http or https address with a host, and with a port if any that can be."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # such as a port that is no number
        return False


def is_inside(url: str) -> bool:
    """Whether one of the numbers behind the host of ``url`` is none of the public internet; looks the name up.

    False for a name that cannot be found: nothing will answer there either.
    """
    host = urlsplit(url).hostname or ""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
        addresses = [ipaddress.ip_address(number.partition("%")[0]) for number in found]
        # An address of IPv4 may be written as one of IPv6.
        return any(not (getattr(address, "ipv4_mapped", None) or address).is_global for address in addresses)
    except (OSError, ValueError):
        return False
