"""What all datasets made of image files have in common; a reader finds the images, this does the rest."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from medpriv_core.datasets.base import AddedDataset, SplitName
from medpriv_core.datasets.changes import Signature, sign_files
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import FileSplit, content_key, open_files
from medpriv_core.datasets.report import check_pictures
from medpriv_core.home import DataHome
from medpriv_core.progress import ProgressCallback, no_progress

COMPARING = "Looking for copies"


class FileDataset(AddedDataset):
    """A dataset whose images are files; a reader sets ``_files`` and ``_splits`` when it is made."""

    _files: FileSource
    _splits: dict[SplitName, FileSplit]

    @abstractmethod
    def __init__(self, files: FileSource) -> None:
        """Raises ``DatasetError`` if ``files`` are not in order."""

    @classmethod
    def open(cls, home: DataHome, path: Path, progress: ProgressCallback = no_progress) -> Self:
        """See ``AddedDataset``; ``path`` is a folder or a zip."""
        return cls(open_files(path, memory=home.fingerprints, progress=progress))

    def split(self, name: SplitName) -> FileSplit:
        """See ``AddedDataset``."""
        return self._splits[name]

    def content_key(self, progress: ProgressCallback = no_progress) -> str:
        """See ``Dataset``; reads every file of a folder that is new or has changed."""
        return content_key(self.info.name, self._splits.values(), progress)

    def check_pictures(self, progress: ProgressCallback) -> None:
        """See ``AddedDataset``."""
        check_pictures(list(self._splits.values()), progress)

    def picture_digests(self, name: SplitName, progress: ProgressCallback = no_progress) -> Sequence[object]:
        """See ``AddedDataset``."""
        files = {side: split.names for side, split in self._splits.items()}
        prints = {side: self._files.fingerprints(names, no_progress) for side, names in files.items()}
        # Of a file with several frames each is an image of its own.
        frames = {side: split.frames or [None] * len(split.names) for side, split in self._splits.items()}
        common = Counter(pair for side in prints for pair in zip(prints[side], frames[side], strict=True))
        digests: list[object] = []
        for done, (pair, file) in enumerate(
            zip(zip(prints[name], frames[name], strict=True), files[name], strict=True)
        ):
            # Size and CRC may agree by chance; only then are the files read again.
            if common[pair] > 1:
                progress(COMPARING, done, len(files[name]))
                digests.append((pair, hashlib.sha256(self._files.read(file)).digest()))
            else:
                digests.append(pair)
        return digests

    def signature(self) -> Signature:
        """See ``AddedDataset``."""
        return sign_files(self._files)
