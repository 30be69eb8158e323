"""Fetching one file over HTTP: streamed, checked, and put in place in one step.

A file counts only under its own name; what is still arriving is called ``<name>.part``. The checksum is
computed while the bytes arrive, so a file that was swapped or cut on its way never gets its name.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from medpriv_core import __version__
from medpriv_core.errors import DownloadError
from medpriv_core.home import explain_disk_errors
from medpriv_core.locks import hold_lock
from medpriv_core.private_files import open_private
from medpriv_core.progress import ProgressCallback, no_progress

_CHUNK_BYTES = 256 * 1024
_HEX_LENGTH = {"md5": 32, "sha256": 64}
_MIN_PREFIX = 8  # hexadecimal digits; torchvision's file names carry that many


def download(
    url: str, target: Path, *, checksum: str, progress: ProgressCallback = no_progress, timeout_s: float = 30.0
) -> Path:
    """Fetch ``url`` to ``target`` and return ``target``; a file that is there and right is not fetched again.

    ``checksum`` is ``md5:<hex>`` or ``sha256:<hex>``; of SHA-256 the first digits (8 or more) are enough.
    ``progress`` counts bytes, with a total of 0 where the server does not say. ``timeout_s`` is the longest
    silence of the server, not the whole time. A second download of the same file waits for the first.

    Raises ``DownloadError`` (no network, refused, cut short, wrong checksum) or ``DataHomeError`` (disk).
    However it ends, no part of the file is left behind.
    """
    algorithm, digits = _parse_checksum(checksum)
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not an address on the web: {url}")
    phase = f"Downloading {target.name}"
    lock = target.with_name(f"{target.name}.lock")
    with hold_lock(lock, progress=progress, phase=f"Waiting for another download of {target.name}"):
        if target.is_file() and has_checksum(target, checksum):
            return target
        part = target.with_name(f"{target.name}.part")
        try:
            with explain_disk_errors(target.parent):
                digest = _stream(url, part, algorithm, phase, progress, timeout_s)
                if not digest.startswith(digits):
                    raise DownloadError(
                        f"{target.name} arrived from {url} with the wrong checksum ({algorithm} {digest}): it was "
                        f"changed or damaged on its way. Try again later, or {_by_hand(url)}"
                    )
                os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    return target


def has_checksum(path: Path, checksum: str) -> bool:
    """Whether the file has the checksum, written as for ``download``."""
    algorithm, digits = _parse_checksum(checksum)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: _new_hash(algorithm)).hexdigest().startswith(digits)


def _stream(url: str, part: Path, algorithm: str, phase: str, progress: ProgressCallback, timeout_s: float) -> str:
    """Write the response to ``part`` and return its digest."""
    request = urllib.request.Request(url, headers={"User-Agent": f"medpriv/{__version__}"})
    digest = _new_hash(algorithm)
    done = 0
    with open_private(part, "wb") as file, _opened(request, timeout_s) as response:
        total = int(response.headers.get("Content-Length") or 0)
        progress(phase, 0, total)
        while chunk := _read(response, url):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            progress(phase, done, total)
    if total and done != total:
        raise DownloadError(
            f"The download of {url} broke off after {done:,} of {total:,} bytes. Try again, or {_by_hand(url)}"
        )
    return digest.hexdigest()


def _opened(request: urllib.request.Request, timeout_s: float) -> http.client.HTTPResponse:
    url = request.full_url
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(
            f"{url} answered {error.code} ({error.reason}). Try again later, or {_by_hand(url)}"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"{url} cannot be reached ({reason}). Check the network connection, or {_by_hand(url)}"
        ) from error
    return response


def _read(response: http.client.HTTPResponse, url: str) -> bytes:
    try:
        return response.read1(_CHUNK_BYTES)  # what has arrived; a slow line must not silence progress
    except (http.client.HTTPException, OSError) as error:
        raise DownloadError(f"The download of {url} broke off ({error}). Try again, or {_by_hand(url)}") from error


def _by_hand(url: str) -> str:
    return f"download it in a browser from {url} and give the file by its path."


def _new_hash(algorithm: str) -> hashlib._Hash:
    # MD5 is what MedMNIST publishes; it finds damage, it does not stop a forger.
    return hashlib.new(algorithm, usedforsecurity=False)


def _parse_checksum(checksum: str) -> tuple[str, str]:
    algorithm, _, digits = checksum.lower().partition(":")
    full = _HEX_LENGTH.get(algorithm, 0)
    enough = len(digits) == full or (algorithm == "sha256" and _MIN_PREFIX <= len(digits) < full)
    if not full or not enough or set(digits) - set("0123456789abcdef"):
        raise ValueError(f"not a checksum of the form md5:<hex> or sha256:<hex>: {checksum!r}")
    return algorithm, digits
