"""What pages and the command line do with runs: submit, list, look at, stop, resume, name, order, put away.

What two people do to one run at the same moment is decided in the table's transactions: one comes first, and the other
is told what became of the run.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from medpriv_core.datasets.patients import patients_of
from medpriv_core.datasets.registry import list_datasets, open_dataset
from medpriv_core.errors import DataHomeError, MedprivError, RunError, RunTableError, SettingError
from medpriv_core.extras import require
from medpriv_core.home import DataHome
from medpriv_core.patients import count_records
from medpriv_core.printable import printable
from medpriv_core.privacy.plan import plan_run
from medpriv_core.private_files import link_refused
from medpriv_core.records.setup import Setup
from medpriv_core.runs.budget import check_budget
from medpriv_core.runs.deletion import delete, purge, restore
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.extension import Extension, plan_extension
from medpriv_core.runs.folders import is_text
from medpriv_core.runs.free_space import check_room, dataset_sizes
from medpriv_core.runs.labels import clean_name, clean_tags, put_labels, rename, set_notes, set_tags
from medpriv_core.runs.list_lines import RunLine
from medpriv_core.runs.list_lines import list_lines as lines_of
from medpriv_core.runs.naming import name_run
from medpriv_core.runs.rebuilding import Say, rebuild_table, silent
from medpriv_core.runs.resume_checks import check_files_to_resume, recorded_setup
from medpriv_core.runs.runner import ensure_runner
from medpriv_core.runs.spare import wish
from medpriv_core.runs.store import Place, RunRow, RunStore
from medpriv_core.runs.summary import Run, RunSummary, read_run, read_summary, summarise
from medpriv_core.spec import RunSpec
from medpriv_core.unit import with_unit
from medpriv_core.weights_source import check_weights, resolve_weights

__all__ = [
    "Action",
    "Extension",
    "Run",
    "RunLine",
    "RunSummary",
    "cancel",
    "delete",
    "expect_launch",
    "extend",
    "extension",
    "list_lines",
    "list_runs",
    "load_run",
    "load_runs",
    "move",
    "name_run",
    "purge",
    "read_log",
    "rebuild",
    "rename",
    "restore",
    "resume",
    "set_notes",
    "set_tags",
    "submit",
    "unlisted",
]

# Something that can be done to a run: ``cancel``, ``resume``, ``delete`` or ``restore``.
Action = Callable[[DataHome, str], None]

log = logging.getLogger(__name__)


def submit(home: DataHome, spec: RunSpec, *, name: str | None = None, tags: Sequence[str] = ()) -> str:
    """Check a run against its dataset, queue it under a name, by default ``name_run``'s, and return its id.

    Raises ``SettingError``, ``DatasetError``, ``WeightsError``, ``DataHomeError`` or, without PyTorch,
    ``MissingExtraError`` with a sentence for the user; then nothing has been queued.
    """
    require("train")
    store = RunStore(home)
    store.check()
    dataset = open_dataset(home, spec.dataset)
    if not dataset.info.trainable:
        raise SettingError(f"{dataset.info.title} is a single image to look at; choose a dataset to train on.")
    sizes, patients = dataset_sizes(dataset), patients_of(dataset)
    spec = with_unit(spec, patients)
    records = count_records(spec, images=sizes["train_size"], patients=patients, dataset=dataset.info.title)
    spec.check_dataset_size(records)
    if spec.method == "dp_sgd":
        # Nobody should wait in the queue for a guarantee that cannot be computed.
        plan_run(spec, train_size=records)
    check_budget(home, [spec])
    # The worker may run in another folder than the one that a relative path was meant for.
    spec = spec.changed(weights=resolve_weights(spec.weights))
    check_weights(spec.weights, norm=spec.norm, home=home)
    check_room(home, spec, setup=Setup.from_dict(sizes))
    name, tags = name_run(spec) if name is None else clean_name(name), clean_tags(tags)
    home.check_writable()
    run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    directory = RunDirectory(home.runs / run_id)
    created_at = time.time()

    def make_folder() -> None:
        directory.create(spec)
        directory.write_labels({"name": name, "tags": list(tags), "notes": "", "created_at": created_at})

    try:
        store.add(run_id, name=name, slot=spec.device, tags=tags, created_at=created_at, make=make_folder)
    except MedprivError:
        shutil.rmtree(directory.path, ignore_errors=True)  # nothing would ever show it
        raise
    ensure_runner(home)
    return run_id


def expect_launch(home: DataHome) -> None:
    """Somebody is about to launch a run: have a worker wait for it, on this machine (``spare``). Cheap for a page."""
    wish(home)
    _bring_runner(home)


def list_runs(home: DataHome, *, deleted: bool = False) -> list[RunSummary]:
    """Every run in the list, or every deleted one, the newest first; brings the runner back if it died with work."""
    _bring_runner(home)
    return summarise(home, RunStore(home).all(deleted=deleted))


def list_lines(home: DataHome, *, deleted: bool = False) -> list[RunLine]:
    """As ``list_runs``, of each run only what a line of a long list says."""
    _bring_runner(home)
    return lines_of(home, RunStore(home).all(deleted=deleted))


def load_runs(home: DataHome, run_ids: Sequence[str]) -> list[RunSummary]:
    """These runs, in this order, as a list shows them; those that there are."""
    store = RunStore(home)
    places = {row.id: place for place, row in enumerate(store.in_state("queued"), start=1)}
    return [read_summary(home, row, place=places.get(row.id)) for row in store.some(run_ids)]


def unlisted(home: DataHome) -> str | None:
    """A sentence on runs whose folders are there though the table does not know them; None where there are none."""
    names = RunStore(home).unlisted()
    odd = [name for name in names if not is_text(name)]
    if odd:
        return (
            f"The folder {printable(odd[0])} in {home.runs} has a name that is no UTF-8, so its run is not in this "
            "list. Give it another name, then rebuild the list."
        )
    if not names:
        return None
    which = "1 run is" if len(names) == 1 else f"{len(names):,} runs are"
    return (
        f"{which} missing in this list, though the folder is there ({names[0]}{', …' if len(names) > 1 else ''}). The "
        "button on the page of runs, or python -m medpriv_core runs rebuild, brings back what is missing."
    )


def load_run(home: DataHome, run_id: str) -> Run:
    """One run, also a deleted one; raises ``RunError`` where there is none of that id."""
    _bring_runner(home)
    store = RunStore(home)
    row = store.get(run_id)
    waiting = [other.id for other in store.in_state("queued")] if row.state == "queued" else []
    return read_run(home, row, place=waiting.index(run_id) + 1 if run_id in waiting else None)


def read_log(home: DataHome, run_id: str, lines: int = 40) -> str:
    """The last lines that the run's worker printed."""
    RunStore(home).get(run_id)
    return RunDirectory(home.runs / run_id).log_tail(lines)


def cancel(home: DataHome, run_id: str) -> None:
    """Stop a run: at once if queued, else within ten seconds and with its checkpoint kept."""
    store = RunStore(home)
    store.get(run_id)
    if not store.cancel(run_id):
        raise RunError(f"Run {run_id} has already ended ({store.get(run_id).state}); there is nothing to stop.")
    ensure_runner(home)


def resume(home: DataHome, run_id: str) -> None:
    """Queue a stopped or failed run again; it goes on from its last checkpoint, its epsilon carried on.

    Raises ``RunError`` for any other run and for one whose checkpoint is damaged or older than what was shown,
    ``DataHomeError`` if the disk has too little room for it, and ``MissingExtraError`` without PyTorch.
    """
    require("train")
    directory, store = RunDirectory(home.runs / run_id), RunStore(home)
    _check_resumable(store.get(run_id), directory)
    # Before the transaction, because it may take a while, and others are not to wait for it.
    spec, setup = directory.read_spec(), recorded_setup(directory)
    _check_files_to_resume(home, directory, spec, setup)
    check_room(home, spec, setup=setup)
    with store.changing(run_id) as change:
        _check_resumable(change.row, directory)
        directory.clear_outcome()
        change.requeue(slot=spec.device)
    ensure_runner(home)


def extension(home: DataHome, run_id: str, *, epochs: int) -> Extension:
    """What it costs to let an ended run go on to ``epochs`` epochs in all.

    Raises ``RunError`` for a run that cannot go on, and ``SettingError`` for an impossible number of epochs.
    """
    run = read_summary(home, RunStore(home).get(run_id))
    planned, spec = plan_extension(run, epochs=epochs)
    _check_files_to_resume(home, RunDirectory(home.runs / run_id), spec, run.setup)
    if remark := _other_images(home, run):
        planned = replace(planned, remarks=(*planned.remarks, remark))
    return planned


def _other_images(home: DataHome, run: RunSummary) -> str | None:
    """That an added dataset has not as many images now as when the run began, so that the run will refuse to go on."""
    entry = next((one for one in list_datasets(home) if run.spec and one.info.name == run.spec.dataset), None)
    sizes = (run.setup.train_size, run.setup.test_size)
    if entry is None or not entry.location or not entry.available or sizes[0] is None or sizes[1] is None:
        return None
    if sizes == (entry.train, entry.test):
        return None
    return (
        f"The images of {entry.info.title} have changed since this run began ({sizes[0]:,} training and {sizes[1]:,} "
        f"test images then, {entry.train:,} and {entry.test:,} now), so it cannot go on with them: put the files back, "
        "or start a new run."
    )


def extend(home: DataHome, run_id: str, *, epochs: int) -> None:
    """Queue an ended run again, to go on to ``epochs`` epochs in all with the noise that it had; raises as above."""
    require("train")
    directory = RunDirectory(home.runs / run_id)
    store = RunStore(home)
    run = read_summary(home, store.get(run_id))
    _check_own_folder(directory)
    extension, spec = plan_extension(run, epochs=epochs)
    _check_files_to_resume(home, directory, spec, run.setup)
    check_budget(home, [spec], but=[run_id])
    check_room(home, spec, setup=run.setup)
    with store.changing(run_id) as change:
        # Counting epsilon can take seconds, so it was done before.
        if read_summary(home, change.row) != run:
            raise RunError(f"Run {run_id} was changed by someone else just now; look at it again.")
        if run.spec is not None and change.row.name == name_run(run.spec):
            # It was called by the ε that it was started for, and goes beyond it.
            put_labels(home, change, name=name_run(spec, epsilon=extension.epsilon_after))
        directory.change_spec(spec)
        directory.clear_outcome()
        change.requeue(slot=spec.device)
    ensure_runner(home)


def move(home: DataHome, run_id: str, where: Place) -> None:
    """Give a waiting run another place in the queue; raises ``RunError`` if it does not wait."""
    store = RunStore(home)
    store.get(run_id)
    if not store.move(run_id, where):
        state = store.get(run_id).state
        raise RunError(f"Run {run_id} is {state}; only a run that waits in the queue can be moved.")


def rebuild(home: DataHome, *, say: Say = silent) -> int:
    """Make a lost or damaged table of runs again from the run directories; returns how many runs it has.

    A damaged file is kept beside it. Into a sound table it brings the runs that are not in it; raises ``RunError`` if
    there are none. ``say`` is told a sentence on each run that could not be read whole, which comes back too.
    """
    count = rebuild_table(home, say=say)
    ensure_runner(home)
    return count


def _bring_runner(home: DataHome) -> None:
    """Bring a runner back where there is work. A disk that refuses keeps nobody from looking at what is there."""
    try:
        ensure_runner(home)
    except RunTableError:
        raise
    except DataHomeError as error:
        log.info("no runner could be started: %s", error)


def _check_files_to_resume(home: DataHome, directory: RunDirectory, spec: RunSpec, setup: Setup) -> None:
    check_files_to_resume(home, directory, content=setup.content, private=spec.method == "dp_sgd")


def _check_resumable(row: RunRow, directory: RunDirectory) -> None:
    if row.deleted_at is not None:
        raise RunError(f"Run {row.id} has been removed; restore it first.")
    if row.state not in ("cancelled", "failed"):
        raise RunError(f"Run {row.id} is {row.state}; only a stopped or failed run can be resumed.")
    if directory.imported:
        raise RunError(
            f"Run {row.id} was imported without the state of its training, so it cannot go on. Start a new run "
            "with the same settings."
        )
    _check_own_folder(directory)


def _check_own_folder(directory: RunDirectory) -> None:
    if directory.path.is_symlink():
        raise RunError(link_refused(directory.path))
