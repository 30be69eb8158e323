"""The noise against the normal distribution, and against everything that would make it predictable.

Statistical thresholds are such that sound noise fails each of them less than once in ten million runs.
"""

from __future__ import annotations

import random
import ssl
from typing import Any

import numpy as np
import pytest
import scipy
import torch

from medpriv_core.errors import SettingError
from medpriv_core.training import noise as noise_module
from medpriv_core.training.noise import BLOCK, NoiseSource
from medpriv_core.training.randomness import SecretUniform, secret_generator
from medpriv_core.training.sampling import poisson_batch

CPU = torch.device("cpu")
FALSE_ALARM = 1e-7
SIX_SIGMA = 6.0
KINDS = ["fast", "secure"]


def draw(kind: Any, n: int, sd: float = 1.0, dtype: torch.dtype = torch.float32) -> np.ndarray:
    values = torch.zeros(n, dtype=dtype)
    NoiseSource(kind, CPU).add_(values, sd)
    return values.numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_the_noise_is_gaussian(kind: Any) -> None:
    noise = draw(kind, 400_001, sd=0.25).astype(np.float64)
    assert scipy.stats.kstest(noise, scipy.stats.norm(scale=0.25).cdf).pvalue > FALSE_ALARM
    n, standard = len(noise), noise / 0.25
    assert abs(standard.mean()) < SIX_SIGMA / n**0.5
    assert abs(standard.var() - 1) < SIX_SIGMA * (2 / n) ** 0.5
    assert abs((standard**3).mean()) < SIX_SIGMA * (15 / n) ** 0.5
    assert abs((standard**4).mean() - 3) < SIX_SIGMA * (96 / n) ** 0.5


@pytest.mark.parametrize(("kind", "n"), [("fast", 1 << 23), ("secure", 1 << 20)])
def test_the_tails_are_as_long_as_they_should_be(kind: Any, n: Any) -> None:
    noise = np.abs(draw(kind, n))
    for far in (3.0, 3.7):
        expected = n * 2 * scipy.stats.norm.sf(far)
        assert scipy.stats.binomtest(int((noise > far).sum()), n, expected / n).pvalue > FALSE_ALARM
    # With probability 1e-7 all n would stay within this.
    reached = scipy.stats.norm.isf(-np.log(FALSE_ALARM) / n / 2)
    assert noise.max() > reached


def test_far_out_the_radius_has_more_than_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    first = iter([True])

    def few_bits(n: int) -> bytes:
        """Of the first bits asked for, those of the radius lead to one of the 16 outermost places only."""
        values = np.frombuffer(ssl.RAND_bytes(n), np.uint32).copy()
        if next(first, False):
            values[: len(values) // 2] = values[: len(values) // 2] % 16 + 1
        return values.tobytes()

    monkeypatch.setattr(noise_module, "ssl", type("Few", (), {"RAND_bytes": staticmethod(few_bits)}))
    radius = np.hypot(*draw("fast", 8192).reshape(2, -1).astype(np.float64))
    place = np.exp(-(radius**2) / 2) * 2**32
    assert scipy.stats.kstest(place, scipy.stats.uniform(loc=1, scale=16).cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("byte", [b"\x00", b"\x80", b"\xff"])
def test_no_bits_make_infinite_noise(monkeypatch: pytest.MonkeyPatch, kind: Any, byte: Any) -> None:
    monkeypatch.setattr(noise_module, "ssl", type("Same", (), {"RAND_bytes": staticmethod(lambda n: byte * n)}))
    assert np.isfinite(draw(kind, 100)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_independent_of_each_other_across_blocks_and_threads(kind: Any) -> None:
    noise = draw(kind, 8 * BLOCK).astype(np.float64).reshape(8, BLOCK)
    assert len(np.unique(noise)) > 0.95 * noise.size
    halves = noise.reshape(16, BLOCK // 2)
    correlations = np.atleast_2d(np.corrcoef(halves))[np.triu_indices(16, 1)]
    assert np.abs(correlations).max() < SIX_SIGMA / (BLOCK // 2) ** 0.5
    # A shared radius of two values would show in their squares.
    correlations = np.atleast_2d(np.corrcoef(halves**2))[np.triu_indices(16, 1)]
    assert np.abs(correlations).max() < SIX_SIGMA / (BLOCK // 2) ** 0.5
    neighbours = np.corrcoef(noise.reshape(-1)[1:], noise.reshape(-1)[:-1])[0, 1]
    assert abs(neighbours) < SIX_SIGMA / noise.size**0.5


@pytest.mark.parametrize("kind", KINDS)
def test_no_seed_brings_the_same_noise_back(kind: Any) -> None:
    drawn = []
    for _ in range(3):
        torch.manual_seed(0)
        np.random.seed(0)
        random.seed(0)
        source = NoiseSource(kind, CPU)
        for _ in range(2):
            values = torch.zeros(1000)
            source.add_(values, 1.0)
            drawn.append(values.numpy())
    assert len(np.unique(np.concatenate(drawn))) > 5990


def test_torchs_own_generator_would_forget_half_of_a_64_bit_seed() -> None:
    """Why it is not used: this is what the lesson at the top of the module says."""
    first, second = (torch.randn(100, generator=torch.Generator().manual_seed(s)) for s in (5, 5 + 2**32))
    assert torch.equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_on_the_processor_nothing_that_could_be_stored_is_kept(kind: Any) -> None:
    source = NoiseSource(kind, CPU)
    source.add_(torch.zeros(3 * BLOCK), 1.0)
    stateful = (torch.Generator, np.random.Generator, np.random.BitGenerator, np.ndarray, torch.Tensor, bytes, int)
    assert not any(isinstance(value, stateful) for value in vars(source).values())


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_added_to_what_is_there_in_every_tensor(kind: Any) -> None:
    random_values = torch.Generator().manual_seed(0)
    tensors = [torch.randn(shape, generator=random_values) for shape in [(), (1,), (3, 5), (2 * BLOCK + 7,), (0,)]]
    tensors.append(torch.randn(2, 3, 5, 5, generator=random_values).to(memory_format=torch.channels_last))
    tensors.append(torch.randn(6, 8, generator=random_values)[:, ::2])
    before = [tensor.clone() for tensor in tensors]
    NoiseSource(kind, CPU).add_to_all(tensors, 1e-3)
    for tensor, old in zip(tensors, before, strict=True):
        change = (tensor - old).abs()
        assert tensor.shape == old.shape
        assert bool((change < 8e-3).all())
        assert int((change > 0).sum()) > 0.99 * change.numel() - 1e-9
    assert tensors[-2].is_contiguous(memory_format=torch.channels_last)


def test_a_tensor_that_learns_can_be_noised() -> None:
    parameter = torch.nn.Parameter(torch.zeros(10))
    NoiseSource("fast", CPU).add_(parameter, 1.0)
    assert parameter.grad_fn is None
    assert parameter.abs().min() > 0


def test_secure_noise_is_rounded_once_only() -> None:
    wide = draw("secure", 1000, dtype=torch.float64)
    assert (wide.astype(np.float32) != wide).mean() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_no_noise_asked_for_changes_nothing(kind: Any) -> None:
    assert not draw(kind, 10, sd=0.0).any()


@pytest.mark.parametrize("sd", [-1.0, float("nan"), float("inf")])
def test_an_impossible_standard_deviation_is_refused(sd: Any) -> None:
    with pytest.raises(SettingError, match="standard deviation must be 0 or more"):
        draw("fast", 10, sd=sd)


def test_what_other_devices_do_gives_gaussian_noise_too() -> None:
    source = NoiseSource("fast", CPU)
    source._generator = secret_generator(CPU)
    values = torch.ones(100_000)
    source.add_to_all([values], 0.5)
    assert scipy.stats.kstest(values.numpy(), scipy.stats.norm(loc=1, scale=0.5).cdf).pvalue > FALSE_ALARM


def test_secret_uniform_numbers_are_uniform_and_draw_poisson_batches() -> None:
    numbers = SecretUniform().random(200_000)
    assert scipy.stats.kstest(numbers, "uniform").pvalue > FALSE_ALARM
    assert numbers.min() >= 0
    assert numbers.max() < 1
    drawn = poisson_batch(200_000, sample_rate=0.1, rng=SecretUniform())
    assert scipy.stats.binomtest(len(drawn), 200_000, 0.1).pvalue > FALSE_ALARM
    assert len(poisson_batch(7, sample_rate=1.0, rng=SecretUniform())) == 7
