"""Opening the zip of a run that came from anywhere: its members by name, unpacked piece by piece and counted.

A zip says of itself how large its members are and where they belong, and it may lie: a few kilobytes can unpack to
terabytes, and ``../`` leads out of any folder. So members must bear one of a few plain names, nothing is written to
the disk by name, and reading ends at a limit whatever the header claims.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib

from medpriv_core.errors import RunError
from medpriv_core.runs.archive_format import KEPT, MB, MEMBERS, NEEDED

MAX_BYTES = 512 * MB  # of the file, and of all that is unpacked
MAX_RATIO = 200  # unpacked to packed; the texts of a run pack some ten times
_PIECE = 1 << 16

FOREIGN = "This zip is not that of a run"
CHOOSE = "Choose a zip that medpriv has exported."
DAMAGED = "This file is damaged or is no zip of a run. Export the run again on the other machine, and bring that file."
# Damage shows inside zipfile in all these ways; NotImplementedError is a RuntimeError.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, IndexError)


def read_members(content: bytes) -> dict[str, bytes]:
    """The members of a run's zip that an import keeps, by name.

    Raises ``RunError`` for a damaged zip, one with other members than a run has, and one that unpacks to too much.
    """
    if len(content) > MAX_BYTES:
        raise RunError(f"This file is too large for a run: more than {MAX_BYTES // MB} MB. {CHOOSE}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(members)
            files, left = {}, min(MAX_BYTES, MAX_RATIO * len(content))
            for member in members:
                data = _unpack(archive, member, min(MEMBERS[member.filename], left))
                left -= len(data)
                if member.filename in KEPT:
                    files[member.filename] = data
    except _DAMAGE as error:
        raise RunError(DAMAGED) from error
    for name in NEEDED:
        if name not in files:
            raise RunError(f"{FOREIGN}: {name} is missing. {CHOOSE}")
    return files


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if names and all(name.startswith("medpriv-run-") and name.endswith(".zip") for name in names):
        raise RunError("This zip holds several runs. Unpack it, and import the zips in it.")
    if len(members) > len(MEMBERS):
        raise RunError(f"{FOREIGN}: it has {len(members):,} files. {CHOOSE}")
    for member in members:
        # ``orig_filename``, because zipfile cuts names at a zero byte.
        if member.orig_filename not in MEMBERS or member.filename != member.orig_filename:
            raise RunError(f"{FOREIGN}: it holds {_shown(member.orig_filename)}, which no run has. {CHOOSE}")
        if stat.S_ISLNK(member.external_attr >> 16) or member.flag_bits & 1:
            raise RunError(f"{FOREIGN}: it holds a link or a locked file. {CHOOSE}")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RunError(f"{FOREIGN}: it is packed in a way that medpriv does not use. {CHOOSE}")
    if len(set(names)) < len(names):
        raise RunError(f"{FOREIGN}: it holds one file twice. {CHOOSE}")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    output = bytearray()
    with archive.open(member) as packed:
        while piece := packed.read(_PIECE):
            output += piece
            if len(output) > most:
                raise RunError(f"{FOREIGN}: {member.filename} unpacks to more than any run needs. {CHOOSE}")
    return bytes(output)


def _shown(name: str) -> str:
    """A foreign name, short and without anything that could mislead."""
    return ascii(name if len(name) <= 60 else f"{name[:60]}...")
