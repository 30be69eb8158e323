"""``spent.json``: what the network in ``checkpoint.pt`` has spent, written together with it, and nothing less.

Two files cannot be replaced in one step, so the record goes first, with the digest of the checkpoint that is to come
and, under ``before``, what holds until then:

====================================  =======================================================================
a kill ...                            leaves
====================================  =======================================================================
before the record is replaced         the old record and its checkpoint
before the checkpoint is replaced     the new record, and the old checkpoint: its digest is that of ``before``, which
                                      holds. The steps since then are lost, and nobody has seen what they made
after that                            the new record and its checkpoint; ``before`` is no longer looked at
====================================  =======================================================================

Where the checkpoint has neither digest, the newer record holds, which counts more steps; that it is not the one that
the record was written for is said (``Spent.bond``), and nothing goes on from it (``runs.resume_checks``). The record
has a checksum of its own. Where it is damaged, or gone though a worker of this version wrote one, nobody says what the
network has spent. Old runs have no record, see ``spent_without_record``.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from medpriv_core.atomic import replace_file, sync_folder
from medpriv_core.checksums import State, read_sealed, sealed_bytes
from medpriv_core.home import explain_disk_errors
from medpriv_core.privacy.spent import Bond, Spent, spent_at, spent_from_dict, spent_without_record
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.epoch_log import Signature, signature
from medpriv_core.spec import RunSpec
from medpriv_core.strict_json import Unreadable, open_regular

FILE_NAME = "spent.json"
_BEFORE = "before"
# Time, size and inode of the old checkpoint: while a worker writes, nobody need read it to know that it is still there.
_BEFORE_FILE = "before_file"
# Of a private network of an earlier version that was stopped before its first row.
NOT_KNOWN = Spent(epochs=0, step=0, steps=0, epsilon=math.inf, recorded=False)


def write_checkpoint_and_record(directory: RunDirectory, content: bytes | memoryview, spent: Spent) -> None:
    """Replace checkpoint and record as described above; ``spent.checkpoint`` is the digest of ``content``.

    Raises ``DataHomeError`` where the disk refuses; then what the files say still holds for the checkpoint there.
    """
    assert spent.checkpoint == digest_of(content)
    before = read_record(directory)
    announced = spent.to_dict() | {_BEFORE: before.to_dict() if before is not None else None}
    announced[_BEFORE_FILE] = signature(directory.checkpoint)
    replace_file(directory.path / FILE_NAME, sealed_bytes(announced))
    replace_file(directory.checkpoint, content)
    # Before anybody sees its epochs, or a power cut could leave them beside an older checkpoint.
    with explain_disk_errors(directory.path):
        sync_folder(directory.path)
    write_record(directory, spent)


def write_record(directory: RunDirectory, spent: Spent) -> None:
    """Replace the record of the checkpoint that is there; raises ``DataHomeError`` where the disk refuses."""
    replace_file(directory.path / FILE_NAME, sealed_bytes(spent.to_dict()))


def read_record(directory: RunDirectory) -> Spent | None:
    """What the worker recorded of the checkpoint that is there; None where it did not, or the file is damaged."""
    return look_at_record(directory)[0]


def look_at_record(directory: RunDirectory) -> tuple[Spent | None, State]:
    """The same, and the state of the file: also that a run of this version has lost it counts as damage."""
    found = read_sealed(directory.path / FILE_NAME)
    if found.state == "missing":
        lost = directory.checkpoint.exists() and read_sealed(directory.path / "setup.json").state == "sealed"
        return None, "damaged" if lost else "missing"
    try:
        if not found.sound or not isinstance(found.values, Mapping):
            raise ValueError("damaged")
        return _holding(directory, found.values), found.state
    except ValueError:
        return None, "damaged"


def _holding(directory: RunDirectory, values: Mapping[str, Any]) -> Spent | None:
    newest = spent_from_dict(values)
    if _BEFORE not in values:
        return newest
    if not directory.checkpoint.exists():
        return None  # nothing was kept yet
    before = None if values[_BEFORE] is None else spent_from_dict(values[_BEFORE])
    now = signature(directory.checkpoint)
    if before is not None and now is not None and list(now) == values.get(_BEFORE_FILE):
        return before
    here = checkpoint_digest(directory)
    return before if before is not None and here == before.checkpoint != newest.checkpoint else newest


def read_spent(directory: RunDirectory, spec: RunSpec, *, setup: Setup, last: EpochRow) -> Spent | None:
    """What the network of a run has spent: by its record, else what its other files show at most.

    Also where an older record and checkpoint were put back: an epoch that was shown stays spent. None before the first
    step that anybody could have seen. ``setup`` is what it recorded at its start and ``last`` its last row.
    """
    (recorded, state), shown = look_at_record(directory), spent_at(last)
    if recorded is not None and (shown is None or shown.steps <= recorded.steps or spec.method != "dp_sgd"):
        return recorded
    bond: Bond = "older" if recorded is not None else "damaged" if state == "damaged" else "unknown"
    outcome = directory.read_outcome() if spec.method == "dp_sgd" else None
    known = spent_without_record(spec, setup=setup, last=last, outcome=outcome.last if outcome else EpochRow())
    if known is None and spec.method == "dp_sgd" and directory.checkpoint.exists():
        known = NOT_KNOWN
    return None if known is None else replace(known, bond=bond)


def with_bond(spent: Spent | None, directory: RunDirectory) -> Spent | None:
    """The same, with whether the checkpoint that is there is the one that it was written for.

    Reads the whole checkpoint once; to be asked where no worker is at it.
    """
    if spent is None or spent.bond != "unknown" or spent.checkpoint is None or not directory.checkpoint.exists():
        return spent
    return replace(spent, bond="holds" if checkpoint_digest(directory) == spent.checkpoint else "broken")


def digest_of(content: bytes | memoryview) -> str:
    """The digest of a checkpoint's bytes, as a record has it."""
    return hashlib.sha256(content).hexdigest()


def checkpoint_digest(directory: RunDirectory) -> str | None:
    """The digest of the checkpoint that is there; None where there is none."""
    version = signature(directory.checkpoint)
    return None if version is None else _digest(directory.checkpoint, version)


@functools.lru_cache(maxsize=1024)
def _digest(path: Path, _version: Signature) -> str | None:
    try:
        with open_regular(path, most_bytes=None) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, Unreadable):
        return None
