"""More epochs for a run that has ended: what they cost, known before they are trained.

The run goes on from its checkpoint as if it had been longer from the start: with the same noise in every step, so its
epsilon grows. A run that was given a target epsilon keeps the noise multiplier that was solved for it, and goes beyond
the target.
"""

from __future__ import annotations

from dataclasses import dataclass

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import MedprivError, RunError
from medpriv_core.presets import other_recipe
from medpriv_core.privacy.dp_sgd import Accountant, Adjacency, accountant_of, composed_epsilon
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import dp_sgd_statement, format_delta, format_epsilon
from medpriv_core.privacy.verdict import recorded_segments, run_verdict
from medpriv_core.runs.run_parts import START_S
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import RunSpec, Sampling
from medpriv_core.unit import Unit


@dataclass(frozen=True)
class Extension:
    """What a run comes to if it goes on.

    epochs          in all
    epsilon_before  what holds now; None unless it is DP-SGD, infinite where none holds
    epsilon_after   what holds at the end; the same delta, adjacency, sampling and accountant belong to both
    unit            what is protected: an image, or a patient with all images
    seconds         that the new epochs will take, about; None where nothing was recorded to tell
    remarks         sentences on what is not as in a run of that length from the start
    """

    epochs: int
    epsilon_before: float | None
    epsilon_after: float | None
    delta: float | None
    adjacency: Adjacency | None
    sampling: Sampling | None
    accountant: Accountant | None
    unit: Unit
    seconds: float | None
    remarks: tuple[str, ...]

    @property
    def statement(self) -> str | None:
        """``epsilon_after`` in full; None unless it is DP-SGD."""
        return None if self.epsilon_after is None else self.in_full(self.epsilon_after)

    def in_full(self, epsilon: float) -> str:
        """One of its two ε with all that it depends on."""
        assert self.delta is not None
        assert self.adjacency is not None
        assert self.sampling is not None
        assert self.accountant is not None
        return dp_sgd_statement(
            epsilon=epsilon,
            delta=self.delta,
            adjacency=self.adjacency,
            sampling=self.sampling,
            accountant=self.accountant,
            unit=self.unit,
        )


def plan_extension(run: RunSummary, *, epochs: int) -> tuple[Extension, RunSpec]:
    """What going on to ``epochs`` epochs in all costs, and the specification with which the run would go on.

    Raises ``RunError`` for a run that cannot go on, and ``SettingError`` for an impossible number of epochs.
    """
    spec = _check_extendable(run)
    if epochs <= run.epochs_done:
        raise RunError(f"Run {run.id} has {run.epochs_done} epochs already; choose a larger number of epochs in all.")
    remarks = _averaging_remarks(run, spec, epochs)
    seconds = _seconds(run, epochs)
    if spec.method != "dp_sgd":
        longer = spec.changed(epochs=epochs)
        return Extension(epochs, None, None, None, None, None, None, spec.record, seconds, remarks), longer

    if run.spent is not None and run.spent.bond == "damaged":
        raise RunError(
            f"The record of what run {run.id} has spent (spent.json) is damaged or gone, so nobody knows which epsilon "
            "would hold after more epochs. Put the file back from a copy, or start a new run."
        )
    unknown = RunError(
        f"Run {run.id} did not record enough to say which epsilon would hold after more epochs; start a new run."
    )
    facts = run.setup.guarantee
    mechanism, train_size = facts.mechanism(), run.setup.records
    if mechanism is None or facts.noise_multiplier is None or train_size is None:
        raise unknown
    longer = spec.changed(epochs=epochs, noise_multiplier=facts.noise_multiplier, target_epsilon=None)
    plan_run(longer, train_size=train_size)  # refuses more steps than epsilon is computed for
    before = run_verdict(spec, setup=run.setup, spent=run.spent)
    if before is None or run.spent is None:
        raise unknown
    # Steps that count though the network in the checkpoint has not taken them stay counted.
    steps = max(epochs * mechanism.steps_per_epoch + max(0, run.spent.beyond), run.spent.steps)
    segments = recorded_segments(facts, steps=steps)
    if segments is None:
        raise unknown
    delta = before.delta
    after = max(before.epsilon, composed_epsilon(mechanism.stretches(segments), delta=delta))
    if spec.target_epsilon is not None and after > spec.target_epsilon:
        remarks += (
            f"ε then exceeds the target that this run was given, {format_epsilon(spec.target_epsilon)} "
            f"(δ = {format_delta(delta)}).",
        )
    remarks += _recipe_remarks(spec, after)
    accountant = accountant_of(sample_rate=mechanism.sample_rate, delta=delta, steps=steps)
    extension = Extension(
        epochs,
        before.epsilon,
        after,
        delta,
        mechanism.adjacency,
        mechanism.sampling,
        accountant,
        mechanism.unit,
        seconds,
        remarks,
    )
    return extension, longer


def _check_extendable(run: RunSummary) -> RunSpec:
    """The specification of a run that can go on."""
    if run.deleted_at is not None:
        raise RunError(f"Run {run.id} has been removed; restore it first.")
    if not run.ended:
        raise RunError(f"Run {run.id} is {run.state}; only a run that has ended can be given more epochs.")
    if run.spec is None:
        raise RunError(run.message or f"The settings of run {run.id} cannot be read.")
    if not run.has_checkpoint:
        raise RunError(
            f"Run {run.id} has no checkpoint on this machine to go on from; start a new run with the same settings and "
            "more epochs."
        )
    if not run.epochs_done:
        raise RunError(f"Run {run.id} was ended before its first epoch; resume it instead.")
    return run.spec


def _seconds(run: RunSummary, epochs: int) -> float | None:
    elapsed_s = run.last.elapsed_s
    return None if elapsed_s is None else START_S + (epochs - run.epochs_done) * elapsed_s / run.epochs_done


def _recipe_remarks(spec: RunSpec, epsilon: float) -> tuple[str, ...]:
    """A run by the recipe of sound DP keeps the one of the epsilon that it was begun for."""
    try:
        ordered = dataset_info(spec.dataset).ordered
    except MedprivError:  # a dataset of a later version
        return ()
    other = [
        name for name in other_recipe(spec, epsilon=epsilon, ordered=ordered) if name != "augmentation_multiplicity"
    ]
    if not other:
        return ()
    what = " and another ".join(name.replace("_", " ") for name in other)
    return (
        f"It goes on by the recipe of sound DP for the ε that it was begun for; for ε = {format_epsilon(epsilon)} that "
        f"recipe has another {what}, which only a new run has.",
    )


def _averaging_remarks(run: RunSummary, spec: RunSpec, epochs: int) -> tuple[str, ...]:
    """Weights averaged before the run was made longer stay in the average if it would have begun by then."""
    if not spec.average_last:
        return ()
    begins_after, began_after = ((1 - spec.average_last) * length for length in (epochs, spec.epochs))
    if begins_after >= run.epochs_done or run.epochs_done <= began_after:
        return ()
    share = (epochs - began_after) / epochs
    return (
        f"The average of the weights has begun already, so it will cover about the last {share:.0%} of the steps "
        f"instead of {spec.average_last:.0%}.",
    )
