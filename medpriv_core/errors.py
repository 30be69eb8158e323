"""Every error that medpriv raises on purpose.

The message of each is one plain sentence (or a few) for the person at the screen: what is wrong and
what to do. Pages show it, the command line prints it and exits with ``exit_code``. Anything that is
not a ``MedprivError`` is a bug.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from medpriv_core.printable import brief, printable

SETTING = re.compile(r"\[([a-z_]+)(?:=(\w+))?\]")


def put_words(text: str, word: Callable[[str, str | None], str | None], *, rest: Callable[[str], str] = str) -> str:
    """``text`` with what ``word`` says for each mark in brackets (None leaves it), and ``rest`` of all that is between.

    >>> put_words("Lower [epochs] of [a].", lambda setting, value: {"epochs": "Epochs"}.get(setting), rest=str.upper)
    'LOWER Epochs OF [A].'
    """
    parts, kept_from = [], 0
    for found in SETTING.finditer(text):
        said = word(found[1], found[2])
        if said is not None:
            parts += [rest(text[kept_from : found.start()]), said]
            kept_from = found.end()
    return "".join([*parts, rest(text[kept_from:])])


class MedprivError(Exception):
    """Base of all errors with a message for the user.

    The message may hold names of files as the system gives them, or what somebody typed; here they become text that
    every screen can take, and that is short enough to be read.
    """

    exit_code = 2

    def __init__(self, message: str = "") -> None:
        super().__init__(brief(printable(message)))


class SettingError(MedprivError):
    """A setting outside its bounds, or settings that contradict each other.

    ``[batch_size]`` in its message stands for a setting and ``[norm=group_norm]`` for one of its values: called so in
    specifications and on the command line, and on pages by the words of their form.

    >>> error = SettingError("Set [norm] to [norm=group_norm].")
    >>> str(error)
    'Set norm to group_norm.'
    >>> error.worded(lambda setting, value: {None: "Layers"}.get(value, "GroupNorm"))
    'Set Layers to GroupNorm.'
    """

    @property
    def template(self) -> str:
        """The message with settings and values in brackets."""
        return super().__str__()

    def __str__(self) -> str:
        return self.worded(lambda setting, value: setting if value is None else value)

    def worded(self, word: Callable[[str, str | None], str], *, rest: Callable[[str], str] = str) -> str:
        """The message with what ``word`` says for a setting (its value is None) or for one of its values.

        ``rest`` makes all else ready for where it is shown (``shown_text``): other people's text may be in it.
        """
        return put_words(self.template, word, rest=rest)


def kept_words(error: MedprivError) -> str:
    """The sentence of an error as it is kept: with settings in brackets, so that each reader calls them in his way."""
    return error.template if isinstance(error, SettingError) else str(error)


def named_error(name: str | None, message: str) -> MedprivError:
    """An error that another process told by the name of its class; ``JobError`` where that names none of ours."""
    kind = globals().get(name or "")
    return (kind if isinstance(kind, type) and issubclass(kind, MedprivError) else JobError)(message)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, Python's or PyTorch's, whose own allocator raises a bare ``RuntimeError`` on the CPU."""
    return isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error)


class DatasetError(MedprivError):
    """A dataset that is missing, incomplete or not laid out as its reader expects."""


class UnclearTableError(DatasetError):
    """A table of images of which it is not plain what its columns are.

    ``header`` are all of them, ``names_images`` whether one names images that are there.
    """

    def __init__(self, message: str, header: Sequence[str], *, names_images: bool) -> None:
        super().__init__(message)
        self.header = tuple(header)
        self.names_images = names_images

    @property
    def likely(self) -> int:
        """How likely this table is the one that is meant, beside others."""
        return 1 + self.names_images


class ImageError(DatasetError):
    """One image that cannot be read."""


class WeightsError(MedprivError):
    """Pretrained weights that are missing, damaged or of another network."""


class DownloadError(MedprivError):
    """A file that could not be fetched, or that arrived with the wrong checksum."""

    exit_code = 1


class DataHomeError(MedprivError):
    """The data home cannot be read or written (permissions, full disk)."""


class DiskFullError(DataHomeError):
    """The disk that holds the data home is full."""


class MissingExtraError(MedprivError):
    """Something is asked for that needs more than is installed (``extras``)."""


class JobError(MedprivError):
    """Work in a process of its own that was killed, or that cannot be started or read."""


class RunTableError(DataHomeError):
    """The table of runs is damaged; ``rebuild`` makes it again from the run directories."""


class RunError(MedprivError):
    """A run that does not exist, or an action that its state does not allow."""


class NewerRunError(RunError):
    """A run of which a newer version of medpriv wrote something that this one cannot read."""
