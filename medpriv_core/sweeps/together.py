"""What the runs of a grid give away *together*.

Each network trained by DP-SGD has its own epsilon. Whoever sees several networks trained on the same images learns from
all of them, and what was spent adds up: three seeds of one setting are three releases. The composition of all their
steps is computed as if it were one long run, which is tighter than adding epsilons up, and never below what holds.

Local-DP is another matter. An image is noised once for each size, β and kind of draw, and all runs with these settings
read that one copy, so seeds cost nothing. Different β are different copies: for one pixel 1/1 + 1/2 + 1/4 = 1.75.

>>> copies = LocalDpTogether("chest_xray", image_size=64, channels=1, betas=(1.0, 2.0, 4.0), shifted_betas=())
>>> copies.epsilon_unit, copies.epsilon_image
(1.75, 7168.0)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.privacy.dp_sgd import Accountant, Adjacency, accountant_of, composed_epsilon
from medpriv_core.privacy.facts import recorded_facts
from medpriv_core.privacy.mechanism import Mechanism
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import (
    ACCOUNTANT_WORDS,
    ADJACENCY_WORDS,
    SAMPLING_WORDS,
    format_delta,
    format_epsilon,
)
from medpriv_core.runs.summary import RunSummary
from medpriv_core.spec import RunSpec, Sampling
from medpriv_core.sweeps.identity import recorded_steps


@dataclass(frozen=True)
class Spending:
    """What one network takes from the images: its mechanism, and stretches as for ``composed_epsilon``."""

    mechanism: Mechanism
    stretches: tuple[tuple[float, float, int], ...]
    delta: float


@dataclass(frozen=True)
class DpSgdTogether:
    """The epsilon of several networks on the images of one dataset, for whoever sees them all.

    networks   how many
    epsilon    at ``delta``, the smallest that one of them states; infinite where none holds
    largest    the epsilon of the one network that spends most, at the same delta
    samplings  all that occur
    lost       damaged lines of the journal of the images, of which nobody knows what they said: then no epsilon is told
    """

    dataset: str
    networks: int
    epsilon: float
    largest: float
    delta: float
    adjacency: Adjacency
    samplings: tuple[Sampling, ...]
    accountant: Accountant
    lost: int = 0

    @property
    def statement(self) -> str:
        """Epsilon with all it depends on."""
        if self.lost:
            return self.ever_sentence
        sampling = " or ".join(SAMPLING_WORDS[sampling] for sampling in self.samplings)
        return (
            f"ε = {format_epsilon(self.epsilon)} (δ = {format_delta(self.delta)}; {ADJACENCY_WORDS[self.adjacency]}; "
            f"{sampling}; {ACCOUNTANT_WORDS[self.accountant]})"
        )

    @property
    def all_sentence(self) -> str:
        """For whoever gets every one of several networks."""
        return (
            f"Whoever gets all {self.networks:,} DP-SGD networks learns from each of them: {self.statement}. The one "
            f"that spends most has ε = {format_epsilon(self.largest)} by itself."
        )

    @property
    def ever_sentence(self) -> str:
        """For all networks that were ever trained on the images."""
        if self.lost:
            lines = "One line" if self.lost == 1 else f"{self.lost:,} lines"
            return (
                f"What all DP-SGD networks trained here have taken from these images together is not known: {lines} of "
                "the journal of what was spent (the folder spent in the data home) cannot be read. Put that file back "
                "from a copy."
            )
        which = "The one DP-SGD network" if self.networks == 1 else f"All {self.networks:,} DP-SGD networks together"
        return f"{which} trained here on these images so far, deleted and purged ones included: {self.statement}."


@dataclass(frozen=True)
class LocalDpTogether:
    """The noised copies of each picture of a dataset at one size, for whoever sees them all.

    betas          of the copies with noise for every pixel, each drawn once
    shifted_betas  of those with one random number for the whole picture, for which no epsilon holds
    """

    dataset: str
    image_size: int
    channels: int
    betas: tuple[float, ...]
    shifted_betas: tuple[float, ...]

    @property
    def epsilon_unit(self) -> float:
        """With certainty, for two pictures that differ in one pixel (in colour: one colour value)."""
        return math.inf if self.shifted_betas else self._epsilon_of_betas

    @property
    def epsilon_image(self) -> float:
        """With certainty, for any two pictures."""
        return self._values * self.epsilon_unit

    @property
    def statement(self) -> str:
        """Epsilons with all they depend on."""
        parts = []
        if self.betas:
            unit = "one pixel" if self.channels == 1 else "one colour value (red, green or blue of a pixel)"
            epsilon, pure = self._epsilon_of_betas, self._values * self._epsilon_of_betas
            parts.append(
                f"Noise for every pixel with {_betas(self.betas)}: ε = {format_epsilon(epsilon)} (δ = 0; two pictures "
                f"that differ in {unit}, at most by black against white), and ε = {format_epsilon(pure)} (δ = 0) for "
                "any two pictures."
            )
        if self.shifted_betas:
            parts.append(
                f"One number for the picture with {_betas(self.shifted_betas)}: no finite ε, because it hides no "
                f"difference between pixels{'; so none holds for all copies together' if self.betas else ''}."
            )
        return " ".join(parts)

    @property
    def _values(self) -> int:
        return self.image_size**2 * self.channels

    @property
    def _epsilon_of_betas(self) -> float:
        return math.fsum(1 / beta for beta in self.betas)


def planned_spending(spec: RunSpec, *, train_size: int) -> Spending:
    """Of a DP-SGD run that is still to be trained; raises ``SettingError`` as ``plan_run`` does."""
    plan = plan_run(spec, train_size=train_size)
    stretch = (plan.noise_multiplier / plan.mechanism.sensitivity, plan.mechanism.sample_rate, plan.steps)
    return Spending(plan.mechanism, (stretch,), plan.delta)


def recorded_spending(run: RunSummary) -> Spending | None:
    """Of a DP-SGD run by what it recorded; None where that does not say it.

    One that has not finished is counted to its end: it may get there.
    """
    segments, mechanism = recorded_steps(run), recorded_facts(run.setup).mechanism()
    if run.spec is None or segments is None or mechanism is None:
        return None
    if run.state != "finished":
        steps = sum(segment["steps"] for segment in segments)
        segments[-1]["steps"] += max(0, run.spec.epochs * mechanism.steps_per_epoch - steps)
    return Spending(mechanism, tuple(mechanism.stretches(segments)), run.spec.delta)


def compose_dp_sgd(dataset: str, spendings: Sequence[Spending]) -> DpSgdTogether:
    """All these networks on the images of ``dataset``, at the smallest of their deltas; there must be one or more.

    Where one of them deals its batches from a deck, neighbours are images replaced by empty ones. For the others that
    costs the same as a removed one: an empty image adds nothing to the sum.
    """
    delta = min(spending.delta for spending in spendings)
    stretches = [stretch for spending in spendings for stretch in spending.stretches]
    dealt = any(spending.mechanism.adjacency == "zero-out" for spending in spendings)
    return DpSgdTogether(
        dataset=dataset,
        networks=len(spendings),
        epsilon=composed_epsilon(stretches, delta=delta),
        largest=max(composed_epsilon(one, delta=delta) for one in {spending.stretches for spending in spendings}),
        delta=delta,
        adjacency="zero-out" if dealt else "add-remove",
        samplings=tuple(sorted({spending.mechanism.sampling for spending in spendings})),
        accountant=accountant_of(
            sample_rate=min(rate for _, rate, _ in stretches), delta=delta, steps=sum(steps for *_, steps in stretches)
        ),
    )


def not_known(dataset: str, *, networks: int, lost: int) -> DpSgdTogether:
    """Where ``lost`` lines of the journal of the images are damaged: no epsilon holds, at any delta."""
    return DpSgdTogether(dataset, networks, math.inf, math.inf, 0.0, "add-remove", (), "pld", lost)


def compose_local_dp(specs: Iterable[RunSpec]) -> tuple[LocalDpTogether, ...]:
    """The noised copies that these runs read, one entry for each dataset and image size."""
    copies: dict[tuple[str, int], dict[str, set[float]]] = {}
    for spec in specs:
        if spec.method == "local_dp":
            # Betas that agree in the digits of a copy's name share the copy.
            beta = float(f"{spec.beta:.6g}")
            draws = copies.setdefault((spec.dataset, spec.image_size), {"per_pixel": set(), "per_image": set()})
            draws[spec.noise_draw].add(beta)
    return tuple(
        LocalDpTogether(
            dataset,
            image_size,
            dataset_info(dataset).channels,
            betas=tuple(sorted(draws["per_pixel"])),
            shifted_betas=tuple(sorted(draws["per_image"])),
        )
        for (dataset, image_size), draws in copies.items()
    )


def _betas(betas: Sequence[float]) -> str:
    return "β = " + ", ".join(f"{beta:g}" for beta in betas)
