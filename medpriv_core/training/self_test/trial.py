"""A stepper's copy whose steps can be looked at, and the made-up records that it steps on."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.model import Network
from medpriv_core.training.records import PatientRecords
from medpriv_core.training.steps import DpStepper

# Small pictures cost little. BatchNorm needs more than one position of an image in the last layers.
SIDE, SIDE_FOR_BATCH_NORM = 32, 64

# Values of one parameter that are looked at for noise.
MOST = 5_000

# How many clipping norms long the made-up gradients are, at least.
LENGTH = 1000.0


class MadeUp:
    """Two records of no patient for each class, whose gradients are much longer than the clipping norm.

    ``blank`` is the trained part; it is changed so that all classes are equally likely for the records and the
    gradients long, and ``load`` brings a copy into the same state. ``length`` is that of one, in clipping norms.
    Each ``draw`` makes up other ones.
    """

    def __init__(self, blank: nn.Module, *, classes: int, variants: int, max_grad_norm: float, draw: int = 0) -> None:
        self.classes = classes
        chance = torch.Generator().manual_seed(11 + draw)  # made-up numbers, not the mechanism's
        layer = blank.fc if isinstance(blank, Network) else _last_linear(blank)
        some = next(blank.parameters())
        # The length of the loss's gradient at the logits, where all classes are equally likely.
        at_logits = math.sqrt(1 - 1 / classes)
        with torch.no_grad():
            if isinstance(blank, Network):
                mixes = any(isinstance(layer, nn.BatchNorm2d) for layer in blank.modules())
                side = SIDE_FOR_BATCH_NORM if mixes else SIDE
                self.inputs = torch.randn(2, 3, side, side, generator=chance).to(some.device)
                with torch.enable_grad():
                    features = blank.features(self.inputs).float()
                # Large weights, so that a long gradient comes to the layers below; they say nothing of these records.
                weights = torch.randn(layer.weight.shape, generator=chance).to(some.device)
                basis = torch.linalg.qr(features.detach().double().T)[0].float()
                weights -= (weights @ basis) @ basis.T
                layer.weight.copy_(weights * (LENGTH * max(1.0, max_grad_norm)))
            else:
                values = F.normalize(torch.randn(2, layer.in_features, generator=chance)).to(some.device)
                values *= LENGTH * max_grad_norm / at_logits
                # Variants are averaged, and random ones would nearly cancel.
                self.inputs = values if variants == 1 else values[:, None].repeat(1, variants, 1)
                layer.weight.zero_()
            if layer.bias is not None:
                layer.bias.zero_()
        logits = layer(features[:1]) if isinstance(blank, Network) else blank(self.inputs)[:1]
        learned = [parameter for parameter in blank.parameters() if parameter.requires_grad]
        self.length = _gradient_length(logits, learned) / max_grad_norm
        self._state = blank.state_dict()

    def load(self, trained: nn.Module) -> None:
        """Bring a copy into the same state as ``blank``."""
        with torch.no_grad():
            for value, made_up in zip(trained.state_dict().values(), self._state.values(), strict=True):
                value.copy_(made_up)

    def examples(self) -> Examples:
        """Record ``which`` (0 or 1) with label ``c`` has the index 2 c + which."""
        labels = torch.arange(self.classes).repeat_interleave(2).to(self.inputs.device)
        return Examples(torch.arange(len(labels), device=labels.device), labels, self._prepare)

    def _prepare(self, indices: Tensor, _generator: torch.Generator | None) -> Tensor:
        return self.inputs[indices % 2]


def _gradient_length(logits: Tensor, learned: list[nn.Parameter]) -> float:
    """Of the loss of one record, without clipping."""
    logits = logits if logits.dim() == 2 else logits.mean(1)  # where all variants are alike, so are their gradients
    loss = F.cross_entropy(logits, torch.zeros(1, dtype=torch.int64, device=logits.device))
    return float(torch.stack([grad.norm() for grad in torch.autograd.grad(loss, learned)]).double().norm())


def _last_linear(module: nn.Module) -> nn.Linear:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]


class Trial:
    """A copy of a stepper, whose steps all start from the same parameters and are seen as what they hand on."""

    def __init__(self, trained: nn.Module, stepper: DpStepper, made_up: MadeUp, *, scale: float) -> None:
        self.stepper = stepper
        self.parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
        self._start = [parameter.detach().clone() for parameter in self.parameters]
        self._examples = made_up.examples()
        self._quiet: dict[tuple[int, ...], list[Tensor]] = {}
        # So long a stride that the parameters' own digits do not hide the step's: beside it they are nothing.
        largest = max(float(start.abs().max()) if start.numel() else 0.0 for start in self._start)
        self._stride = 2.0 ** math.ceil(math.log2(1e4 * max(1.0, largest) / scale))
        stepper.show_steps(self._stride)

    def step(
        self, drawn: Sequence[int], *, sparse: bool = False, patients: PatientRecords | None = None
    ) -> list[Tensor]:
        """What a step on these records hands to the optimizer, for each parameter; ``sparse``: ``some`` of it."""
        self.stepper.step(Batch(self._examples, np.array(drawn, dtype=np.int64), patients=patients))
        with torch.no_grad():
            start, now = (self.some(values) if sparse else values for values in (self._start, self.parameters))
            handed = [(before - after).div_(self._stride) for before, after in zip(start, now, strict=True)]
            for parameter, begun in zip(self.parameters, self._start, strict=True):
                parameter.copy_(begun)
        return handed

    def patient_step(self, images: Sequence[int], *, most: int) -> list[Tensor]:
        """What a step without noise hands on that draws one patient with these images."""
        whose = np.ones(len(self._examples.labels), dtype=np.int64)
        whose[list(images)] = 0
        deviation, self.stepper.noise_deviation = self.stepper.noise_deviation, 0.0
        try:
            return self.step([0], patients=PatientRecords.of(whose, most=most))
        finally:
            self.stepper.noise_deviation = deviation

    def some(self, handed: Sequence[Tensor]) -> list[Tensor]:
        """Of large parameters some thousand values, evenly spread: enough to know noise by."""
        return [part.reshape(-1)[:: 1 + part.numel() // MOST] for part in handed]

    def quiet_step(self, drawn: Sequence[int]) -> list[Tensor]:
        """The same without noise: the clipped sum alone, which is the same each time."""
        if tuple(drawn) not in self._quiet:
            deviation, self.stepper.noise_deviation = self.stepper.noise_deviation, 0.0
            try:
                self._quiet[tuple(drawn)] = self.step(drawn)
            finally:
                self.stepper.noise_deviation = deviation
        return self._quiet[tuple(drawn)]


@contextmanager
def same_known_chance() -> Iterator[None]:
    """Within this, every generator that a program can wind back starts from a known state; afterwards they go on.

    What still comes out twice the same follows from these, or from a seed that is kept.
    """
    cuda = torch.cuda.is_initialized()
    saved = torch.get_rng_state(), np.random.get_state(), random.getstate()
    of_cuda = torch.cuda.get_rng_state_all() if cuda else []
    # Not by ``torch.manual_seed``, which takes milliseconds.
    torch.set_rng_state(_KNOWN[0])
    np.random.set_state(_KNOWN[1])
    random.setstate(_KNOWN[2])
    if cuda:
        torch.cuda.manual_seed_all(1)
    try:
        yield
    finally:
        torch.set_rng_state(saved[0])
        np.random.set_state(saved[1])
        random.setstate(saved[2])
        if cuda:
            torch.cuda.set_rng_state_all(of_cuda)


# States of torch's, numpy's and Python's own generators.
_KNOWN = (
    torch.Generator().manual_seed(1).get_state(),
    np.random.RandomState(1).get_state(),
    random.Random(1).getstate(),
)


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """All values in one row."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
