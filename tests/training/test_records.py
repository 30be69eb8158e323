"""Patients as records: each drawn one gives images of their own, and the mean of these is clipped once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from medpriv_core.datasets.base import PreparedDataset
from medpriv_core.errors import RunError, SettingError
from medpriv_core.patients import PatientCount
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.private_training import private_training
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.runs.spent_record import look_at_record
from medpriv_core.spec import RunSpec
from medpriv_core.training import examples as examples_module
from medpriv_core.training import session
from medpriv_core.training.engines import make_stepper
from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.records import PatientRecords
from tests.training.conftest import Run, toy_spec

WHOSE = np.array([0, 1, 1, 2, 2, 2, 2, 2, 3, 4, 4, 4])
PATIENTS: dict[str, Any] = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3, "unit": "patient"}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 6), st.integers(0, 2**10 - 1))
def test_every_drawn_patient_gives_images_of_their_own_once(whose: list[int], most: int, which: int) -> None:
    patients = np.unique(np.array(whose), return_inverse=True)[1]
    records = PatientRecords.of(patients, most=most)
    drawn = np.array([one for one in range(len(records)) if which >> one & 1], dtype=np.int64)
    rows = [row for group in records.draw(drawn) for row in group]

    assert sorted(int(patients[row[0]]) for row in rows) == drawn.tolist()
    for row in rows:
        assert len(set(patients[row])) == 1
        assert len(set(row.tolist())) == len(row) == min(most, int((patients == patients[row[0]]).sum()))


def test_which_image_is_looked_at_is_drawn_evenly_and_by_itself() -> None:
    records = PatientRecords.of(WHOSE, most=1)
    drawn = np.array([int(next(iter(records.draw(np.array([2]))))[0, 0]) for _ in range(2000)])
    assert stats.chisquare(np.bincount(drawn, minlength=8)[3:8]).pvalue > 1e-6
    two = PatientRecords.of(WHOSE, most=2)
    together = np.array([next(iter(two.draw(np.array([2]))))[0] for _ in range(2000)])
    assert stats.chisquare(np.bincount(together.reshape(-1), minlength=8)[3:8]).pvalue > 1e-6


@pytest.fixture
def points() -> Examples:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (len(WHOSE),), generator=random)
    return Examples(torch.randn(len(WHOSE), 2, 6, generator=random), labels, lambda batch, _generator: batch)


def linear() -> nn.Linear:
    layer = nn.Linear(6, 3)
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(1))
    nn.init.zeros_(layer.bias)
    return layer


def moved_by(examples: Examples, drawn: list[int], *, engine: str = "one_pass", **settings: Any) -> np.ndarray:
    """What a step without noise takes off the parameters, times the divisor."""
    spec = toy_spec(
        **PATIENTS | {"learning_rate": 1.0, "momentum": 0.0, "engine": engine, "images_drawn": 30} | settings
    )
    layer = linear()
    training = private_training(spec, train_size=40)
    stepper = make_stepper(
        layer, spec, noise_multiplier=1.0, training=training, pass_size=4, mixed=None, device=torch.device("cpu")
    )
    stepper.noise_deviation = 0.0  # type: ignore[attr-defined]
    before = torch.cat([part.detach().reshape(-1) for part in layer.parameters()])
    records = PatientRecords.of(WHOSE, most=spec.images_drawn)
    stepper.step(Batch(examples, np.array(drawn, dtype=np.int64), patients=records))
    after = torch.cat([part.detach().reshape(-1) for part in layer.parameters()])
    return ((before - after).double() * training.divisor).numpy()


@pytest.mark.parametrize("engine", ["one_pass", "opacus"])
@pytest.mark.parametrize("max_grad_norm", [0.3, 100.0])
def test_a_step_is_that_of_plain_autograd_a_patient_at_a_time(
    points: Examples, engine: str, max_grad_norm: float
) -> None:
    drawn = [0, 1, 2, 4]
    expected = np.zeros(6 * 3 + 3)
    for patient in drawn:
        layer = linear().double()
        own = np.flatnonzero(patient == WHOSE)
        # The mean over both variants of each image.
        losses = [F.cross_entropy(layer(points.values[one].double()), points.labels[one].repeat(2)) for one in own]
        parts = torch.autograd.grad(torch.stack(losses).mean(), list(layer.parameters()))
        gradient = torch.cat([part.reshape(-1) for part in parts])
        expected += (gradient * min(1.0, max_grad_norm / float(gradient.norm()))).numpy()

    assert moved_by(points, drawn, engine=engine, max_grad_norm=max_grad_norm) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("most", [1, 2, 30])
@pytest.mark.parametrize("class_weights", [None, (1.0, 5.0, 0.1)])
def test_one_patient_adds_at_most_the_clipping_norm_whatever_images_they_have(
    points: Examples, most: int, class_weights: Any
) -> None:
    long = replace(points, values=points.values * 8)
    for patient in range(5):
        added = moved_by(long, [patient], images_drawn=most, max_grad_norm=0.5, class_weights=class_weights)
        assert 0 < np.linalg.norm(added) <= 0.5 * (1 + 1e-5)


def test_nobody_drawn_moves_nothing_without_noise(points: Examples) -> None:
    for most in (1, 30):
        assert not moved_by(points, [], images_drawn=most).any()


def with_patients(toy: PreparedDataset) -> PreparedDataset:
    """The 40 images of 22 patients, of whom one has 10."""
    whose = np.concatenate([np.arange(20), np.arange(10), np.full(9, 20), [21]])
    counts = PatientCount(22, int(np.bincount(whose).max()))
    return replace(toy, patients=counts, train=replace(toy.train, patients=whose))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"images_drawn": 5},
        {
            "images_drawn": 100,
            "sampling": "full_batch",
            "augmentation_multiplicity": 2,
            "class_weights": (1.0, 2.0),
        },
        {"engine": "opacus", "images_drawn": 3},
        {"trainable": "norms", "epochs": 1},
        {"augment": True},
    ],
    ids=str,
)
def test_a_run_counts_patients_and_says_so(
    new_run: Callable[..., Run], toy: PreparedDataset, settings: dict[str, Any]
) -> None:
    run, spec = new_run(clean=with_patients(toy)), toy_spec(**PATIENTS | settings)
    run.train(spec)
    setup, spent = run.directory.read_setup(), look_at_record(run.directory)[0]
    facts, plan = setup.guarantee, plan_run(spec, train_size=22)

    assert (setup.train_size, setup.records, facts.unit) == (40, 22, "patient")
    assert facts.images_drawn == spec.images_drawn
    assert spent is not None
    assert spent.steps == spec.epochs * plan.mechanism.steps_per_epoch
    assert spent.epsilon == pytest.approx(plan.epsilon)
    verdict = run_verdict(spec, setup=setup, spent=spent)
    assert verdict is not None
    assert "one patient with all images and labels" in verdict.statement
    assert "of 100 patients whose images were used" in verdict.sentence or "Nothing is promised" in verdict.sentence
    checks = {check.name: check for check in check_run(spec, setup=setup, spent=spent)}
    assert {name for name, check in checks.items() if check.state == "red"} == set()
    several = checks["Patients with several images"]
    assert several.state == "green"
    assert "measured: each of 22 patients gave images of their own alone" in several.sentence
    assert facts.measured is not None
    assert facts.measured["patients"]["added"] == pytest.approx(1, abs=1e-3)


def test_it_goes_on_from_its_checkpoint_with_the_same_steps(new_run: Callable[..., Run], toy: PreparedDataset) -> None:
    run = new_run(clean=with_patients(toy))
    run.train(toy_spec(**PATIENTS, epochs=1))
    run.train(toy_spec(**PATIENTS, epochs=3))
    spent = look_at_record(run.directory)[0]
    assert spent is not None
    assert spent.epsilon == pytest.approx(plan_run(toy_spec(**PATIENTS, epochs=3), train_size=22).epsilon)


def test_patients_that_nobody_knows_cannot_be_protected(new_run: Callable[..., Run]) -> None:
    with pytest.raises(SettingError, match="It is not known of each training image of Toy images whose it is"):
        new_run().open(toy_spec(**PATIENTS))


def images_of_others(patch: pytest.MonkeyPatch) -> None:
    real = PatientRecords.draw
    patch.setattr(PatientRecords, "draw", lambda self, drawn: ((group + 1) % 40 for group in real(self, drawn)))


def all_images_each_by_itself(patch: pytest.MonkeyPatch) -> None:
    """The record is the image again: each is clipped alone."""
    real = PatientRecords.draw

    def draw(self: PatientRecords, drawn: np.ndarray) -> Iterator[np.ndarray]:
        for group in real(replace(self, most=100), drawn):
            yield group.reshape(-1)[:, None]

    patch.setattr(PatientRecords, "draw", draw)


def a_sum_in_the_place_of_the_mean(patch: pytest.MonkeyPatch) -> None:
    real = Batch.passes

    def passes(self: Batch, size: int) -> Any:
        if self.patients is None:
            yield from real(self, size)
            return
        for group in replace(self.patients, most=100).draw(self.indices):
            yield from self.parts([self.examples.positions(group.reshape(-1))])

    patch.setattr(examples_module.Batch, "passes", passes)


@pytest.mark.parametrize("sabotage", [images_of_others, all_images_each_by_itself, a_sum_in_the_place_of_the_mean])
@pytest.mark.parametrize("most", [1, 5])
def test_a_loop_that_lets_a_patient_add_more_does_not_begin(
    new_run: Callable[..., Run], toy: PreparedDataset, monkeypatch: pytest.MonkeyPatch, sabotage: Any, most: int
) -> None:
    sabotage(monkeypatch)
    run, spec = new_run(clean=with_patients(toy)), toy_spec(**PATIENTS, images_drawn=most)
    with pytest.raises(RunError, match="A drawn patient gives other images than their own, or adds more"):
        run.open(spec)
    setup = run.directory.read_setup()
    lights = {check.name: check.state for check in check_run(spec, setup=setup, spent=None)}
    assert lights["Patients with several images"] == "red"
    mechanism = setup.guarantee.mechanism()
    assert mechanism is not None
    assert math.isinf(mechanism.sensitivity)


def test_a_loop_that_draws_images_is_not_taken_for_one_that_draws_patients(
    new_run: Callable[..., Run], toy: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "records_of_patients", lambda *_: None)
    monkeypatch.setattr(session, "records_of", lambda data, _spec: len(data.train.train.labels))
    run, spec = new_run(clean=with_patients(toy)), toy_spec(**PATIENTS)
    run.train(spec)
    setup, spent = run.directory.read_setup(), look_at_record(run.directory)[0]
    assert (setup.guarantee.unit, setup.records) == ("image", 40)
    verdict = run_verdict(spec, setup=setup, spent=spent)
    assert verdict is not None
    assert "one image added or removed" in verdict.statement
    lights = {check.name: check.state for check in check_run(spec, setup=setup, spent=spent)}
    assert lights["Accounting"] == "red"
    assert lights["Patients with several images"] == "amber"


def test_microbatches_and_whole_networks_say_what_they_cannot() -> None:
    with pytest.raises(SettingError, match="repeats what the authors did, who counted images"):
        RunSpec(dataset="x", **PATIENTS, engine="microbatch")
    with pytest.raises(SettingError, match="for runs in which the last layer alone learns"):
        RunSpec(dataset="x", **PATIENTS, trainable="all", images_drawn=2)
    with pytest.raises(SettingError, match="unit belongs to DP-SGD"):
        RunSpec(dataset="x", unit="patient")
