"""Files and folders that only the account which runs medpriv can read, whatever its umask is.

All that is written into the data home is made here: folders with mode 0700, files with mode 0600. A file is never
written through a link, and removing never follows one, so that nothing outside is changed by what lies in the home.
What a command writes to a place of the user's choice is none of this module's business and follows the umask.

Windows knows no such modes; there the folder of the account's profile keeps others out.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import IO, Any

from medpriv_core.errors import DataHomeError

FOLDER_MODE, FILE_MODE = 0o700, 0o600

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def make_folder(path: Path) -> None:
    """Make the folder, and those above it that are missing; one that is there is left as it is.

    Raises ``OSError`` where that is not possible, or something else is in its place.
    """
    try:
        path.mkdir(mode=FOLDER_MODE)
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_folder(path.parent)
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except OSError:
        # On a read-only disk the system says so before it says that the folder is there.
        if not path.is_dir():
            raise


def open_private(path: Path, mode: str, *, buffering: int = -1) -> IO[Any]:
    """``open`` for writing, which makes a file for its owner only; raises ``DataHomeError`` for a link."""
    return open(path, mode, buffering=buffering, opener=_open)


def remove_whole(path: Path) -> None:
    """Remove a folder with all that is in it, a file, or a link without what it leads to; nothing if there is none.

    Raises ``OSError`` where the disk refuses.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def link_refused(path: Path | str) -> str:
    """The sentence for whoever wants to write to something that is a link."""
    return (
        f"{path} is a link, and medpriv does not write through links, because they can lead out of its data home. Put "
        "what it leads to in its place, or remove it."
    )


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | _NO_LINKS, FILE_MODE)
    except OSError as error:
        if error.errno == errno.ELOOP and os.path.islink(path):
            raise DataHomeError(link_refused(path)) from error
        raise
