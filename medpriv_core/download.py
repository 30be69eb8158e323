"""Fetching one file over HTTP: streamed, checked, and put in place in one step.

A file counts only under its own name; what is still arriving is called ``<name>.part``. The checksum is
computed while the bytes arrive, so a file that was swapped or cut on its way never gets its name.

A server may misbehave in every way: never answer, send a byte a minute, send without end, state a length that is none,
or send on to another address. So another thread asks it, and this one waits, no longer than agreed, and can always be
cancelled. It follows only where a browser would go on: from the web to the web, never from an encrypted address to one
that is not, and from the outside never to an address inside (this machine, its network).
"""

from __future__ import annotations

import hashlib
import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin

from medpriv_core import __version__
from medpriv_core.atomic import atomic_file, remove_parts
from medpriv_core.errors import DownloadError
from medpriv_core.home import explain_disk_errors
from medpriv_core.locks import hold_lock
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.web_addresses import is_inside, is_web_address

MAX_BYTES = 2**30
# A server that sends less than this in so long is given up.
SLOW_BYTES, SLOW_WITHIN_S = 64 * 1024, 60.0
_CHUNK_BYTES = 256 * 1024
_CHUNKS_AHEAD = 8
_LOOK_EVERY_S = 0.5  # whether it was cancelled, while nothing arrives
_HEX_LENGTH = {"md5": 32, "sha256": 64}
_MIN_PREFIX = 8  # hexadecimal digits; torchvision's file names carry that many


def download(
    url: str,
    target: Path,
    *,
    checksum: str,
    progress: ProgressCallback = no_progress,
    timeout_s: float = 30.0,
    most_bytes: int = MAX_BYTES,
) -> Path:
    """Fetch ``url`` to ``target`` and return ``target``; a file that is there and right is not fetched again.

    ``checksum`` is ``md5:<hex>`` or ``sha256:<hex>``; of SHA-256 the first digits (8 or more) are enough.
    ``progress`` counts bytes, with a total of 0 where the server does not say. ``timeout_s`` is the longest
    silence of the server, not the whole time. A second download of the same file waits for the first.

    Raises ``DownloadError`` (no network, refused, cut short, too slow, more than ``most_bytes``, sent on to where
    nobody should go, wrong checksum) or ``DataHomeError`` (disk). However it ends, no part of the file is left behind.
    """
    algorithm, digits = _parse_checksum(checksum)
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not an address on the web: {url}")
    phase = f"Downloading {target.name}"
    lock = target.with_name(f"{target.name}.lock")
    with hold_lock(lock, progress=progress, phase=f"Waiting for another download of {target.name}"):
        if target.is_file() and has_checksum(target, checksum):
            return target
        remove_parts(target)
        with explain_disk_errors(target.parent), atomic_file(target) as file:
            arrival = _Arrival(url, timeout_s, most_bytes)
            digest = arrival.write_to(file, _new_hash(algorithm), phase, progress)
            if not digest.startswith(digits):
                raise DownloadError(
                    f"{target.name} arrived from {url} with the wrong checksum ({algorithm} {digest}): it was "
                    f"changed or damaged on its way. Try again later, or {_by_hand(url)}"
                )
    return target


def has_checksum(path: Path, checksum: str) -> bool:
    """Whether the file has the checksum, written as for ``download``."""
    algorithm, digits = _parse_checksum(checksum)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: _new_hash(algorithm)).hexdigest().startswith(digits)


class _Arrival:
    """An answer that is on its way: a thread asks for it and hands over what comes."""

    def __init__(self, url: str, timeout_s: float, most_bytes: int) -> None:
        self._url, self._timeout_s, self._most_bytes = url, timeout_s, most_bytes
        # First the stated length, then pieces of bytes, at last an empty one; or an error in place of any of them.
        self._came: queue.Queue[int | bytes | DownloadError] = queue.Queue(_CHUNKS_AHEAD)
        self._given_up = threading.Event()

    def write_to(self, file: IO[bytes], digest: hashlib._Hash, phase: str, progress: ProgressCallback) -> str:
        """Write what comes to ``file`` and return its digest; raises ``DownloadError`` and what ``progress`` raises."""
        threading.Thread(target=self._ask, daemon=True).start()
        done = total = 0
        began, before = time.monotonic(), 0
        try:
            while True:
                try:
                    came = self._came.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    came = None
                if isinstance(came, DownloadError):
                    raise came
                if isinstance(came, int):
                    total = came
                    self._check_length(total)
                elif came == b"":
                    break
                elif came is not None:
                    done += len(came)
                    self._check_length(done)
                    file.write(came)
                    digest.update(came)
                progress(phase, done, total)
                if time.monotonic() - began > SLOW_WITHIN_S:
                    if done - before < SLOW_BYTES:
                        raise DownloadError(
                            f"{self._url} sends almost nothing: {done:,} bytes so far. Try again later, or "
                            f"{_by_hand(self._url)}"
                        )
                    began, before = time.monotonic(), done
        finally:
            self._given_up.set()
        if total and done != total:
            raise DownloadError(
                f"The download of {self._url} broke off after {done:,} of {total:,} bytes. Try again, or "
                f"{_by_hand(self._url)}"
            )
        return digest.hexdigest()

    def _check_length(self, length: int) -> None:
        if length > self._most_bytes:
            raise DownloadError(
                f"{self._url} sends more than {self._most_bytes / 1e6:,.0f} MB, more than this file can have. Check "
                "the address."
            )

    def _ask(self) -> None:
        """In a thread of its own: ask, and hand over what comes until nobody wants it any more."""
        try:
            with _opened(self._url, self._timeout_s) as response:
                self._hand_over(_stated_length(response, self._url))
                while chunk := _read(response, self._url):
                    if not self._hand_over(chunk):
                        return
            self._hand_over(b"")
        except DownloadError as error:
            self._hand_over(error)
        except Exception as error:  # whatever a library raises over a forged answer must reach who waits
            self._hand_over(
                DownloadError(
                    f"{self._url} cannot be fetched ({_short(error)}). Try again later, or {_by_hand(self._url)}"
                )
            )

    def _hand_over(self, what: int | bytes | DownloadError) -> bool:
        while not self._given_up.is_set():
            with suppress(queue.Full):
                self._came.put(what, timeout=_LOOK_EVERY_S)
                return True
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows an answer that sends on, where that is no trick."""

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage
    ) -> Any:
        place = str(headers.get("location") or headers.get("uri") or "")
        refusal = _why_not_there(req.full_url, place)
        if refusal:
            fp.close()
            raise DownloadError(
                f"{req.full_url} sends on to {_short(place)}, {refusal}. medpriv does not follow it. Try again later, "
                "or get the file elsewhere and give it by its path."
            )
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _why_not_there(url: str, place: str) -> str:
    """Why an answer from ``url`` that sends on to ``place`` is not followed; empty where it is."""
    try:
        new = urljoin(url, place)
    except ValueError:  # such as "https://["
        return "which is no address"
    if not is_web_address(new):
        return "which is no address on the web"
    if url.startswith("https:") and not new.startswith("https:"):
        return "which is not encrypted"
    if is_inside(new) and not is_inside(url):
        return "an address of this computer or its network"
    return ""


def _opened(url: str, timeout_s: float) -> http.client.HTTPResponse:
    opener = urllib.request.build_opener(_Redirects)
    try:
        request = urllib.request.Request(url, headers={"User-Agent": f"medpriv/{__version__}"})
        response: http.client.HTTPResponse = opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(
            f"{url} answered {error.code} ({_short(error.reason)}). Try again later, or {_by_hand(url)}"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"{url} cannot be reached ({_short(reason)}). Check the network connection, or {_by_hand(url)}"
        ) from error
    except ValueError as error:  # such as a port that is no number, or a letter that no address has
        raise DownloadError(f"{url} is no address that can be asked. Check it.") from error
    return response


def _stated_length(response: http.client.HTTPResponse, url: str) -> int:
    """How many bytes the server says that will come; 0 if it does not say."""
    if response.headers.get("Transfer-Encoding"):
        return 0  # in pieces, whose lengths count (RFC 9112, 6.3)
    stated = {part.strip() for value in response.headers.get_all("Content-Length") or () for part in value.split(",")}
    if not stated:
        return 0
    (length, *others) = sorted(stated)
    if others or not (length.isascii() and length.isdigit() and len(length) < 19):
        words = " and ".join(repr(one[:20]) for one in sorted(stated)[:2])
        raise DownloadError(f"{url} states a length that is none ({words}). Try again later, or {_by_hand(url)}")
    return int(length)


def _read(response: http.client.HTTPResponse, url: str) -> bytes:
    try:
        return response.read1(_CHUNK_BYTES)  # what has arrived; a slow line must not silence progress
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise DownloadError(
            f"The download of {url} broke off ({_short(error)}). Try again, or {_by_hand(url)}"
        ) from error


def _short(words: object) -> str:
    """What a server or library says, on one line and no longer than that."""
    return " ".join(str(words).split())[:200]


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
