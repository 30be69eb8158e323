"""Opening the zip of a run that came from anywhere: its members by name, unpacked piece by piece and counted.

A zip says of itself how large its members are and where they belong, and it may lie: a few kilobytes can unpack to
terabytes, and ``../`` leads out of any folder. So members must bear one of a few plain names, nothing is written to
the disk by name, and reading ends at a limit whatever the header claims (``medpriv_core.zips``).

People unpack such a zip to look into it, and pack it again: with the folder around it, and with what their desktop
leaves in every folder. That folder and such leftovers are passed over, and the unpacked folder itself can be given
instead of a zip. ``read_runs`` also takes a zip of several runs' zips, as an export of several runs is.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medpriv_core.errors import RunError
from medpriv_core.regular_file import read_regular, stat_regular
from medpriv_core.runs.archive_format import KEPT, MB, MEMBERS, NEEDED
from medpriv_core.zips import DAMAGE, TooManyMembers, UnpacksToMore, open_zip, unpack

MAX_BYTES = 512 * MB  # of the file, and of all that is unpacked
MAX_RATIO = 200  # unpacked to packed; the texts of a run pack some ten times
MAX_FILES = 20_000  # looked at in a folder that may be any

FOREIGN = "This is not the zip of a run"
CHOOSE = "Choose a zip that medpriv has exported."
DAMAGED = (
    "This zip is damaged, or only a part of it has arrived. Export the run again on the other machine, and bring that "
    "file."
)
_PACKED_BY = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
_METHODS = {9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}

# What desktops, cloud folders and network disks leave behind: Finder, Explorer, Dolphin, Synology, Windows' zones.
_LEFTOVERS = re.compile(
    r"__macosx|\.ds_store|\._.*|\.apdisk|\.localized|icon\r?|\.spotlight-v100|\.trashes|\.fseventsd|"
    r"thumbs\.db|ehthumbs\.db|desktop\.ini|.*:zone\.identifier|\.directory|@eadir|\.dropbox(\..*)?|\.sync.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Member:
    """A file in a zip or a folder.

    parts  its path, without leading "./"
    read   all of it, if it is not more than so many bytes; raises ``RunError``
    """

    parts: tuple[str, ...]
    read: Callable[[int], bytes]

    @property
    def shown(self) -> str:
        """A foreign name, short and without anything that could mislead."""
        name = "/".join(self.parts)
        return ascii(name if len(name) <= 60 else f"{name[:60]}...")


def read_runs(source: bytes | Path) -> list[dict[str, bytes]]:
    """The members that an import keeps, by name: of the run in a zip or an unpacked folder, or of several runs in one.

    Raises ``RunError`` for a damaged zip, one with other members than a run has, and one that unpacks to too much.
    """
    if isinstance(source, bytes):
        return _read_zip(source, outer=True)
    return _read(_folder_members(source), MAX_BYTES, outer=True)


def _read_zip(content: bytes, *, outer: bool) -> list[dict[str, bytes]]:
    if len(content) > MAX_BYTES:
        raise too_large()
    _refuse_other_kinds(content)
    try:
        with open_zip(io.BytesIO(content), most_members=MAX_FILES) as archive:
            return _read(_zip_members(archive), min(MAX_BYTES, MAX_RATIO * len(content)), outer=outer)
    except TooManyMembers as error:
        raise RunError(f"{FOREIGN}: it holds far more files than a run. {CHOOSE}") from error
    except DAMAGE as error:
        raise RunError(DAMAGED) from error


def too_large() -> RunError:
    """The error for a file that no export of runs can be."""
    return RunError(
        f"This file is too large for a run: more than {MAX_BYTES // MB} MB. If it holds several runs, unpack it "
        "and import them one by one."
    )


def _refuse_other_kinds(content: bytes) -> None:
    """Say what a file is that is no zip, where its first bytes tell."""
    if content.startswith(b"PK"):
        return
    kinds = {
        b"\x1f\x8b": "a gzip archive (.tar.gz, .tgz)",
        b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
        b"Rar!": "a RAR archive",
        b"BZh": "a bzip2 archive",
        b"\xfd7zXZ": "an XZ archive",
        b"(\xb5/\xfd": "a Zstandard archive",
    }
    kind = next((kind for start, kind in kinds.items() if content.startswith(start)), None)
    if content[257:262] == b"ustar":
        kind = "a tar archive"
    if kind is not None:
        raise RunError(f"This is {kind} and no zip. Unpack it, and import the folder or zip in it.")
    if not content:
        raise RunError(f"This file is empty. {CHOOSE}")
    if zipfile.is_zipfile(io.BytesIO(content)):  # with something in front, as a program that unpacks itself has
        return
    raise RunError(f"This file is no zip of a run, or its beginning is damaged. {CHOOSE}")


def _zip_members(archive: zipfile.ZipFile) -> list[_Member]:
    members = []
    for info in archive.infolist():
        # ``orig_filename``, because zipfile cuts names at a zero byte. Windows' own zips may part folders by "\".
        name = info.orig_filename.replace("\\", "/")
        if name.endswith("/") and not info.file_size:
            continue  # a folder
        parts = tuple(name.removeprefix("./").split("/"))
        if _is_leftover(parts):
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            raise RunError(f"{FOREIGN}: it holds a link. {CHOOSE}")
        if info.flag_bits & 1:
            raise RunError("This zip is locked with a password. Unpack it, and import the folder.")
        members.append(_Member(parts, lambda most, info=info: _unpack(archive, info, most)))  # type: ignore[misc]
    return members


def _folder_members(folder: Path) -> list[_Member]:
    """The files in a folder and the folders in it; no link is followed."""
    members: list[_Member] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_leftover((name,)))
        for name in sorted(names):
            path = Path(place, name)
            parts = path.relative_to(folder).parts
            if _is_leftover(parts):
                continue
            if len(members) == MAX_FILES:
                raise RunError(f"The folder {folder} holds far more files than a run. Choose the folder of one run.")
            if path.is_symlink() or not path.is_file():
                raise RunError(f"The folder {folder} holds a link or something that is no file. {CHOOSE}")
            members.append(_Member(parts, lambda most, path=path: _read_file(path, most)))  # type: ignore[misc]
    if not members:
        raise RunError(f"The folder {folder} is empty. Choose the zip of a run, or the folder that it was unpacked to.")
    return members


def _read(members: Sequence[_Member], left: int, *, outer: bool) -> list[dict[str, bytes]]:
    """The runs in these files; ``outer``: zips among them are opened."""
    members = _without_common_folders(members)
    runs: list[dict[str, bytes]] = []
    if outer and members and all(member.parts[-1].lower().endswith(".zip") for member in members):
        for member in members:
            content = member.read(left)
            left -= len(content)
            runs += _read_zip(content, outer=False)
        return runs
    names = {member.parts[-1] for member in members}
    if {"checkpoint.pt", "worker.log"} & names and "about.json" not in names and "spec.json" in names:
        raise RunError(
            "This is the folder of a run in a data home, and not one that was exported. Export the run there "
            "(export run), and import that zip."
        )
    folders = list(dict.fromkeys(member.parts[0] for member in members if len(member.parts) > 1))
    if outer and len(folders) > 1 and all(len(member.parts) > 1 for member in members):
        for folder in folders:  # of several runs, each unpacked
            runs.append(_keep([_inside(member) for member in members if member.parts[0] == folder], left))
            left -= sum(map(len, runs[-1].values()))
        return runs
    return [_keep(members, left)]


def _inside(member: _Member) -> _Member:
    return _Member(member.parts[1:], member.read)


def _keep(members: Sequence[_Member], left: int) -> dict[str, bytes]:
    if len(members) > len(MEMBERS):
        raise RunError(f"{FOREIGN}: it has {len(members):,} files. {CHOOSE}")
    for member in members:
        if len(member.parts) > 1 or member.parts[0] not in MEMBERS:
            raise RunError(f"{FOREIGN}: it holds {member.shown}, which no run has. {CHOOSE}")
    names = [member.parts[0] for member in members]
    if len(set(names)) < len(names):
        raise RunError(f"{FOREIGN}: it holds one file twice. {CHOOSE}")
    files = {}
    for name, member in zip(names, members, strict=True):
        data = member.read(min(MEMBERS[name], left))
        left -= len(data)
        if name in KEPT:
            files[name] = data
    for name in NEEDED:
        if name not in files:
            raise RunError(f"{FOREIGN}: {name} is missing. {CHOOSE}")
    return files


def _without_common_folders(members: Sequence[_Member]) -> list[_Member]:
    """Without the folders that are around all of them."""
    kept = list(members)
    while kept and all(len(member.parts) > 1 and member.parts[0] == kept[0].parts[0] for member in kept):
        if kept[0].parts[0] in ("", ".", ".."):
            break
        kept = [_inside(member) for member in kept]
    return kept


def _is_leftover(parts: Iterable[str]) -> bool:
    return any(_LEFTOVERS.fullmatch(part) for part in parts)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    if info.compress_type not in _PACKED_BY:
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise RunError(
            f"This zip is packed by {method}, which medpriv does not read. Unpack it and import the folder, or pack it "
            "again by the usual method (Deflate)."
        )
    try:
        return unpack(archive, info, most_bytes=most)
    except UnpacksToMore as error:
        raise _too_much(info.filename) from error


def _read_file(path: Path, most: int) -> bytes:
    called = f"the file {path}"
    if stat_regular(path, called=called, error=RunError).st_size > most:
        raise _too_much(path.name)
    return read_regular(path, called=called, error=RunError, most_bytes=most)


def _too_much(name: str) -> RunError:
    return RunError(f"{FOREIGN}: {ascii(name[-60:])[1:-1]} unpacks to more than any run needs. {CHOOSE}")
