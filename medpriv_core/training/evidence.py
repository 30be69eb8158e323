"""What a DP-SGD run records about itself, read off the objects that take its steps and not off its settings.

The guarantee checks (``medpriv_core.privacy.checks``) compare it with what the accountant assumes. How images are
standardised and varied is what was meant: there is no object that could say it, and the self-test measures it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from medpriv_core.privacy.facts import GuaranteeFacts, Origin
from medpriv_core.training.model import Network
from medpriv_core.training.steps import DpStepper

if TYPE_CHECKING:
    from medpriv_core.training.session import Session

TRIAL_SIZE = 32
TRIAL_TOLERANCE = 1e-4
# By which a noise multiplier may differ that was multiplied by the clipping norm and divided by it again.
ROUNDING = 1e-12


def guarantee_facts(session: Session, *, pretrained: Origin, measured: dict[str, dict[str, Any]]) -> GuaranteeFacts:
    """The facts of a DP-SGD session that is about to begin.

    ``pretrained`` is the origin of the weights that were read, ``measured`` what ``self_test`` found. What cannot be
    measured from outside holds by construction: see there.
    """
    spec, stepper, sampler, ledger = session.spec, session.stepper, session.sampler, session.ledger
    assert ledger is not None
    assert isinstance(stepper, DpStepper)
    return GuaranteeFacts(
        unit="image" if session.patients is None else "patient",
        images_drawn=None if session.patients is None else session.patients.most,
        sampling=sampler.scheme,
        sample_rate=sampler.sample_rate,
        steps_per_epoch=session.steps,
        noise_multiplier=_noise_multiplier(stepper, counted=ledger.noise_multiplier),
        earlier_segments=ledger.segments,
        engine=stepper.engine,
        clipped_together=stepper.clipped_together,
        mixing_layers=mixing_layers(session.trained),
        divisor=stepper.divides_by,
        normalisation="each_image" if spec.standardise else "constants",
        augmentation="independent" if spec.augment or spec.augmentation_multiplicity > 1 else "none",
        noise_generator=stepper.noise.kind,
        noise_drawn_by=stepper.noise.drawn_by,
        batches_drawn_by=sampler.drawn_by,
        pretrained=pretrained,
        noise_seed_stored=False,
        measured=measured,
    )


def _noise_multiplier(stepper: DpStepper, *, counted: float) -> float:
    """Of the noise that the stepper adds, by the length at which it clips; ``counted`` if only rounding differs."""
    acting = stepper.noise_deviation / stepper.clips_at
    return counted if math.isclose(acting, counted, rel_tol=ROUNDING) else acting


def mixing_layers(trained: nn.Module) -> tuple[str, ...]:
    """What mixes the images of a batch: BatchNorm in training mode by name, or else whatever a trial finds."""
    named = tuple(
        name or type(module).__name__
        for name, module in trained.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training
    )
    if named or not isinstance(trained, Network):
        return named
    return ("a layer that is not known by name",) if _mixes(trained) else ()


def _mixes(network: Network) -> bool:
    """Whether the features of one noise picture change with the other one in its batch."""
    device = next(network.parameters()).device
    pictures = torch.randn(3, 3, TRIAL_SIZE, TRIAL_SIZE, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad():
        first, again = (network.features(pictures[[0, other]])[0] for other in (1, 2))
    return bool((first - again).norm() > TRIAL_TOLERANCE * first.norm())
