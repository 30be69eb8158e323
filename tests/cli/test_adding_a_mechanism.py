"""A further mechanism, added from outside as docs/architecture.md says: a class, and a line in the catalog."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from medpriv_core.attacks.reidentification import success_rate
from medpriv_core.attacks.undo import undo
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.exports.explore_settings import ExploreSettings
from medpriv_core.mechanisms.additive import Gaussian
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.keyed import keyed_release
from medpriv_core.mechanisms.picture_noise import parameter
from medpriv_core.mechanisms.sources import NoiseSource
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.records.setup import Setup
from medpriv_core.results.from_run import describe_protocol
from medpriv_core.results.guarantee import held_guarantee
from medpriv_core.runs.naming import name_run
from medpriv_core.spec import SETTINGS, RunSpec
from tests.cli.conftest import Command


@dataclass(frozen=True)
class SeveralGaussians(Gaussian):
    """The mean of several Gaussian releases: Gaussian noise with its deviation divided by the root of their number."""

    name: ClassVar[str] = "several_gaussians"
    title: ClassVar[str] = "Gaussian, the mean of several"
    short: ClassVar[str] = "several"
    drawn: ClassVar[str] = "the mean of several Gaussian noises for each pixel"
    formula: ClassVar[str] = "y = x + mean of n N(0, β²)"
    explanation: ClassVar[str] = "Several noised images are averaged."

    number: int = parameter(4, label="How many", low=1, high=100, options=(1, 4, 9), help="Releases that are averaged.")

    def noised(self, pixels: np.ndarray, source: NoiseSource) -> np.ndarray:
        return np.mean([pixels + source.normal(self.beta, pixels.shape) for _ in range(self.number)], axis=0)

    @property
    def noise_deviation(self) -> float:
        return self.beta / math.sqrt(self.number)

    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        return super().guarantee(shape, delta=delta, copies=copies * self.number)


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MECHANISMS, SeveralGaussians.name, SeveralGaussians)


def test_the_command_draws_it_and_tells_its_epsilon(medpriv: Command, tmp_path: Path) -> None:
    picture, out = tmp_path / "in.png", tmp_path / "out.npy"
    Image.fromarray(np.full((20, 20), 128, dtype=np.uint8)).save(picture)
    options = ["--mechanism", "several_gaussians", "--number", "9", "--beta", "3", "--output", out, "--json"]
    facts = medpriv("noise", picture, *options).json
    assert (facts["mechanism"], facts["number"]) == ("several_gaussians", 9)
    assert facts["epsilon_image"] == pytest.approx(
        picture_noise("gaussian", beta=1.0).guarantee((20, 20, 1)).epsilon_image
    )
    assert (
        "belongs to several_gaussians" in medpriv("noise", picture, "--number", "9", "--beta", "3", "--output", out).err
    )


def test_settings_stored_copies_and_attacks_have_it() -> None:
    noise = SeveralGaussians(1.0, number=9)
    settings = ExploreSettings(dataset="retina_photo", size=64, noise=noise)
    assert ExploreSettings.from_json(settings.to_json()).noise == noise
    pictures = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 1), dtype=np.uint8)
    kept = [keyed_release(pictures, one, secret=bytes(32)) for one in (noise, noise, noise.changed(number=8))]
    assert np.array_equal(kept[0], kept[1])
    assert not np.array_equal(kept[0], kept[2])
    assert success_rate(pictures, noise, draws=6).draws == 6
    assert len(list(undo(pictures[0], kept[0][0] / 255, noise))) > 2


def test_runs_train_on_it_and_tell_its_epsilon() -> None:
    spec = RunSpec(
        dataset="synthetic_chest", weights="none", method="local_dp", beta=3.0, noise_draw="several_gaussians"
    )
    assert RunSpec.from_dict(spec.to_dict()) == spec
    # A parameter of its own has its usual value in runs, unless RunSpec has a setting of that name.
    assert spec.picture_noise == SeveralGaussians(3.0, number=4)
    held = held_guarantee(spec, Setup(), None)
    assert held.epsilon == pytest.approx(picture_noise("gaussian", beta=1.5).guarantee((64, 64, 1)).epsilon_image)
    assert name_run(spec).split(" · ")[1] == "Local-DP β 3 several"
    assert "the mean of several Gaussian noises for each pixel (number 4)" in describe_protocol(spec)
    assert "several_gaussians" in SETTINGS["noise_draw"].choices


def test_the_command_that_trains_offers_it(medpriv: Command) -> None:
    assert "several_gaussians" in medpriv("run", "--help").out
