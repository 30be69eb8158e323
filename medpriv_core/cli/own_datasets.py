"""Adding one's own images: ``datasets add`` and ``check`` with what was understood, ``export`` and ``import``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from medpriv_core.atomic import atomic_file
from medpriv_core.cli.output import ProgressBar, print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.own.adding import add_own, import_record, is_own, look, record_of
from medpriv_core.datasets.own.choices import TEST_SHARE, Choices
from medpriv_core.datasets.own.recipe import OwnClass
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.datasets.own.understood import Understood
from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.errors import DatasetError, SettingError
from medpriv_core.given_paths import given_path
from medpriv_core.home import DataHome, data_home
from medpriv_core.pictures.reading import AS_USUAL, FIT_WORDS, FRAMES_WORDS, WINDOW_WORDS, Reading
from medpriv_core.regular_file import read_regular

CHECKED = "my_images"


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The options that say how one's own images are to be understood."""
    group = parser.add_argument_group("your own images (a name that medpriv does not know)")
    group.add_argument("--title", help="for people")
    group.add_argument("--source", help="one sentence: where they come from, and under which licence")
    group.add_argument("--layout", choices=("folders", "table"), help="a folder for each class, or a table")
    group.add_argument("--table", metavar="FILE", help="csv, tsv, xlsx or parquet, if it lies elsewhere")
    for name, text in (
        ("file", "names of the images"),
        ("label", "the classes"),
        ("split", "train, val or test"),
        ("patient", "whose each image is; only a keyed hash is kept"),
    ):
        group.add_argument(f"--{name}-column", metavar="COLUMN", help=f"column with {text}; guessed if not given")
    group.add_argument("--group-column", action="append", default=[], metavar="COLUMN", help="a subgroup; repeatable")
    group.add_argument(
        "--patient-pattern", metavar="REGEX", help="finds in the name of a file whose the image is: its first group"
    )
    group.add_argument(
        "--most-images", type=int, metavar="K", help="training images of a patient, at most: the first by name"
    )
    group.add_argument(
        "--class",
        action="append",
        default=[],
        dest="classes",
        metavar="LABEL[=NAME]",
        help="the classes in order, each with a name of its own; labels of one name are one class; repeatable",
    )
    group.add_argument("--ordered", action="store_true", help="the classes are grades of one disease")
    group.add_argument("--channels", type=int, choices=(1, 3), help="1 grey, 3 colour; looked at if not given")
    for name, words, text in (
        ("fit", FIT_WORDS, "an image that is not square"),
        ("window", WINDOW_WORDS, "grey values of DICOM, or of more than 8 bits"),
        ("frames", FRAMES_WORDS, "a DICOM file with several frames"),
    ):
        said = "; ".join(f"{choice}: {meaning}" for choice, meaning in words.items())
        group.add_argument(
            f"--{name}",
            choices=tuple(words),
            default=getattr(AS_USUAL, name),
            help=f"{text} ({said})".replace("%", "%%"),
        )
    group.add_argument("--test-share", type=float, default=TEST_SHARE, help="of a split that is made (default 0.2)")
    group.add_argument("--seed", type=int, default=0, help="of a split that is made")
    looking = "look at every image: which cannot be read, which are nearly the same"
    group.add_argument("--every-image", action="store_true", help=looking)
    group.add_argument("--skip-unreadable", action="store_true", help="leave out what cannot be read as an image")
    group.add_argument("--split-anew", action="store_true", help="make a split though one is given")
    group.add_argument(
        "--move-patients",
        action="store_true",
        help="test images of patients who are in both splits become training images",
    )


def add_to(actions: Commands) -> None:
    """Add the actions that are for one's own images alone."""
    checking = actions.add_parser("check", help="what would be understood of your own images; nothing is kept")
    checking.add_argument("path", metavar="FOLDER_OR_ZIP")
    add_choices(checking)
    add_json_option(checking)
    checking.set_defaults(command=_check)

    exporting = actions.add_parser("export", help="write the record of a dataset of your own (dataset.toml)")
    exporting.add_argument("name")
    exporting.add_argument("file", metavar="FILE")
    exporting.set_defaults(command=_export)

    importing = actions.add_parser("import", help="add images by a record that somebody exported")
    importing.add_argument("file", metavar="FILE", help="dataset.toml")
    importing.add_argument("path", metavar="FOLDER_OR_ZIP")
    importing.set_defaults(command=_import)


def choices_of(options: argparse.Namespace) -> Choices:
    """What was given; raises ``SettingError`` for numbers that cannot be."""
    if not 0 < options.test_share < 1:
        raise SettingError(f"test_share must be above 0 and below 1, but is {options.test_share:g}.")
    if not 0 <= options.seed < 2**31:
        raise SettingError(f"seed must be between 0 and {2**31 - 1}, but is {options.seed}.")
    classes: dict[str, list[str]] = {}
    for text in options.classes:
        label, _, name = text.partition("=")
        classes.setdefault((name or label).strip(), []).append(label)
    return Choices(
        title=options.title,
        source=options.source,
        layout=options.layout,
        table=None if options.table is None else given_path(options.table),
        columns=Columns(
            options.file_column,
            options.label_column,
            options.split_column,
            options.patient_column,
            tuple(options.group_column) or None,
        ),
        patient_pattern=options.patient_pattern,
        classes=tuple(OwnClass(name, tuple(labels)) for name, labels in classes.items()),
        ordered=options.ordered,
        channels=options.channels,
        test_share=options.test_share,
        seed=options.seed,
        split_anew=options.split_anew,
        move_patients=options.move_patients,
        skip_unreadable=options.skip_unreadable,
        every_image=options.every_image,
        most_images=options.most_images,
        reading=Reading(fit=options.fit, window=options.window, frames=options.frames),
    )


def add_by_choice(home: DataHome, options: argparse.Namespace) -> DatasetEntry | None:
    """Show what is understood, ask on a terminal, and add; None where the answer was no."""
    choices = choices_of(options)
    with ProgressBar() as bar:
        understood = look(home, options.name, options.path, choices, progress=bar)
    if not options.json:
        print_understood(understood)
    if not options.yes:
        if not sys.stdin.isatty():
            raise SettingError("Nothing was added. Say --yes to add what was understood.")
        if input("Add them so? [y/N] ").strip().lower() not in ("y", "yes"):
            say("Nothing was added.")
            return None
    with ProgressBar() as bar:
        return add_own(home, options.name, options.path, choices, progress=bar)


def print_understood(understood: Understood) -> None:
    """What would be added, a line each."""
    recipe = understood.recipe
    kind = "grey" if recipe.channels == 1 else "colour"
    how = "a folder for each class" if recipe.layout == "folders" else "a table"
    say(f"Understood by {how}; {kind} images, {len(recipe.classes)} classes{' in grades' if recipe.ordered else ''}:")
    train, test = understood.counts("train"), understood.counts("test")
    for place, one in enumerate(recipe.classes):
        say(f"  {place}  {one.name}: {train[place]:,} to learn from, {test[place]:,} to test on")
    if recipe.reading.in_words:
        say(f"Each image: {recipe.reading.in_words}.")
    for kind, column in recipe.columns.named():
        say(f"Column of the {kind}: {column}")
    for item in understood.left_out:
        examples = f" ({', '.join(item.examples)}{', …' if item.count > len(item.examples) else ''})"
        say(f"Left out: {item.count:,} {item.reason}{examples if item.examples else ''}")
    for note in understood.notes:
        say(note)


def facts_of(understood: Understood) -> dict[str, Any]:
    """The same as JSON, without names of files or patients."""
    patients = [image.patient for image in understood.images if image.split == "train"]
    known = bool(patients) and None not in patients
    return {
        "classes": [one.name for one in understood.recipe.classes],
        "train_counts": understood.counts("train"),
        "test_counts": understood.counts("test"),
        "channels": understood.recipe.channels,
        "layout": understood.recipe.layout,
        "reading": {name: getattr(understood.recipe.reading, name) for name in ("fit", "window", "frames")},
        "columns": [list(pair) for pair in understood.recipe.columns.named()],
        "patients": len(set(patients)) if known else None,
        "largest_patient_images": max(Counter(patients).values()) if known else None,
        "left_out": [{"reason": item.reason, "count": item.count} for item in understood.left_out],
        "notes": list(understood.notes),
    }


def _check(options: argparse.Namespace) -> None:
    with ProgressBar() as bar:
        understood = look(data_home(), CHECKED, options.path, choices_of(options), progress=bar)
    if options.json:
        print_json(facts_of(understood))
    else:
        print_understood(understood)


def _export(options: argparse.Namespace) -> None:
    home = data_home()
    if not is_own(home, options.name):
        raise DatasetError(f"{options.name} is no dataset of your own in this data home, so it has no record.")
    target = given_path(options.file)
    try:
        with atomic_file(target, private=False) as file:
            file.write(record_of(home, options.name))
    except OSError as error:
        raise SettingError(f"{target} cannot be written ({error.strerror or error}). Choose another place.") from error
    say(f"The record of {options.name} is in {target}. It names no file and no patient.")


def _import(options: argparse.Namespace) -> None:
    source = given_path(options.file)
    data = read_regular(source, called=str(source), error=DatasetError, most_bytes=2**20)
    with ProgressBar() as bar:
        entry = import_record(
            data_home(), data.decode("utf-8", "replace"), Path(options.path).expanduser(), progress=bar
        )
    say(f"{entry.info.name} is added: {entry.train:,} training and {entry.test:,} test images.")
