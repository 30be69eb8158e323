"""What a DP-SGD run records about itself, read off the objects that take its steps and not off its settings.

The guarantee checks (``medpriv_core.privacy.checks``) compare it with what the accountant assumes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.privacy.steps import Steps
from medpriv_core.spec import Engine, RunSpec
from medpriv_core.training.ledger import Ledger
from medpriv_core.training.microbatch_steps import MicrobatchStepper
from medpriv_core.training.model import ResNet18
from medpriv_core.training.private_steps import PrivateStepper
from medpriv_core.training.randomness import SecretUniform
from medpriv_core.training.steps import Stepper

TRIAL_SIZE = 32
TRIAL_TOLERANCE = 1e-4


def guarantee_facts(
    spec: RunSpec,
    *,
    trained: nn.Module,
    stepper: Stepper,
    ledger: Ledger,
    steps_per_epoch: int,
    earlier_segments: tuple[Steps, ...],
    measured: dict[str, dict[str, Any]],
) -> GuaranteeFacts:
    """The facts of a session that is about to begin; ``earlier_segments`` are those of the ledger it goes on from.

    ``measured`` is what ``self_test`` found. What cannot be measured from outside holds by construction: see there.
    """
    noise = getattr(stepper, "noise", None)
    engine: Engine = "opacus"
    if isinstance(stepper, PrivateStepper):
        engine = "one_pass"
    elif isinstance(stepper, MicrobatchStepper):
        engine = "microbatch"
    return GuaranteeFacts(
        sampling=spec.sampling_scheme,
        sample_rate=ledger.sample_rate,
        steps_per_epoch=steps_per_epoch,
        noise_multiplier=ledger.noise_multiplier,
        earlier_segments=earlier_segments,
        engine=engine,
        clipped_together=spec.microbatch_size if engine == "microbatch" else 1,
        mixing_layers=mixing_layers(trained),
        divisor="expected",
        normalisation="each_image" if spec.standardise else "constants",
        augmentation="independent" if spec.augment or spec.augmentation_multiplicity > 1 else "none",
        noise_generator=getattr(noise, "kind", None),
        noise_drawn_by=getattr(noise, "drawn_by", None),
        batches_drawn_by=SecretUniform.drawn_by if spec.sampling_scheme == "poisson" else None,
        noise_seed_stored=False,
        measured=measured,
    )


def mixing_layers(trained: nn.Module) -> tuple[str, ...]:
    """What mixes the images of a batch: BatchNorm in training mode by name, or else whatever a trial finds."""
    named = tuple(
        name or type(module).__name__
        for name, module in trained.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training
    )
    if named or not isinstance(trained, ResNet18):
        return named
    return ("a layer that is not known by name",) if _mixes(trained) else ()


def _mixes(network: ResNet18) -> bool:
    """Whether the features of one noise picture change with the other one in its batch."""
    device = next(network.parameters()).device
    pictures = torch.randn(3, 3, TRIAL_SIZE, TRIAL_SIZE, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad():
        first, again = (network.features(pictures[[0, other]])[0] for other in (1, 2))
    return bool((first - again).norm() > TRIAL_TOLERANCE * first.norm())
