"""BatchNorm with frozen statistics against PyTorch's own in evaluation mode."""

from __future__ import annotations

import torch
from torch import nn

from medpriv_core.training.frozen_norm import FrozenBatchNorm2d


def test_it_computes_what_batch_norm_does_when_evaluated_and_learns_scale_and_shift() -> None:
    torch.manual_seed(0)
    reference = nn.BatchNorm2d(5).double().eval()
    for tensor in (reference.weight, reference.bias, reference.running_mean):
        nn.init.normal_(tensor)
    nn.init.uniform_(reference.running_var, 0.1, 3)
    ours = FrozenBatchNorm2d(5).double()
    state = reference.state_dict()
    del state["num_batches_tracked"]
    ours.load_state_dict(state)
    x = torch.randn(4, 5, 6, 7, dtype=torch.float64)
    out = ours.train()(x)
    assert torch.allclose(out, reference(x), rtol=1e-12)
    out.square().sum().backward()
    reference(x).square().sum().backward()
    for parameter, expected in zip(ours.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(parameter.grad, expected.grad, rtol=1e-10)


def test_images_never_move_its_statistics() -> None:
    norm = FrozenBatchNorm2d(3).train()
    norm(torch.randn(8, 3, 4, 4) * 9 + 5)
    assert norm.running_mean.tolist() == [0, 0, 0]
    assert norm.running_var.tolist() == [1, 1, 1]
