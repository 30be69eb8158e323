"""The epsilon that really holds for a finished run, beside which its accuracy may be set.

It is not always the one that the run was named after. Local-DP at beta = 1 has epsilon 1 for one *pixel*; the picture
as a whole has tens of thousands, and any two pictures are neighbours under Local-DP:

>>> from medpriv_core.records.setup import Setup
>>> from medpriv_core.spec import RunSpec
>>> held = held_guarantee(RunSpec(dataset="chest_xray", image_size=224, method="local_dp", beta=1.0), Setup(), None)
>>> held.unit, round(held.epsilon, -3)
('one whole image', 19000.0)
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass, replace

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.dp_sgd import accountant_of
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.second_accountant import corrections
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import (
    ACCOUNTANT_WORDS,
    IMAGE_ACCOUNTANT_WORDS,
    SAMPLING_WORDS,
    image_epsilon_statement,
    neighbours_in_words,
    unit_in_words,
)
from medpriv_core.privacy.verdict import Verdict, mechanism_of_run, run_verdict
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec
from medpriv_core.unit import Unit


@dataclass(frozen=True)
class HeldGuarantee:
    """What holds. ``epsilon`` is infinite where no finite one does, or where none is established.

    unit         whom it protects
    verdict      of DP-SGD, all that is known of it; None for others and where nothing is established
    statement    the whole of it in one line, for people
    established  False where too little is known of the run to say which epsilon holds
    """

    epsilon: float
    delta: float | None
    unit: str
    adjacency: str
    sampling: str
    accountant: str
    statement: str
    established: bool = True
    verdict: Verdict | None = None


NO_PRIVACY = HeldGuarantee(math.inf, None, "nobody", "", "", "", "trained without privacy: no ε holds")


def not_established(why: str, unit: Unit = "image") -> HeldGuarantee:
    """Of a run of which too little is known, or too much, to state an epsilon."""
    said = f"ε is not established: {why}"
    return HeldGuarantee(math.inf, None, unit_in_words(unit), "", "", "", said, established=False)


def held_guarantee(spec: RunSpec, setup: Setup, spent: Spent | None) -> HeldGuarantee:
    """What holds for a run's network: ``setup`` is what it recorded at its start, ``spent`` what the network spent."""
    if spec.method == "none":
        return NO_PRIVACY
    if spec.method == "local_dp":
        return _of_picture(picture_guarantee(spec))
    # Runs that differ in their seed alone spend alike, and composing takes a fifth of a second.
    sizes = Setup(train_size=setup.train_size, patients=setup.patients, guarantee=setup.guarantee)
    facts = json.dumps(sizes.to_dict(), sort_keys=True)
    # Which checkpoint it was is the run's own affair.
    ledger = None if spent is None else replace(spent, checkpoint=None)
    return _of_training(spec.canonical(any_seed=True), facts, ledger, corrections())


def _why_not(spent: Spent | None) -> str:
    if spent is not None and spent.bond == "broken":
        return "its checkpoint is not the one that was recorded"
    if spent is not None and spent.bond == "damaged":
        return "the record of what it spent is damaged"
    if spent is not None and spent.recorded and not spent.steps:
        return "the network has not taken a step, so it depends on no training image"
    return "the run did not record its steps"


def picture_guarantee(spec: RunSpec, *, images: int = 1) -> ImageGuarantee:
    """What a run under Local-DP guarantees for each of its training pictures, the noised copy of which is made once.

    With ``images``, for so many pictures of one patient together: each has noise of its own, and two sets of pictures
    may differ in all of them.
    """
    shape = (spec.image_size, spec.image_size, dataset_info(spec.dataset).channels)
    return _of_noise(spec.picture_noise, shape, spec.delta, images)


@functools.lru_cache(maxsize=256)
def _of_noise(noise: PictureNoise, shape: Shape, delta: float, copies: int) -> ImageGuarantee:
    return noise.guarantee(shape, delta=delta, copies=copies)


def _of_picture(guarantee: ImageGuarantee) -> HeldGuarantee:
    return HeldGuarantee(
        epsilon=guarantee.epsilon_image,
        delta=guarantee.delta,
        unit="one whole image",
        adjacency="any two images",
        sampling="noise drawn once",
        accountant=IMAGE_ACCOUNTANT_WORDS[guarantee.accountant],
        statement=f"each image: {image_epsilon_statement(guarantee)}",
    )


@functools.lru_cache(maxsize=1024)
def _of_training(spec: RunSpec, facts: str, spent: Spent | None, _corrections: int) -> HeldGuarantee:
    setup = Setup.from_dict(json.loads(facts))
    verdict, mechanism = run_verdict(spec, setup=setup, spent=spent), mechanism_of_run(spec, setup)
    if verdict is None or spent is None or mechanism is None:
        return not_established(_why_not(spent), spec.record)
    return HeldGuarantee(
        epsilon=verdict.epsilon,
        delta=verdict.delta,
        unit=unit_in_words(mechanism.unit),
        adjacency=neighbours_in_words(mechanism.adjacency, mechanism.unit),
        sampling=SAMPLING_WORDS[mechanism.sampling],
        accountant=ACCOUNTANT_WORDS[
            accountant_of(sample_rate=mechanism.sample_rate, delta=verdict.delta, steps=spent.steps)
        ],
        statement=f"the training set: {verdict.statement}",
        verdict=verdict,
    )
