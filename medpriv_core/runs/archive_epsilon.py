"""Whether the epsilon that a run from another machine states follows from the steps and the noise that it states.

An epsilon is no measurement. It is reckoned from sampling, noise, steps and δ, which stand in the same files, so that
it can be reckoned again here, and a number that was put in its place is told. What is stated may be smaller by
``ROUNDING``, as after rounding to three digits. What is larger is let in, and the larger one is told: accountants of
other versions were less tight, and nobody is deceived by a promise that is weaker than what holds. Where the files say
too little to reckon it, nobody can say what was spent, so the run is refused.

That sampling, noise and steps are those of the training, nobody can check here: the lights of an imported run say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from medpriv_core.errors import RunError, SettingError
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.privacy.spent import Spent
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian, mechanism_of
from medpriv_core.privacy.verdict import recorded_segments
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.spec import BOUNDS, RunSpec

# Three significant digits: 1.00 may stand for 1.005.
ROUNDING = 0.005
# Of so many epochs epsilon is reckoned anew, which takes a moment each; between them it may not fall.
MOST_RECKONED = 12
_SAME = 1e-9
_AGAIN = "It is not imported. Export the run again on the other machine, and bring that file."


def check_epsilon(
    spec: RunSpec,
    setup: Setup,
    spent: Spent | None,
    *,
    epochs: Sequence[EpochRow],
    outcome: EpochRow,
) -> None:
    """Raise ``RunError`` for a DP-SGD run that states a smaller epsilon than its own steps and noise cost.

    All values are of the kinds that ``archive_checks`` makes sure of.
    """
    stated = [("metrics.jsonl", row) for row in epochs]
    if outcome.steps:
        stated.append(("outcome.json", outcome))
    if spent is not None and spent.steps:
        epsilon = math.inf if spent.epsilon is None else spent.epsilon
        stated.append(("spent.json", EpochRow(steps=spent.steps, epsilon=epsilon, delta=spent.delta)))
    if not stated:
        return
    facts = setup.guarantee
    mechanism, noise_multiplier = _mechanism(spec, setup, facts), _noise(spec, setup, facts)
    if spent is not None and spent.steps_per_epoch not in (None, mechanism.steps_per_epoch):
        raise _another("spent.json", "counts other steps for each epoch than its settings give")
    _check_order(stated, mechanism, spec)

    def cost(steps: int) -> float:
        segments = recorded_segments(facts, steps=steps)
        if segments is None:
            segments = (Steps(noise_multiplier, mechanism.sample_rate, steps),)
        known = [mechanism.stretches(segments)]
        if spent is not None and spent.segments and steps == spent.steps:
            known.append(mechanism.stretches(spent.segments))
        return max(composed_epsilon(stretches, delta=spec.delta) for stretches in known)

    for name, figures in _some(stated, but=len(epochs)):
        stated_epsilon, steps = figures.epsilon, figures.steps or 0
        if stated_epsilon is not None and stated_epsilon < (expected := cost(steps)) * (1 - ROUNDING):
            holds = "no ε holds" if math.isinf(expected) else f"ε = {format_epsilon(expected)} holds"
            raise RunError(
                f"The ε of this run does not follow from its own steps and noise: {name} says {stated_epsilon:.4g}, "
                f"but for its {steps:,} steps {holds} (δ = {format_delta(spec.delta)}). {_AGAIN}"
            )


def _mechanism(spec: RunSpec, setup: Setup, facts: GuaranteeFacts) -> SubsampledGaussian:
    """What the accountant must count, by settings and by what the loop recorded, which must agree."""
    records = setup.records
    if not records:
        raise _unknown("the number of its training records")
    if setup.guarantee.unit == "patient" and records > (setup.train_size or 0):
        raise _another("setup.json", "has more patients than images")
    try:
        meant = mechanism_of(spec, train_size=records)
    except SettingError as error:
        raise _another("setup.json", "has fewer training records than a batch of its settings") from error
    recorded = facts.mechanism()
    if recorded is None and meant.unit == "patient":
        raise _unknown("whether its steps drew patients")
    if recorded is None:
        return meant
    alike = (
        (recorded.unit, recorded.sampling, recorded.steps_per_epoch)
        == (meant.unit, meant.sampling, meant.steps_per_epoch)
        and math.isclose(recorded.sample_rate, meant.sample_rate, rel_tol=_SAME)
        and recorded.sensitivity >= meant.sensitivity
    )
    if not alike:
        raise _another("setup.json", "says that batches were drawn or clipped in another way than its settings say")
    return recorded


def _noise(spec: RunSpec, setup: Setup, facts: GuaranteeFacts) -> float:
    known = [facts.noise_multiplier, setup.noise_multiplier, spec.noise_multiplier]
    noises = [float(noise) for noise in known if noise is not None]
    low, high = BOUNDS["noise_multiplier"]
    if not all(low <= noise <= high for noise in noises):
        raise _another("setup.json", "says a noise multiplier that no run can have")
    if not noises:
        raise _unknown("its noise")
    if not math.isclose(min(noises), max(noises), rel_tol=_SAME):
        raise _another("setup.json", "says another noise multiplier than its settings")
    return noises[0]


def _check_order(stated: Sequence[tuple[str, EpochRow]], mechanism: SubsampledGaussian, spec: RunSpec) -> None:
    """Every epoch has taken its steps, δ is the run's, and epsilon never falls."""
    highest = 0.0
    for name, figures in stated:
        if (figures.steps or 0) < figures.epoch * mechanism.steps_per_epoch:
            raise _another(name, "counts fewer steps than its epochs have")
        if not math.isclose(figures.delta or 0.0, spec.delta, rel_tol=_SAME):
            raise _another(name, "states ε at another δ than its settings")
        epsilon = math.inf if figures.epsilon is None else figures.epsilon
        if epsilon < highest * (1 - ROUNDING):
            raise _another(name, "has an ε that is smaller than the one before")
        highest = max(highest, epsilon)


def _some(stated: Sequence[tuple[str, EpochRow]], *, but: int) -> list[tuple[str, EpochRow]]:
    """Of the first ``but`` some, from the first to the last, and all that come after them."""
    rows = max(1, but)
    places = sorted({round(place * (rows - 1) / (MOST_RECKONED - 1)) for place in range(MOST_RECKONED)})
    return [stated[place] for place in places if place < but] + list(stated[but:])


def _another(name: str, what: str) -> RunError:
    return RunError(f"The ε of this run does not follow from its own steps and noise: {name} {what}. {_AGAIN}")


def _unknown(what: str) -> RunError:
    return RunError(f"This run states an ε and does not say {what}, so nobody can compute it again. {_AGAIN}")
