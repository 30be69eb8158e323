"""The linear prior on real chest X-rays, against figures that were computed by another program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medpriv_core.attacks.individual import AgainstAverage, Individual
from medpriv_core.attacks.prior import Line, Prior, estimate, learn, line_of
from medpriv_core.attacks.undo import undo
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset
from medpriv_core.home import data_home
from medpriv_core.mechanisms.catalog import picture_noise
from medpriv_core.mechanisms.laplace import clamp, to_unit

pytestmark = pytest.mark.real_data
OF_EACH_CLASS = 50


@pytest.fixture(scope="module")
def chests(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> tuple[Prior, np.ndarray]:
    """Learned from all training images, and the test images that are attacked: uint8 (100, 64, 64, 1)."""
    home = data_home(tmp_path_factory.mktemp("home"))
    add_dataset(home, "chest_xray", shared_data / "chest_xray")
    prepared = prepare_dataset(home, "chest_xray", image_size=64)
    classes = [np.flatnonzero(prepared.test.labels == label) for label in (0, 1)]
    spread = [one[np.linspace(0, len(one) - 1, OF_EACH_CLASS).astype(int)] for one in classes]
    return learn(np.asarray(prepared.train.images)), prepared.test.images[np.concatenate(spread)]


def measured(chests: tuple[Prior, np.ndarray], line: Line, released: list[np.ndarray]) -> list[Individual]:
    prior, attacked = chests
    return [
        AgainstAverage(one, prior.mean).measure(estimate(prior, values, line))
        for one, values in zip(attacked, released, strict=True)
    ]


def means(found: list[Individual]) -> tuple[float, ...]:
    """PSNR, SSIM, correlation, correlation of what is individual."""
    rows = [(one.likeness.psnr_db, one.likeness.ssim, one.likeness.correlation, one.correlation) for one in found]
    return tuple(np.mean(rows, axis=0))


def assert_near(found: tuple[float, ...], psnr_db: float, *rest: float) -> None:
    assert found[0] == pytest.approx(psnr_db, abs=0.5)
    assert found[1:] == pytest.approx(rest, abs=0.03)


def test_the_average_chest_alone_is_like_every_chest(chests: tuple[Prior, np.ndarray]) -> None:
    prior, attacked = chests
    floors = [AgainstAverage(one, prior.mean).measure(prior.mean).average for one in attacked]

    assert prior.images == 5216
    assert_near(
        tuple(np.mean([(one.psnr_db, one.ssim, one.correlation) for one in floors], axis=0)), 16.84, 0.460, 0.801
    )


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (0.5, (22.56, 0.666, 0.942, 0.820)),
        (1.0, (20.74, 0.602, 0.913, 0.717)),
        (2.0, (19.10, 0.544, 0.874, 0.576)),
        (4.0, (17.92, 0.498, 0.836, 0.374)),
    ],
)
def test_of_clamped_laplace_noise_it_brings_back_what_was_published(
    chests: tuple[Prior, np.ndarray], beta: float, expected: tuple[float, ...]
) -> None:
    rng, noise = np.random.default_rng(0), picture_noise("laplace_per_pixel", beta=beta)
    released = [clamp(noise.release(to_unit(one), rng)) for one in chests[1]]

    assert_near(means(measured(chests, line_of(noise, chests[0].histogram), released)), *expected)


@pytest.mark.parametrize(
    ("deviation", "psnr_db", "own"),
    [(0.1, 28.74, 0.958), (0.3, 24.69, 0.893), (1.0, 21.00, 0.738), (3.0, 18.29, 0.440)],
)
def test_of_gaussian_noise_that_is_not_clamped_too(
    chests: tuple[Prior, np.ndarray], deviation: float, psnr_db: float, own: float
) -> None:
    rng = np.random.default_rng(0)
    released = [to_unit(one) + rng.normal(0, deviation, one.shape) for one in chests[1]]

    found = means(measured(chests, Line(0.0, 1.0, deviation**2), released))

    assert found[0] == pytest.approx(psnr_db, abs=0.5)
    assert found[3] == pytest.approx(own, abs=0.03)


@pytest.mark.parametrize(("beta", "filters_db", "prior_db"), [(1.0, 17.86, 20.74), (4.0, 12.86, 17.92)])
def test_it_beats_the_best_filter_by_decibels(
    chests: tuple[Prior, np.ndarray], beta: float, filters_db: float, prior_db: float
) -> None:
    """The best filter by PSNR, which nobody could choose without the original; of every tenth image."""
    rng, noise = np.random.default_rng(0), picture_noise("laplace_per_pixel", beta=beta)
    best, learned = [], []
    for one in chests[1][::5]:
        *filters, last = undo(one, noise.release(to_unit(one), rng), noise, chests[0])
        best.append(max(attempt.likeness.psnr_db for attempt in filters))
        learned.append(last.likeness.psnr_db)

    print(beta, np.mean(best), np.mean(learned))
    assert np.mean(learned) - np.mean(best) == pytest.approx(prior_db - filters_db, abs=1.0)
