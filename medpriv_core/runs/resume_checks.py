"""Whether a run may go on from the files in its folder: not from damaged ones, nor from older ones that were put back.

A run that goes on from an older checkpoint takes steps again that its ledger then counts once, and its epsilon is told
too small. So before a run goes on, what lies there is compared with what was written of it: the checkpoint with its
record (``spent_record``) and with the journal of the images (``spent_journal``), which lies outside the run's folder,
and both with the epochs that people have seen. A folder of which the journal was put back too is not told from the real
one.
"""

from __future__ import annotations

from collections.abc import Iterable

from medpriv_core.errors import NewerRunError, RunError
from medpriv_core.home import DataHome
from medpriv_core.privacy.spent import Spent
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_journal import checkpoints_kept
from medpriv_core.runs.spent_record import checkpoint_digest, look_at_record

_NEW = "or start a new run; what this one has shown and spent stays as it is"


def check_files_to_resume(home: DataHome, directory: RunDirectory, *, content: str | None, private: bool) -> None:
    """Raise ``RunError`` where checkpoint or record are damaged or older than what was shown.

    ``content`` is the key of the run's images, None where it was not recorded; ``private``: DP-SGD. Reads the whole
    checkpoint, once for each version of it.
    """
    name, epochs = directory.path.name, directory.read_epochs()
    last = epochs[-1] if epochs else EpochRow()
    recorded, state = look_at_record(directory)
    kept = checkpoints_kept(home, content, name) if content is not None else None
    here = checkpoint_digest(directory)
    lost = private and recorded is None and (kept is not None or state == "damaged")
    if here is None and (last or lost):
        raise RunError(
            f"The checkpoint of run {name} is gone, so it cannot go on. Put checkpoint.pt and spent.json back from a "
            f"copy, {_NEW}."
        )
    if here is not None and recorded is not None and recorded.checkpoint not in (None, here):
        raise RunError(
            f"The checkpoint of run {name} is not the one that its record was written for: it is damaged, or another "
            f"one was put in its place. So the run cannot go on. Put the right checkpoint.pt back from a copy, {_NEW}."
        )
    outcome = directory.read_outcome()
    if recorded is not None and _is_behind(recorded, (last, outcome.last if outcome else EpochRow()), private):
        raise older_files(name, f"they are of epoch {recorded.epochs}, and more was shown")
    if here is not None and kept is not None and here not in kept:
        raise older_files(name, "the journal of its images names another checkpoint as the last one")


def older_files(name: str, why: str) -> RunError:
    """The error for a run whose checkpoint has taken fewer steps than people have seen of it."""
    return RunError(
        f"Checkpoint and record of run {name} are older than what it has shown ({why}): older files were put back, or "
        f"the newest were lost. Its ledger would count too few steps, so the run cannot go on. Put the newest "
        f"checkpoint.pt and spent.json back, {_NEW}."
    )


def _is_behind(recorded: Spent, shown: Iterable[EpochRow], private: bool) -> bool:
    """Whether a record is of an epoch or a step before one that was shown."""
    return any(recorded.epochs < row.epoch or (private and recorded.steps < (row.steps or 0)) for row in shown)


def recorded_setup(directory: RunDirectory) -> Setup:
    """What a run recorded at its start; empty where that is damaged, because going on writes it anew.

    Raises ``NewerRunError`` where a newer version wrote it, which would be lost.
    """
    try:
        return directory.read_setup()
    except NewerRunError:
        raise
    except RunError:
        return Setup()
