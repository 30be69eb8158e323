"""What is asked about an attacker: that its figures and its words are those of the mechanism."""

from __future__ import annotations

import math
from typing import Any

import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from medpriv_core.errors import SettingError
from medpriv_core.privacy.composition import compose, planned_spending
from medpriv_core.privacy.deployments import DEPLOYMENTS
from medpriv_core.privacy.image_epsilon import laplace_guarantee
from medpriv_core.privacy.odds import posterior
from medpriv_core.privacy.plan import plan_dp_sgd
from medpriv_core.privacy.risk_calibration import noise_for_risk
from medpriv_core.privacy.risk_subject import (
    plan_of_settings,
    subject_of_images,
    subject_of_joint,
    subject_of_plan,
    subject_of_point,
)
from medpriv_core.privacy.risk_words import chance_after, fit_sentence, odds_sentence
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.tradeoff import membership_curve
from medpriv_core.spec import RunSpec

CHEST: Any = {"train_size": 5232, "batch_size": 128, "epochs": 50, "delta": 1e-5}


@pytest.mark.parametrize(
    ("noise", "sentence"),
    [
        (1, "Of 100 patients whose image was used, at most 18.7 are found, while 1 of 100 others is falsely accused."),
        (2, "Of 100 patients whose image was used, at most 4.2 are found, while 1 of 100 others is falsely accused."),
        (4, "Of 100 patients whose image was used, at most 2.06 are found, while 1 of 100 others is falsely accused."),
    ],
)
def test_the_papers_noise_on_its_chest_radiographs_in_words(noise: Any, sentence: Any) -> None:
    subject = subject_of_plan(plan_of_settings(noise_multiplier=noise, **CHEST))
    assert subject.sentence == sentence
    assert "δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant" in subject.statement


def test_a_plan_that_can_be_launched_and_one_that_cannot_are_the_same_mechanism() -> None:
    assert plan_of_settings(noise_multiplier=2.0, **CHEST) == plan_dp_sgd(noise_multiplier=2.0, **CHEST)


def test_without_noise_nothing_holds_and_nothing_fails() -> None:
    subject = subject_of_plan(plan_of_settings(noise_multiplier=0.0, **CHEST))
    assert math.isinf(subject.epsilon)
    assert not subject.limited
    assert subject.sentence.startswith("No ε holds: all of 100 patients")
    assert chance_after(subject, 0.001, "0.01") == 1
    assert "nothing limits him" in odds_sentence(subject, 0.001, "0.01")
    assert subject.misfit is None
    assert subject.sensitivity_index is None


def test_a_million_steps_have_a_curve() -> None:
    plan = plan_of_settings(train_size=100_000, batch_size=100, epochs=1_000, delta=1e-6, noise_multiplier=1.0)
    subject = subject_of_plan(plan)
    assert plan.steps == 1_000_000
    assert subject.misfit < 0.01
    with pytest.raises(SettingError, match="1,010,000 steps"):
        plan_of_settings(train_size=100_000, batch_size=99, epochs=1_000, delta=1e-6, noise_multiplier=1.0)


@pytest.mark.parametrize("noise", [-1.0, math.nan, 10_001.0])
def test_noise_that_cannot_be_is_refused(noise: Any) -> None:
    with pytest.raises(SettingError, match="noise_multiplier"):
        plan_of_settings(noise_multiplier=noise, **CHEST)


def test_several_images_of_a_patient_are_found_more_easily_than_one() -> None:
    plan = plan_of_settings(noise_multiplier=2.0, **CHEST)
    one, five = subject_of_plan(plan), subject_of_plan(plan, images_per_patient=5)
    assert five.epsilon == pytest.approx(16.7, rel=0.01)
    assert five.risk.at_one_percent > 5 * one.risk.at_one_percent
    assert "all 5 images of a patient" in five.statement
    patients = subject_of_plan(plan_of_settings(noise_multiplier=2.0, unit="patient", **CHEST), images_per_patient=5)
    assert patients.risk == one.risk
    assert "patients whose images were used" in patients.sentence


def test_full_batches_have_a_sensitivity_index_and_others_have_none() -> None:
    full = subject_of_plan(plan_of_settings(noise_multiplier=50.0, sampling="full_batch", **CHEST), dimensions=1026)
    assert full.sensitivity_index == pytest.approx(math.sqrt(50) / 50)
    assert full.misfit == 0
    assert "exactly" in fit_sentence(full)
    sampled = subject_of_plan(plan_of_settings(noise_multiplier=1.0, **CHEST))
    assert sampled.sensitivity_index is None
    assert "look at the curve" in fit_sentence(sampled)


def test_several_networks_compose_as_one_long_training_does() -> None:
    spec = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0, batch_size=128, epochs=50, delta=1e-5)
    spendings = [planned_spending(spec, train_size=5232)] * 3
    together = subject_of_joint(compose("x", spendings))
    steps = Steps(1.0, 128 / 5232, 3 * 2050)
    assert together.basis == "exact"
    assert together.risk.at_one_percent == pytest.approx(float(membership_curve([steps], delta=1e-5).hits(0.01)))
    unknown = subject_of_joint(compose("x", spendings, unknown=1))
    assert not unknown.limited
    assert "no ε is established" in unknown.statement


def test_an_epsilon_alone_is_told_to_say_less() -> None:
    alone = subject_of_point(epsilon=8.0, delta=1e-5)
    assert alone.risk.at_one_percent == pytest.approx(0.99967, abs=1e-5)
    assert alone.basis == "point"
    assert alone.risk.mu is None
    huge = subject_of_point(epsilon=1e9, delta=1e-5)
    assert huge.risk.at_one_percent == pytest.approx(1.0)
    assert huge.statement == "ε = 1,000,000,000 (δ = 1e-5; nothing else is known)"


def test_noised_images_are_recognised_and_pixels_are_black_or_white() -> None:
    guarantee = laplace_guarantee(beta=1.0, shape=(256, 256, 1))
    image, pixel = subject_of_images(guarantee), subject_of_images(guarantee, asked="pixel")
    assert image.sentence == (
        "Of 100 noised images of one patient, all may be recognised, while 1 of 100 of another is taken for one."
    )
    assert pixel.sentence == (
        "Of 100 black pixels, at most 2.72 are recognised, while 1 of 100 white ones is taken for one."
    )
    assert "one pixel, at most by black against white" in pixel.statement


@given(st.floats(1e-4, 0.9999), st.floats(0, 1), st.floats(0, 1))
def test_odds_after_are_odds_before_times_hits_over_false_alarms(prior: float, hits: float, alarms: float) -> None:
    after = posterior(prior, hits=hits, false_alarms=alarms)
    assert 0 <= after <= 1
    if hits > 1e-9 and alarms > 1e-9:
        assert after / (1 - after) == pytest.approx(prior / (1 - prior) * hits / alarms, rel=1e-4) or after > 1 - 1e-9


def test_odds_of_a_simulated_attacker() -> None:
    numbers = scipy.stats.norm.rvs(size=(2, 200_000), random_state=3)
    members = numbers[0] < scipy.stats.norm.ppf(0.2)
    named = numbers[1] + 1.5 * members > scipy.stats.norm.isf(0.05)
    hits, alarms = named[members].mean(), named[~members].mean()
    assert posterior(0.2, hits=hits, false_alarms=alarms) == pytest.approx(members[named].mean(), abs=0.005)


@pytest.mark.parametrize(("accepted", "at"), [(0.05, 0.01), (0.2, 0.01), (0.01, 0.001), (0.1, None)])
def test_noise_for_a_risk_is_enough_and_hardly_more(accepted: Any, at: Any) -> None:
    settings: Any = {"sample_rate": 128 / 5232, "steps": 2050, "delta": 1e-5}
    chosen = noise_for_risk(accepted=accepted, at=at, **settings)

    def reached(noise: float) -> float:
        curve = membership_curve([Steps(noise, settings["sample_rate"], settings["steps"])], delta=1e-5)
        return curve.advantage if at is None else float(curve.hits(at))

    assert reached(chosen.noise_multiplier) <= accepted
    assert reached(0.995 * chosen.noise_multiplier) > accepted * 0.9999


@pytest.mark.parametrize(("accepted", "at"), [(0.01, 0.01), (0.005, 0.01), (1.0, 0.01), (0.0, None), (math.nan, 0.01)])
def test_a_risk_that_cannot_be_accepted_is_refused(accepted: Any, at: Any) -> None:
    with pytest.raises(SettingError, match="guessing reaches"):
        noise_for_risk(accepted=accepted, at=at, sample_rate=0.1, steps=100, delta=1e-5)


def test_published_epsilons_have_a_source_and_stand_in_order() -> None:
    assert [one.epsilon for one in DEPLOYMENTS] == sorted(one.epsilon for one in DEPLOYMENTS)
    for one in DEPLOYMENTS:
        assert "" not in (one.source, one.unit)
        assert 2014 <= one.year <= 2026
        assert 0 <= one.delta < 1e-3
