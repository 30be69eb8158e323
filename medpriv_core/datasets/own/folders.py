"""A folder for each class, with or without ``train``, ``val``, ``test`` above it, in any depth, with any names.

Kaggle's zips hold the whole tree a second time one level deeper; the shallowest counts, and the copy is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import inner_archives
from medpriv_core.datasets.own.rows import Found, Row, split_of
from medpriv_core.datasets.report import unread
from medpriv_core.errors import DatasetError
from medpriv_core.printable import printable


def read_folders(files: FileSource, images: Sequence[str]) -> Found:
    """The images in folders of classes, ``images`` being all that are there.

    Raises ``DatasetError`` where there are none, they lie in one folder alone, or there are several such trees.
    """
    trees = _trees(images)
    if not trees:
        raise DatasetError(
            f"There are no images in folders in {files.location}. Give a folder that holds one folder for each class, "
            f"or a table that names the images.{inner_archives(files)}"
        )
    depth = min(root.count("/") for root in trees)
    roots = sorted(root for root in trees if root.count("/") == depth)
    if len(roots) > 1:
        raise DatasetError(
            f"{files.location} holds several trees of classes ({roots[0] or '.'} and {roots[1] or '.'}). Give one of "
            "them."
        )
    rows = trees[roots[0]]
    if len({row.label for row in rows}) == 1:
        raise DatasetError(
            f"All images in {files.location} lie in one folder, {printable(str(rows[0].label))}, so there is nothing "
            "to tell apart. Give the folder that holds one folder for each class, or a table that names the images."
        )
    deeper = tuple(root for root in trees if root != roots[0])

    def why(name: str) -> str:
        return (
            "images in a second tree of classes"
            if name.startswith(deeper)
            else "images that lie in no folder of a class"
        )

    return Found(tuple(rows), tuple(unread(files, {row.file for row in rows}, why=why)))


def _trees(images: Sequence[str]) -> dict[str, list[Row]]:
    """The trees of classes: the folder above splits or classes (empty or ending in "/") -> its images.

    Where there are folders of splits, the folder below one is the class, whatever is below that. Elsewhere it is the
    first folder in which images part.
    """
    by_split: dict[str, list[Row]] = defaultdict(list)
    for name in images:
        *folders, _file = name.split("/")
        at = next((place for place in range(len(folders) - 2, -1, -1) if split_of(folders[place])[0]), None)
        if at is not None:
            by_split["".join(f"{part}/" for part in folders[:at])].append(Row(name, folders[at + 1], folders[at]))
    if by_split:
        return by_split
    paths = [name.split("/")[:-1] for name in images]
    within = _common([path for path in paths if path])
    above = len(within)
    root = "".join(f"{part}/" for part in within)
    rows = [Row(name, path[above]) for name, path in zip(images, paths, strict=True) if len(path) > above]
    if not rows and above:  # all in one folder
        rows, root = [Row(name, within[-1]) for name in images], "".join(f"{part}/" for part in within[:-1])
    return {root: rows} if rows else {}


def _common(paths: Sequence[list[str]]) -> list[str]:
    """The folders that all paths begin with."""
    if not paths:
        return []
    first, last = min(paths), max(paths)
    same = next((place for place, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), None)
    return list(first[: min(len(first), len(last)) if same is None else same])
