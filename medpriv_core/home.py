"""The data home: the one folder in which medpriv keeps datasets, runs and weights.

``MEDPRIV_HOME`` names it; without that it is the platform's user-data folder. Deleting the folder
returns medpriv to its first start.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from medpriv_core.errors import DataHomeError

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
_NO_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_PLACE = {errno.ENAMETOOLONG, errno.ELOOP}


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
    def runner_lock(self) -> Path:
        """Held by the one runner process of this data home."""
        return self.root / "runner.lock"

    @property
    def runner_log(self) -> Path:
        """What the runner process prints."""
        return self.root / "runner.log"

    def check_writable(self) -> None:
        """Create the folder and write a byte to it; raises ``DataHomeError`` if that fails."""
        with explain_disk_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            trial = self.root / f".write-test-{secrets.token_hex(4)}"
            try:
                trial.write_bytes(b"x")
            finally:
                trial.unlink(missing_ok=True)


def data_home(root: str | os.PathLike[str] | None = None) -> DataHome:
    """The data home at ``root``, else at ``MEDPRIV_HOME``, else the platform's user-data folder."""
    chosen = root or os.environ.get("MEDPRIV_HOME") or platformdirs.user_data_dir("medpriv", appauthor=False)
    return DataHome(Path(chosen).expanduser().absolute())


@contextmanager
def explain_disk_errors(place: Path) -> Iterator[None]:
    """Turn "disk full" and "not allowed" into a ``DataHomeError`` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise DataHomeError(
                f"The disk that holds {place} is full. Free some space there, or point MEDPRIV_HOME to "
                "another disk, and try again."
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


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` as JSON in one step: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Replace ``path`` in one step and wait until the disk has it; raises ``DataHomeError`` where the disk refuses."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with explain_disk_errors(path.parent):
        try:
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """The JSON in ``path``, or None where the file is missing or not (yet) valid JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None
