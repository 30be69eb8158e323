"""What all datasets made of image files have in common; a reader finds the images, this does the rest."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.changes import Signature, sign_files
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import FileSplit, content_key
from medpriv_core.datasets.report import LeftOut, check_pictures
from medpriv_core.progress import ProgressCallback, no_progress

COMPARING = "Looking for copies"


class FileDataset(ABC):
    """A dataset whose images are files; a reader sets ``info``, ``_files`` and ``_splits``."""

    info: DatasetInfo
    _files: FileSource
    _splits: dict[SplitName, FileSplit]

    def split(self, name: SplitName) -> FileSplit:
        """One split, read lazily."""
        return self._splits[name]

    def content_key(self, progress: ProgressCallback = no_progress) -> str:
        """See ``datasets.base.Dataset``; reads every file of a folder that is new or has changed."""
        return content_key(self.info.name, self._splits.values(), progress)

    @abstractmethod
    def left_out(self) -> list[LeftOut]:
        """The files that are not read, and why."""

    def notes(self) -> list[str]:
        """What else whoever adds it should know, in whole sentences."""
        return []

    def check_pictures(self, progress: ProgressCallback) -> None:
        """Raise ``DatasetError`` if a file that is called a picture is plainly something else."""
        check_pictures(list(self._splits.values()), progress)

    def picture_digests(self, name: SplitName, progress: ProgressCallback = no_progress) -> Sequence[object]:
        """Something for each image of a split that is equal for equal files, and unlike for others."""
        files = {side: split.names for side, split in self._splits.items()}
        prints = {side: self._files.fingerprints(names, no_progress) for side, names in files.items()}
        common = Counter(fingerprint for side in prints.values() for fingerprint in side)
        digests: list[object] = []
        for done, (fingerprint, file) in enumerate(zip(prints[name], files[name], strict=True)):
            # Size and CRC may agree by chance; only then are the files read again.
            if common[fingerprint] > 1:
                progress(COMPARING, done, len(files[name]))
                digests.append((fingerprint, hashlib.sha256(self._files.read(file)).digest()))
            else:
                digests.append(fingerprint)
        return digests

    def signature(self) -> Signature:
        """By which it can be told later, without reading anything, whether the files have changed."""
        return sign_files(self._files)
