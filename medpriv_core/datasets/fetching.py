"""Fetching a dataset as a job, so that it survives a closed tab and a restarted app."""

from __future__ import annotations

from medpriv_core.datasets.medmnist import fetch_medmnist, medmnist_file
from medpriv_core.datasets.registry import DatasetEntry, add_dataset, list_datasets
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job, job_at
from medpriv_core.progress import ProgressCallback, no_progress


def fetch_job(home: DataHome, name: str, size: int) -> Job:
    """The job that fetches this dataset in this size; raises ``DatasetError`` for one that there is not."""
    return job_at(home, "fetch", medmnist_file(home, name, size).stem)


def start_fetch(home: DataHome, name: str, size: int, *, base_url: str | None = None) -> Job:
    """Fetch a MedMNIST dataset in the background, unless that is being done already.

    Raises ``DatasetError`` for an unknown name or size and ``DataHomeError`` if the disk refuses; what goes wrong later
    is told by the job.
    """
    job = fetch_job(home, name, size)
    home.check_writable()
    job.start(home, "fetch", name=name, size=size, base_url=base_url)
    return job


def fetch_and_wait(
    home: DataHome, name: str, size: int, *, base_url: str | None = None, progress: ProgressCallback = no_progress
) -> DatasetEntry:
    """Fetch a MedMNIST dataset, or wait for who is fetching it; raises what ``start_fetch`` and ``Job.wait`` raise."""
    start_fetch(home, name, size, base_url=base_url).wait(progress=progress)
    return next(entry for entry in list_datasets(home) if entry.info.name == name)


def fetch(home: DataHome, report: ProgressCallback, *, name: str, size: int, base_url: str | None) -> None:
    """What the job does: fetch the dataset and add it to the registry.

    Raises ``DownloadError``, ``DatasetError`` or ``DataHomeError``.
    """
    add_dataset(home, name, fetch_medmnist(home, name, size=size, progress=report, base_url=base_url))
