"""Files and folders that are written aside and take their place in one step: whole, or not at all.

A reader sees what was there before or what is new, never a half. However writing ends, nothing half-written is left; a
process that is killed cannot clean up, so what it left is removed by the next process that writes the same thing and
holds its lock (``remove_parts``), or by ``leftovers``. Nothing here is memory-mapped for writing: on a full disk a
mapped page kills the process, and a write says so.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from medpriv_core import systems
from medpriv_core.errors import DataHomeError
from medpriv_core.home import explain_disk_errors
from medpriv_core.private_files import link_refused, make_folder, open_private, remove_whole

_SPARE_BYTES = 16 * 1024**2  # left free on the disk
_FORMS = (".{}.*.part", "{}.*.part", "{}.part")  # the last two of earlier versions


def part_of(target: Path) -> Path:
    """A name beside ``target`` that nothing has, under which it is written."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


def target_name(part: Path) -> str:
    """The name of what was written under the name ``part``."""
    return part.name.removeprefix(".").removesuffix(".part").rpartition(".")[0]


def remove_parts(target: Path) -> None:
    """Remove what killed processes left of ``target``; only for those who hold its lock."""
    name = glob.escape(target.name)
    for part in (path for form in _FORMS for path in target.parent.glob(form.format(name))):
        with suppress(OSError):
            remove_whole(part)


@contextmanager
def atomic_file(path: Path, *, private: bool = True, sync: bool = False) -> Iterator[IO[bytes]]:
    """A file to write into that takes the place of ``path`` at the end of the block; nothing is left if that raises.

    Args:
        path: What is written, in a folder that is there.
        private: Of the data home: for its owner only (``private_files``), and a folder in its place is put aside.
            Otherwise by the umask, and a folder is an error.
        sync: Wait until the disk has it.

    Raises:
        OSError: Where the disk refuses; the file that was there stays. A link is replaced, and what it leads to stays.
    """
    part = part_of(path)
    try:
        with open_private(part, "xb") if private else open(part, "xb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if private:
            put_aside(path)
        systems.replace(part, path)
    finally:
        # A disk that refused may refuse this too, and the first refusal is the one to tell.
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path, *, room_bytes: int = 0) -> Iterator[Path]:
    """A folder to write into that takes the place of ``folder`` at the end of the block; nothing is left on an error.

    What killed processes left of it is removed first, so only the holder of its lock may do this.

    Args:
        folder: What is made; the folders above it are made where they are missing.
        room_bytes: What will be written, if that is known.

    Raises:
        DataHomeError: Without room for so much, or where the folder above is a link.
        OSError: Where the disk refuses; what was there stays.
    """
    if folder.parent.is_symlink():
        raise DataHomeError(link_refused(folder.parent))
    remove_parts(folder)
    part = part_of(folder)
    make_folder(part)
    try:
        if room_bytes:
            _check_space(folder.parent, room_bytes)
        yield part
        remove_whole(folder)  # damaged arrays
        systems.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Replace ``path`` in one step and wait until the disk has it; raises ``DataHomeError`` where the disk refuses."""
    with explain_disk_errors(path.parent), atomic_file(path, sync=True) as file:
        file.write(content)


def write_json(path: Path, value: Any, *, folder_too: bool = True) -> None:
    """Replace ``path`` by ``value`` as JSON in one step.

    Without ``folder_too`` its folder must be there: what somebody deleted meanwhile is not made again by halves.
    """
    if folder_too:
        make_folder(path.parent)
    with atomic_file(path) as file:
        file.write((json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def put_aside(place: Path) -> bool:
    """Rename a folder that took the place of a file of ours, without loss; False where there is none."""
    if not place.is_dir() or place.is_symlink():
        return False
    systems.replace(place, place.with_name(f"{place.name}.{secrets.token_hex(4)}.folder"))
    return True


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows which files are in a folder, where the system can be asked for that."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(opened)


def _check_space(place: Path, needed: int) -> None:
    """Raise ``DataHomeError`` if the disk that holds ``place`` has no room for ``needed`` bytes of images."""
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE_BYTES:
        raise DataHomeError(
            f"The images need {needed / 1e6:,.0f} MB in {place}, but the disk has {free / 1e6:,.0f} MB free. Free some "
            "space, choose a smaller image size, or point MEDPRIV_HOME to another disk."
        )
