import numpy as np
import scipy
import torch

from medpriv_core.training.randomness import secret_generator
from medpriv_core.training.sampling import (
    augmentation_generator,
    poisson_batch,
    shuffled_batches,
)
from tests.training.conftest import toy_spec


def test_shuffled_batches_hold_every_index_once() -> None:
    batches = shuffled_batches(10, batch_size=4, seed=0, epoch=0)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(np.concatenate(batches)) == list(range(10))


def test_the_order_follows_seed_and_epoch_and_differs_between_them() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return shuffled_batches(100, batch_size=100, seed=seed, epoch=epoch)[0].tolist()

    assert order(3, 1) == order(3, 1)
    assert len({tuple(order(seed, epoch)) for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))}) == 4


def test_poisson_batches_have_binomial_sizes_and_independent_members() -> None:
    rng = np.random.default_rng(0)
    n, rate, draws = 50, 0.1, 4000
    drawn = np.zeros((draws, n))
    for row in drawn:
        row[poisson_batch(n, sample_rate=rate, rng=rng)] = 1
    sizes = drawn.sum(1).astype(int)
    counts = np.bincount(np.minimum(sizes, 10), minlength=11)
    expected = scipy.stats.binom.pmf(np.arange(11), n, rate)
    expected[10] = scipy.stats.binom.sf(9, n, rate)
    assert scipy.stats.chisquare(counts, expected * draws).pvalue > 1e-4
    assert scipy.stats.kstest(drawn.sum(0), scipy.stats.binom(draws, rate).cdf).pvalue > 1e-4
    assert 0 in sizes


def test_rate_one_takes_everybody() -> None:
    assert poisson_batch(7, sample_rate=1.0, rng=np.random.default_rng(0)).tolist() == list(range(7))


def test_each_steps_augmentation_has_its_own_repeatable_generator() -> None:
    def first(seed: int, epoch: int, step: int) -> float:
        return torch.rand(1, generator=augmentation_generator(toy_spec(seed=seed), epoch=epoch, step=step)).item()

    assert first(0, 1, 2) == first(0, 1, 2)
    assert len({first(*where) for where in ((0, 1, 2), (0, 2, 1), (1, 1, 2), (0, 1, 3))}) == 4


def test_private_augmentation_does_not_follow_from_seed_and_step() -> None:
    spec = toy_spec(method="dp_sgd", noise_multiplier=1.0, delta=1e-3)
    draws = {torch.rand(1, generator=augmentation_generator(spec, epoch=0, step=0)).item() for _ in range(20)}
    assert len(draws) == 20


def test_secret_generators_never_repeat_whatever_torch_is_seeded_with() -> None:
    draws = set()
    for _ in range(5):
        torch.manual_seed(0)
        draws.add(torch.rand(1, generator=secret_generator(torch.device("cpu"))).item())
    assert len(draws) == 5
