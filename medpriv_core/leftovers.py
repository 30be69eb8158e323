"""What killed processes left half-made in the data home.

Arrays, features and imported runs are made in a folder aside, which takes its place when it is whole. A process that is
killed leaves such a folder behind: a part of a noised copy, say, that belongs to nothing and lies on the disk for good.
Whoever works at one holds its lock, so what nobody holds is removed: when a runner or a worker starts, when a worker
was killed, and before an import.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medpriv_core.atomic import target_name
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.locks import is_held
from medpriv_core.private_files import remove_whole

IMPORTING = ".import-"


def import_lock(home: DataHome) -> Path:
    """Held by whoever imports runs."""
    return home.root / "import.lock"


def remove_leftovers(home: DataHome) -> None:
    """Remove the half-made folders at which nobody works; what the disk does not let go of stays."""
    # Listed first: what is made after its lock was looked at has another name.
    for part, lock in list(_half_made(home)):
        try:
            # Through a link one would remove what lies outside.
            if not part.parent.is_symlink() and not is_held(lock):
                remove_whole(part)
        except (MedprivError, OSError):
            continue


def _half_made(home: DataHome) -> Iterator[tuple[Path, Path]]:
    """Each half-made folder with the lock that its maker holds."""
    for part in home.root.glob(f"{IMPORTING}*"):
        yield part, import_lock(home)
    for folder in (home.prepared, home.features):
        for part in folder.glob(".*.part"):
            yield part, folder / f"{target_name(part)}.lock"
    # Noised copies; those of 0.1.0 had no dot in front.
    for part in [*home.prepared.glob("*/.*.part"), *home.prepared.glob("*/laplace-*.part")]:
        yield part, home.prepared / f"{part.parent.name}-{target_name(part)}.lock"
