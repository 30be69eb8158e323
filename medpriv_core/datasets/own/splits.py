"""Which images are to learn from and which to test on: as it was given, or as it is made."""

from __future__ import annotations

from collections.abc import Sequence

from medpriv_core.datasets.base import SplitName
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.rows import Row, split_of
from medpriv_core.datasets.own.splitting import choose_test, seen_in_both, together
from medpriv_core.errors import DatasetError
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback


def find_splits(
    files: FileSource,
    rows: Sequence[Row],
    labels: Sequence[int],
    alike: Sequence[int] | None,
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
    group = together([row.patient for row in rows], prints, alike or list(range(len(rows))))
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
