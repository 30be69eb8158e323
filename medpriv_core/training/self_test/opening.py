"""The trial of a session that is about to begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from medpriv_core.errors import RunError
from medpriv_core.privacy.measured import failures
from medpriv_core.privacy.private_training import PrivateTraining
from medpriv_core.training.checkpoint import Position
from medpriv_core.training.data import TrainingData
from medpriv_core.training.device import using_threads
from medpriv_core.training.examples import Examples
from medpriv_core.training.model import Network
from medpriv_core.training.self_test.batches import preprocessing
from medpriv_core.training.self_test.subject import Subject, self_test
from medpriv_core.training.steps import DpStepper

if TYPE_CHECKING:
    from medpriv_core.training.session import Session


def try_session(
    session: Session,
    training: PrivateTraining,
    *,
    blank: nn.Module,
    make: Callable[[nn.Module], Any],
    way_in: Callable[[TrainingData, Any], Examples],
    data: TrainingData,
) -> dict[str, dict[str, Any]]:
    """The findings about a DP-SGD session: ``blank`` and ``make`` as in ``Subject``, ``way_in`` as images come in.

    Of ``data`` nothing is looked at but the facts about it, and whose each image is.
    """
    assert session.ledger is not None
    assert isinstance(session.stepper, DpStepper)

    def batches(number: int) -> Iterator[np.ndarray]:
        from medpriv_core.training import loop  # which imports sessions; what it draws by is what is tried

        return loop.batches_to_come(replace(session, position=Position(), steps=number))

    subject = Subject(
        spec=session.spec,
        trained=session.trained,
        stepper=session.stepper,
        blank=blank,
        make=make,
        batches=batches,
        patients=session.patients,
        whose=data.train.train.patients,
        classes=len(data.clean.info.classes),
        training=training,
        noise_multiplier=session.ledger.noise_multiplier,
    )
    # A step on two records of features is so small that several cores only wait for each other.
    small = not isinstance(session.trained, Network)
    # Of features alone a way in has a width; a whole network takes images.
    side, width = session.spec.image_size, blank.in_features if isinstance(blank, nn.Linear) else 0
    with using_threads(1 if small else torch.get_num_threads()):
        measured = self_test(subject)
    return measured | {"preprocessing": preprocessing(way_in, data.clean.info, side=side, width=width)}


def refuse_failures(measured: dict[str, dict[str, Any]]) -> None:
    """Raise ``RunError`` if the trial failed, before a step is taken."""
    failed = failures(measured)
    if failed:
        raise RunError(
            "Training did not begin, because the program failed its own test and no guarantee would hold. "
            + ". ".join(failed)
            + ". This is a fault in the program or in a library, not in your settings; please report it. No step was "
            "taken."
        )
