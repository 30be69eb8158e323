"""Every error that medpriv raises on purpose.

The message of each is one plain sentence (or a few) for the person at the screen: what is wrong and
what to do. Pages show it, the command line prints it and exits with ``exit_code``. Anything that is
not a ``MedprivError`` is a bug.
"""

from __future__ import annotations


class MedprivError(Exception):
    """Base of all errors with a message for the user."""

    exit_code = 2


class SettingError(MedprivError):
    """A setting outside its bounds, or settings that contradict each other."""


class DatasetError(MedprivError):
    """A dataset that is missing, incomplete or not laid out as its reader expects."""


class ImageError(DatasetError):
    """One image that cannot be read."""


class WeightsError(MedprivError):
    """Pretrained weights that are missing, damaged or of another network."""


class DownloadError(MedprivError):
    """A file that could not be fetched, or that arrived with the wrong checksum."""

    exit_code = 1


class DataHomeError(MedprivError):
    """The data home cannot be read or written (permissions, full disk)."""


class RunError(MedprivError):
    """A run that does not exist, or an action that its state does not allow."""
