"""What is understood of a folder or zip of somebody's own images, before anything of it is kept.

From a layout's rows to classes in order, a split, patients and groups; what could silently go wrong is said, and what
could mean two things is an error that says how to decide it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from medpriv_core.datasets.base import SplitName
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.graded_table import TABLE_SUFFIXES
from medpriv_core.datasets.images import decode_image, read_picture
from medpriv_core.datasets.names import folded
from medpriv_core.datasets.own.folders import read_folders
from medpriv_core.datasets.own.images import ImageFiles, find_images
from medpriv_core.datasets.own.recipe import Layout, OwnClass, Recipe
from medpriv_core.datasets.own.rows import Found, Row, label_key, split_of
from medpriv_core.datasets.own.splitting import choose_test, seen_in_both, together
from medpriv_core.datasets.own.tables import (
    MAX_TABLE_BYTES,
    MOST_CLASSES,
    Columns,
    Names,
    Table,
    guess_columns,
    merged,
    read_rows,
    read_table,
)
from medpriv_core.datasets.report import LeftOut, unread
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.regular_file import read_regular

TEST_SHARE = 0.2
FEW = 10  # images of a class; fewer are told
_SAMPLED = 48  # images that are decoded to tell grey from colour
_FIRST = ("normal", "healthy", "negative", "no finding", "none", "no", "benign", "control", "no dr")


@dataclass(frozen=True)
class Choices:
    """What somebody decided about their dataset; None, or empty, where it is to be found out.

    table    of the images, where it lies outside their folder
    patient_pattern  a regular expression that finds in the name of a file whose the image is: its first group, or all
    classes  in order; between them they have every label that is there
    """

    title: str | None = None
    source: str | None = None
    layout: Layout | None = None
    table: Path | None = None
    columns: Columns = field(default_factory=Columns)
    patient_pattern: str | None = None
    classes: tuple[OwnClass, ...] = ()
    ordered: bool = False
    channels: Literal[1, 3] | None = None
    test_share: float = TEST_SHARE
    seed: int = 0
    split_anew: bool = False
    move_patients: bool = False
    skip_unreadable: bool = False


@dataclass(frozen=True)
class OwnImage:
    """One image as it is understood."""

    file: str
    label: int
    split: SplitName
    patient: str | None
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Understood:
    """A dataset as it would be added.

    images       in the order of their files
    group_names  of the subgroup columns
    left_out     what gives no image, each under its reason
    notes        whole sentences on what is remarkable
    image_files  how many files are images, those that no row labels among them
    """

    recipe: Recipe
    images: tuple[OwnImage, ...]
    group_names: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    image_files: int

    def counts(self, split: SplitName) -> list[int]:
        """Images of each class."""
        labels = [image.label for image in self.images if image.split == split]
        return np.bincount(labels, minlength=len(self.recipe.classes)).tolist()


def understand(name: str, files: FileSource, choices: Choices, progress: ProgressCallback = no_progress) -> Understood:
    """What the files of a dataset are, by ``choices`` and by what is there.

    Raises ``DatasetError`` where it cannot be understood, or in two ways.
    """
    images = find_images(files, progress)
    if not images.names:
        raise DatasetError(
            f"There are no images that medpriv reads in {files.location}. Give the folder that holds them."
        )
    layout, tables = _layout(files, images, choices)
    names = Names(images.names, images.by_uid)
    if layout == "table":
        found, columns = _read_tables(files, images, tables, names, choices)
    else:
        found, columns = read_folders(files, images.names), Columns()
    whose = _pattern(choices.patient_pattern)
    rows = [_with_patient(row, images, whose) for row in sorted(found.rows, key=lambda row: row.file)]
    notes = list(found.notes)
    classes = _classes(rows, choices, notes)
    recipe = Recipe(
        name=name,
        title=choices.title or name.replace("_", " ").capitalize(),
        classes=classes,
        channels=choices.channels or _channels(files, [row.file for row in rows]),
        layout=layout,
        source=choices.source or "Own images.",
        ordered=choices.ordered,
        tables=tuple(table.name for table in tables) if choices.table is None else (),
        columns=columns,
        patient_pattern=choices.patient_pattern,
        seed=choices.seed,
        move_patients=choices.move_patients,
        skip_unreadable=choices.skip_unreadable,
    )
    labels = [_label(recipe, row) for row in rows]
    kept = [place for place, label in enumerate(labels) if label is not None]
    rows, known = [rows[place] for place in kept], [labels[place] for place in kept]
    splits, made = _splits(files, rows, [int(label or 0) for label in known], choices, notes, progress)
    if made:
        recipe = replace(recipe, test_share=choices.test_share)
    understood = tuple(
        OwnImage(row.file, int(label or 0), split, row.patient, row.groups)
        for row, label, split in zip(rows, known, splits, strict=True)
    )
    left_out = (*found.left_out, *images.left_out)
    whole = Understood(recipe, understood, found.group_names, left_out, tuple(notes), len(images.names))
    return replace(whole, notes=(*notes, *_remarks(whole)))


def _layout(files: FileSource, images: ImageFiles, choices: Choices) -> tuple[Layout, list[Table]]:
    """How the images are labelled, and by which tables."""
    if choices.layout == "folders":
        return "folders", []
    if choices.table is not None:
        data = read_regular(choices.table, called=str(choices.table), error=DatasetError, most_bytes=MAX_TABLE_BYTES)
        return "table", [read_table(data, choices.table.name)]
    there = [name for name in files.names if name.lower().endswith(TABLE_SUFFIXES)]
    names = Names(images.names, images.by_uid)
    useful: list[Table] = []
    complaints: list[DatasetError] = []
    for name in sorted(there, key=lambda one: (one.count("/"), one)):
        try:
            table = read_table(files.read(name, MAX_TABLE_BYTES), name)
            guess_columns(table, names, choices.columns)
            useful.append(table)
        except DatasetError as error:
            complaints.append(error)
    if choices.layout == "table" or (useful and choices.layout is None):
        if not useful:
            raise (
                complaints[0]
                if complaints
                else DatasetError(f"There is no table (csv, tsv) in {files.location}. Give it with --table.")
            )
        header = useful[0].header
        alike = [table for table in useful if table.header == header]
        if len(alike) > 1 and len({_role(table.name) for table in alike}) < len(alike):
            raise DatasetError(
                f"{files.location} holds several tables of its images ({alike[0].name} and {alike[1].name}). Name the "
                "one that counts (--table)."
            )
        return "table", alike
    return "folders", []


def _role(table: str) -> str | None:
    """The split that a table is for, by its name."""
    stem = folded(table.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    return next((word for word in ("train", "test", "val", "dev") if stem.startswith(word)), None)


def _read_tables(
    files: FileSource, images: ImageFiles, tables: Sequence[Table], names: Names, choices: Choices
) -> tuple[Found, Columns]:
    columns = guess_columns(tables[0], names, choices.columns)
    several = len(tables) > 1
    found = merged([read_rows(table, columns, names, role=_role(table.name) if several else None) for table in tables])
    used = {row.file for row in found.rows}
    rest = unread(
        files, used, tables=[table.name for table in tables], why=lambda _: "images that no row of a table labels"
    )
    not_image = set(images.not_image)
    if not_image:
        rest = [one for one in rest if one.reason != "files without an ending, which are not taken for images"]
    return replace(found, left_out=(*found.left_out, *rest)), columns


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise DatasetError(f"The pattern {printable(text or '')!r} is no regular expression: {error}.") from error


def _with_patient(row: Row, images: ImageFiles, whose: re.Pattern[str] | None) -> Row:
    """Whose an image is: by the table, else by the name of its file, else by its DICOM header."""
    if row.patient:
        return row
    found = whose.search(row.file.rsplit("/", 1)[-1]) if whose else None
    named = found[1 if found.re.groups else 0] if found else None
    return replace(row, patient=named or images.patients.get(row.file))


def _classes(rows: Sequence[Row], choices: Choices, notes: list[str]) -> tuple[OwnClass, ...]:
    """The classes in order, each by its most frequent spelling."""
    spelt: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        spelt[label_key(str(row.label))][str(row.label).strip()] += 1
    if len(spelt) < 2:
        raise DatasetError(
            f"All images have one label, {printable(next(iter(spelt), ''))!r}, so there is nothing to tell apart."
        )
    if len(spelt) > MOST_CLASSES:
        raise DatasetError(
            f"There are {len(spelt):,} different labels, and medpriv tells at most {MOST_CLASSES} classes apart. Name "
            "the column that holds the classes (--label-column)."
        )
    for key in sorted(spelt, key=_place):
        if len(spelt[key]) > 1:
            others = ", ".join(printable(text) for text, _ in spelt[key].most_common(4))
            notes.append(f"Taken as one label: {others}.")
    if not choices.classes:
        keys = sorted(spelt, key=_place)
        return tuple(OwnClass(_shown(spelt[key].most_common(1)[0][0], key), (key,)) for key in keys)
    classes = tuple(replace(one, labels=tuple(map(label_key, one.labels))) for one in choices.classes)
    given = Counter(label for one in classes for label in one.labels)
    wrong = [
        *(f"{printable(key)!r} is in no class" for key in sorted(set(spelt) - set(given))),
        *(f"{printable(key)!r} is no label of any image" for key in sorted(set(given) - set(spelt))),
        *(f"{printable(key)!r} is given twice" for key, count in given.items() if count > 1),
    ]
    if wrong:
        labels = ", ".join(printable(key) for key in sorted(spelt, key=_place))
        raise DatasetError(f"The classes do not fit the labels ({labels}): {wrong[0]}. Give each label once.")
    return classes


def _shown(label: str, key: str) -> str:
    return printable(" ".join(label.replace("_", " ").split()))[:80] if not key.isdigit() else key


def _place(key: str) -> tuple[int, float, str]:
    """What an order of labels goes by: numbers by their size, then what is normal, then letters."""
    try:
        return 0, float(key), key
    except ValueError:
        return (1, 0, key) if key in _FIRST or key.startswith(("no ", "normal")) else (2, 0, key)


def _label(recipe: Recipe, row: Row) -> int | None:
    return recipe.label_of(label_key(str(row.label)))


def _channels(files: FileSource, names: Sequence[str]) -> Literal[1, 3]:
    """1 if some images, spread over all, are grey; 3 if any has colour."""
    places = np.linspace(0, len(names) - 1, min(_SAMPLED, len(names))).astype(int)
    for name in (names[int(place)] for place in dict.fromkeys(places.tolist())):
        try:
            picture = read_picture(files.read(name), channels=None, name=name, at_least=64).image
        except ImageError:
            continue  # told where all are looked at
        if picture.mode == "RGB":
            pixels = np.asarray(decode_image(files.read(name), channels=3, name=name, at_least=64)).astype(np.int16)
            if (np.abs(pixels - pixels[..., :1]) > 12).mean() > 0.01:
                return 3
    return 1


def _splits(
    files: FileSource,
    rows: Sequence[Row],
    labels: Sequence[int],
    choices: Choices,
    notes: list[str],
    progress: ProgressCallback,
) -> tuple[list[SplitName], bool]:
    """The split of each image, and whether it was made."""
    given = [split_of(row.split) if row.split else (False, None) for row in rows]
    strange = sorted({str(row.split) for row, (known, _) in zip(rows, given, strict=True) if row.split and not known})
    if strange:
        raise DatasetError(
            f"The split {printable(strange[0])!r} is not known. Use train, test and val, or leave that column out."
        )
    known = [side for is_known, side in given if is_known]
    if not choices.split_anew and known and ("test" in known or None in known) and "train" in known:
        if len(known) < len(rows):
            raise DatasetError(
                f"{len(rows) - len(known):,} images have no split and {len(known):,} have one. Give each one, or none "
                "(--split-anew makes one)."
            )
        # Without images to test on, those for validation are.
        validation: SplitName = "train" if "test" in known else "test"
        if None in known:
            count = known.count(None)
            joins = "join the training images" if "test" in known else "are taken to test on, for there are no others"
            notes.append(f"Images for validation: {count:,} {joins}.")
        splits: list[SplitName] = [side or validation for side in known]
        return _without_shared_patients(rows, splits, choices, notes), False
    prints = files.fingerprints([row.file for row in rows], progress)
    group = together([row.patient for row in rows], prints)
    test = choose_test(labels, group, share=choices.test_share, seed=choices.seed)
    by = " by patient" if any(row.patient for row in rows) else ""
    notes.append(
        f"No split was given, so one was made{by}: {choices.test_share:.0%} of each class to test on, as nearly as it "
        f"goes, seed {choices.seed}; copies of an image stay on one side."
    )
    return ["test" if chosen else "train" for chosen in test.tolist()], True


def _without_shared_patients(
    rows: Sequence[Row], splits: list[SplitName], choices: Choices, notes: list[str]
) -> list[SplitName]:
    both = seen_in_both([row.patient for row in rows], [split == "test" for split in splits])
    if not both:
        return splits
    if not choices.move_patients:
        raise DatasetError(
            f"{len(both):,} patients have images both to learn from and to test on, so a network would be tested on "
            "people whom it knows. Have their test images moved to the training images (--move-patients), or a new "
            "split made (--split-anew)."
        )
    moved = sum(row.patient in both and split == "test" for row, split in zip(rows, splits, strict=True))
    notes.append(f"Test images of patients who are among the training images, moved there: {moved:,}.")
    return ["train" if row.patient in both else split for row, split in zip(rows, splits, strict=True)]


def _remarks(whole: Understood) -> list[str]:
    """What is remarkable about the classes, and whose the images are."""
    train, test = whole.counts("train"), whole.counts("test")
    names = [one.name for one in whole.recipe.classes]
    for side, counts in (("to learn from", train), ("to test on", test)):
        if not sum(counts):
            raise DatasetError(f"There are no images {side}. Give a split with both, or have one made (--split-anew).")
    remarks = []
    few = [
        f"{name} ({learn:,} to learn from, {tested:,} to test on)"
        for name, learn, tested in zip(names, train, test, strict=True)
        if learn + tested < FEW or not learn or not tested
    ]
    if few:
        more = f" and {len(few) - 5:,} more" if len(few) > 5 else ""
        remarks.append(f"Very small classes, of which a figure is nearly chance: {', '.join(few[:5])}{more}.")
    if not whole.recipe.ordered and len(names) > 2 and all(name.isdigit() for name in names):
        remarks.append(
            "If the classes are grades of one disease, say so: kappa and the recipes then go by their order."
        )
    share = max(test) / sum(test)
    remarks.append(f"Always naming {names[test.index(max(test))]} would be right on {share:.1%} of the test images.")
    patients = [image.patient for image in whole.images if image.split == "train"]
    if patients and None not in patients:
        several = Counter(patients)
        remarks.append(
            f"The training images are of {len(several):,} patients; the one with the most has "
            f"{max(several.values()):,}."
        )
    elif any(patients):
        remarks.append("Of some images it is not known whose they are, so patients cannot be protected as a whole.")
    return remarks
