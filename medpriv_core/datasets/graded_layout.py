"""Where tables and images of a graded collection lie, in whichever way somebody laid them out.

Sought are tables that have both names and grades (a competition's list of test images has none), the topmost first;
for each the folder that holds most of its images; and, where there is no table, folders that are called as grades are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import inner_archives
from medpriv_core.datasets.graded_images import check_grade_folders, count_found, find_images
from medpriv_core.datasets.graded_table import MAX_TABLE_BYTES, TABLE_SUFFIXES, has_grades, parse_grade, read_grades
from medpriv_core.datasets.names import folded, is_image, without_suffix
from medpriv_core.errors import DatasetError

# What the name of a table or folder begins with -> what it is for.
_ROLES = (("train", "train"), ("val", "val"), ("dev", "val"), ("test", "test"))
_HEAD_BYTES = 64 * 1024  # of a table, to tell whether it holds grades


@dataclass
class GradedImages:
    """What was found. Images are given by the names of their files."""

    grades: dict[str, int] = field(default_factory=dict)  # of every image, 0 to 4
    ids: dict[str, str] = field(default_factory=dict)  # of every image: its name for people, unlike any other
    train: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)  # empty where no split came with them
    tables: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)  # in which images were looked for
    sorted_by_grade: bool = False  # the grades are those of the folders


def find_graded(files: FileSource) -> GradedImages:
    """The graded images of ``files``; raises ``DatasetError`` if there are none or they are not in order."""
    found = GradedImages()
    tables = _choose_tables(files)
    if not tables:
        _read_grade_folders(files, found)
        return found
    for role, table in tables.items():
        grades = read_grades(files.read(table, MAX_TABLE_BYTES), table, id_column="id_code", grade_column="diagnosis")
        folder, images = _choose_folder(files, table, role, list(grades), alone=len(tables) == 1)
        names = find_images(files, folder, grades, table=table, suffix=".png", images=images)
        check_grade_folders(names, grades, table=table)
        twice = next((name for name in names.values() if name in found.grades), None)
        if twice is not None:
            raise DatasetError(
                f"{table} and {found.tables[0]} both grade the image {twice}. An image belongs to one of them."
            )
        (found.test if role == "test" else found.train).extend(names.values())
        found.tables.append(table)
        found.folders.append(folder)
        for id_, name in names.items():
            found.grades[name] = grades[id_]
    _name_images(found)
    return found


def _choose_tables(files: FileSource) -> dict[str, str]:
    """Role -> table with grades, in the order train, val, test; empty if there is no table at all."""
    there = [name for name in files.names if name.lower().endswith(TABLE_SUFFIXES)]
    there = [name for name in there if "submission" not in _stem(name)]
    if any(not name.lower().endswith(".txt") for name in there):
        there = [name for name in there if not name.lower().endswith(".txt")]
    there.sort(key=lambda name: (name.count("/"), name))
    # The publisher's own name counts even if something is wrong with the table, which is then said.
    main = next((name for name in there if _file(name) == "train.csv"), None)
    graded = [name for name in there if name != main and has_grades(files.head(name, _HEAD_BYTES))]
    if main is None:
        candidates = [name for name in graded if _role(_stem(name)) in ("train", None)]
        if not candidates:
            return {}
        place = _folder(candidates[0])
        candidates = [name for name in candidates if _folder(name) == place]
        trains = [name for name in candidates if _role(_stem(name)) == "train"] or candidates
        if len(trains) > 1:  # APTOS 2019 beside the images of 2015
            trains = [name for name in trains if re.search(r"19|aptos", _stem(name))] or trains
        if len(trains) > 1:
            raise DatasetError(
                f"{files.location} holds several tables of grades ({trains[0]} and {trains[1]}). Leave one of them."
            )
        main = trains[0]
    tables = {"train": main}
    year = re.search(r"\d\d(?:\d\d)?$", _stem(main))
    for role in ("val", "test"):
        beside = [name for name in graded if _folder(name) == _folder(main) and _role(_stem(name)) == role]
        if year:  # testLabels15.csv does not belong to trainLabels19.csv
            beside = [name for name in beside if _stem(name).endswith(year[0])]
        if len(beside) > 1:
            raise DatasetError(
                f"{files.location} holds several tables of grades ({beside[0]} and {beside[1]}). Leave one of them."
            )
        if beside:
            tables[role] = beside[0]
    return tables


def _choose_folder(
    files: FileSource, table: str, role: str, ids: Sequence[str], *, alone: bool
) -> tuple[str, list[str]]:
    """The folder (empty or ending in "/") that holds most of the table's images, and all images in it."""
    root = _folder(table)
    while root and not any(name.startswith(root) and is_image(name) for name in files.names):
        root = root[: root.rstrip("/").rfind("/") + 1]  # the table lies in a folder of tables
    families: dict[str, list[str]] = {}
    for name in files.names:
        if name.startswith(root) and is_image(name):
            below, _, file = name[len(root) :].partition("/")
            families.setdefault(f"{root}{below}/" if file else root, []).append(name)
    if len(families) < 2:
        return next(iter(families.items()), (f"{root}train_images/", []))
    year = re.search(r"\d\d$", _stem(table))

    def rank(folder: str) -> tuple[int, int]:
        name = folded(folder[len(root) :])
        told = next((known for start, known in _ROLES if start in name), None)
        fits = 0 if told is None else 2 if told == role else 1 if alone and told == "train" else -2
        if year and re.search(r"\d\d$", name):
            fits += 1 if name.endswith(year[0]) else -2
        return count_found(ids, families[folder], folder), fits

    ranks = {folder: rank(folder) for folder in families}
    best = max(ranks.values())
    chosen = [folder for folder in families if ranks[folder] == best]
    if len(chosen) > 1 and best[0]:
        raise DatasetError(
            f"The images of {table} lie in {chosen[0]} and again in {chosen[1]}. Leave one of the folders."
        )
    if not best[0] and f"{root}train_images/" in families:
        return f"{root}train_images/", families[f"{root}train_images/"]
    return chosen[0], families[chosen[0]]


def _read_grade_folders(files: FileSource, found: GradedImages) -> None:
    """Take the images of folders that are called as grades are."""
    places: dict[str, list[tuple[str, int]]] = {}  # what holds the folders of grades -> images
    for name in files.names:
        *above, folder, _ = ["", "", *name.split("/")]
        grade = parse_grade(folder) if is_image(name) else None
        if grade is not None:
            places.setdefault("/".join(above[2:]), []).append((name, grade))
    places = {place: rows for place, rows in places.items() if len({grade for _, grade in rows}) > 1}
    if not places:
        sheet = next((name for name in files.names if name.lower().endswith((".xlsx", ".xls", ".ods"))), None)
        hint = f" {sheet} is a spreadsheet: save it as csv." if sheet else inner_archives(files)
        outside = files.location.parent
        if files.folders and (outside / "train.csv").is_file():
            hint = f" There is one beside this folder: give {outside}."
        raise DatasetError(
            f"There is no train.csv in {files.location}. Give the folder or zip that holds train.csv and train_images."
            f"{hint}"
        )
    roles = {place: _role(folded(place.rsplit("/", 1)[-1])) for place in places}
    if len(places) > 1 and (None in roles.values() or len(set(roles.values())) < len(places)):
        first, second = sorted(places)[:2]
        raise DatasetError(
            f"{files.location} holds images sorted by grade more than once ({first or '.'} and {second or '.'}). Give "
            "one of them."
        )
    for place, rows in sorted(places.items()):
        side = found.test if roles[place] == "test" and len(places) > 1 else found.train
        side.extend(name for name, _ in rows)
        found.grades |= dict(rows)
        found.folders.append(f"{place}/" if place else "")
    if not found.train:
        raise DatasetError(f"{files.location} has images to test on and none to train on.")
    found.sorted_by_grade = True
    _name_images(found)


def _name_images(found: GradedImages) -> None:
    """Call each image by its file's name without the suffix, where that is its alone."""
    stems = {name: without_suffix(name.rsplit("/", 1)[-1]) for name in found.grades}
    counts: dict[str, int] = {}
    for stem in stems.values():
        counts[stem] = counts.get(stem, 0) + 1
    found.ids = {name: stem if counts[stem] == 1 else name for name, stem in stems.items()}


def _role(stem: str) -> str | None:
    return next((role for start, role in _ROLES if stem.startswith(start)), None)


def _file(name: str) -> str:
    return name.lower().rsplit("/", 1)[-1]


def _stem(name: str) -> str:
    return folded(_file(name).rsplit(".", 1)[0])


def _folder(name: str) -> str:
    return name[: name.rfind("/") + 1]
