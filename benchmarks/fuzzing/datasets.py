"""Zips, folders and npz files of datasets: each must be added, and then be readable, or be refused with a sentence."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from benchmarks.fuzzing.mutations import damage, hostile_text
from benchmarks.fuzzing.subject import Case, command
from benchmarks.fuzzing.uploads import rasters
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset, change_notice, list_datasets, remove_dataset
from medpriv_core.home import DataHome, data_home
from tests.datasets.builders import aptos_files, chest_files, idrid_files, write_npz

IMAGE_SIZE = 32
ZEROS = 20_000_000  # bytes that a small member unpacks to
# Names that lead elsewhere, mean something to a system, or are no text.
NAMES = (
    "../out.jpeg", "/out.jpeg", "C:\\out.jpeg", "train/../../out.jpeg", "train\\NORMAL\\x.jpeg", "train/NORMAL/", " ",
    "train/NORMAL/x.jpeg", "train/NORMAL/X.JPEG", "./train/NORMAL/y.jpeg", "train//NORMAL/y.jpeg", "a" * 300 + ".jpeg",
    "train/NORMAL/" + "d/" * 200 + "x.jpeg", "train/NORMAL/person1_bacteria_1.jpeg", "train.csv", "test.csv",
    "train/NORMAL/\udcff.jpeg", "train/NORMAL/\u202egepj.x", "__MACOSX/train/NORMAL/._x.jpeg", "desktop.ini",
)  # fmt: skip
# Cells of a table that no reader expects.
CELLS = (
    "",
    "-1",
    "5",
    "99",
    "9" * 5000,
    "1e999",
    "nan",
    "0.5",
    "two",
    "=1+1",
    '"',
    "\x00",
    "../x",
    "\ufeff",
    "é",
    "0;1",
)


class Zips:
    """Sound datasets of every reader, with one thing wrong."""

    canaries = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "datasets"
        self._pictures = rasters()
        grades: dict[str, int | str] = {f"id{number:03}": number % 5 for number in range(15)}
        self._trees: dict[str, list[Mapping[str, bytes]]] = {
            "chest_xray": [chest_files(), chest_files(train=6, test=3)],
            "aptos2019": [aptos_files(grades)],
            "idrid": [idrid_files(), idrid_files(published=True)],
        }
        self._arrays = {
            "pneumoniamnist": write_npz(folder / "pneumoniamnist.npz").read_bytes(),
            "retinamnist": write_npz(folder / "retinamnist.npz", channels=3, classes=5).read_bytes(),
        }

    def make(self, rng: random.Random) -> Case:
        if rng.random() < 0.25:
            return self._npz(rng)
        name = rng.choice(sorted(self._trees))
        files = dict(rng.choice(self._trees[name]))
        how = rng.choice(("member", "table", "names", "zeros", "bytes", "headers", "links", "folder", "missing"))
        if how in ("member", "folder"):
            self._spoil_member(files, rng)
        elif how == "table":
            self._spoil_table(files, rng)
        elif how == "names":
            for _ in range(rng.randrange(1, 4)):
                files[rng.choice(NAMES)] = rng.choice(self._pictures)
            files[hostile_text(rng).replace("\x00", "") + ".jpeg"] = rng.choice(self._pictures)
        elif how == "zeros":
            files[rng.choice(sorted(files))] = bytes(ZEROS)
        elif how == "missing":
            for lost in rng.sample(sorted(files), rng.randrange(1, len(files))):
                del files[lost]
        if how == "folder":
            return Case(f"{name} as a folder", {}, (name, files, rng.random()))
        data = packed(files, link=how == "links", rng=rng)
        if how == "bytes":
            data = damage(data, rng, self._pictures)
        elif how == "headers":
            data = lying(data, rng)
        return Case(f"{name} as a zip, {how}", {"dataset.zip": data}, (name, None, 0.0))

    def attempt(self, case: Case) -> None:
        name, files, chance = case.given
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        os.environ["MEDPRIV_HOME"] = str(self._folder / "home")
        if files is not None:
            place = unpacked(self._folder / "place", files, chance)
        else:
            ((file, data),) = case.files.items()
            place = self._folder / file
            place.write_bytes(data)
        home = data_home()
        entry = add_dataset(home, name, place)
        for sentence in entry.report.sentences if entry.report else ():
            str(sentence).encode()
        self._use(home, name)

    def _use(self, home: DataHome, name: str) -> None:
        command("datasets", "list")
        command("datasets", "show", name, "--json")
        change_notice(home, name)
        prepare_dataset(home, name, image_size=IMAGE_SIZE)
        list_datasets(home)
        remove_dataset(home, name)

    def _npz(self, rng: random.Random) -> Case:
        name = rng.choice(sorted(self._arrays))
        data, how = self._arrays[name], rng.choice(("bytes", "array", "shape", "objects"))
        if how == "bytes":
            data = damage(data, rng, self._pictures)
        else:
            with np.load(io.BytesIO(data)) as archive:
                arrays = dict(archive)
            data = packed({f"{key}.npy": npy(array, rng, how) for key, array in arrays.items()}, rng=rng)
        return Case(f"{name} as npz, {how}", {f"{name}.npz": data}, (name, None, 0.0))

    def _spoil_member(self, files: dict[str, bytes], rng: random.Random) -> None:
        for name in rng.sample(sorted(files), rng.choice((1, 1, 2, len(files)))):
            files[name] = damage(files[name], rng, self._pictures)

    def _spoil_table(self, files: dict[str, bytes], rng: random.Random) -> None:
        tables = sorted(name for name in files if name.endswith(".csv"))
        if not tables:
            return self._spoil_member(files, rng)
        name = rng.choice(tables)
        rows = [row.split(",") for row in files[name].decode().splitlines()]
        for _ in range(rng.randrange(1, 4)):
            row = rng.choice(rows)
            row[rng.randrange(len(row))] = rng.choice((*CELLS, hostile_text(rng)))
        if rng.random() < 0.3:
            rows = rng.choice((rows[:1], rows[1:], rows * 2, rows * 500, [[*row, *row] for row in rows]))
        text = rng.choice((",", ",", ";", "\t")).join
        encoding = rng.choice(("utf-8", "utf-8", "utf-16", "latin-1"))
        files[name] = "\r\n".join(map(text, rows)).encode(encoding, errors="replace")
        return None


def npy(array: np.ndarray, rng: random.Random, how: str) -> bytes:
    """An array as a file, with something wrong now and then."""
    stream = io.BytesIO()
    if rng.random() < 0.5:
        np.save(stream, array)
        return stream.getvalue()
    if how == "objects":
        np.save(stream, array.astype(object), allow_pickle=True)
        return stream.getvalue()
    if how == "array":
        changes = (
            array.astype(rng.choice(("float64", "int64", "complex64", "U3", "bool", ">u2"))),
            array[:0],
            array.reshape(-1),
            array[..., np.newaxis],
            array[: len(array) // 2],
            np.full(array.shape, 255, array.dtype),
            np.asarray(7),
        )
        np.save(stream, changes[rng.randrange(len(changes))])
        return stream.getvalue()
    shape = rng.choice(((10**12, 28, 28), (2**62, 4), (-1, 28, 28), (0,), (28,) * 60, (10**4000,)))
    header = str(
        {"descr": rng.choice(("|u1", "<f8", "|O", "<U1000000000", "x")), "fortran_order": False, "shape": shape}
    )
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + array.tobytes()


def packed(files: Mapping[str, bytes], *, rng: random.Random, link: bool = False) -> bytes:
    """A zip of these files, packed by any method; with ``link``, one of its members is a link out of it."""
    output = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(output, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name.encode(errors="replace").decode() or " "), content, method)
        if link:
            info = zipfile.ZipInfo(rng.choice(("train/NORMAL/link.jpeg", "train.csv", "link")))
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/hostname")
    return output.getvalue()


def lying(data: bytes, rng: random.Random) -> bytes:
    """A zip whose directory lies: about sizes, methods, flags, offsets, or how many members there are."""
    changed = bytearray(data)
    entries = _places(data, b"PK\x01\x02")
    for _ in range(rng.randrange(1, 4)):
        # method, flags, checksum, packed, unpacked, length of the name, offset
        field, size = rng.choice(((10, 2), (8, 2), (16, 4), (20, 4), (24, 4), (28, 2), (42, 4)))
        if entries:
            place = rng.choice(entries) + field
            value = rng.choice((0, 1, 9, 99, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), rng.randrange(2 ** (8 * size))))
            changed[place : place + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    end = data.rfind(b"PK\x05\x06")
    if end >= 0 and rng.random() < 0.3:
        place = end + rng.choice((8, 10, 12, 16))
        changed[place : place + 2] = rng.choice((b"\xff\xff", b"\0\0", b"\x01\0"))
    return bytes(changed)


def _places(data: bytes, mark: bytes) -> list[int]:
    found, place = [], data.find(mark)
    while place >= 0:
        found.append(place)
        place = data.find(mark, place + 1)
    return found


def unpacked(folder: Path, files: Mapping[str, bytes], chance: float) -> Path:
    """The files below a folder, with something among them that is no file."""
    for name, content in files.items():
        path = folder / PurePosixPath(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    odd = folder / "train" / "NORMAL" / "odd.jpeg"
    odd.parent.mkdir(parents=True, exist_ok=True)
    kind = int(chance * 7)
    if kind == 0:
        os.mkfifo(odd)
    elif kind == 1:
        odd.symlink_to("/dev/zero")
    elif kind == 2:
        odd.symlink_to(odd)
    elif kind == 3:
        odd.symlink_to(folder, target_is_directory=True)
    elif kind == 4:
        odd.mkdir()
    elif kind == 5:
        odd.write_bytes(b"")
        odd.chmod(0)
    else:
        (folder / os.fsdecode(b"train/NORMAL/\xff\xfe.jpeg")).write_bytes(b"x")
    return folder
