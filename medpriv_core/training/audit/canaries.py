"""An attack on the training loop that gets every chance, so that a mistake in the loop shows.

The training set is made for it. Each canary is a picture of which a single pixel is lit, one that is dark in all
others, so its gradient points where no other record's does; it is so bright that clipping always shortens it, to
exactly C. A coin decides whether it is in the training set. The other records share one pixel of their own.
The last layer is linear, and the attacker sees it after every step, which is what the accountant assumes:

    x_t  = what step t added in the canary's direction, in clipping norms: 1 + noise if it was drawn, else noise
    s    = sum over t of ln(1 - q + q exp((2 x_t - 1) / (2 sigma^2)))

s is the logarithm of the likelihood ratio between "in" and "out" for Poisson sampling at rate q, so no attack on one
canary is better (Neyman and Pearson). The canaries with the largest s are guessed to be in, those with the smallest
to be out, and ``bound`` turns the share of right guesses into a lower bound on epsilon.

That bound is loose: epsilon speaks of all steps together, and noise at half its size passes. So each step is looked at,
too: x_t of a canary that was drawn is N(1, sigma²) and else N(0, sigma²), a Gaussian mechanism with mu = 1 / sigma, and
from how often x_t > 1/2 errs follows a lower bound on mu that comes near to it. The threshold is fixed beforehand. What
is claimed is noise that is independent in each coordinate and step, and no record but the canary has anything in its
coordinates; so under the claim the trials are independent, and the bound exceeds it once in ten million audits at most.

No attack of this kind finds noise that somebody could draw again, nor a divisor that follows who was drawn. So the
loop also takes the self-test (``self_test``) that every session takes.

Steps, batches and way in are those of real runs: ``engines.make_stepper``, ``sampling.make_sampler`` and
``examples.feature_examples``. Below the last layer there is nothing, or with ``layers`` "norms" a frozen BatchNorm
whose scale and shift learn, or with "all" a convolution before it. They begin as the identity, so that the canaries
stay apart, and are clipped and noised with the last layer. ``mistakes`` can be made on purpose. In a shuffled deck x_t
is taken from the step in which the deck holds the canary's place, whether it is filled or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from medpriv_core.datasets.base import DatasetInfo
from medpriv_core.privacy.dp_sgd import (
    Accountant,
    Adjacency,
    accountant_of,
    composed_epsilon,
    sampling_rate,
    steps_per_epoch,
)
from medpriv_core.privacy.measured import failures
from medpriv_core.privacy.private_training import private_training
from medpriv_core.privacy.steps import Steps
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.spec import Engine, NoiseGenerator, RunSpec, Sampling, Trainable
from medpriv_core.training.audit.bound import epsilon_lower_bound, mu_lower_bound
from medpriv_core.training.audit.mistakes import (
    Mistake,
    in_features,
    in_network,
    in_noise,
    in_settings,
    in_stepper,
)
from medpriv_core.training.data import TrainingData
from medpriv_core.training.device import resolve_device
from medpriv_core.training.engines import make_stepper
from medpriv_core.training.examples import Batch, Examples, feature_examples
from medpriv_core.training.features import FeatureSource
from medpriv_core.training.frozen_norm import FrozenBatchNorm2d
from medpriv_core.training.randomness import SecretUniform
from medpriv_core.training.sampling import make_sampler
from medpriv_core.training.self_test.batches import MadeUpStore, preprocessing
from medpriv_core.training.self_test.subject import Subject, self_test
from medpriv_core.training.steps import DpStepper

Finder = Literal["epsilon", "mu", "self_test"]

CANARIES = 2048
OTHERS = 2048
GUESSES = 512
CONFIDENCE = 0.999
# Of the bound on mu, which comes so near to the truth that chance alone would refute it now and then.
MU_CONFIDENCE = 1 - 1e-7
PHASE = "Training with canaries"

BATCH_SIZE = 128
EPOCHS = 16
NOISE_MULTIPLIER = 2.0
DELTA = 1e-6
CLIP = 1.0
# A gradient of sqrt(1/2) times this much; training is so slow that it stays that large.
BRIGHTNESS = 10.0
LEARNING_RATE = 1e-4


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    mistake          made on purpose; None for the loop as it is
    claimed_epsilon  at ``delta``, by ``accountant`` for this ``sampling`` and ``adjacency``
    lower_bound      every epsilon up to this is refuted with ``confidence``
    guesses, right   of the coins of ``canaries``
    claimed_mu       of one step for a record that is drawn: 1 / noise multiplier
    mu_lower_bound   every mu below this is refuted with ``mu_confidence``
    measured         what the self-test of this loop found, by name
    engine, layers   and ``generator``, ``device``: of the loop
    """

    mistake: Mistake | None
    claimed_epsilon: float
    lower_bound: float
    delta: float
    confidence: float
    canaries: int
    guesses: int
    right: int
    noise_multiplier: float
    sample_rate: float
    steps: int
    claimed_mu: float
    mu_lower_bound: float
    accountant: Accountant
    adjacency: Adjacency
    measured: dict[str, dict[str, Any]]
    engine: Engine
    layers: Trainable
    generator: NoiseGenerator
    device: str
    sampling: Sampling = "poisson"
    mu_confidence: float = MU_CONFIDENCE

    @property
    def found_by(self) -> list[Finder]:
        """What contradicts the claim."""
        found: dict[Finder, bool] = {
            "epsilon": self.lower_bound > self.claimed_epsilon,
            "mu": self.mu_lower_bound > self.claimed_mu,
            "self_test": bool(failures(self.measured)),
        }
        return [name for name, contradicts in found.items() if contradicts]

    @property
    def consistent(self) -> bool:
        """Whether what was seen leaves the claim standing."""
        return not self.found_by

    def to_dict(self) -> dict[str, Any]:
        """All fields and the verdict, ready for JSON."""
        return asdict(self) | {"consistent": self.consistent, "found_by": self.found_by}


def audit_loop(
    mistake: Mistake | None = None,
    *,
    engine: Engine = "one_pass",
    layers: Trainable = "head",
    generator: NoiseGenerator = "fast",
    device: str = "cpu",
    progress: ProgressCallback = no_progress,
) -> Audit:
    """Try the loop, train once with canaries, guess which were in, and compare with what is claimed.

    Raises ``SettingError`` if there is no such device here.
    """
    on = resolve_device(device)
    claimed = RunSpec(
        dataset="canaries",
        method="dp_sgd",
        noise_multiplier=NOISE_MULTIPLIER,
        delta=DELTA,
        max_grad_norm=CLIP,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        momentum=0.0,
        sampling="poisson",
        engine=engine,
        trainable=layers,
        noise_generator=generator,
        device=device,
    )
    audited = Audited(claimed, mistake, on)
    steps = EPOCHS * audited.steps_per_epoch
    sample_rate = audited.sample_rate
    coins = SecretUniform().random(CANARIES) < 0.5
    scores = np.zeros(CANARIES)
    ins, misses, false_alarms = 0, 0, 0
    measured = audited.self_test()
    for number, (drawn, seen) in enumerate(audited.steps(coins)):
        progress(PHASE, number, steps)
        inside = np.zeros(CANARIES, dtype=bool)
        inside[drawn[drawn < CANARIES]] = True
        inside &= coins
        ins += int(inside.sum())
        misses += int((inside & ~(seen > 0.5)).sum())
        false_alarms += int((~inside & (seen > 0.5)).sum())
        if mistake == "shuffling":
            there = drawn[drawn < CANARIES]
            scores[there] += seen[there]
        else:
            exponent = (2 * seen - 1) / (2 * NOISE_MULTIPLIER**2)
            scores += np.logaddexp(np.log1p(-sample_rate), np.log(sample_rate) + exponent)
    progress(PHASE, steps, steps)
    order = np.argsort(scores)
    right = int((~coins[order[: GUESSES // 2]]).sum() + coins[order[-GUESSES // 2 :]].sum())
    claimed_steps = Steps(NOISE_MULTIPLIER, sample_rate, steps)
    return Audit(
        mistake=mistake,
        claimed_epsilon=composed_epsilon([claimed_steps], delta=DELTA),
        lower_bound=epsilon_lower_bound(
            canaries=CANARIES, guesses=GUESSES, right=right, delta=DELTA, confidence=CONFIDENCE
        ),
        delta=DELTA,
        confidence=CONFIDENCE,
        canaries=CANARIES,
        guesses=GUESSES,
        right=right,
        noise_multiplier=NOISE_MULTIPLIER,
        sample_rate=sample_rate,
        steps=steps,
        claimed_mu=1 / NOISE_MULTIPLIER,
        mu_lower_bound=mu_lower_bound(
            false_alarms=false_alarms,
            outs=steps * CANARIES - ins,
            misses=misses,
            ins=ins,
            confidence=MU_CONFIDENCE,
        ),
        accountant=accountant_of(sample_rate=sample_rate, delta=DELTA, steps=steps),
        adjacency="add-remove",
        measured=measured,
        engine=engine,
        layers=layers,
        generator=generator,
        device=str(on),
    )


class Audited:
    """A loop as ``claimed``, with a mistake or none."""

    def __init__(self, claimed: RunSpec, mistake: Mistake | None, device: torch.device) -> None:
        self._claimed, self._mistake, self._device = claimed, mistake, device
        self._spec = in_settings(mistake, claimed)
        self.sample_rate = sampling_rate(batch_size=BATCH_SIZE, train_size=CANARIES + OTHERS)
        self.steps_per_epoch = steps_per_epoch(batch_size=BATCH_SIZE, train_size=CANARIES + OTHERS)

    def steps(self, coins: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each step, the indices drawn (of canaries that are out, too) and x_t of each canary."""
        present = np.concatenate([coins, np.ones(OTHERS, dtype=bool)])
        examples = self._examples()
        trained = self._network()
        stepper = self._stepper(trained)
        head = [module for module in trained.modules() if isinstance(module, nn.Linear)][-1]
        for drawn in self._batches(EPOCHS * self.steps_per_epoch):
            before = head.weight.detach().clone()
            stepper.step(Batch(examples, drawn[present[drawn]]))
            total = (before - head.weight.detach())[:, :CANARIES] * (BATCH_SIZE / LEARNING_RATE / CLIP)
            # With both classes equally likely, the gradient of class 0 is as long in both rows.
            yield drawn, ((total[1] - total[0]) / 2**0.5).double().cpu().numpy()

    def self_test(self) -> dict[str, dict[str, Any]]:
        """What the self-test of a session finds in this loop; what it is held to is what is claimed."""
        trained, blank = self._network(), self._network()
        subject = Subject(
            spec=self._claimed,
            trained=trained,
            stepper=self._stepper(trained),
            blank=blank,
            make=self._stepper,
            batches=self._batches,
            classes=2,
            training=private_training(self._claimed, train_size=CANARIES + OTHERS),
            noise_multiplier=NOISE_MULTIPLIER,
        )

        def way_in(data: TrainingData, store: MadeUpStore) -> Examples:
            return self._enter(store.get([FeatureSource(data.train, "train")])[0], data.train.train.labels)

        info = DatasetInfo("canaries", "Canaries", ("canary", "other"), 1, True, "Made for the audit.")
        return self_test(subject) | {"preprocessing": preprocessing(way_in, info, side=2, width=CANARIES + 1)}

    def _examples(self) -> Examples:
        # Canaries are of class 0, the others of class 1.
        return self._enter(pictures(), np.arange(CANARIES + OTHERS) // CANARIES)

    def _enter(self, features: np.ndarray, labels: np.ndarray) -> Examples:
        return feature_examples(in_features(self._mistake, features), labels, device=self._device)

    def _network(self) -> nn.Module:
        head = nn.Linear(CANARIES + 1, 2, bias=False)
        nn.init.zeros_(head.weight)
        below: list[nn.Module] = []
        if self._claimed.trainable != "head":
            norm = FrozenBatchNorm2d(1)
            below = [nn.Unflatten(1, (1, 1, CANARIES + 1)), norm, nn.Flatten()]
        if self._claimed.trainable == "all":
            convolution = nn.Conv2d(1, 1, 3, padding=1, bias=False)
            nn.init.dirac_(convolution.weight)
            below.insert(1, convolution)
        return in_network(self._mistake, nn.Sequential(*below, head)).to(self._device)

    def _stepper(self, trained: nn.Module) -> DpStepper:
        size = CANARIES + OTHERS
        stepper = make_stepper(
            trained,
            self._spec,
            noise_multiplier=in_noise(self._mistake, NOISE_MULTIPLIER, batch_size=BATCH_SIZE),
            training=private_training(self._spec, train_size=size),
            pass_size=size,
            mixed=None,
            device=self._device,
        )
        assert isinstance(stepper, DpStepper)
        return in_stepper(self._mistake, stepper, self._spec, self._device)

    def _batches(self, number: int) -> Iterator[np.ndarray]:
        """The first batches that the loop draws, epoch after epoch."""
        sampler = make_sampler(self._spec, CANARIES + OTHERS)
        for first in range(0, number, self.steps_per_epoch):
            steps = min(self.steps_per_epoch, number - first)
            yield from sampler.batches(epoch=first // self.steps_per_epoch, first=0, steps=steps)


def pictures() -> np.ndarray:
    """float32 (CANARIES + OTHERS, CANARIES + 1): a bright pixel for each canary, a dim common one for the others."""
    found = np.zeros((CANARIES + OTHERS, CANARIES + 1), dtype=np.float32)
    found[np.arange(CANARIES), np.arange(CANARIES)] = BRIGHTNESS
    found[CANARIES:, CANARIES] = 1.0
    return found
