"""The part of the public interface that is made for it: what pages and commands do, for scripts and notebooks.

Each function takes the data home by a keyword, because most people have one; the rest of the program passes it on.
What is promised of these names stands in docs/reference.md, which is made from their docstrings.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from medpriv_core.errors import RunError, SettingError
from medpriv_core.home import data_home

if TYPE_CHECKING:
    from medpriv_core.datasets.base import AddedDataset, Dataset
    from medpriv_core.datasets.registry import DatasetEntry
    from medpriv_core.mechanisms.picture_noise import PictureNoise
    from medpriv_core.results.guarantee import HeldGuarantee
    from medpriv_core.runs.summary import Run, RunSummary
    from medpriv_core.spec import RunSpec

# The imports inside functions: each brings libraries that the others do without.

Place: TypeAlias = str | Path

LOOK_EVERY_S = 0.2


def list_datasets(*, home: Place | None = None) -> list[DatasetEntry]:
    """List every dataset that medpriv knows, whether it can be opened or not. No image is read.

    Args:
        home: The data home. Without it, the folder that ``MEDPRIV_HOME`` names, else the usual one of the system.

    Returns:
        One entry for each dataset, those that are built in first. An entry has ``info`` (its ``name``, ``title``,
        ``classes``, ``channels`` and ``source``), ``available``, ``train`` and ``test`` (numbers of images, None until
        it is added), ``problem`` (why it cannot be opened, in a sentence) and ``how_to_add``.

    Raises:
        DataHomeError: The data home cannot be read.
        DatasetError: The list of added datasets is damaged.
    """
    from medpriv_core.datasets import registry

    return registry.list_datasets(data_home(home))


def add_dataset(name: str, path: Place, *, home: Place | None = None) -> DatasetEntry:
    """Add a dataset from the files that you have. They stay where they are and are only read.

    Args:
        name: Which dataset it is, as in ``list_datasets``: "chest_xray", "pneumoniamnist" and so on.
        path: The folder, zip or npz file. ``how_to_add`` of its entry says what has to be in it.
        home: The data home, as for ``list_datasets``.

    Returns:
        Its entry, as in ``list_datasets``. ``entry.report.sentences`` says what was left out, and why.

    Raises:
        DatasetError: There is no such dataset, or the files are not in order. Nothing has changed then.
        DataHomeError: The data home cannot be written.
    """
    from medpriv_core.datasets import registry

    return registry.add_dataset(data_home(home), name, path)


def load_dataset(name: str, *, home: Place | None = None) -> Dataset | AddedDataset:
    """Open a dataset. Images are read one by one, when they are asked for.

    Args:
        name: As in ``list_datasets``, for example "synthetic_chest".
        home: The data home, as for ``list_datasets``.

    Returns:
        A dataset with ``info``, and two splits: ``split("train")`` and ``split("test")``. A split has ``labels``
        (int64, shape (n,)), ``ids`` and ``image(index)``: a Pillow image of its own size, in mode "L" or "RGB".

    Raises:
        DatasetError: There is no such dataset, it has not been added, or its files are no longer in order.
    """
    from medpriv_core.datasets import registry

    return registry.open_dataset(data_home(home), name)


def noise_picture(picture: np.ndarray, noise: PictureNoise, *, seed: int | None = None) -> np.ndarray:
    """Put noise on an image, and bring the result back to the 256 grey levels.

    Rounding and limiting come after the noise, so they do not weaken its guarantee. With the usual generator the result
    is for demonstrations, not for a release; ``noise.fit_for_release`` says whether the noise is exact and from a
    cryptographic generator.

    Args:
        picture: uint8, shape (h, w) for grey, or (h, w, 1) or (h, w, 3).
        noise: What ``picture_noise`` gives.
        seed: Repeats a demonstration. Anyone who knows it can subtract the noise.

    Returns:
        The noised image, uint8, of the same shape.

    Raises:
        SettingError: The image is of another kind or too small for this noise, the seed is negative, or one is given
            for noise that is fit for release.
    """
    from medpriv_core.mechanisms.laplace import to_bytes, to_unit

    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (1,), (3,)):
        raise SettingError(
            f"The image is {picture.dtype} of shape {picture.shape}; give uint8 of shape (h, w), (h, w, 1) or "
            "(h, w, 3)."
        )
    if seed is not None and noise.fit_for_release:
        raise SettingError(f"{noise.name} takes no seed: with it the noise could be subtracted. Leave out seed.")
    if seed is not None and seed < 0:
        raise SettingError(f"seed must not be negative, but is {seed}.")
    with_channels = picture[:, :, np.newaxis] if picture.ndim == 2 else picture
    released = noise.release(to_unit(with_channels), np.random.default_rng(seed))
    return to_bytes(released).reshape(picture.shape)


def submit_run(spec: RunSpec, *, name: str | None = None, tags: Sequence[str] = (), home: Place | None = None) -> str:
    """Queue a run. It trains in a process of its own, which goes on when this one ends.

    Args:
        spec: What to train.
        name: What the run is called in lists; without it, a name that says what it does.
        tags: Words by which it can be found again.
        home: The data home, as for ``list_datasets``.

    Returns:
        The id of the run, as the other functions take it.

    Raises:
        SettingError: The specification does not fit the dataset, or no noise reaches its ``target_epsilon``.
        DatasetError: The dataset is not there.
        WeightsError: The pretrained weights are not there, or of another network.
        DataHomeError: The data home cannot be written, or has too little room.
        MissingExtraError: PyTorch is not installed.
    """
    from medpriv_core.runs import service

    return service.submit(data_home(home), spec, name=name, tags=tags)


def wait_for_run(run_id: str, *, timeout_s: float | None = None, home: Place | None = None) -> Run:
    """Wait until a run has ended, however it ends.

    Args:
        run_id: As ``submit_run`` gave it.
        timeout_s: The longest wait in seconds; without it, as long as it takes.
        home: The data home, as for ``list_datasets``.

    Returns:
        The run, as ``load_run`` gives it. Its ``state`` is "finished", "cancelled" or "failed"; of one that failed,
        ``message`` says why.

    Raises:
        RunError: There is no run of that id.
        TimeoutError: It has not ended by then. It goes on all the same.
    """
    begun = time.monotonic()
    while not (run := load_run(run_id, home=home)).ended:
        if timeout_s is not None and time.monotonic() - begun >= timeout_s:
            raise TimeoutError(f"Run {run_id} is still {run.state} after {timeout_s:g} seconds. It goes on.")
        time.sleep(LOOK_EVERY_S)
    return run


def stop_run(run_id: str, *, home: Place | None = None) -> None:
    """Stop a run: at once if it waits in the queue, else within ten seconds. Its checkpoint is kept.

    Args:
        run_id: As ``submit_run`` gave it.
        home: The data home, as for ``list_datasets``.

    Raises:
        RunError: There is no run of that id, or it has ended already.
    """
    from medpriv_core.runs import service

    service.cancel(data_home(home), run_id)


def list_runs(*, home: Place | None = None) -> list[RunSummary]:
    """List the runs, the newest first. Runs in the bin are left out.

    Args:
        home: The data home, as for ``list_datasets``.

    Returns:
        One summary for each run, with all that ``load_run`` gives but the epochs.

    Raises:
        DataHomeError: The data home or its table of runs cannot be read.
    """
    from medpriv_core.runs import service

    return service.list_runs(data_home(home))


def load_run(run_id: str, *, home: Place | None = None) -> Run:
    """Read one run.

    Args:
        run_id: As in ``list_runs``.
        home: The data home, as for ``list_datasets``.

    Returns:
        The run. It has ``id``, ``name``, ``state`` ("queued", "running", "finished", "cancelled" or "failed"),
        ``ended``, ``message`` (why it failed, in a sentence, else None), ``tags``, ``notes``, ``spec`` (its
        ``RunSpec``; None if that file is damaged) and ``epochs_done``. Its figures are in ``epoch_table``, its
        guarantee in ``run_guarantee``.

    Raises:
        RunError: There is no run of that id.
    """
    from medpriv_core.runs import service

    return service.load_run(data_home(home), run_id)


def epoch_table(run_id: str, *, with_training_figures: bool = False, home: Place | None = None) -> list[dict[str, Any]]:
    """Give the figures of every finished epoch of a run, ready for ``pandas.DataFrame``.

    Args:
        run_id: As in ``list_runs``.
        with_training_figures: Of a run under DP-SGD also the loss and accuracy on the training images, and times. Its
            epsilon does not cover them: with the weights they can tell who was in the training set. Other runs always
            have them.
        home: The data home, as for ``list_datasets``.

    Returns:
        One dictionary for each epoch, in order. ``epoch`` counts from 1; ``test_accuracy`` and other shares lie between
        0 and 1; under DP-SGD, ``epsilon`` and ``delta`` are what was spent by the end of the epoch, and an infinite
        ``epsilon`` means that none holds. Who is protected, and by which count, says ``run_guarantee``.

    Raises:
        RunError: There is no run of that id.
    """
    from medpriv_core.exports.sharing import shared_run

    run = shared_run(load_run(run_id, home=home), with_training_figures=with_training_figures)
    # In files, which know no infinity, null says that no epsilon holds.
    return [row.to_dict() | ({} if row.epsilon is None else {"epsilon": row.epsilon}) for row in run.epochs]


def run_guarantee(run: RunSummary) -> HeldGuarantee:
    """Say which epsilon holds for the network of a run, with all that it depends on.

    It rests on what the run recorded about its steps, not on its settings.

    Args:
        run: As ``load_run`` or ``list_runs`` gives it.

    Returns:
        What holds: ``epsilon`` (infinite where no finite one holds), ``delta``, ``unit`` (who is protected),
        ``adjacency``, ``sampling``, ``accountant``, and ``statement``, all of it in one line. ``established`` is False
        where too little is known to say which epsilon holds.

    Raises:
        RunError: The specification of the run is damaged.
        DatasetError: It was trained on a dataset that this version does not know.
    """
    from medpriv_core.privacy.checks import confirm_run
    from medpriv_core.results.guarantee import held_guarantee

    if run.spec is None:
        raise RunError(f"The specification of run {run.id} is damaged, so nobody knows what its ε would be.")
    confirm_run(run.spec, setup=run.setup, spent=run.spent)  # where the second accountant says more, that is told
    return held_guarantee(run.spec, run.setup, run.spent)


def compare_runs(run_ids: Sequence[str], *, home: Place | None = None) -> list[dict[str, Any]]:
    """Compare finished runs by their last epoch. Runs that differ in nothing but their seed make one line.

    Args:
        run_ids: Two or more, or one, as in ``list_runs``.
        home: The data home, as for ``list_datasets``.

    Returns:
        One dictionary for each line, from no noise to most: ``group`` (its label), the settings that matter most,
        ``runs`` (how many), ``epsilon`` with ``delta``, ``epsilon_unit``, ``adjacency``, ``sampling`` and
        ``accountant``. Of each measure (``test_accuracy``, ``test_balanced_accuracy``, ``test_auroc`` and others) it
        has the mean and, as ``..._low`` and ``..._high``, its interval of 95%; None where it was not measured.

    Raises:
        RunError: One of them does not exist, has not finished, or has nothing that can be compared.
    """
    from medpriv_core.exports.comparison_table import group_rows
    from medpriv_core.results.groups import group_results
    from medpriv_core.results.labels import labelled
    from medpriv_core.results.own_runs import read_own_runs

    results = read_own_runs(data_home(home), chosen=set(run_ids))
    for missing in sorted(set(run_ids) - {result.id for result in results}):
        state = load_run(missing, home=home).state
        reason = "has no figures to compare" if state == "finished" else f"is {state}; only finished runs are compared"
        raise RunError(f"Run {missing} {reason}.")
    return group_rows(labelled(group_results(results)), "last_epoch")


def export_run(run_id: str, path: Place, *, with_training_figures: bool = False, home: Place | None = None) -> Path:
    """Write a run as a zip: settings, figures, guarantee in words, charts, network (safetensors) and model card.

    Another machine can bring it in with ``medpriv import``.

    Args:
        run_id: As in ``list_runs``.
        path: The zip to write. A file of that name is replaced.
        with_training_figures: As for ``epoch_table``.
        home: The data home, as for ``list_datasets``.

    Returns:
        The path of the zip.

    Raises:
        RunError: There is no run of that id, it has not ended, or its files are damaged.
        SettingError: The zip cannot be written there.
    """
    from medpriv_core.atomic import atomic_file
    from medpriv_core.exports import run_archive

    content = run_archive.export_run(data_home(home), run_id, with_training_figures=with_training_figures)
    target = Path(path)
    try:
        with atomic_file(target, private=False) as file:
            file.write(content)
    except OSError as error:
        raise SettingError(
            f"The zip {target} cannot be written ({error.strerror or error}). Choose another place, or free space."
        ) from error
    return target
