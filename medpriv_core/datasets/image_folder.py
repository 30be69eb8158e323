"""Chest X-rays of Kermany et al.: one folder a split, in it one folder a class.

``train|val|test / NORMAL|PNEUMONIA / *.jpeg``, as a folder or as the zip that Mendeley Data or Kaggle
serves. Kaggle moved 16 of the 5,232 training images to a ``val`` split, too few to choose anything by;
they join the training images again, as in the original release (and in the Mendeley zip, which has no
``val``). Kaggle's zip also holds the whole tree a second time one level deeper; the shallowest counts.
"""

from __future__ import annotations

import numpy as np

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.catalog import CHEST_XRAY
from medpriv_core.datasets.files import FileSource, FileSplit, content_key, is_image
from medpriv_core.errors import DatasetError
from medpriv_core.progress import ProgressCallback, no_progress

_CLASS_FOLDERS = ("normal", "pneumonia")
_SPLIT_OF_FOLDER: dict[str, SplitName] = {"train": "train", "val": "train", "test": "test"}
_LAYOUT = "medpriv expects train/NORMAL, train/PNEUMONIA, test/NORMAL and test/PNEUMONIA with JPEG or PNG images."


class ChestXray:
    """The dataset ``chest_xray``; raises ``DatasetError`` if a split or a class has no images."""

    info: DatasetInfo = CHEST_XRAY

    def __init__(self, files: FileSource) -> None:
        found: dict[SplitName, list[tuple[int, str, str]]] = {"train": [], "test": []}
        for split, label, name in _shallowest(files):
            found[split].append((label, name.rsplit("/", 1)[-1], name))
        if not found["train"] and not found["test"]:
            raise DatasetError(f"No chest X-ray images were found in {files.location}: {_LAYOUT}")
        self._splits: dict[SplitName, FileSplit] = {}
        for split, rows in found.items():
            if not rows:
                raise DatasetError(f"{files.location} has no {split} images: {_LAYOUT}")
            labels = np.array([label for label, _, _ in rows], dtype=np.int64)
            for label, folder in enumerate(_CLASS_FOLDERS):
                if label not in labels:
                    raise DatasetError(
                        f"The {split} images in {files.location} are all of one class; {split}/{folder.upper()} is "
                        f"missing or empty: {_LAYOUT}"
                    )
            self._splits[split] = FileSplit(
                files=files,
                names=[name for _, _, name in rows],
                ids=[id_ for _, id_, _ in rows],
                labels=labels,
                channels=self.info.channels,
            )

    def split(self, name: SplitName) -> FileSplit:
        return self._splits[name]

    def content_key(self, progress: ProgressCallback = no_progress) -> str:
        return content_key(self.info.name, self._splits.values(), progress)


def _shallowest(files: FileSource) -> list[tuple[SplitName, int, str]]:
    """(split, label, name) of the images under the topmost folder that holds the splits."""
    by_root: dict[tuple[str, ...], list[tuple[SplitName, int, str]]] = {}
    for name in files.names:
        parts = name.lower().split("/")
        for depth in range(len(parts) - 2):
            if parts[depth] in _SPLIT_OF_FOLDER and parts[depth + 1] in _CLASS_FOLDERS and is_image(name):
                row = (_SPLIT_OF_FOLDER[parts[depth]], _CLASS_FOLDERS.index(parts[depth + 1]), name)
                by_root.setdefault(tuple(name.split("/")[:depth]), []).append(row)
                break
    if not by_root:
        return []
    shallowest = min(len(root) for root in by_root)
    roots = [root for root in by_root if len(root) == shallowest]
    if len(roots) > 1:
        places = " and ".join("/".join(root) for root in sorted(roots)[:2])
        raise DatasetError(f"{files.location} holds several chest X-ray datasets ({places}). Give one of them.")
    return by_root[roots[0]]
