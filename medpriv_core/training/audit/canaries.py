"""An attack on the training loop that gets every chance, so that a mistake in the loop shows.

The training set is made for it. Each canary is a picture of which a single pixel is lit, one that is dark in all
others, so its gradient points where no other record's does; it is so bright that clipping always shortens it, to
exactly C. A coin decides whether it is in the training set. The other records share one pixel of their own.
The network is one linear layer, and the attacker sees it after every step, which is what the accountant assumes:

    x_t  = what step t added in the canary's direction, in clipping norms: 1 + noise if it was drawn, else noise
    s    = sum over t of ln(1 - q + q exp((2 x_t - 1) / (2 sigma^2)))

s is the logarithm of the likelihood ratio between "in" and "out" for Poisson sampling at rate q, so no attack on one
canary is better (Neyman and Pearson). The canaries with the largest s are guessed to be in, those with the smallest
to be out, and ``bound`` turns the share of right guesses into a lower bound on epsilon.

That bound is loose: epsilon speaks of all steps together, and noise at half its size passes. So each step is looked at,
too: x_t of a canary that was drawn is N(1, sigma²) and else N(0, sigma²), a Gaussian mechanism with mu = 1 / sigma, and
from how often x_t > 1/2 errs follows a lower bound on mu that comes near to it.

Steps and batches are those of real runs: ``engines.make_stepper`` and ``sampling.epoch_batches``. Five mistakes can
be made on purpose; epsilon is then claimed as if the loop were sound, which is how such mistakes look from outside:

noise       the noise is divided by the batch size twice
half_noise  the noise has half its size
clipping    gradients are not clipped, but the noise is as if they were
batch_norm  features are standardised by the batch, so one record changes the gradients of the others
shuffling   batches come from a shuffled deck whose seed is known, but amplification by sampling is counted. Here
            x_t is taken from the step in which the deck holds the canary's place, whether it is filled or not
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.privacy.dp_sgd import (
    Accountant,
    Adjacency,
    DpSgdAccount,
    accountant_of,
    sampling_rate,
    steps_per_epoch,
)
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.spec import RunSpec, Sampling
from medpriv_core.training.audit.bound import epsilon_lower_bound, mu_lower_bound
from medpriv_core.training.engines import make_stepper
from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.randomness import SecretUniform
from medpriv_core.training.sampling import epoch_batches

Mistake = Literal["noise", "half_noise", "clipping", "batch_norm", "shuffling"]

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
UNCLIPPED = 1e4
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
    mu_lower_bound   every mu below this is refuted
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
    sampling: Sampling = "poisson"

    @property
    def consistent(self) -> bool:
        """Whether what was seen leaves the claim standing."""
        return self.lower_bound <= self.claimed_epsilon and self.mu_lower_bound <= self.claimed_mu

    def to_dict(self) -> dict[str, Any]:
        """All fields and the verdict, ready for JSON."""
        return asdict(self) | {"consistent": self.consistent}


def audit_loop(mistake: Mistake | None = None, *, progress: ProgressCallback = no_progress) -> Audit:
    """Train once with canaries, guess which were in, and compare with the epsilon that is claimed."""
    size = CANARIES + OTHERS
    spec = RunSpec(
        dataset="canaries",
        method="dp_sgd",
        noise_multiplier=NOISE_MULTIPLIER,
        delta=DELTA,
        max_grad_norm=UNCLIPPED if mistake == "clipping" else CLIP,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        momentum=0.0,
        sampling="shuffled" if mistake == "shuffling" else "poisson",
        device="cpu",
    )
    steps = EPOCHS * steps_per_epoch(batch_size=BATCH_SIZE, train_size=size)
    sample_rate = sampling_rate(batch_size=BATCH_SIZE, train_size=size)
    coins = SecretUniform().random(CANARIES) < 0.5
    scores = np.zeros(CANARIES)
    ins, misses, false_alarms = 0, 0, 0
    for number, (drawn, seen) in enumerate(_steps(spec, coins, mistake, sample_rate)):
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
    account = DpSgdAccount(noise_multiplier=NOISE_MULTIPLIER, sample_rate=sample_rate, delta=DELTA)
    return Audit(
        mistake=mistake,
        claimed_epsilon=account.epsilon(steps),
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
        adjacency=account.adjacency,
    )


def _steps(
    spec: RunSpec, coins: np.ndarray, mistake: Mistake | None, sample_rate: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each step, the indices drawn (of canaries that are out, too) and x_t of each canary."""
    size = CANARIES + OTHERS
    present = np.concatenate([coins, np.ones(OTHERS, dtype=bool)])
    # Canaries are of class 0, the others of class 1.
    examples = Examples(torch.arange(size), torch.arange(size).ge(CANARIES).long(), _pictures)
    head = nn.Linear(CANARIES + 1, 2, bias=False)
    nn.init.zeros_(head.weight)
    noise_multiplier = NOISE_MULTIPLIER * CLIP / spec.max_grad_norm
    stepper = make_stepper(
        nn.Sequential(_BatchStandardisation(), head) if mistake == "batch_norm" else head,
        spec,
        noise_multiplier=noise_multiplier / {"noise": BATCH_SIZE, "half_noise": 2}.get(mistake or "", 1),
        train_size=size,
        pass_size=size,
        mixed=None,
        device=torch.device("cpu"),
    )
    per_epoch = steps_per_epoch(batch_size=BATCH_SIZE, train_size=size)
    for epoch in range(EPOCHS):
        for drawn in epoch_batches(spec, size, epoch=epoch, first=0, steps=per_epoch, sample_rate=sample_rate):
            before = head.weight.detach().clone()
            stepper.step(Batch(examples, drawn[present[drawn]]))
            total = (before - head.weight.detach())[:, :CANARIES] * (BATCH_SIZE / LEARNING_RATE / CLIP)
            # With both classes equally likely, the gradient of class 0 is as long in both rows.
            yield drawn, ((total[1] - total[0]) / 2**0.5).double().numpy()


def _pictures(indices: Tensor, _generator: torch.Generator | None) -> Tensor:
    """(n,) indices -> (n, CANARIES + 1): a bright pixel for each canary, a dim common one for the others."""
    pictures = F.one_hot(indices.clamp(max=CANARIES), CANARIES + 1).float()
    pictures[:, :CANARIES] *= BRIGHTNESS
    return pictures


class _BatchStandardisation(nn.Module):
    """What BatchNorm does in training mode, without parameters: nothing that an engine would refuse."""

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, training=True)
