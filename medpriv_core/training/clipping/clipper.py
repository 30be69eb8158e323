"""The sum of clipped per-sample gradients, from one forward and one backward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from medpriv_core.errors import SettingError
from medpriv_core.training.clipping.convolution import ClippedConv2d
from medpriv_core.training.clipping.frozen_norm import ClippedFrozenBatchNorm
from medpriv_core.training.clipping.group_norm import ClippedGroupNorm
from medpriv_core.training.clipping.layer import ClippedLayer
from medpriv_core.training.clipping.linear import ClippedLinear
from medpriv_core.training.frozen_norm import FrozenBatchNorm2d

LAYERS: dict[type[nn.Module], type[ClippedLayer]] = {
    nn.Conv2d: ClippedConv2d,
    nn.Linear: ClippedLinear,
    nn.GroupNorm: ClippedGroupNorm,
    FrozenBatchNorm2d: ClippedFrozenBatchNorm,
}


class PerSampleClipper:
    """Adds up gradients of single images, each shortened to the clipping norm.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> clipper = PerSampleClipper(model, max_grad_norm=1.0)
    >>> with clipper.capture():
    ...     losses = model(torch.tensor([[3.0, 4.0], [0.3, 0.4]])).squeeze(1)
    >>> clipper.add(losses)  # each image's gradient is the image: lengths 5 and 0.5
    tensor([5.0000, 0.5000])
    >>> [total.tolist() for total in clipper.take()]
    [[[0.9000000357627869, 1.2000000476837158]]]

    Args:
        trained: The network. Every layer of it that learns must be one of ``LAYERS``.
        max_grad_norm: The clipping norm C; above 0.

    Raises:
        SettingError: The network has a layer that mixes images, or one that cannot be clipped, or nothing in it learns.
    """

    def __init__(self, trained: nn.Module, *, max_grad_norm: float) -> None:
        self.max_grad_norm = max_grad_norm
        self._layers = _clipped_layers(trained)
        self._calls: Counter[ClippedLayer] = Counter()
        self._sums: dict[nn.Parameter, Tensor] = {}

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that learn, in the order of ``take``."""
        return [parameter for layer in self._layers for parameter in layer.parameters]

    @contextmanager
    def capture(self) -> Iterator[None]:
        """Within this, the network's forward pass is taken note of."""
        self._calls.clear()
        for layer in self._layers:
            layer.module.forward = self._counted(layer)
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.module.forward

    def add(self, losses: Tensor, *, weights: Tensor | None = None) -> Tensor:
        """Carry each image's loss back, and add the clipped gradients to the sum.

        Image i's loss must depend on image i only. An image whose gradient is infinite or not a number counts as
        nothing, so that it cannot spoil the sum.

        Args:
            losses: Of shape (n,): one for each image, of the pass within ``capture``.
            weights: Of shape (n,), from 0 to 1: how much each clipped gradient counts. Without them, all count by 1.

        Returns:
            The lengths of the gradients before clipping, of shape (n,).

        Raises:
            SettingError: There is not one loss an image, or a layer or parameter was used in a way that cannot be
                clipped.
        """
        if losses.dim() != 1:
            raise SettingError(
                f"Clipping each image's gradient needs one loss an image, but the loss has the shape "
                f"{tuple(losses.shape)}; use a loss without reduction."
            )
        losses.sum().backward()
        if any(parameter.grad is not None for parameter in self.parameters):
            raise SettingError("A parameter was used outside its layer, so its gradient cannot be clipped.")
        used = [layer for layer in self._layers if self._calls[layer]]
        if any(self._calls[layer] > 1 for layer in used):
            raise SettingError("A layer was used twice in one pass, so its gradient cannot be clipped.")
        with torch.no_grad():
            norms = torch.stack([layer.squared_norms() for layer in used]).sum(0).clamp_(min=0).sqrt_()
            finite = norms.isfinite()
            if not _may_look_at(finite) or not bool(finite.all()):
                for layer in used:
                    layer.drop(finite)
            factors = torch.where(finite, (self.max_grad_norm / norms).clamp_(max=1), 0)
            if weights is not None:
                factors *= weights
            for layer in used:
                for parameter, total in zip(layer.parameters, layer.weighted_sums(factors), strict=True):
                    so_far = self._sums.get(parameter)
                    self._sums[parameter] = total if so_far is None else so_far.add_(total)
        return norms

    def forget(self) -> None:
        """Start anew, as after an interrupted step."""
        self._sums = {}

    def take(self) -> list[Tensor]:
        """Give the sums since the last call, and start anew.

        Returns:
            One tensor for each of ``parameters``, of its shape; zeros if there was nothing.
        """
        sums, self._sums = self._sums, {}
        return [sums[p] if p in sums else torch.zeros_like(p, requires_grad=False) for p in self.parameters]

    def _counted(self, layer: ClippedLayer) -> Callable[[Tensor], Tensor]:
        def forward(x: Tensor) -> Tensor:
            self._calls[layer] += 1
            return layer(x)

        return forward


def _may_look_at(values: Tensor) -> bool:
    """Whether a number may be fetched: on a processor, where dropping nobody takes time. Others make one wait."""
    return values.device.type == "cpu"


def _clipped_layers(trained: nn.Module) -> list[ClippedLayer]:
    layers: list[ClippedLayer] = []
    seen: set[nn.Parameter] = set()
    for name, module in trained.named_modules():
        named = f"{type(module).__name__} {name!r}" if name else type(module).__name__
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise SettingError(
                f"The layer {named} mixes the images of a batch, so no image has a gradient of its own; set "
                "[norm] to [norm=frozen_batch_norm] or [norm=group_norm]."
            )
        own = [parameter for parameter in module.parameters(recurse=False) if parameter.requires_grad]
        if not own:
            continue
        if type(module) not in LAYERS or not _is_plain(module):
            raise SettingError(
                f"The layer {named} cannot be clipped by [engine=one_pass]; set [engine] to [engine=opacus], or freeze "
                "it."
            )
        if not seen.isdisjoint(own):
            raise SettingError(
                f"The layer {named} shares a parameter with another one; set [engine] to [engine=opacus]."
            )
        seen.update(own)
        layers.append(LAYERS[type(module)](module))
    if not layers:
        raise SettingError("No layer of the network learns, so there is nothing to train.")
    return layers


def _is_plain(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return True
