"""Room on the disk for a run, looked for before it waits in the queue and not when it has trained for hours."""

from __future__ import annotations

import shutil

from medpriv_core.datasets.base import Dataset
from medpriv_core.datasets.registry import open_dataset
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.private_files import make_folder
from medpriv_core.records.setup import Setup
from medpriv_core.runs.estimate import estimate_disk, estimate_missing_mb
from medpriv_core.spec import RunSpec

# Left for logs, tables and whatever else writes there.
RESERVE_MB = 100.0


def check_room(home: DataHome, spec: RunSpec, *, setup: Setup | None = None) -> None:
    """Raise ``DataHomeError`` with the numbers if the disk has less room than the run will take.

    ``setup`` is that of a run that goes on. Without its sizes the dataset is opened, which raises ``DatasetError`` if
    it is not there.
    """
    if setup is not None and setup.train_size is not None and setup.test_size is not None:
        sizes = {"train_size": setup.train_size, "test_size": setup.test_size}
    else:
        sizes = dataset_sizes(open_dataset(home, spec.dataset))
    # A checkpoint is written beside the one that it replaces.
    needed_mb = 2 * estimate_disk(spec, **sizes).own_mb + estimate_missing_mb(home, spec, **sizes) + RESERVE_MB
    with explain_disk_errors(home.root):
        make_folder(home.root)
        free_mb = shutil.disk_usage(home.root).free / 1e6
    if free_mb < needed_mb:
        raise DataHomeError(
            f"This run needs about {needed_mb:,.0f} MB in {home.root}, but the disk has {free_mb:,.0f} MB free. Free "
            "some space (runs that were removed can be removed for good), choose a smaller image size, or point "
            "MEDPRIV_HOME to another disk."
        )


def dataset_sizes(dataset: Dataset) -> dict[str, int]:
    """How many images a dataset has: ``train_size`` and ``test_size``."""
    return {f"{name}_size": len(dataset.split(name).labels) for name in ("train", "test")}
