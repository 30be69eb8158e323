"""What became of the files when a dataset was added: read, left out and why, and which pictures are there twice.

For a guarantee it matters how many images there are and whose. So every file of a folder or zip that is not read is
counted under a reason. Names of files are shown once, to the person who adds them, and are not kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import FileSplit
from medpriv_core.datasets.names import is_image, is_other_picture, is_table
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.pictures.kinds import kind_of
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback

MOST_EXAMPLES = 3
PHASE = "Looking at the files"

# What ``kinds.kind_of`` looks at, at most.
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class LeftOut:
    """Files that were not read for one reason; ``examples`` are names of some, and are not kept."""

    reason: str  # what they are, in the plural
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copies:
    """Pictures that are there more than once, byte for byte.

    surplus  pictures beyond the first of their kind, in both splits together
    across   different pictures that are in the training and in the test images
    """

    surplus: int = 0
    across: int = 0


@dataclass(frozen=True)
class AddReport:
    """What adding a dataset found."""

    left_out: tuple[LeftOut, ...] = ()
    copies: Copies = Copies()
    notes: tuple[str, ...] = ()  # whole sentences

    @property
    def sentences(self) -> list[str]:
        """The report for people, a line each; empty if everything was read and nothing is remarkable."""
        lines = []
        for item in self.left_out:
            examples = f" ({', '.join(item.examples)}{', …' if item.count > len(item.examples) else ''})"
            reason = item.reason[0].upper() + item.reason[1:]
            lines.append(f"{reason}: {item.count:,} left out{examples if item.examples else ''}.")
        if self.copies.surplus:
            one = self.copies.surplus == 1
            lines.append(
                f"{self.copies.surplus:,} {'image is a copy' if one else 'images are copies'} of another one, byte for "
                "byte: what is promised to a single image covers one of them."
            )
        if self.copies.across:
            one = self.copies.across == 1
            lines.append(
                f"{self.copies.across:,} {'image is' if one else 'images are'} among both the training and the "
                "test images, which makes test results look better than they are."
            )
        return [*lines, *self.notes]


def as_record(report: AddReport) -> dict[str, Any]:
    """The report as JSON, without names of files."""
    return {
        "left_out": [{"reason": item.reason, "count": item.count} for item in report.left_out],
        "copies": {"surplus": report.copies.surplus, "across": report.copies.across},
        "notes": list(report.notes),
    }


def from_record(record: Any) -> AddReport | None:
    """The kept report; None where there is none (added by an earlier version) or it cannot be understood."""
    try:
        return AddReport(
            left_out=tuple(LeftOut(str(item["reason"]), int(item["count"])) for item in record["left_out"]),
            copies=Copies(int(record["copies"]["surplus"]), int(record["copies"]["across"])),
            notes=tuple(str(note) for note in record["notes"]),
        )
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        return None


def unread(
    files: FileSource, used: Iterable[str], *, tables: Iterable[str] = (), why: Callable[[str], str]
) -> list[LeftOut]:
    """Everything in ``files`` beside the images ``used`` and the ``tables`` read; ``why`` tells of one more image."""
    known = {*used, *tables}
    found: dict[str, list[str]] = defaultdict(list)
    for name in files.names:
        if name in known:
            continue
        if is_image(name):
            found[why(name)].append(name)
        elif is_other_picture(name):
            found[f"files of a kind that medpriv does not read as images ({_suffix(name)})"].append(name)
        elif is_table(name):
            found["tables and texts that are not needed"].append(name)
        elif "." not in name.rsplit("/", 1)[-1]:
            found["files without an ending, which are not taken for images"].append(name)
        else:
            found["files that are no images"].append(name)
    left = [
        LeftOut(reason, len(names), tuple(printable(name) for name in names[:MOST_EXAMPLES]))
        for reason, names in found.items()
    ]
    if files.litter:
        left.append(LeftOut("files hidden or left behind by systems and programs", files.litter))
    if files.overwritten:
        left.append(LeftOut("files under a name that the zip holds again further on", files.overwritten))
    return left


def check_pictures(splits: Sequence[FileSplit], progress: ProgressCallback) -> None:
    """Raise ``DatasetError`` if a file that is called a picture is plainly something else, by its first bytes."""
    wrong: list[tuple[str, ImageError]] = []
    total = sum(len(split.names) for split in splits)
    done = 0
    for split in splits:
        for name in split.names:
            try:
                kind_of(name, split.files.head(name, _HEAD_BYTES))
            except ImageError as error:
                wrong.append((name, error))
            done += 1
            if done % 100 == 0:
                progress(PHASE, done, total)
    if wrong:
        name, why = wrong[0]
        others = f" {len(wrong) - 1:,} more files cannot be read either." if len(wrong) > 1 else ""
        raise DatasetError(f"{name} is no image that can be read. {why}{others}")


def count_copies(train: Iterable[object], test: Iterable[object]) -> Copies:
    """How many pictures are there twice, each given by something that is equal for equal ones."""
    first, second = Counter(train), Counter(test)
    everything = first + second
    return Copies(everything.total() - len(everything), len(first.keys() & second.keys()))


def _suffix(name: str) -> str:
    return "." + name.lower().rsplit(".", 1)[-1]
