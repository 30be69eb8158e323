"""The secret of a data home: 32 random bytes from which the noise of Local-DP copies is derived.

Whoever has it can take the noise off the copies again, so only its owner may read the file, and nothing shows, logs or
exports it. It is made when the first copy is. Lost is lost: copies that are made after it are noised anew, which is
one more release of the same pictures. So must no byte of it change unnoticed: beside it stands its mark, which tells
another secret from it and says nothing about it.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from medpriv_core.atomic import replace_file
from medpriv_core.checksums import read_sealed, write_sealed
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.locks import hold_lock
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.strict_json import Unreadable, read_regular

SECRET_BYTES = 32
_MOST_BYTES = 1 << 10


def noise_secret(home: DataHome, *, progress: ProgressCallback = no_progress) -> bytes:
    """The data home's secret, made now if there is none.

    Raises ``DataHomeError`` if it cannot be read or written, or is not whole.
    """
    path = home.noise_secret
    with explain_disk_errors(home.root), hold_lock(path.with_suffix(".lock"), progress=progress):
        try:
            secret = read_regular(path, most_bytes=_MOST_BYTES)
        except Unreadable:
            secret = b""
        except FileNotFoundError:
            secret = secrets.token_bytes(SECRET_BYTES)
            # First, because a mark without a secret harms nothing.
            write_sealed(_mark_file(home), {"mark": secret_mark(secret)})
            replace_file(path, secret)
        mark = read_sealed(_mark_file(home))
        # A secret of an earlier version has no mark yet; a damaged mark says nothing.
        another = mark.sound and mark.values.get("mark") != secret_mark(secret)
        if not mark.sound and len(secret) == SECRET_BYTES:
            write_sealed(_mark_file(home), {"mark": secret_mark(secret)})
    if len(secret) != SECRET_BYTES or another:
        raise DataHomeError(
            f"The file {path}, from which the noise of images is derived, is damaged. Put it back from a copy. If "
            "you have none, remove it: images that are noised from then on get other noise, one more release of them."
        )
    return secret


def _mark_file(home: DataHome) -> Path:
    return home.noise_secret.with_suffix(".mark")


def secret_mark(secret: bytes) -> str:
    """By which two secrets can be told apart, without saying anything about them."""
    return hashlib.blake2b(key=secret, person=b"mark", digest_size=8).hexdigest()
