"""No image contributes more than the clipping norm, whatever rounding does; what is not a number counts as nothing.

The reference is the gradient by plain autograd in float64, from the same inputs.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medpriv_core.privacy.private_training import private_training
from medpriv_core.training.clipping import convolution
from medpriv_core.training.clipping.clipper import PerSampleClipper
from medpriv_core.training.engines import make_stepper
from medpriv_core.training.examples import Batch, Examples
from tests.training.conftest import toy_spec

# What is documented: rounding adds at most this share of C.
TOLERANCE = 1e-5

# Wherever gradients would be kept, lengths come from inner products, whose rounding is at stake.
INNER_PRODUCTS = pytest.mark.parametrize("kept", [False, True], ids=["inner products", "kept"])


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = getattr(request.node, "callspec", None) and request.node.callspec.params.get("kept")
    if kept is not None:
        monkeypatch.setattr(convolution, "keeping_is_cheaper", lambda *_: kept)


def contribution(layer: nn.Module, x: Tensor, grad: Tensor, *, clip: float) -> tuple[float, float]:
    """What one image adds, and its gradient's length in float64; ``grad`` is that at the layer's output."""
    clipper = PerSampleClipper(layer, max_grad_norm=clip)
    with clipper.capture():
        losses = (layer(x) * grad).flatten(1).sum(1)
    clipper.add(losses)
    added = torch.cat([total.reshape(-1) for total in clipper.take()]).double().norm().item()
    exact = [p.detach().double().requires_grad_() for p in layer.parameters()]
    names = [name for name, _ in layer.named_parameters()]
    out = torch.func.functional_call(layer, dict(zip(names, exact, strict=True)), x.double())
    grads = torch.autograd.grad((out * grad.double()).sum(), exact)
    return added, torch.cat([g.reshape(-1) for g in grads]).norm().item()


def cancelling(n: int, *, common: float, seed: int) -> tuple[Tensor, Tensor]:
    """Input and gradient (1, n, 4, 4): patches with much in common, and gradients that add up to next to nothing."""
    random = torch.Generator().manual_seed(seed)
    x = common * torch.rand(1, n, 1, 1, generator=random) + torch.randn(1, n, 4, 4, generator=random)
    grad = torch.randn(1, n, 4, 4, generator=random)
    return x, grad - grad.mean((2, 3), keepdim=True)


@INNER_PRODUCTS
@pytest.mark.parametrize("common", [1e2, 1e3, 1e4, 1e5])
def test_an_image_whose_terms_cancel_adds_no_more_than_the_clipping_norm(kept: bool, common: float) -> None:
    """Without the bound, lengths came out as 0 here, and such an image added several times C."""
    layer = nn.Conv2d(16, 16, 1, bias=False)
    for seed in range(10):
        x, grad = cancelling(16, common=common, seed=seed)
        _, length = contribution(layer, x, grad, clip=1e9)
        added, _ = contribution(layer, x, grad, clip=length / 8)
        assert added <= length / 8 * (1 + TOLERANCE)


@INNER_PRODUCTS
def test_no_convolution_lets_an_image_add_more_than_the_clipping_norm(kept: bool) -> None:
    """Random shapes, scales and common parts: a property, tried where it was known to break and around there."""
    rng = np.random.default_rng(5)
    for trial in range(150):
        torch.manual_seed(trial)
        groups, kernel, stride = (int(rng.choice(values)) for values in ([1, 1, 2], [1, 2, 3], [1, 2]))
        layer = nn.Conv2d(4 * groups, 6 * groups, kernel, stride, kernel // 2, groups=groups, bias=bool(trial % 2))
        x = torch.randn(1, 4 * groups, 6, 5) + 10 ** float(rng.uniform(-2, 6))
        out = layer(x)
        grad = torch.randn_like(out) * 10 ** float(rng.uniform(-3, 3))
        if trial % 3:
            grad = grad - grad.mean((2, 3), keepdim=True)
        _, length = contribution(layer, x, grad, clip=1e30)
        clip = length * 10 ** float(rng.uniform(-4, 1))
        added, _ = contribution(layer, x, grad, clip=clip)
        assert added <= clip * (1 + TOLERANCE)


@pytest.mark.parametrize("bias", [False, True])
def test_no_image_of_several_rows_adds_more_than_the_clipping_norm(bias: bool) -> None:
    rng = np.random.default_rng(6)
    for trial in range(100):
        torch.manual_seed(trial)
        layer = nn.Linear(50, 3, bias=bias)
        x = torch.randn(1, 4, 50) + 10 ** float(rng.uniform(-2, 6))
        grad = torch.randn(1, 4, 3)
        grad = grad - grad.mean(1, keepdim=True)
        _, length = contribution(layer, x, grad, clip=1e30)
        clip = length * 10 ** float(rng.uniform(-3, 1))
        added, _ = contribution(layer, x, grad, clip=clip)
        assert added <= clip * (1 + TOLERANCE)


@INNER_PRODUCTS
def test_where_nothing_cancels_an_image_keeps_its_length(kept: bool) -> None:
    """The bound must not shorten what needs no shortening: it would be noise for nothing."""
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 32, 3, padding=1)
    x, grad = torch.rand(1, 32, 8, 8), torch.randn(1, 32, 8, 8)
    added, length = contribution(layer, x, grad, clip=1e-3)
    assert length > 1
    assert added == pytest.approx(1e-3, rel=1e-3)


def networks() -> list[nn.Module]:
    convolutions = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 2)
    )
    return [convolutions, nn.Sequential(nn.Flatten(), nn.Linear(64, 2))]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("engine", ["one_pass", "opacus", "microbatch"])
@pytest.mark.parametrize("pass_size", [1000, 2])
@pytest.mark.parametrize("kept", [False, True])
def test_an_image_without_a_finite_gradient_counts_as_nothing(
    bad: float, engine: str, pass_size: int, kept: bool
) -> None:
    spec = toy_spec(method="dp_sgd", noise_multiplier=1.0, delta=1e-3, engine=engine, learning_rate=1.0, momentum=0.0)
    for network in range(2):
        moved = []
        for drawn in ([0, 1, 2, 3, 4], [0, 1, 3, 4]):
            torch.manual_seed(1)
            trained = networks()[network]
            before = [parameter.detach().clone() for parameter in trained.parameters()]
            values = torch.randn(5, 1, 8, 8)
            values[2] = bad
            if bad == 1e30:
                values[2, 0, ::2] *= -1
            stepper = make_stepper(
                trained,
                spec,
                noise_multiplier=0.0,
                training=private_training(spec, train_size=30),
                pass_size=pass_size,
                mixed=None,
                device=torch.device("cpu"),
            )
            examples = Examples(values, torch.arange(5) % 2, lambda batch, _generator: batch)
            stepper.step(Batch(examples, np.array(drawn)))
            pairs = zip(before, trained.parameters(), strict=True)
            moved.append(torch.cat([(old - new.detach()).reshape(-1) for old, new in pairs]))
        assert bool(moved[0].isfinite().all())
        assert moved[1].norm() > 0
        finite_gradient = bad == 1e30 and network == 0 and engine != "one_pass"
        if not finite_gradient:
            assert torch.allclose(moved[0], moved[1], atol=1e-6)


def test_lengths_never_come_out_shorter_than_they_are() -> None:
    for common, seed in itertools.product([1.0, 1e2, 1e4], range(20)):
        x, grad = cancelling(16, common=common, seed=seed)
        exact = torch.einsum("nohw,nihw->noi", grad.double(), x.double()).norm()
        found = convolution.squared_norms_by_inner_products(nn.Conv2d(16, 16, 1), x, grad).sqrt()
        assert found.double().item() >= exact.item() * (1 - 1e-6)
