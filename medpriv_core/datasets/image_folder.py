"""Chest X-rays of Kermany et al.: one folder a split, in it one folder a class.

``train|val|test / NORMAL|PNEUMONIA / *.jpeg``, as a folder or as the zip that Mendeley Data or Kaggle serves. Kaggle
moved 16 of the 5,232 training images to a ``val`` split, too few to choose anything by; they join the training images
again, as in the original release (and in the Mendeley zip, which has no ``val``). Kaggle's zip also holds the whole
tree a second time one level deeper; the shallowest counts. Mendeley's newer zip has retina scans (OCT) beside the chest
X-rays, whose folder ``NORMAL`` is none of theirs: only a tree with both classes counts.

A third class beside the two is refused. Its patients would silently be missing from a network that seems to have
learned from all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from medpriv_core.datasets.base import DatasetInfo, SplitName
from medpriv_core.datasets.file_dataset import FileDataset
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import FileSplit, inner_archives
from medpriv_core.datasets.names import folded, is_image, is_other_picture
from medpriv_core.datasets.own.rows import SPLITS
from medpriv_core.datasets.patients import several_images
from medpriv_core.datasets.report import LeftOut, unread
from medpriv_core.errors import DatasetError
from medpriv_core.printable import printable

_CLASS_FOLDERS = ("normal", "pneumonia")
# Those for validation join the training images.
_SPLIT_OF_FOLDER: dict[str, SplitName] = {name: split or "train" for name, split in SPLITS.items()}
_PATIENTS = (
    re.compile(r"(person\d+_(?:bacteria|virus)|(?:NORMAL2-)?IM-\d+)(?:[-_]\d+)+(?:\.\w+)?", re.IGNORECASE),
    re.compile(r"(?:BACTERIA|VIRUS|NORMAL)-(\d+)-\d+(?:\.\w+)?", re.IGNORECASE),
)
_LAYOUT = "medpriv expects train/NORMAL, train/PNEUMONIA, test/NORMAL and test/PNEUMONIA with images."


@dataclass
class _Tree:
    """What lies below one folder that holds splits."""

    rows: list[tuple[SplitName, int, str]] = field(default_factory=list)  # split, label, name of the image
    strange: dict[str, list[str]] = field(default_factory=dict)  # folder beside the classes -> pictures in it

    @property
    def complete(self) -> bool:
        """Whether both splits have images of both classes."""
        return len({(split, label) for split, label, _ in self.rows}) == 4


class ChestXray(FileDataset):
    """The dataset ``chest_xray``; raises ``DatasetError`` if a split or a class has no images."""

    info = DatasetInfo(
        name="chest_xray",
        title="Chest X-rays, pneumonia",
        classes=("Normal", "Pneumonia"),
        channels=1,
        synthetic=False,
        source="Kermany, Zhang and Goldbaum 2018, children's chest radiographs, doi 10.17632/rscbjbr9sj, CC BY 4.0.",
    )
    how_to_add = (
        "Download the chest X-ray images of Kermany et al. (Mendeley Data or Kaggle) and add the zip, or the folder "
        "with train/NORMAL, train/PNEUMONIA, test/NORMAL and test/PNEUMONIA."
    )

    def __init__(self, files: FileSource) -> None:
        self._files = files
        self._root, tree, self._copies = _choose_tree(files)
        found: dict[SplitName, list[tuple[int, str, str]]] = {"train": [], "test": []}
        for split, label, name in tree.rows:
            found[split].append((label, printable(name.rsplit("/", 1)[-1]), name))
        if not found["train"] and not found["test"]:
            raise DatasetError(
                f"No chest X-ray images were found in {files.location}: {_LAYOUT}{_seen(tree)}{_one_split(files)}"
                f"{inner_archives(files)}"
            )
        self._splits: dict[SplitName, FileSplit] = {}
        for split, rows in found.items():
            if not rows:
                raise DatasetError(f"{files.location} has no {split} images: {_LAYOUT}{_seen(tree)}")
            labels = np.array([label for label, _, _ in rows], dtype=np.int64)
            for label, folder in enumerate(_CLASS_FOLDERS):
                if label not in labels:
                    raise DatasetError(
                        f"The {split} images in {files.location} are all of one class; {split}/{folder.upper()} is "
                        f"missing or empty: {_LAYOUT}{_seen(tree)}"
                    )
            self._splits[split] = FileSplit(
                files=files,
                names=[name for _, _, name in rows],
                ids=[id_ for _, id_, _ in rows],
                labels=labels,
                channels=self.info.channels,
            )
        if tree.strange:
            count = sum(len(names) for names in tree.strange.values())
            images = f"{count:,} image{'' if count == 1 else 's'}"
            folders = sorted(tree.strange)
            listed = ", ".join(folders[:4]) + (f" and {len(folders) - 4} more" if len(folders) > 4 else "")
            raise DatasetError(
                f"Beside NORMAL and PNEUMONIA, {files.location} has {images} in {listed}. "
                "medpriv tells two classes apart and would leave them out: move them to NORMAL or PNEUMONIA, or out of "
                "the dataset."
            )

    @staticmethod
    def patient_key(file_name: str) -> str | None:
        """See ``AddedDataset``.

        ``person1000_virus_1681.jpeg``: cause and number together are a patient. The numbers of bacteria and virus count
        different patients: images of one number and different causes are as unlike as those of strangers.
        ``IM-0115-0001.jpeg``, ``NORMAL2-IM-0012-0001-0002.jpeg``: kind of name and first number.
        ``BACTERIA-1008087-0001.jpeg``, as a later edition has it: the first number is the patient's.

        >>> ChestXray.patient_key("PNEUMONIA/person1000_virus_1681.jpeg"), ChestXray.patient_key("scan.jpeg")
        ('person1000_virus', None)
        """
        name = re.split(r"[/\\]", file_name)[-1]
        found = (pattern.fullmatch(name) for pattern in _PATIENTS)
        return next((match[1].lower() for match in found if match), None)

    def groups(self, name: SplitName) -> Mapping[str, Sequence[str]]:
        """See ``AddedDataset``: the cause of a pneumonia, the family of a normal file, and how many images one has."""
        files = [re.split(r"[/\\]", file)[-1].lower() for file in self.split(name).ids]
        found = {
            "cause of the pneumonia": [
                next((cause for cause in ("bacteria", "virus") if re.match(rf"(person\d+_)?{cause}", file)), "")
                for file in files
            ],
            "family of normal files": [
                "NORMAL2-IM" if file.startswith("normal2-im") else "IM" if file.startswith("im-") else ""
                for file in files
            ],
        }
        patients = self.patients(name)
        if patients is not None:
            found["images of the patient"] = several_images(patients)
        return found

    def left_out(self) -> list[LeftOut]:
        """See ``AddedDataset``."""
        used = {name for split in self._splits.values() for name in split.names}
        return unread(self._files, used, why=self._why)

    def notes(self) -> list[str]:
        """See ``AddedDataset``."""
        joined = sum(
            folded(name.split("/")[self._root.count("/")]).startswith(("val", "dev"))
            for name in self._splits["train"].names
        )
        return [f"Images for validation that join the training images: {joined:,}."] if joined else []

    def _why(self, name: str) -> str:
        if name.startswith(self._copies):
            return "images in a second copy of the folders"
        below = [folded(part) for part in name[len(self._root) :].split("/")[:-1]]
        if name.startswith(self._root) and below and below[0] in _SPLIT_OF_FOLDER:
            return "images that lie in no folder of a class"
        return "images in folders beside train, val and test"


def _choose_tree(files: FileSource) -> tuple[str, _Tree, tuple[str, ...]]:
    """The folder that holds the splits (empty or ending in "/"): one with both classes, of these the topmost.

    With what lies below it, and the other folders like it.
    """
    trees: dict[str, _Tree] = {}
    for name in files.names:
        if not (is_image(name) or is_other_picture(name)):
            continue
        parts = name.split("/")
        depths = [depth for depth, part in enumerate(parts[:-2]) if folded(part) in _SPLIT_OF_FOLDER]
        if not depths:
            continue
        # A folder above the splits may be called like one of them.
        depth = next((depth for depth in depths if folded(parts[depth + 1]) in _CLASS_FOLDERS), depths[0])
        tree = trees.setdefault("".join(f"{above}/" for above in parts[:depth]), _Tree())
        kind = folded(parts[depth + 1])
        if kind not in _CLASS_FOLDERS:
            tree.strange.setdefault(f"{parts[depth]}/{parts[depth + 1]}", []).append(name)
        elif is_image(name):
            tree.rows.append((_SPLIT_OF_FOLDER[folded(parts[depth])], _CLASS_FOLDERS.index(kind), name))
    chosen = [root for root, tree in trees.items() if tree.complete]
    chosen = chosen or [root for root, tree in trees.items() if tree.rows] or list(trees)
    if not chosen:
        return "", _Tree(), ()
    shallowest = min(root.count("/") for root in chosen)
    roots = [root for root in chosen if root.count("/") == shallowest]
    if len(roots) > 1:
        places = " and ".join(root.rstrip("/") for root in sorted(roots)[:2])
        raise DatasetError(f"{files.location} holds several chest X-ray datasets ({places}). Give one of them.")
    return roots[0], trees[roots[0]], tuple(root for root in chosen if root != roots[0])


def _seen(tree: _Tree) -> str:
    """A sentence on the folders that are there instead of the classes."""
    if not tree.strange:
        return ""
    return f" Instead there are {', '.join(sorted(tree.strange, key=lambda folder: -len(tree.strange[folder]))[:4])}."


def _one_split(files: FileSource) -> str:
    """A sentence for whoever gives the folder of one split."""
    if not any(folded(name.split("/")[0]) in _CLASS_FOLDERS for name in files.names if "/" in name):
        return ""
    return " NORMAL or PNEUMONIA lie here without train and test above them: give the folder that holds train and test."
