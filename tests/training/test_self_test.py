"""The self-test of a session: a sound one passes and is left as it was, and each sabotage turns its light red.

What is sabotaged is what acts, the noise, the clipper, the stepper, the sampler or the way in, never a fact.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from medpriv_core.errors import RunError
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.training import inputs, noise, private_steps, sampling, session
from medpriv_core.training.clipping.clipper import PerSampleClipper
from medpriv_core.training.evidence import mixing_layers
from medpriv_core.training.noise import NoiseSource
from medpriv_core.training.private_steps import PrivateStepper
from medpriv_core.training.sampling import DeckSampler, PoissonSampler, shuffled_batches
from medpriv_core.training.self_test.trial import MadeUp, Trial
from tests.training.conftest import Run, toy_spec

DP: dict[str, Any] = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3}
Patch = pytest.MonkeyPatch


def lights(run: Run, spec: Any) -> dict[str, str]:
    return {check.name: check.state for check in check_run(spec, setup=run.directory.read_setup(), spent=None)}


SOUND = [
    {},
    {"engine": "opacus", "noise_generator": "secure"},
    {"sampling": "full_batch", "class_weights": (1.0, 2.0)},
    {"features": "layer3_grid", "standardise": True, "head_bias": False, "augmentation_multiplicity": 3},
    {"augment": True, "noise_multiplier": 20.0, "max_grad_norm": 0.01},
    {"engine": "microbatch", "microbatch_size": 4},
    {"sampling": "shuffled", "engine": "microbatch"},
]


@pytest.mark.parametrize("settings", SOUND, ids=str)
def test_a_sound_session_passes_and_says_what_was_measured(
    new_run: Callable[..., Run], settings: dict[str, Any]
) -> None:
    run, spec = new_run(), toy_spec(**(DP | settings))
    run.open(spec)
    facts = run.directory.read_setup().guarantee
    assert facts.measured is not None
    assert all(finding["holds"] for finding in facts.measured.values()), facts.measured
    checks = {check.name: check for check in check_run(spec, setup=run.directory.read_setup(), spent=None)}
    assert checks["Noise"].state == "green"
    assert "of σC/B over" in checks["Noise"].sentence
    assert facts.noise_drawn_by == "openssl"
    assert "OpenSSL" in checks["Noise generator"].sentence
    assert "seed" not in json.dumps(dict(facts.measured))


@pytest.mark.parametrize("engine", ["one_pass", "opacus"])
def test_the_whole_network_is_tried_too(new_run: Callable[..., Run], engine: str) -> None:
    run, spec = new_run(), toy_spec(**DP, trainable="norms", engine=engine)
    run.open(spec)
    measured = run.directory.read_setup().guarantee.measured
    assert measured["clipping"]["length"] > 100
    assert measured["clipping"]["added"] == pytest.approx(1, abs=1e-3)


def test_the_trial_changes_nothing_of_the_session_nor_of_what_follows_from_a_seed(
    new_run: Callable[..., Run], monkeypatch: Patch
) -> None:
    seen: list[Any] = []

    def look(found: session.Session, *arguments: Any, **options: Any) -> dict[str, Any]:
        state = found.stepper.state_dict()
        before = copy.deepcopy((found.trained.state_dict(), state, found.ledger, found.position))
        states = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]
        measured = real(found, *arguments, **options)
        after = found.trained.state_dict(), found.stepper.state_dict(), found.ledger, found.position
        assert all(torch.equal(old, new) for old, new in zip(before[0].values(), after[0].values(), strict=True))
        assert str(before[1:]) == str(after[1:])
        assert torch.equal(states[0], torch.get_rng_state())
        assert states[1] == np.random.get_state()[1].tolist()  # type: ignore[index]
        seen.append(measured)
        return measured

    real = session.try_session
    monkeypatch.setattr(session, "try_session", look)
    run = new_run()
    run.train(toy_spec(**DP, epochs=1))
    run.open(toy_spec(**DP, epochs=2))  # with a checkpoint's momentum and ledger
    assert len(seen) == 2


@pytest.mark.parametrize("unlucky", [1, 2, 3])
def test_an_activation_that_rounding_lets_through_in_one_batch_only_refuses_no_sound_run(
    new_run: Callable[..., Run], monkeypatch: Patch, unlucky: int
) -> None:
    seen: list[MadeUp] = []

    def quiet_step(self: Trial, drawn: list[int]) -> list[Tensor]:
        handed = real(self, drawn)
        if drawn == [0, 3] and len(seen) <= unlucky:
            return [2 * part if number == 0 else part for number, part in enumerate(handed)]
        return handed

    def begin(self: MadeUp, *arguments: Any, **options: Any) -> None:
        seen.append(self)
        begun(self, *arguments, **options)

    real, begun = Trial.quiet_step, MadeUp.__init__
    monkeypatch.setattr(Trial, "quiet_step", quiet_step)
    monkeypatch.setattr(MadeUp, "__init__", begin)
    run, spec = new_run(), toy_spec(**DP, trainable="norms")
    if unlucky < 3:
        run.open(spec)
        assert len(seen) == unlucky + 1
        assert run.directory.read_setup().guarantee.measured["apart"]["holds"]
        assert not torch.equal(seen[0].inputs, seen[-1].inputs)
    else:
        with pytest.raises(RunError, match="depends on the others in its batch"):
            run.open(spec)


def test_a_run_without_privacy_is_not_tried(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.open(toy_spec())
    assert run.directory.read_setup().guarantee == GuaranteeFacts()


def no_noise(patch: Patch) -> None:
    patch.setattr(NoiseSource, "add_to_all", lambda *_: None)


def scaled(factor: float) -> Callable[[Patch], None]:
    def sabotage(patch: Patch) -> None:
        real = NoiseSource.add_to_all
        patch.setattr(NoiseSource, "add_to_all", lambda self, tensors, sd: real(self, tensors, factor * sd))

    return sabotage


def noise_for_the_first_parameter_only(patch: Patch) -> None:
    real = NoiseSource.add_to_all
    patch.setattr(NoiseSource, "add_to_all", lambda self, tensors, sd: real(self, list(tensors)[:1], sd))


def uniform_noise(patch: Patch) -> None:
    def add(self: NoiseSource, tensors: list[Tensor], sd: float) -> None:
        for tensor in tensors:
            generator = noise.secret_generator(torch.device("cpu"))
            tensor += (torch.rand(tensor.shape, generator=generator) - 0.5) * sd * math.sqrt(12)

    patch.setattr(NoiseSource, "add_to_all", add)


def fixed_seed(patch: Patch) -> None:
    class Fixed(NoiseSource):
        def __init__(self, kind: Any, device: Any) -> None:
            super().__init__(kind, device)
            self._generator = torch.Generator().manual_seed(42)

    patch.setattr(private_steps, "NoiseSource", Fixed)


def fixed_seed_each_step(patch: Patch) -> None:
    def add(self: NoiseSource, tensors: list[Tensor], sd: float) -> None:
        generator = torch.Generator().manual_seed(7)
        for tensor in tensors:
            tensor += torch.randn(tensor.shape, generator=generator) * sd

    patch.setattr(NoiseSource, "add_to_all", add)


def torchs_own_generator(patch: Patch) -> None:
    def add(self: NoiseSource, tensors: list[Tensor], sd: float) -> None:
        for tensor in tensors:
            tensor += torch.randn(tensor.shape) * sd

    patch.setattr(NoiseSource, "add_to_all", add)


def clipping_at_100(patch: Patch) -> None:
    patch.setattr(
        private_steps,
        "PerSampleClipper",
        lambda net, max_grad_norm: PerSampleClipper(net, max_grad_norm=100 * max_grad_norm),
    )


def divided_by_who_was_drawn(patch: Patch) -> None:
    real = PrivateStepper.step

    def step(self: PrivateStepper, batch: Any) -> Any:
        self._divisor = max(1, len(batch.indices))
        return real(self, batch)

    patch.setattr(PrivateStepper, "step", step)


def centred_on_the_batch(patch: Patch) -> None:
    real = private_steps.losses_of

    def losses_of(trained: Any, values: Any, labels: Any, **options: Any) -> Any:
        return real(trained, values - values.mean(0) if len(values) > 1 else values, labels, **options)

    patch.setattr(private_steps, "losses_of", losses_of)


def weights_above_one(patch: Patch) -> None:
    real = PrivateStepper.__init__

    def init(self: PrivateStepper, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        self._class_weights = 2 * self._class_weights

    patch.setattr(PrivateStepper, "__init__", init)


def shuffled_deck(patch: Patch) -> None:
    def batches(self: PoissonSampler, *, epoch: int, first: int, steps: int) -> Any:
        size = round(self._n * self.sample_rate)
        rounds = range(-(-steps // 5))
        return iter(
            [b for r in rounds for b in shuffled_batches(self._n, batch_size=size, seed=r, epoch=epoch)][:steps]
        )

    patch.setattr(PoissonSampler, "batches", batches)


def batches_of_one_size(patch: Patch) -> None:
    def draw(n: Any, *, sample_rate: Any, rng: Any) -> Any:
        return np.argsort(rng.random(n))[: round(n * sample_rate)]

    patch.setattr(sampling, "poisson_batch", draw)


def sampled_from_a_seed(patch: Patch) -> None:
    patch.setattr(sampling, "SecretUniform", lambda: np.random.default_rng(3))


def favourites(patch: Patch) -> None:
    def draw(n: Any, *, sample_rate: Any, rng: Any) -> Any:
        chosen = np.flatnonzero(rng.random(n) < 2 * sample_rate)
        return chosen[chosen < n // 2]

    patch.setattr(sampling, "poisson_batch", draw)


def sampled_twice_as_often(patch: Patch) -> None:
    real = sampling.poisson_batch
    patch.setattr(
        sampling, "poisson_batch", lambda n, *, sample_rate, rng: real(n, sample_rate=2 * sample_rate, rng=rng)
    )


def training_statistics(patch: Patch) -> None:
    patch.setattr(inputs, "standardise", lambda rows: (rows - rows.mean(0)) / (rows.std(0) + 1e-6))


def images_by_training_statistics(patch: Patch) -> None:
    real = inputs.image_examples

    def examples(split: Any, **options: Any) -> Any:
        made = real(split, **options)
        mean = made.values.float().mean()
        return type(made)(made.values, made.labels, lambda values, chance: made.prepare(values, chance) - mean / 255)

    patch.setattr(inputs, "image_examples", examples)


def known_variations(patch: Patch) -> None:
    patch.setattr(sampling, "secret_generator", lambda _device: torch.Generator().manual_seed(5))


def another_rate(patch: Patch) -> None:
    """As if its maker had another number of images in mind: the sampler itself says so."""
    patch.setattr(session, "make_sampler", lambda spec, n: PoissonSampler(n, sample_rate=2 * spec.batch_size / n))


def another_way_to_draw(patch: Patch) -> None:
    patch.setattr(session, "make_sampler", lambda spec, n: DeckSampler(n, batch_size=spec.batch_size, seed=spec.seed))


def less_noise_than_counted(patch: Patch) -> None:
    real = session.engines.make_stepper

    def make(*arguments: Any, noise_multiplier: Any, **options: Any) -> Any:
        return real(*arguments, noise_multiplier=noise_multiplier / 2, **options)

    patch.setattr(session.engines, "make_stepper", make)


SABOTAGES = [
    (no_noise, {}, "Noise"),
    (scaled(0.5), {}, "Noise"),
    (scaled(0.95), {"features": "layer3_grid"}, "Noise"),
    (noise_for_the_first_parameter_only, {}, "Noise"),
    (uniform_noise, {}, "Noise"),
    (scaled(0.5), {"engine": "opacus"}, "Noise"),
    (scaled(0.5), {"engine": "microbatch", "microbatch_size": 2}, "Noise"),
    (fixed_seed, {}, "Noise not repeatable"),
    (fixed_seed_each_step, {"engine": "opacus"}, "Noise not repeatable"),
    (torchs_own_generator, {}, "Noise not repeatable"),
    (clipping_at_100, {}, "Clipping"),
    (clipping_at_100, {"sampling": "full_batch"}, "Clipping"),
    (divided_by_who_was_drawn, {}, "Batch size"),
    (centred_on_the_batch, {}, "Images kept apart"),
    (weights_above_one, {"class_weights": (1.0, 3.0)}, "Class weights"),
    (shuffled_deck, {}, "Sampling"),
    (batches_of_one_size, {}, "Sampling"),
    (sampled_from_a_seed, {}, "Sampling"),
    (favourites, {}, "Sampling"),
    (sampled_twice_as_often, {}, "Sampling"),
    (training_statistics, {"standardise": True}, "Preprocessing"),
    (images_by_training_statistics, {"trainable": "norms"}, "Preprocessing"),
    (known_variations, {"augment": True}, "Augmentation"),
    (another_rate, {}, "Accounting"),
    (another_way_to_draw, {}, "Sampling"),
    (less_noise_than_counted, {"engine": "opacus"}, "Noise"),
]


@pytest.mark.parametrize(("sabotage", "settings", "light"), SABOTAGES)
def test_a_sabotaged_loop_turns_its_light_red_and_does_not_begin(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, sabotage: Any, settings: Any, light: Any
) -> None:
    run, spec = new_run(), toy_spec(**(DP | settings))
    sabotage(monkeypatch)
    with pytest.raises(RunError, match="failed its own test"):
        run.train(spec)
    assert lights(run, spec)[light] == "red"
    facts = run.directory.read_setup().guarantee
    assert facts.unbounded
    assert math.isinf(facts.mechanism().sensitivity)
    assert run.directory.read_epochs() == []


def test_no_layer_of_the_tried_networks_was_known_to_mix() -> None:
    assert mixing_layers(torch.nn.Linear(3, 2)) == ()
