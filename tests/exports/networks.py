"""Reading networks for exports in the process of the test, where what reads them is not what is tested."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.progress import ProgressCallback
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training.released_weights import release_weights


def write_networks_here(home: DataHome, run_ids: Sequence[str], folder: Path, progress: ProgressCallback) -> None:
    """As the process that an export starts (``python -m medpriv_core weights``), which loads torch for seconds."""
    progress("Reading networks", 0, len(run_ids))
    for run_id in run_ids:
        with suppress(MedprivError):
            release_weights(RunDirectory(home.runs / run_id), folder / f"{run_id}.safetensors", home=home)
