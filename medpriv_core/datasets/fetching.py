"""Fetching a dataset as a job, so that it survives a closed tab and a restarted app."""

from __future__ import annotations

from medpriv_core.datasets.medmnist import FETCHABLE, fetch_medmnist, medmnist_file
from medpriv_core.datasets.registry import DatasetEntry, add_dataset, list_datasets
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job, JobStatus, job_at
from medpriv_core.progress import ProgressCallback, no_progress


def fetch_job(home: DataHome, name: str, size: int) -> Job:
    """The job that fetches this dataset in this size; raises ``DatasetError`` for one that there is not."""
    return job_at(home, "fetch", medmnist_file(home, name, size).stem)


def last_fetch(home: DataHome, name: str) -> tuple[int, JobStatus] | None:
    """Size and status of the fetch of this dataset that is under way, or else of one that was stopped or failed.

    None where there is neither. By this a page that was opened anew shows what began before.
    """
    found = [(size, fetch_job(home, name, size).status()) for size in FETCHABLE.get(name, ())]
    told = [(size, status) for size, status in found if status is not None and status.state != "finished"]
    return min(told, key=lambda one: one[1].state != "running", default=None)


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
