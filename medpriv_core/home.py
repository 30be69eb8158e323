"""The data home: the one folder in which medpriv keeps datasets, runs and weights.

``MEDPRIV_HOME`` names it; without that it is the platform's user-data folder. Deleting the folder returns medpriv to
its first start. No other account can look into it (``home_rights``, ``private_files``).
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from medpriv_core.errors import DataHomeError, DiskFullError
from medpriv_core.home_rights import check_rights
from medpriv_core.private_files import make_folder
from medpriv_core.strict_json import MB, Unreadable, read_json_file

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
_NO_WRITE = {errno.EACCES, errno.EPERM}
_NO_PLACE = {errno.ENAMETOOLONG, errno.ELOOP}
_MEANWHILE = "Runs can be looked at and exported all the same."
_MEANWHILE_FULL = (
    f"{_MEANWHILE} Runs that are removed for good make room: on the page of runs, or by python -m medpriv_core runs "
    "purge RUN --at-once."
)
# The largest of ours says what is known of each file of a dataset.
MOST_JSON_BYTES = 256 * MB


@dataclass(frozen=True)
class DataHome:
    """Paths inside the data home. None of them need exist before something is written."""

    root: Path

    @property
    def registry(self) -> Path:
        """JSON file with the datasets that the user added."""
        return self.root / "datasets.json"

    @property
    def fingerprints(self) -> Path:
        """What is remembered of the files in added folders, so that they need not be read again."""
        return self.root / "fingerprints"

    @property
    def prepared(self) -> Path:
        """Datasets converted to arrays, one folder a content key and size."""
        return self.root / "prepared"

    @property
    def noise_secret(self) -> Path:
        """The secret from which the noise of Local-DP copies is derived; never shown or exported."""
        return self.root / "noise.secret"

    @property
    def features(self) -> Path:
        """What frozen networks make of prepared images, one folder a split and network."""
        return self.root / "features"

    @property
    def downloads(self) -> Path:
        """Datasets fetched on the user's click."""
        return self.root / "downloads"

    @property
    def weights(self) -> Path:
        """Pretrained weights fetched from torchvision."""
        return self.root / "weights"

    @property
    def jobs(self) -> Path:
        """One folder for each other job: fetching a dataset, say."""
        return self.root / "jobs"

    @property
    def runs(self) -> Path:
        """One folder a run."""
        return self.root / "runs"

    @property
    def spent(self) -> Path:
        """What was ever spent on the images of each dataset, one journal a content; kept when runs are gone."""
        return self.root / "spent"

    @property
    def database(self) -> Path:
        """SQLite table of runs, their states and order."""
        return self.root / "runs.sqlite3"

    @property
    def bin_days(self) -> Path:
        """On which days each deleted run was seen, by which the runner knows when to purge it."""
        return self.root / "bin.json"

    @property
    def runner_lock(self) -> Path:
        """Held by the one runner process of this data home."""
        return self.root / "runner.lock"

    @property
    def runner_log(self) -> Path:
        """What the runner process prints."""
        return self.root / "runner.log"

    @property
    def runner_wish(self) -> Path:
        """There while somebody is about to launch a run, so that the runner keeps a worker ready."""
        return self.root / "runner.wish"

    def check_writable(self) -> None:
        """Create the folder and write a byte to it.

        Raises ``DataHomeError`` if that fails, ``DiskFullError`` on a full disk, with what can be done all the same.
        """
        with explain_disk_errors(self.root):
            check_rights(self.root)
        try:
            with explain_disk_errors(self.root):
                make_folder(self.root)
                trial = self.root / f".write-test-{secrets.token_hex(4)}"
                try:
                    trial.write_bytes(b"x")
                finally:
                    trial.unlink(missing_ok=True)
        except DataHomeError as error:
            if not (self.root.is_dir() and os.access(self.root, os.R_OK | os.X_OK)):
                raise
            meanwhile = _MEANWHILE_FULL if isinstance(error, DiskFullError) else _MEANWHILE
            raise type(error)(f"{error} {meanwhile}") from error


def data_home(root: str | os.PathLike[str] | None = None) -> DataHome:
    """The data home at ``root``, else at ``MEDPRIV_HOME``, else the platform's user-data folder.

    Raises ``DataHomeError`` for one that other accounts can use and that cannot be closed to them (``home_rights``).
    """
    chosen = root or os.environ.get("MEDPRIV_HOME") or platformdirs.user_data_dir("medpriv", appauthor=False)
    try:
        home = DataHome(Path(chosen).expanduser().absolute())
    except RuntimeError as error:
        raise DataHomeError(
            f"The account in {chosen} is not known, so there is no such folder. Point MEDPRIV_HOME to a folder that "
            "you can write to."
        ) from error
    with explain_disk_errors(home.root):
        check_rights(home.root)
    return home


@contextmanager
def explain_disk_errors(place: Path) -> Iterator[None]:
    """Turn "disk full" and "not allowed" into a ``DataHomeError`` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise DiskFullError(
                f"The disk that holds {place} is full. Free some space there, or point MEDPRIV_HOME to "
                "another disk, and try again."
            ) from error
        if error.errno == errno.EFBIG:
            raise DiskFullError(
                f"A file in {place} may not become as large as it has to: its disk or a limit of the system (ulimit "
                "-f) forbids it. Lift that limit, or point MEDPRIV_HOME to another disk, and try again."
            ) from error
        if error.errno == errno.EROFS:
            raise DataHomeError(
                f"medpriv may not write to {place}, because its disk is read-only. Allow writing to that disk, or "
                "point MEDPRIV_HOME to a folder that you can write to."
            ) from error
        if error.errno in _NO_WRITE:
            raise DataHomeError(
                f"medpriv may not write to {place}. Change the permissions of that folder, or point "
                "MEDPRIV_HOME to a folder that you can write to."
            ) from error
        if isinstance(error, (NotADirectoryError, FileExistsError)):
            raise DataHomeError(
                f"{place} is not a folder. Point MEDPRIV_HOME to a folder that you can write to."
            ) from error
        # A folder that cannot even be made (in /proc, say); a missing file further down is the caller's business.
        unmakeable = isinstance(error, FileNotFoundError) and place.is_relative_to(error.filename or "-")
        if unmakeable or error.errno in _NO_PLACE:
            raise DataHomeError(
                f"The folder {place} cannot be made. Point MEDPRIV_HOME to a folder that you can write to."
            ) from error
        raise


def read_json(path: Path) -> Any:
    """The JSON in ``path``, or None where the file is missing or not (yet) as ``strict_json`` takes it."""
    try:
        return read_json_file(path, most_bytes=MOST_JSON_BYTES, file_names=True)
    except (FileNotFoundError, Unreadable):
        return None
