"""Which image file a row of a table means.

Copies of a collection keep its images in folders of other names, one inside another, or sorted by grade. An image is
looked for below one folder at a time, first by its exact name and then ever more loosely (``names.spellings``), and
what could mean two files, or one file twice, is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.graded_table import and_more, parse_grade
from medpriv_core.datasets.names import is_image, spellings, without_suffix
from medpriv_core.errors import DatasetError


def find_images(
    files: FileSource, folder: str, ids: Iterable[str], *, table: str, suffix: str, images: Sequence[str] | None = None
) -> dict[str, str]:
    """Id -> name of its image file below ``folder`` (which is empty or ends in "/"), in the order of ``ids``.

    ``suffix`` (".png") is what the publisher's files end in; errors use it, and any image suffix will do. ``images``
    are the candidates, by default all image files below the folder. Raises ``DatasetError`` if there are none, or not
    exactly one for each id.
    """
    if images is None:
        images = [name for name in files.names if name.startswith(folder) and is_image(name)]
    if not images:
        raise DatasetError(
            f"There are no images in {folder} of {files.location}, though {table} names some. Put them there."
        )
    ids = list(ids)
    found, missing, doubtful = _match(ids, images, folder)
    if missing:
        file = folder + without_suffix(missing[0]) + suffix
        raise DatasetError(
            f"{table} names {missing[0]!r}, but {file} does not exist{and_more(missing)}. Restore the images or remove "
            "the rows."
        )
    if doubtful:
        id_, (first, second, *_) = doubtful[0]
        raise DatasetError(
            f"{table} names {id_!r}, which may be {first} or {second}{and_more(doubtful)}. Leave one of them."
        )
    owners: dict[str, str] = {}
    for id_, name in found.items():
        if name in owners:
            raise DatasetError(f"{table} names {owners[name]!r} and {id_!r}, which are both the image {name}.")
        owners[name] = id_
    return found


def count_found(ids: Sequence[str], images: Sequence[str], folder: str) -> int:
    """How many of the ids have an image among those below ``folder``."""
    return len(_match(ids, images, folder)[0])


def check_grade_folders(names: Mapping[str, str], grades: Mapping[str, int], *, table: str) -> None:
    """Raise ``DatasetError`` if an image lies in the folder of another grade than the table gives it."""
    differing = []
    for id_, name in names.items():
        folder = name.rsplit("/", 2)[-2] if "/" in name else ""
        told = parse_grade(folder)
        if told is not None and told != grades[id_]:
            differing.append((id_, folder))
    if differing:
        id_, folder = differing[0]
        raise DatasetError(
            f"{table} gives {id_} the grade {grades[id_]}, but its image lies in the folder {folder}"
            f"{and_more(differing)}. Correct one of them."
        )


def _match(
    ids: Sequence[str], images: Sequence[str], folder: str
) -> tuple[dict[str, str], list[str], list[tuple[str, list[str]]]]:
    """Those with one image, those with none, those with several."""
    indexes: list[dict[str, list[str]]] = [{}, {}, {}, {}]
    for name in images:
        whole, stem, *looser = spellings(name[len(folder) :])
        for index, key in zip(indexes, (without_suffix(whole), stem, *looser), strict=True):
            index.setdefault(key, []).append(name)
    found, missing, doubtful = {}, [], []
    for id_ in ids:
        whole, stem, *looser = spellings(id_)
        keys = (without_suffix(whole), stem, *looser)
        there = next((index[key] for index, key in zip(indexes, keys, strict=True) if key in index), [])
        if len(there) == 1:
            found[id_] = there[0]
        elif there:
            doubtful.append((id_, there))
        else:
            missing.append(id_)
    return found, missing, doubtful
