"""The one-pass clipped sum against ordinary autograd, one image at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from medpriv_core.errors import SettingError
from medpriv_core.spec import Norm
from medpriv_core.training.clipping import convolution, kernels
from medpriv_core.training.clipping.clipper import PerSampleClipper
from medpriv_core.training.model import Network, build_model

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
# By so many times that, lengths from inner products may be longer than they are, never shorter.
ROUNDED_UP = 100


class OneByOne:
    """Lengths and clipped sum from plain autograd: one graph an image's loss."""

    def __init__(self, model: nn.Module, x: Tensor, y: Tensor) -> None:
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        losses = F.cross_entropy(model(x), y, reduction="none")
        self.grads = [
            torch.autograd.grad(loss, self.parameters, retain_graph=True, allow_unused=True) for loss in losses
        ]
        lengths = [torch.cat([g.double().reshape(-1) for g in grads if g is not None]).norm() for grads in self.grads]
        self.norms = torch.stack(lengths).to(losses.dtype)

    def clipped(self, max_grad_norm: float) -> tuple[Tensor, list[Tensor]]:
        sums = [torch.zeros_like(parameter) for parameter in self.parameters]
        for norm, grads in zip(self.norms, self.grads, strict=True):
            for total, grad in zip(sums, grads, strict=True):
                if grad is not None:
                    total += grad * min(1.0, max_grad_norm / norm.item())
        return self.norms, sums


def one_by_one(model: nn.Module, clipper: PerSampleClipper, x: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
    return OneByOne(model, x, y).clipped(clipper.max_grad_norm)


def in_one_pass(model: nn.Module, clipper: PerSampleClipper, x: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
    with clipper.capture():
        losses = F.cross_entropy(model(x), y, reduction="none")
    return clipper.add(losses), clipper.take()


def assert_equal(ours: tuple[Tensor, list[Tensor]], reference: tuple[Tensor, list[Tensor]]) -> None:
    tolerance = TOLERANCE[reference[0].dtype]
    assert bool((ours[0] >= reference[0] * (1 - tolerance)).all())
    tolerance *= ROUNDED_UP
    assert bool((ours[0] <= reference[0] * (1 + tolerance)).all())
    flat = [torch.cat([total.reshape(-1) for total in sums]) for sums in (ours[1], reference[1])]
    assert (flat[0] - flat[1]).norm() <= tolerance * flat[1].norm()


def assert_same_clipping(model: nn.Module, x: Tensor, y: Tensor, *, quantile: float = 0.5) -> None:
    """Clips at a length that some of the gradients exceed and others do not."""
    reference = OneByOne(model, x, y)
    clipper = PerSampleClipper(model, max_grad_norm=float(reference.norms.quantile(quantile)))
    assert_equal(in_one_pass(model, clipper, x, y), reference.clipped(clipper.max_grad_norm))


@pytest.fixture(params=["_one_by_one", "_side_by_side", "_all_at_once", "inner products"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to a convolution's lengths, wherever it would be chosen by itself."""
    keeping = request.param != "inner products"
    monkeypatch.setattr(convolution, "keeping_is_cheaper", lambda *_: keeping)
    if keeping:
        chosen = getattr(kernels, request.param)
        for name in ("_one_by_one", "_side_by_side"):
            monkeypatch.setattr(kernels, name, chosen)


CONVOLUTIONS: list[dict[str, Any]] = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "bias": False},
    {"kernel_size": (5, 2), "stride": (1, 3), "padding": (0, 1), "groups": 2},
    {"kernel_size": 1, "stride": 2, "bias": False},
    {"kernel_size": 1, "stride": (3, 1), "padding": (1, 2), "groups": 3},
    {"kernel_size": 3, "dilation": (2, 1), "padding": (2, 0), "groups": 6},
    {"kernel_size": 7, "stride": 2, "padding": 3},
]


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    """Any convolution from 6 to 12 channels that finds something in 9 × 11 pixels."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    return {
        "kernel_size": draw(pair),
        "stride": draw(pair),
        "padding": draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        "dilation": draw(pair),
        "groups": draw(st.sampled_from([1, 2, 3, 6])),
        "bias": draw(st.booleans()),
    }


def with_each(options: list[dict[str, Any]]) -> Callable[[Any], Any]:
    """These are among the examples of a property, whatever else is drawn."""

    def add(test: Any) -> Any:
        for chosen in options:
            test = example(options=chosen, dtype=torch.float32)(test)
        return test

    return add


@pytest.mark.usefixtures("way")
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])  # it stays as it is
@with_each(CONVOLUTIONS)
@given(options=convolutions(), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_convolutions_of_any_shape_are_clipped_as_one_by_one(options: dict[str, Any], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 12, **options)
    model = nn.Sequential(conv, nn.Tanh(), nn.GroupNorm(3, 12), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 3))
    x, y = torch.randn(7, 6, 9, 11, dtype=dtype), torch.arange(7) % 3
    assert_same_clipping(model.to(dtype), x, y)


def geometries(*, groups: int) -> Iterator[tuple[nn.Conv2d, Tensor, Tensor]]:
    """Small convolutions of every kind, with an input and a gradient at the output."""
    torch.manual_seed(0)
    for kernel, stride, padding, dilation, height in itertools.product((1, 2, 3), (1, 2, 4), (0, 1, 3), (1, 2), (1, 5)):
        if dilation * (kernel - 1) < min(height, 4) + 2 * padding:  # else the kernel does not fit
            conv = nn.Conv2d(2, 4, kernel, stride, padding, dilation, groups=groups, bias=False).double()
            x = torch.randn(3, 2, height, 4, dtype=torch.float64)
            yield conv, x, torch.randn_like(conv(x))


def test_inner_products_give_the_lengths_of_kept_gradients_for_every_geometry() -> None:
    for conv, x, grad in geometries(groups=2):
        with torch.no_grad():
            kept = kernels.per_sample_weight_grads(conv, x, grad).square().sum(1)
            found = convolution.squared_norms_by_inner_products(conv, x, grad)
        # Where the stride skips all pixels, nothing but the padding is seen, and the length is 0.
        assert torch.allclose(found, kept, rtol=1e-10, atol=1e-12)


def test_the_gradient_tap_by_tap_is_the_library_s_for_every_geometry(monkeypatch: pytest.MonkeyPatch) -> None:
    for conv, x, grad in geometries(groups=1):
        found = []
        for mostly_inside in (0.0, 2.0):
            monkeypatch.setattr(kernels, "MOSTLY_INSIDE", mostly_inside)
            with torch.no_grad():
                found.append(kernels.conv_weight_grad(conv, x, grad))
        assert found[1].shape == conv.weight.shape
        assert torch.allclose(found[0], found[1], rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("way")
def test_random_networks_are_clipped_as_one_by_one() -> None:
    for seed in range(12):
        torch.manual_seed(seed)
        channels = [1, *(2 * torch.randint(1, 5, (3,))).tolist()]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            kernel, stride = int(torch.randint(1, 4, ())), int(torch.randint(1, 3, ()))
            layers += [nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=seed % 2 == 0), nn.Tanh()]
            layers.append(nn.GroupNorm(2, after))
        model = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(4)).double()
        x, y = torch.randn(5, 1, 12, 10, dtype=torch.float64), torch.randint(0, 4, (5,))
        model(x)
        frozen = [module for module in model if list(module.parameters())][seed % 4]
        frozen.requires_grad_(seed % 3 == 0)
        assert_same_clipping(model, x, y)


def resnet(*, norm: Norm, width: int = 8) -> Network:
    model = build_model(classes=2, norm=norm, state_dict=None, seed=0, width=width)
    nn.init.normal_(model.fc.weight, std=0.05, generator=torch.Generator().manual_seed(1))
    return model


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", ["group_norm", "frozen_batch_norm"])
def test_a_narrow_resnet_18_is_clipped_as_one_by_one(norm: Norm, dtype: torch.dtype) -> None:
    x = torch.randn(4, 3, 40, 32, generator=torch.Generator().manual_seed(2), dtype=dtype)
    assert_same_clipping(resnet(norm=norm).to(dtype), x, torch.tensor([0, 1, 1, 0]))


def test_resnet_18_is_clipped_as_one_by_one_in_the_ways_that_it_chooses() -> None:
    x = torch.randn(3, 3, 40, 32, generator=torch.Generator().manual_seed(2))
    assert_same_clipping(resnet(norm="group_norm", width=64), x, torch.tensor([0, 1, 1]))


@pytest.mark.parametrize("norm", ["group_norm", "frozen_batch_norm"])
def test_scale_and_shift_alone_are_clipped_as_one_by_one(norm: Norm) -> None:
    model = resnet(norm=norm).requires_grad_(False)
    for module in [*model.norms(), model.fc]:
        module.requires_grad_(True)
    model.bn1.weight.requires_grad_(False)
    model.layer1[0].bn1.bias.requires_grad_(False)  # type: ignore[index]
    model.layer2[0].bn2.requires_grad_(False)  # type: ignore[index]
    x = torch.randn(4, 3, 32, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert_same_clipping(model.double(), x, torch.tensor([0, 1, 1, 0]))


def test_lengths_are_those_that_opacus_finds() -> None:
    from opacus import GradSampleModule

    model = resnet(norm="group_norm").double()
    x, y = torch.randn(3, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 1, 1])
    clipper = PerSampleClipper(model, max_grad_norm=1.0)
    ours, _ = in_one_pass(model, clipper, x, y)
    hooked = GradSampleModule(model, loss_reduction="sum")
    F.cross_entropy(hooked(x.requires_grad_()), y, reduction="sum").backward()
    theirs = torch.stack([p.grad_sample.flatten(1).square().sum(1) for p in model.parameters()]).sum(0).sqrt()  # type: ignore[attr-defined]
    assert torch.allclose(ours, theirs, rtol=1e-10)


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.Tanh(), nn.GroupNorm(2, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


def images(n: int) -> tuple[Tensor, Tensor]:
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(n)), torch.arange(n) % 2


def test_a_batch_of_one_is_clipped_as_one_by_one(network: nn.Sequential) -> None:
    assert_same_clipping(network, *images(1), quantile=0.0)
    clipper = PerSampleClipper(network, max_grad_norm=1e-3)
    assert_equal(in_one_pass(network, clipper, *images(1)), one_by_one(network, clipper, *images(1)))


def test_several_passes_add_up_to_the_sum_of_one(network: nn.Sequential) -> None:
    x, y = images(9)
    clipper = PerSampleClipper(network, max_grad_norm=0.5)
    _, whole = in_one_pass(network, clipper, x, y)
    for part in (slice(0, 4), slice(4, 5), slice(5, 9)):
        with clipper.capture():
            losses = F.cross_entropy(network(x[part]), y[part], reduction="none")
        clipper.add(losses)
    for ours, expected in zip(clipper.take(), whole, strict=True):
        assert torch.allclose(ours, expected, rtol=1e-5, atol=1e-7)


def test_without_images_the_sum_is_zero_and_has_every_parameters_shape(network: nn.Sequential) -> None:
    clipper = PerSampleClipper(network, max_grad_norm=1.0)
    sums = clipper.take()
    assert [total.shape for total in sums] == [parameter.shape for parameter in network.parameters()]
    assert not any(total.any() or total.requires_grad for total in sums)


def test_variants_of_an_image_are_averaged_before_clipping() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 3).double()
    x, y = torch.randn(8, 4, 5, dtype=torch.float64), torch.arange(8) % 3

    def losses() -> Tensor:
        of_each = F.cross_entropy(layer(x).flatten(0, 1), y.repeat_interleave(4), reduction="none")
        return of_each.view(8, 4).mean(1)

    grads = [torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True) for loss in losses()]
    rows = torch.stack([torch.cat([part.reshape(-1) for part in grad]) for grad in grads])
    norms = rows.norm(dim=1)
    clipper = PerSampleClipper(layer, max_grad_norm=float(norms.median()))
    with clipper.capture():
        captured = losses()
    assert torch.allclose(clipper.add(captured), norms, rtol=1e-10)
    expected = (rows * (norms.median() / norms).clamp(max=1)[:, None]).sum(0)
    assert torch.allclose(torch.cat([total.reshape(-1) for total in clipper.take()]), expected, rtol=1e-10)


def test_weights_count_after_clipping(network: nn.Sequential) -> None:
    x, y = images(4)
    clipper = PerSampleClipper(network, max_grad_norm=0.05)
    weights = torch.tensor([1.0, 0.25, 0.0, 0.5])
    expected = [torch.zeros_like(parameter) for parameter in clipper.parameters]
    for i, weight in enumerate(weights):
        _, sums = one_by_one(network, clipper, x[i : i + 1], y[i : i + 1])
        for total, part in zip(expected, sums, strict=True):
            total += weight * part
    with clipper.capture():
        losses = F.cross_entropy(network(x), y, reduction="none")
    assert clipper.add(losses, weights=weights).min() > 0.05
    for ours, total in zip(clipper.take(), expected, strict=True):
        assert torch.allclose(ours, total, rtol=1e-5, atol=1e-8)


def test_a_gradient_of_zero_stays_zero(network: nn.Sequential) -> None:
    clipper = PerSampleClipper(network, max_grad_norm=1.0)
    with clipper.capture():
        losses = network(images(3)[0]).sum(1) * 0
    assert clipper.add(losses).tolist() == [0, 0, 0]
    assert not any(total.any() for total in clipper.take())


def test_in_mixed_precision_no_image_contributes_more_than_the_clipping_norm(network: nn.Sequential) -> None:
    x, y = images(1)
    clipper = PerSampleClipper(network, max_grad_norm=0.01)
    with clipper.capture(), torch.autocast("cpu", torch.bfloat16):
        logits = network(x)
    norms = clipper.add(F.cross_entropy(logits.float(), y, reduction="none"))
    total = clipper.take()
    assert norms.dtype == torch.float32
    assert norms.item() > 0.1
    assert torch.cat([part.reshape(-1) for part in total]).norm().item() == pytest.approx(0.01, rel=1e-5)


def test_the_network_is_itself_again_after_the_pass(network: nn.Sequential) -> None:
    clipper = PerSampleClipper(network, max_grad_norm=1.0)
    with pytest.raises(RuntimeError, match="stopped"), clipper.capture():
        raise RuntimeError("stopped")
    network(images(2)[0]).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.BatchNorm2d(4), "BatchNorm2d 'odd' mixes the images of a batch"),
        (nn.BatchNorm2d(4, affine=False), "BatchNorm2d 'odd' mixes the images of a batch"),
        (
            nn.ConvTranspose2d(4, 4, 3),
            "ConvTranspose2d 'odd' cannot be clipped by one_pass; set engine to opacus",
        ),
        (nn.Conv2d(4, 4, 3, padding="same"), "Conv2d 'odd' cannot be clipped"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), "Conv2d 'odd' cannot be clipped"),
    ],
)
def test_layers_that_cannot_be_clipped_are_named_before_any_image_is_seen(layer: nn.Module, message: str) -> None:
    model = nn.Sequential()
    model.add_module("first", nn.Conv2d(1, 4, 3))
    model.add_module("odd", layer)
    with pytest.raises(SettingError, match=message):
        PerSampleClipper(model, max_grad_norm=1.0)


def test_a_frozen_layer_may_be_of_any_kind() -> None:
    model = nn.Sequential(nn.ConvTranspose2d(1, 4, 3).requires_grad_(False), nn.Conv2d(4, 2, 3))
    assert len(PerSampleClipper(model, max_grad_norm=1.0).parameters) == 2


def test_shared_parameters_and_networks_without_any_are_refused() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    with pytest.raises(SettingError, match="shares a parameter"):
        PerSampleClipper(model, max_grad_norm=1.0)
    with pytest.raises(SettingError, match="nothing to train"):
        PerSampleClipper(nn.Sequential(nn.Tanh()), max_grad_norm=1.0)


def test_a_loss_that_is_not_per_image_is_refused(network: nn.Sequential) -> None:
    clipper = PerSampleClipper(network, max_grad_norm=1.0)
    x, y = images(3)
    with clipper.capture():
        loss = F.cross_entropy(network(x), y)
    with pytest.raises(SettingError, match="one loss an image"):
        clipper.add(loss)


def test_what_would_escape_clipping_is_refused() -> None:
    layer = nn.Linear(3, 3)
    clipper = PerSampleClipper(layer, max_grad_norm=1.0)
    x = torch.randn(2, 3)
    with clipper.capture():
        losses = layer(layer(x)).sum(1)
    with pytest.raises(SettingError, match="used twice"):
        clipper.add(losses)
    with clipper.capture():
        losses = layer(x).sum(1) + layer.weight.sum()
    with pytest.raises(SettingError, match="outside its layer"):
        clipper.add(losses)
    with clipper.capture(), pytest.raises(SettingError, match="one or several rows of features an image"):
        layer(torch.randn(2, 5, 4, 3))
