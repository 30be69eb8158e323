"""What the server tells browsers to forbid, on every answer.

The policy lets a page load from this server only, so that a picture of somebody else's address that got into a text is
not asked for. It is as strict as Streamlit bears:

- styles may stand in the page (``'unsafe-inline'``), because Streamlit writes all of its own there;
- scripts may be ``blob:``, because Streamlit brings the scripts of a component, here the picture viewer's, that way;
  scripts that stand in the page are allowed by their digest, one of Streamlit's own;
- pictures may be ``data:`` and ``blob:``, because charts and the viewer make theirs in the browser.

``eval`` and WebAssembly are not allowed: Streamlit has parts that need them (maps, Vega charts, WebGL), and medpriv
uses none of these.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

from medpriv_core.server.addresses import Host

_SCRIPT_IN_PAGE = re.compile(r"<script(?:\s+type=\"text/javascript\")?\s*>(.*?)</script>", re.DOTALL | re.IGNORECASE)

FIXED = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# Pictures and files that a visitor made; the browser shall not keep them on the disk.
NOT_TO_BE_KEPT = {"Cache-Control": "no-store"}


def script_digests(page: str) -> tuple[str, ...]:
    """The digests, as a policy names them, of the scripts that stand in an HTML page.

    >>> script_digests("<script>alert(1)</script><script src='b.js'></script>")
    ("'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='",)
    """
    scripts = _SCRIPT_IN_PAGE.findall(page.replace("\r\n", "\n"))
    return tuple(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)


def content_policy(host: Host | None, digests: Iterable[str]) -> str:
    """The Content-Security-Policy for answers to requests at ``host`` (None: one that was refused).

    Older browsers do not count a WebSocket to the same host as ``'self'``, so it is named.
    """
    sockets = "" if host is None else f" ws://{host} wss://{host}"
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self' blob:", *digests]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src 'self'{sockets}",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )
