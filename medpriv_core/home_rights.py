"""Whose the data home is: a folder of medpriv's own, closed to other accounts, from which no link leads out.

Clean images and the secret of the noise lie in it, so it is looked at each time that it is opened:

- it must belong to the account that runs medpriv
- what others could have written to is refused, because what lies in it may not be what medpriv wrote
- what others could read is closed (mode 0700), as homes of version 0.1.0 are; but only a folder that is empty or holds
  nothing than medpriv's things. The rights of any other folder are not medpriv's to change, so it is refused
- folders and files in it must not be links to elsewhere, because writing and deleting would follow them

Windows knows neither these modes nor these owners; there the folder of the account's profile keeps others out.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from medpriv_core.errors import DataHomeError
from medpriv_core.private_files import FOLDER_MODE

# Every name that medpriv gives to something in the root of its home, and what systems leave in any folder.
_OURS = re.compile(
    r"(datasets|noise|runner|import)\.lock|(datasets|bin|lines)\.json|noise\.(secret|mark)|runner\.(log|wish)"
    r"|fingerprints|prepared|features|downloads|weights|sweeps|runs|jobs|spent"
    r"|\.?runs\.sqlite3(\.new)?(-wal|-shm|-journal|\.damaged-.*)?"
    r"|\.(write-test|import)-.*|\..+\.part|\.filelock-probe-.*"
)
_LITTER = {".DS_Store", "desktop.ini", "Thumbs.db", "lost+found"}
# What shows that it was medpriv that made the others: many a project has a folder of runs, or of weights.
_MARKS = {"runs.sqlite3", "runner.lock", "datasets.json", "noise.secret"}
_MARKS_BELOW = ("runs/*/spec.json", "prepared/*/meta.json", "sweeps/*.json")

_OTHERS, _OTHERS_WRITE = stat.S_IRWXG | stat.S_IRWXO, stat.S_IWGRP | stat.S_IWOTH
ELSEWHERE = "point MEDPRIV_HOME to a folder of your own"

log = logging.getLogger("medpriv")


def check_rights(root: Path) -> None:
    """Close the data home at ``root`` to others; nothing happens where there is none yet.

    Raises ``DataHomeError`` for a folder that cannot be used as described above, and ``OSError`` for one that cannot
    be looked at.
    """
    if os.name != "posix":
        return
    try:
        link, status = root.lstat(), root.stat()
    except FileNotFoundError:
        _check_above(root)
        return
    if not stat.S_ISDIR(status.st_mode):
        raise DataHomeError(f"{root} is not a folder. Point MEDPRIV_HOME to a folder that you can write to.")
    me = os.geteuid()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (me, 0):
        raise DataHomeError(f"{root} is a link that {_account(link.st_uid)} has made. Remove it, or {ELSEWHERE}.")
    if status.st_uid != me:
        raise DataHomeError(
            f"The data home {root} belongs to {_account(status.st_uid)}, and medpriv runs as {_account(me)}. Run it "
            f"as its owner, or {ELSEWHERE}."
        )
    _check_above(root)
    names = os.listdir(root)
    if status.st_mode & _OTHERS:
        _close(root, stat.S_IMODE(status.st_mode), names)
    _check_links(root, names)


def _close(root: Path, mode: int, names: list[str]) -> None:
    """Take the rights of others away from a folder that is medpriv's own."""
    ours = _is_ours(root, names)
    if mode & _OTHERS_WRITE and names:
        close = f"Look at what is in it and close it (chmod 700 {root}), or " if ours else ""
        then = f"{close}{ELSEWHERE}."
        raise DataHomeError(
            f"Other accounts can write to the data home {root} (mode {mode:o}), so what lies in it may come from "
            f"somebody else. {then[0].upper()}{then[1:]}"
        )
    if names and not ours:
        raise DataHomeError(
            f"Other accounts can read the data home {root} (mode {mode:o}), and it holds other things than medpriv's, "
            f"so its rights are not medpriv's to change. Point MEDPRIV_HOME to a new folder, {root / 'medpriv'} for "
            f"example, or close this one yourself (chmod 700 {root})."
        )
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fchmod(folder, mode & FOLDER_MODE)
            left = stat.S_IMODE(os.fstat(folder).st_mode) & _OTHERS
        finally:
            os.close(folder)
    except PermissionError:
        left = mode & _OTHERS
    except OSError as error:
        if os.access(root, os.W_OK):
            raise
        # A read-only disk: what is there can be looked at, and nothing can be added to it.
        log.info("%s stays open to other accounts: %s", root, error)
        return
    if left:
        raise DataHomeError(
            f"The disk that holds {root} does not keep the rights of folders, so that other accounts can read what "
            "lies there. Point MEDPRIV_HOME to a folder on another disk."
        )
    log.info("closed %s to other accounts; its mode was %o", root, mode)
    if mode & _OTHERS_WRITE and (appeared := os.listdir(root)):
        raise DataHomeError(
            f"{root / appeared[0]} appeared in the data home while it was closed, and may come from somebody else. "
            f"Look at it and start medpriv again, or {ELSEWHERE}."
        )


def _is_ours(root: Path, names: Iterable[str]) -> bool:
    """Whether a folder holds nothing but what medpriv writes there."""
    own = [name for name in names if name not in _LITTER and not name.startswith("._")]
    if not all(_OURS.fullmatch(name) for name in own):
        return False
    return not own or not _MARKS.isdisjoint(own) or any(any(root.glob(pattern)) for pattern in _MARKS_BELOW)


def _check_above(root: Path) -> None:
    """In a folder that everybody may change, the home could be taken away and another one put in its place.

    A folder for temporary files is none of these: there, only the owner of a thing may do that.
    """
    for above in Path(os.path.realpath(root)).parents:
        try:
            mode = above.stat().st_mode
        except FileNotFoundError:
            continue
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise DataHomeError(
                f"Every account can replace the data home {root}, because everybody may write to {above} (mode "
                f"{stat.S_IMODE(mode):o}). Forbid that (chmod o-w {above}), or {ELSEWHERE}."
            )


def _check_links(root: Path, names: Iterable[str]) -> None:
    for name in names:
        path = root / name
        if _OURS.fullmatch(name) and path.is_symlink():
            target = Path(os.path.realpath(path))
            if not target.is_relative_to(os.path.realpath(root)):
                raise DataHomeError(
                    f"{path} is a link to {target}, and medpriv follows no link out of its data home, because deleting "
                    "would follow it too. Put what it leads to in its place, or point MEDPRIV_HOME to a folder on the "
                    "other disk."
                )


def _account(number: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        return f"the account with uid {number}"
