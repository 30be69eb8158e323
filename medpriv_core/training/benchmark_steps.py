"""The steps that ``bench dpsgd`` compares: ordinary ones, our private one, and Opacus's two ways.

The ordinary step is the leanest there is: forward, backward, SGD with momentum. Private steps include clipping and
noise. Opacus keeps every image's gradient (*hooks*, the engine ``opacus`` of a run), or clips by two backward passes
(*ghost*; Li et al. 2021, and Opacus's own fast gradient clipping): the first finds each image's gradient norm, layer by
layer, the second sums the losses, each multiplied by its image's clipping factor. Of a ResNet-18 only the last layer
has norms without gradients in Opacus; convolutions and GroupNorm make each image's gradient, one layer at a time, and
keep its norm alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.privacy.private_training import private_training
from medpriv_core.spec import Engine, NoiseGenerator, RunSpec
from medpriv_core.training import engines
from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.model import build_model

Step = Callable[[], object]

PLAIN = "plain"
PLAIN_CHANNELS_LAST = "plain, channels last"
HOOKS, GHOST = "opacus, hooks", "opacus, ghost"
OF_RUNS: dict[str, tuple[Engine, NoiseGenerator]] = {
    "one_pass": ("one_pass", "fast"),
    "one_pass, secure noise": ("one_pass", "secure"),
    HOOKS: ("opacus", "fast"),
}
PRIVATE = (*OF_RUNS, GHOST)
LEARNING_RATE, MOMENTUM = 1e-4, 0.9


def make_step(name: str, image_size: int, batch_size: int, device: torch.device) -> Step:
    """A function that takes one step of the kind called ``name`` on random images, with all layers learning."""
    network = build_model(classes=2, norm="group_norm", state_dict=None, seed=0).to(device)
    random = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, 3, image_size, image_size, generator=random).to(device)
    labels = (torch.arange(batch_size) % 2).to(device)
    if name in OF_RUNS:
        return _step_of_a_run(name, network, images, labels, device)
    if name == GHOST:
        return ghost_step(network, images, labels, noise_multiplier=1.0, max_grad_norm=1.0)
    if name == PLAIN_CHANNELS_LAST:
        network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = _sgd(network)

    def plain() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return plain


def ghost_step(
    network: nn.Module, images: Tensor, labels: Tensor, *, noise_multiplier: float, max_grad_norm: float
) -> Step:
    """A step of Opacus's ghost clipping on the mean loss of ``images`` (n, ...) and ``labels`` (n,)."""
    # Opacus takes seconds to import.
    from opacus.grad_sample import GradSampleModuleFastGradientClipping
    from opacus.optimizers import DPOptimizerFastGradientClipping
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

    module = GradSampleModuleFastGradientClipping(network, max_grad_norm=max_grad_norm, use_ghost_clipping=True)
    optimizer = DPOptimizerFastGradientClipping(
        _sgd(network),
        noise_multiplier=noise_multiplier,
        max_grad_norm=max_grad_norm,
        expected_batch_size=len(images),
    )
    criterion = DPLossFastGradientClipping(module, optimizer, nn.CrossEntropyLoss())

    def step() -> None:
        optimizer.zero_grad()
        with warnings.catch_warnings():
            # The images need no gradient, and that is as it should be.
            warnings.filterwarnings("ignore", message="Full backward hook is firing")
            criterion(module(images), labels).backward()
        optimizer.step()

    return step


def _sgd(network: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)


def _step_of_a_run(name: str, network: nn.Module, images: Tensor, labels: Tensor, device: torch.device) -> Step:
    engine, noise_generator = OF_RUNS[name]
    spec = RunSpec(
        dataset="random",
        method="dp_sgd",
        noise_multiplier=1.0,
        batch_size=len(images),
        learning_rate=LEARNING_RATE,
        momentum=MOMENTUM,
        trainable="all",
        engine=engine,
        noise_generator=noise_generator,
    )
    network.to(memory_format=engines.memory_format(spec, device))
    examples = Examples(images, labels, lambda batch, _generator: batch)
    stepper = engines.make_stepper(
        network,
        spec,
        noise_multiplier=1.0,
        training=private_training(spec, train_size=len(images)),
        pass_size=len(images),
        mixed=None,
        device=device,
    )
    batch = Batch(examples, np.arange(len(images)))
    return lambda: stepper.step(batch)
