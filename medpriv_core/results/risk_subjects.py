"""Whose risk is asked about, of what lies in the data home: one run, several together, or all networks on a dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from medpriv_core.datasets.registry import dataset_info, list_datasets
from medpriv_core.errors import RunError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.privacy.curve import EVERYTHING
from medpriv_core.privacy.risk_subject import (
    RiskSubject,
    subject_of_images,
    subject_of_joint,
    subject_of_verdict,
)
from medpriv_core.results.guarantee import held_guarantee, picture_guarantee
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.image_ledger import read_ledger
from medpriv_core.runs.on_images import all_runs, epsilon_on_images, joint_epsilon
from medpriv_core.runs.spent_record import with_bond
from medpriv_core.runs.summary import RunSummary

LEAST_TOGETHER = 2


@dataclass(frozen=True)
class AskedRuns:
    """A subject with what must be said beside it."""

    subject: RiskSubject
    notes: tuple[str, ...] = ()


def subject_of_run(home: DataHome, run: RunSummary) -> AskedRuns:
    """What one run's network, or the noised images that it learned from, give away.

    Args:
        home: The data home.
        run: In any state; of one in progress, what is spent until now counts.

    Returns:
        The subject; where no ε holds or none is established, one in which everything is found.

    Raises:
        RunError: Its settings cannot be read.
    """
    if run.spec is None:
        raise RunError(f"The settings of the run {run.name!r} cannot be read, so nothing can be said of its risk.")
    notes = [] if run.ended else ["The run has not ended: this is what is spent until now, and it grows."]
    if run.imported:
        notes.append("An imported run: its steps are taken at its sender’s word.")
    if run.spec.method == "local_dp":
        notes.append("Of each training image as it was noised. Labels are not protected.")
        return AskedRuns(subject_of_images(picture_guarantee(run.spec)), tuple(notes))
    spent = with_bond(run.spent, RunDirectory(home.runs / run.id)) if run.ended else run.spent
    held = held_guarantee(run.spec, run.setup, spent)
    if held.verdict is None:
        return AskedRuns(_nothing_holds(held.statement, run), tuple(notes))
    return AskedRuns(subject_of_verdict(held.verdict, dimensions=run.setup.parameters), tuple(notes))


def subject_of_runs(runs: Sequence[RunSummary]) -> AskedRuns:
    """What the networks of several runs give away together, for somebody who gets them all.

    Args:
        runs: At least two, of one dataset, trained with DP-SGD or without privacy.

    Returns:
        The subject, with what is said of those that are not counted.

    Raises:
        SettingError: There are fewer than two, or they are of several datasets.
    """
    known = [run for run in runs if run.spec is not None and run.spec.method != "local_dp"]
    notes = []
    if left := len(runs) - len(known):
        notes.append(
            f"{left} {'run is' if left == 1 else 'runs are'} left out: noised images are not networks, and each new "
            "noised copy adds its own ε."
        )
    if len(known) < LEAST_TOGETHER:
        raise SettingError("Choose at least two runs that were trained with DP-SGD, on the same dataset.")
    datasets = {run.spec.dataset for run in known if run.spec is not None}
    if len(datasets) > 1:
        raise SettingError("Choose runs of one dataset: what is learned of different images does not add up.")
    open_ones = [run for run in known if run.spec is not None and run.spec.method == "none"]
    if open_ones:
        said = f"{len(open_ones)} of {len(known)} networks trained without privacy: no ε holds for all together"
        return AskedRuns(_nothing_holds(said, open_ones[0]), tuple(notes))
    return AskedRuns(subject_of_joint(joint_epsilon(datasets.pop(), known)), tuple(notes))


def subject_of_dataset(home: DataHome, dataset: str, *, given_away: bool) -> AskedRuns | None:
    """What all DP-SGD networks on the images of a dataset give away together, those of removed runs too.

    Args:
        home: The data home.
        dataset: Its name.
        given_away: Whether to count those alone that are marked as given away.

    Returns:
        The subject; None where there is no such network.

    Raises:
        DatasetError: There is no such dataset.
        DataHomeError: The disk refuses.
    """
    dataset_info(dataset, home)
    runs = all_runs(home)
    if given_away:
        entry = next(one for one in list_datasets(home) if one.info.name == dataset)
        joint = read_ledger(home, entry, runs).released
    else:
        joint = epsilon_on_images(home, dataset, runs)
    if joint is None:
        return None
    notes = ["Networks trained without privacy are not counted: for each of them that is given away, no ε holds."]
    return AskedRuns(subject_of_joint(joint), tuple(notes))


def _nothing_holds(statement: str, run: RunSummary) -> RiskSubject:
    unit = run.spec.record if run.spec is not None else "image"
    return RiskSubject(
        asked="membership",
        curve=EVERYTHING,
        basis="exact",
        epsilon=math.inf,
        delta=0.0,
        statement=statement,
        unit=unit,
    )
