"""MedMNIST: benchmark sets of small images, one npz file each (Yang et al. 2023, doi 10.1038/s41597-022-01721-8).

The training and test splits are used as published. The validation split is left alone: it is for choosing
settings, and joining it would make results incomparable with the benchmark's.

The headers of the arrays are checked before anything is loaded (``npz_file``): Python objects are refused, and so is
what is larger than any of these sets.
"""

from __future__ import annotations

import functools
import hashlib
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from PIL import Image

from medpriv_core.datasets.base import AddedDataset, DatasetInfo, SplitName
from medpriv_core.datasets.changes import Signature, sign
from medpriv_core.datasets.file_kinds import check_not_packed, what_is, with_article
from medpriv_core.datasets.medmnist_sets import FINDINGS, MAX_ARRAY_BYTES, READ, SIZES, MnistSet, recognise
from medpriv_core.datasets.report import LeftOut
from medpriv_core.datasets.zip_files import check_members
from medpriv_core.download import download
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from medpriv_core.npz_file import ArrayHeader, read_array, read_header
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.regular_file import is_regular, open_regular
from medpriv_core.web_addresses import is_web_address
from medpriv_core.zips import DAMAGE, TooManyMembers, open_zip

# As in ``info.py`` of the PyPI package medmnist 3.0.2.
_BASE_URL = "https://zenodo.org/records/10519652/files"
_MD5 = {(one.name, size): one.md5[size] for one in READ for size in one.sizes}
FETCHABLE = {one.name: one.sizes for one in READ}  # with the pixels a side
_BY_NAME = {one.name: one for one in READ}

_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
_VALIDATION = "val_images"
MOST_MEMBERS = 1000


def medmnist_file(home: DataHome, name: str, size: int) -> Path:
    """Where a fetched npz lies; raises ``DatasetError`` if there is no such dataset or size to fetch."""
    if name not in FETCHABLE:
        raise DatasetError(f"There is no {name} to fetch. There are {', '.join(FETCHABLE)}.")
    if (name, size) not in _MD5:
        sizes = ", ".join(map(str, FETCHABLE[name]))
        larger = (
            f" Its files of more pixels unpack to more than {MAX_ARRAY_BYTES / 1024**3:g} GiB."
            if FETCHABLE[name] != SIZES
            else ""
        )
        raise DatasetError(f"{name} is fetched in {sizes} pixels a side.{larger}")
    file = _BY_NAME[name].set_name
    return home.downloads / (f"{file}.npz" if size == 28 else f"{file}_{size}.npz")


def fetch_medmnist(
    home: DataHome, name: str, *, size: int, progress: ProgressCallback = no_progress, base_url: str | None = None
) -> Path:
    """Download a set of ``FETCHABLE`` in images of ``size`` pixels a side; returns the npz.

    ``base_url`` is a mirror that holds the file under its usual name (the checksum stays MedMNIST's).
    Raises ``DatasetError`` for an unknown name or size and a mirror that is none, and what ``download`` raises.
    """
    target = medmnist_file(home, name, size)
    if base_url and not is_web_address(base_url):
        raise DatasetError(f"{base_url} is no address on the web. Give one that begins with https:// or http://.")
    url = f"{base_url.rstrip('/')}/{target.name}" if base_url else f"{_BASE_URL}/{target.name}?download=1"
    return download(url, target, checksum=f"md5:{_MD5[name, size]}", progress=progress)


def _digest_now(file: Path, algorithm: str) -> str:
    status = file.stat()
    return _digest(file, algorithm, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _digest(file: Path, algorithm: str, _inode: int, _size: int, _mtime_ns: int) -> str:
    with open_regular(file, called=f"the file {file}", error=DatasetError) as opened:
        digest = hashlib.new(algorithm, usedforsecurity=False)
        while piece := opened.read(1 << 20):
            digest.update(piece)
        return digest.hexdigest()


class MedMnist(AddedDataset):
    """A MedMNIST dataset from its npz file; raises ``DatasetError`` if the file is not as expected."""

    def __init__(self, path: Path) -> None:
        self._path = path = _npz_at(path, self.info)
        self._headers, self._validation, self._others = self._read_headers()
        self._check_which()
        self._splits: dict[SplitName, _ArraySplit] = {
            "train": self._open_split("train"),
            "test": self._open_split("test"),
        }
        if len(np.unique(self._splits["train"].labels)) < 2:
            raise DatasetError(
                f"The training images in {path} are all of one class, so there is nothing to tell apart."
            )

    @classmethod
    def open(cls, home: DataHome, path: Path, progress: ProgressCallback = no_progress) -> Self:
        """See ``AddedDataset``; ``path`` is the npz file, or a folder with one."""
        del home, progress  # nothing to remember, and a matter of a second
        return cls(path)

    @classmethod
    def check_bytes(cls, home: DataHome, path: Path, *, added: str | None) -> None:
        """Raise ``DatasetError`` if the npz file at ``path`` is not, byte for byte, the one that was added.

        ``added`` is the SHA-256 of that day; None where it was not kept, or where the file system says that somebody
        wrote another file there since: of a file of the user's own that is no damage. What was fetched into the data
        home is what MedMNIST publishes, or nothing.
        """
        file = _npz_at(path, cls.info)
        if not is_regular(file):
            return  # whoever opens it says that
        fetched = next((key for key in _MD5 if file == medmnist_file(home, *key)), None)
        for algorithm, expected in (("sha256", added), ("md5", fetched and _MD5[fetched])):
            if expected is not None and _digest_now(file, algorithm) != expected:
                remedy = (
                    "Download it again." if fetched else "Put a sound copy in its place, and add the dataset again."
                )
                raise DatasetError(
                    f"The file {file} was changed or damaged since it was added: its checksum ({algorithm.upper()}) is "
                    f"another one. {remedy}"
                )

    def digest(self) -> str:
        """SHA-256 of the npz file, computed once as long as the file system calls it the same file."""
        return _digest_now(self._path, "sha256")

    def split(self, name: SplitName) -> _ArraySplit:
        """See ``AddedDataset``."""
        return self._splits[name]

    def content_key(self, progress: ProgressCallback = no_progress) -> str:
        """See ``AddedDataset``."""
        del progress  # known since the file was opened
        digest = hashlib.sha256(self.info.name.encode())
        for name, header in self._headers.items():
            digest.update(f"{name} {header.file_size} {header.crc}\n".encode())
        return digest.hexdigest()[:32]

    def left_out(self) -> list[LeftOut]:
        """See ``AddedDataset``."""
        left = []
        if self._validation:
            reason = "validation images, left alone as results on this benchmark do"
            left.append(LeftOut(reason, self._validation.shape[0]))
        if self._others:
            left.append(LeftOut("arrays that are no part of the benchmark", len(self._others), self._others[:3]))
        return left

    def notes(self) -> list[str]:
        """See ``AddedDataset``."""
        one, notes = _BY_NAME[self.info.name], []
        official = one.counts[0]
        counts = tuple(len(self._splits[name].labels) for name in ("train", "test"))
        if one.of:
            notes.append(
                "Each finding of ChestMNIST is a dataset of its own, of the same patients: what networks on several of "
                "them give away together is not added up here."
            )
        if counts != (official[0], official[2]):
            notes.append(
                f"{self.info.title} is published with {official[0]:,} training and {official[2]:,} test images, and "
                f"this file has {counts[0]:,} and {counts[1]:,}: it is a part of it or something else."
            )
        return notes

    def picture_digests(self, name: SplitName, progress: ProgressCallback = no_progress) -> list[bytes]:
        """See ``AddedDataset``."""
        del progress  # a matter of a second
        return [hashlib.blake2b(picture, digest_size=16).digest() for picture in self._load(f"{name}_images")]

    def check_pictures(self, progress: ProgressCallback) -> None:
        """Nothing to do: the arrays' headers have been looked at."""

    def signature(self) -> Signature:
        """See ``AddedDataset``."""
        return sign(self._path, ["."])

    def _read_headers(self) -> tuple[dict[str, ArrayHeader], ArrayHeader | None, tuple[str, ...]]:
        """Of the arrays that are read and of the validation images; and the names of arrays that do not belong."""
        try:
            with self._opened() as file, open_zip(file, most_members=MOST_MEMBERS) as archive:
                check_members(self._path, archive.infolist())
                present = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
                missing = [name for name in _ARRAYS if name not in present]
                if missing:
                    hint = ""
                    if inner := [name for name in archive.namelist() if name.lower().endswith(".npz")]:
                        hint = f" It holds {inner[0]}: unpack it, and give that file."
                    raise DatasetError(
                        f"{self._path} lacks the array {missing[0]}. Give the npz file of {self.info.title} as "
                        f"MedMNIST publishes it.{hint}"
                    )
                headers = {name: _header(archive, name) for name in _ARRAYS}
                validation = _header(archive, _VALIDATION) if _VALIDATION in present else None
                others = tuple(sorted(set(present) - {*_ARRAYS, _VALIDATION, "val_labels"}))
                return headers, validation if validation and validation.shape else None, others
        except TooManyMembers as error:
            raise DatasetError(
                f"{self._path} holds far more than the arrays of {self.info.title}. Give the npz file as MedMNIST "
                "publishes it."
            ) from error
        except DAMAGE as error:
            kind = what_is(self._path)
            check_not_packed(self._path, kind, "the npz file in it")
            if kind == "zip":
                raise DatasetError(f"{self._path} is not a sound npz file. Download it again.") from error
            raise DatasetError(
                f"{self._path} is not a sound npz file: it is {with_article(kind)}. Give the npz file of "
                f"{self.info.title} as MedMNIST publishes it."
            ) from error

    def _check_which(self) -> None:
        """Raise ``DatasetError`` if this is the file of another set, as its numbers of images or its name tell."""
        train, test = (self._headers[f"{name}_images"].shape for name in ("train", "test"))
        if not train or not test:
            return  # its shapes are refused further on
        validation = self._validation.shape[0] if self._validation else None
        found = recognise((train[0], validation, test[0]), self._path.name)
        if found not in (None, _BY_NAME[self.info.name].set_name):
            by = "numbers of images" if recognise((train[0], validation, test[0]), "") else "name"
            names = [one.name for one in READ if one.set_name == found]
            or_more = f", or another of its {len(names)} findings" if len(names) > 1 else ""
            remedy = f"Add it as {names[0]}{or_more}." if names else "medpriv does not read that set."
            raise DatasetError(f"{self._path} looks like {found} by its {by}, not like {self.info.title}. {remedy}")

    def _open_split(self, split: SplitName) -> _ArraySplit:
        images, labels = self._headers[f"{split}_images"], self._headers[f"{split}_labels"]
        for name, header in ((f"{split}_images", images), (f"{split}_labels", labels)):
            if header.dtype.hasobject:
                raise DatasetError(
                    f"The array {name} in {self._path} holds pickled Python objects, which could run code. medpriv "
                    "does not load them; download the file again from MedMNIST."
                )
        if images.dtype != np.uint8:
            raise DatasetError(f"The images in {self._path} are {images.dtype}, not uint8 as MedMNIST publishes them.")
        colours = (3,) if self.info.channels == 3 else ()
        rank = 3 + len(colours)
        if len(images.shape) != rank or images.shape[3:] != colours or 0 in images.shape:
            raise DatasetError(
                f"The array {split}_images in {self._path} has the shape {images.shape}, but {self.info.title} needs "
                f"(images, height, width{', 3' if colours else ''}). It may be the file of another dataset."
            )
        count, column = images.shape[0], _BY_NAME[self.info.name].label
        one_each = column is None and labels.shape in ((count,), (count, 1))
        several = column is not None and len(labels.shape) == 2 and labels.shape[1] == FINDINGS
        if not (one_each or (several and labels.shape[0] == count)) or labels.dtype.kind not in "iu":
            wanted = "one an image" if column is None else f"{FINDINGS} an image"
            raise DatasetError(
                f"The array {split}_labels in {self._path} has {labels.dtype} values of shape {labels.shape}; "
                f"medpriv expects {count} whole numbers, {wanted}."
            )
        whole = self._load(f"{split}_labels")
        values = (whole.reshape(-1) if column is None else whole[:, column]).astype(np.int64)
        highest = len(self.info.classes) - 1
        wrong = np.flatnonzero((values < 0) | (values > highest))
        if wrong.size:
            raise DatasetError(
                f"{wrong.size} labels of {split}_labels in {self._path} are outside 0 to {highest}; the first is "
                f"{values[wrong[0]]}, of image {wrong[0]}. It may be the file of another dataset."
            )
        return _ArraySplit(self, f"{split}_images", values)

    def _opened(self) -> BinaryIO:
        return open_regular(self._path, called=str(self._path), error=DatasetError)

    def _load(self, name: str) -> np.ndarray:
        try:
            with self._opened() as file, open_zip(file, most_members=MOST_MEMBERS) as archive:
                if _header(archive, name) != (header := self._headers[name]):
                    raise DatasetError(f"{self._path} has changed since it was opened. Add the dataset again.")
                return read_array(archive, name, header)
        except (*DAMAGE, TooManyMembers) as error:
            raise DatasetError(f"The array {name} in {self._path} is damaged. Download the file again.") from error
        except MemoryError as error:
            raise DatasetError(f"The array {name} in {self._path} needs more memory than there is here.") from error


def _reader(one: MnistSet) -> type[MedMnist]:
    """The class that reads a set."""
    info = DatasetInfo(
        name=one.name,
        title=one.title,
        classes=one.classes,
        channels=one.channels,
        synthetic=False,
        source=f"MedMNIST v2, Yang et al. 2023: {one.images}, made small; {one.licence}.",
        ordered=one.ordered,
    )
    how_to_add = f"Fetch it with one click, or add a {one.set_name} npz file that you have."
    return type(one.name, (MedMnist,), {"info": info, "how_to_add": how_to_add, "__doc__": f"``{one.name}``."})


READERS: dict[str, type[MedMnist]] = {one.name: _reader(one) for one in READ}


class _ArraySplit:
    """A split whose images are one array, unpacked when the first of them is asked for."""

    def __init__(self, dataset: MedMnist, array: str, labels: np.ndarray) -> None:
        self.labels = labels
        self.ids: Sequence[str] = [str(number) for number in range(len(labels))]
        self._dataset = dataset
        self._array = array
        self._images: np.ndarray | None = None
        self._lock = threading.Lock()

    def image(self, index: int) -> Image.Image:
        """The image at its own size; raises ``DatasetError`` if the file is damaged."""
        with self._lock:
            if self._images is None:
                self._images = self._dataset._load(self._array)
        return Image.fromarray(self._images[index])


def _npz_at(path: Path, info: DatasetInfo) -> Path:
    """The npz file at ``path``, or the only one of this set in the folder there; raises ``DatasetError``."""
    if not path.is_dir():
        return path
    there = sorted(file for file in path.glob("*.npz") if is_regular(file))
    named = [file for file in there if _BY_NAME[info.name].set_name in file.name.lower()]
    if len(named) == 1 or len(there) == 1:
        return (named or there)[0]
    if there:
        raise DatasetError(f"{path} is a folder with several npz files ({there[0].name}, ...). Give one of them.")
    raise DatasetError(f"{path} is a folder without an npz file. Give the npz file of {info.title} itself.")


def _header(archive: zipfile.ZipFile, name: str) -> ArrayHeader:
    if archive.getinfo(f"{name}.npy").file_size > MAX_ARRAY_BYTES:
        raise DatasetError(
            f"The array {name} unpacks to more than {MAX_ARRAY_BYTES // 1024**2:,} MiB. Use a smaller file."
        )
    return read_header(archive, name)
