"""What is remarkable about a dataset of one's own, in sentences."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from medpriv_core.datasets.base import SplitName
from medpriv_core.datasets.own.understood import Understood
from medpriv_core.datasets.patients import several_images
from medpriv_core.datasets.report import LeftOut
from medpriv_core.errors import DatasetError

_TWO_NUMBERS = re.compile(r"^(.*\d.*)[-_. ]\d+\.\w+$")
FEW = 10  # images of a class; fewer are told


def alike_in_words(alike: Sequence[int], labels: Sequence[int], splits: Sequence[SplitName]) -> list[str]:
    """What is nearly the same, within and across splits, and by different labels."""
    groups: dict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(alike):
        groups[number].append(place)
    several = [places for places in groups.values() if len(places) > 1]
    if not several:
        return ["No two images are nearly the same."]
    across = sum(len({splits[place] for place in places}) > 1 for places in several)
    differ = sum(len({labels[place] for place in places}) > 1 for places in several)
    images = sum(map(len, several))
    said = f"Nearly the same: {len(several):,} groups of {images:,} images, copies among them"
    return [f"{said}; {across:,} of the groups are on both sides of the split, and {differ:,} have different labels."]


def unreadable_in_words(item: LeftOut) -> str:
    """That some files cannot be read, which ones, and what to do."""
    files = "1 file" if item.count == 1 else f"{item.count:,} files"
    more = ", …" if item.count > len(item.examples) else ""
    return (
        f"{files} cannot be read as images ({', '.join(item.examples)}{more}), and no run could use the dataset. "
        "Repair what cannot be read, or have it left out (--skip-unreadable)."
    )


def remarks_on(whole: Understood) -> list[str]:
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
            f"{max(several.values()):,}.{_distribution(several)}"
        )
    elif any(patients):
        remarks.append("Of some images it is not known whose they are, so patients cannot be protected as a whole.")
    else:
        remarks.append(
            "Nothing says whose the images are, so DP-SGD protects single images, and a patient who has several of "
            f"them less.{_looks_like_patients([image.file for image in whole.images])}"
        )
    return remarks


def _distribution(images: Counter[str | None]) -> str:
    """How many patients have how many images; nothing where all have one."""
    bands = Counter(several_images([patient for patient in images.elements() if patient is not None]))
    if set(bands) == {"1"}:
        return ""
    total = bands.total()
    shares = [f"{bands[band] / total:.0%} are of patients with {band}" for band in sorted(bands)]
    return f" Of these images, {', '.join(shares)}."


def _looks_like_patients(files: Sequence[str]) -> str:
    """A hint where names of files have two numbers, and several have the first in common; never more than a hint."""
    found = [_TWO_NUMBERS.match(file.rsplit("/", 1)[-1]) for file in files]
    several = Counter(match[1] for match in found if match)
    if None in found or len(several) < 2 or max(several.values()) < 2:
        return ""
    return (
        " Several names of files differ in their last number alone. If what comes before it names the patient, say so "
        f"(--patient-pattern '{_TWO_NUMBERS.pattern}')."
    )
