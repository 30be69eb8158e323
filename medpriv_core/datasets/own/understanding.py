"""What is understood of a folder or zip of somebody's own images, before anything of it is kept.

From a layout's rows to classes in order, a split, patients and groups; what could silently go wrong is said, and what
could mean two things is an error that says how to decide it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.classes import find_channels, find_classes
from medpriv_core.datasets.own.folders import read_folders
from medpriv_core.datasets.own.frames import by_frame, check_window
from medpriv_core.datasets.own.images import ImageFiles, find_images
from medpriv_core.datasets.own.layouts import choose_layout, most_likely, read_tables
from medpriv_core.datasets.own.looking import look_at_all
from medpriv_core.datasets.own.most import first_of_each
from medpriv_core.datasets.own.recipe import Recipe
from medpriv_core.datasets.own.remarks import alike_in_words, remarks_on, unreadable_in_words
from medpriv_core.datasets.own.rows import Found, Row, label_key
from medpriv_core.datasets.own.splits import find_splits
from medpriv_core.datasets.own.tables import Columns, Names
from medpriv_core.datasets.own.understood import OwnImage, Understood
from medpriv_core.datasets.report import MOST_EXAMPLES, LeftOut
from medpriv_core.errors import DatasetError
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback, no_progress

# So many images are looked at each, unasked: it takes seconds.
QUICKLY_LOOKED_AT = 2000


def understand(name: str, files: FileSource, choices: Choices, progress: ProgressCallback = no_progress) -> Understood:
    """What the files of a dataset are, by ``choices`` and by what is there.

    Raises ``DatasetError`` where it cannot be understood, or in two ways.
    """
    images = find_images(files, progress)
    if not images.names:
        raise DatasetError(
            f"There are no images that medpriv reads in {files.location}. Give the folder that holds them."
        )
    layout, tables, set_aside = choose_layout(files, images, choices)
    header = tables[0].header if tables else ()
    names = Names(images.names, images.by_uid)
    if layout == "table":
        found, columns = read_tables(files, images, tables, names, choices)
    else:
        found, columns = _by_folders(files, images, set_aside), Columns()
    whose = _pattern(choices.patient_pattern)
    notes = [*found.notes, *(f"Folders tell the classes here. {error}" for error in set_aside)]
    rows = [_with_patient(row, images, whose) for row in sorted(found.rows, key=lambda row: row.file)]
    rows = _without_one_for_all(rows, notes)
    rows = by_frame(rows, images, choices.reading, notes)
    check_window(files, rows, images, choices.reading)
    classes = find_classes(rows, choices, notes)
    recipe = Recipe(
        name=name,
        title=choices.title or name.replace("_", " ").capitalize(),
        classes=classes,
        channels=choices.channels or find_channels(files, rows),
        layout=layout,
        source=choices.source or "Own images.",
        ordered=choices.ordered,
        tables=tuple(table.file for table in tables) if choices.table is None else (),
        columns=columns,
        patient_pattern=choices.patient_pattern,
        seed=choices.seed,
        move_patients=choices.move_patients,
        skip_unreadable=choices.skip_unreadable,
        reading=choices.reading,
        most_images=choices.most_images,
    )
    labels = [_label(recipe, row) for row in rows]
    kept = [place for place, label in enumerate(labels) if label is not None]
    rows, known = [rows[place] for place in kept], [labels[place] for place in kept]
    left_out = [*found.left_out, *images.left_out]
    alike: list[int] | None = None
    unreadable: LeftOut | None = None
    if choices.every_image or choices.skip_unreadable or len(rows) <= QUICKLY_LOOKED_AT:
        rows, known, alike, unreadable = _looked_at(files, rows, known, choices, left_out, notes, progress)
    else:
        notes.append(
            f"Not each of the {len(rows):,} images was opened, which takes its time: what cannot be read, and what is "
            "nearly the same, is found when every image is looked at (--every-image)."
        )
    splits, made = find_splits(files, rows, [int(label or 0) for label in known], alike, choices, notes, progress)
    if alike is not None:
        notes += alike_in_words(alike, [int(label or 0) for label in known], splits)
    if made:
        recipe = replace(recipe, test_share=choices.test_share)
    understood = first_of_each(
        [
            OwnImage(row.file, int(label or 0), split, row.patient, row.groups, row.frame)
            for row, label, split in zip(rows, known, splits, strict=True)
        ],
        choices.most_images,
        left_out,
    )
    whole = Understood(
        recipe,
        understood,
        found.group_names,
        tuple(left_out),
        tuple(notes),
        len(images.names),
        header,
        bool(images.dicom),
        unreadable,
    )
    return replace(whole, notes=(*notes, *remarks_on(whole)))


def _by_folders(files: FileSource, images: ImageFiles, set_aside: Sequence[DatasetError]) -> Found:
    """By folders; where they tell no classes and there is a table, what is wrong with the table is what counts."""
    try:
        return read_folders(files, images.names)
    except DatasetError as error:
        if set_aside:
            # Rather of one that can be read than of one that cannot, which may be of something else.
            raise most_likely(set_aside) from error
        raise


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


def _without_one_for_all(rows: Sequence[Row], notes: list[str]) -> list[Row]:
    """One patient for all images is what anonymising leaves: then it is not known whose they are."""
    if len(rows) < 2 or len({row.patient for row in rows}) > 1 or rows[0].patient is None:
        return list(rows)
    notes.append("All images name one and the same patient, as after anonymising, so that is not taken for a patient.")
    return [replace(row, patient=None) for row in rows]


def _label(recipe: Recipe, row: Row) -> int | None:
    return recipe.label_of(label_key(str(row.label)))


def _looked_at(
    files: FileSource,
    rows: Sequence[Row],
    labels: Sequence[int | None],
    choices: Choices,
    left_out: list[LeftOut],
    notes: list[str],
    progress: ProgressCallback,
) -> tuple[list[Row], list[int | None], list[int], LeftOut | None]:
    """Rows and labels of the images, and numbers that are equal for nearly the same ones; and what cannot be read.

    Those that cannot be read are among the rows unless they are to be left out.
    """
    seen = look_at_all(files, rows, choices.reading, progress)
    kept = [place for place in range(len(rows)) if place not in seen.unreadable or not choices.skip_unreadable]
    unreadable: LeftOut | None = None
    if seen.unreadable:
        examples = tuple(printable(rows[place].file) for place in list(seen.unreadable)[:MOST_EXAMPLES])
        unreadable = LeftOut("files that cannot be read as images", len(seen.unreadable), examples)
        if choices.skip_unreadable:
            left_out.append(unreadable)
            unreadable = None
        else:
            notes.append(unreadable_in_words(unreadable))
    common = ", ".join(f"{width:,} × {height:,} ({count:,})" for (width, height), count in seen.sizes.most_common(3))
    others = len(seen.sizes) - 3
    notes.append(f"Sizes in pixels: {common}{f' and {others:,} more' if others > 0 else ''}.")
    place_of = {place: number for number, place in enumerate(kept)}
    alike = list(range(len(kept)))
    for one, two in ((place_of[a], place_of[b]) for a, b in seen.alike if a in place_of and b in place_of):
        first, second = sorted((alike[one], alike[two]))
        alike = [first if number == second else number for number in alike]
    return [rows[place] for place in kept], [labels[place] for place in kept], alike, unreadable
