"""What networks give away together, against dp-accounting composed by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from medpriv_core.privacy import second_accountant
from medpriv_core.privacy.composition import JointEpsilon, Spending, compose, network_spending, planned_spending
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.facts import GuaranteeFacts, planned_facts
from medpriv_core.privacy.second_accountant import question
from medpriv_core.privacy.spent import Spent, spent_at
from medpriv_core.privacy.steps import Steps
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec

TRAIN = 640
PRIVATE = RunSpec(dataset="synthetic_chest", weights="none", method="dp_sgd", noise_multiplier=2.0, epochs=4)


def composed(*specs: RunSpec) -> JointEpsilon:
    return compose("synthetic_chest", [planned_spending(spec, train_size=TRAIN) for spec in specs])


def reference(stretches: Sequence[tuple[float, float, int]], delta: float) -> float:
    """Google's own composition, on its fixed grid."""
    from dp_accounting.pld import privacy_loss_distribution as pld

    whole = pld.identity(value_discretization_interval=1e-3)
    for noise, rate, steps in stretches:
        one = pld.from_gaussian_mechanism(noise, sampling_prob=rate, value_discretization_interval=1e-3)
        whole = whole.compose(one.self_compose(steps))
    return float(whole.get_epsilon_for_delta(delta))


def test_networks_of_several_noises_compose_as_the_reference_says() -> None:
    noises, steps = (1.0, 2.0, 4.0), 4 * 10
    together = composed(*(PRIVATE.changed(noise_multiplier=noise) for noise in noises))
    expected = reference([(noise, 64 / TRAIN, steps) for noise in noises], 1e-5)
    assert together.epsilon == pytest.approx(expected, rel=0.005)
    assert together.largest == pytest.approx(reference([(1.0, 64 / TRAIN, steps)], 1e-5), rel=0.005)
    assert together.networks == 3


def test_seeds_are_as_many_releases() -> None:
    seeds = [PRIVATE.changed(seed=seed) for seed in range(3)]
    together = composed(*seeds)
    assert together.epsilon == pytest.approx(reference([(2.0, 64 / TRAIN, 3 * 40)], 1e-5), rel=0.005)
    assert composed(PRIVATE).epsilon < together.epsilon < 3 * composed(PRIVATE).epsilon


def test_full_batches_compose_exactly() -> None:
    whole = PRIVATE.changed(sampling="full_batch", noise_multiplier=20.0)
    together = composed(whole, whole.changed(noise_multiplier=10.0))
    # 4 steps each of a plain Gaussian mechanism: one of mu = sqrt(4/400 + 4/100).
    mu = math.sqrt(4 / 400 + 4 / 100)
    assert together.accountant == "gaussian"
    delta_there = _gaussian_delta(mu, together.epsilon)
    assert delta_there == pytest.approx(1e-5, rel=1e-6)


def _gaussian_delta(mu: float, epsilon: float) -> float:
    """Balle and Wang 2018, theorem 5."""

    def normal(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    return normal(mu / 2 - epsilon / mu) - math.exp(epsilon) * normal(-mu / 2 - epsilon / mu)


def test_the_smallest_delta_is_stated() -> None:
    together = composed(PRIVATE.changed(delta=1e-4), PRIVATE.changed(delta=1e-6))
    assert together.delta == 1e-6
    assert together.statement.startswith("ε = ")
    for fact in ("δ = 1e-6", "one image added or removed", "Poisson subsampling", "PLD accountant"):
        assert fact in together.statement


def test_a_dealt_deck_among_them_changes_what_neighbours_are() -> None:
    together = composed(PRIVATE, PRIVATE.changed(sampling="shuffled"))
    assert together.adjacency == "zero-out"
    assert "shuffled batches, nothing counted for sampling or" not in together.statement
    assert "Poisson subsampling or shuffled batches" in together.statement
    assert together.epsilon > composed(PRIVATE.changed(sampling="shuffled")).epsilon


def test_one_network_without_a_guarantee_leaves_none_to_all() -> None:
    authors = PRIVATE.changed(engine="microbatch", microbatch_size=4, norm="batch_norm", trainable="all")
    together = composed(PRIVATE, authors)
    assert together.epsilon == math.inf
    assert together.statement.startswith("ε = ∞")


RECORDS, STEPS = 5232, 2050
RECORDED = RunSpec(dataset="x", method="dp_sgd", noise_multiplier=1.0, batch_size=128, epochs=50)


def network(spec: RunSpec = RECORDED, *, epsilon: float | None, recorded: bool = True) -> Spending | None:
    facts = planned_facts(spec, train_size=RECORDS) if recorded else GuaranteeFacts()
    row = EpochRow(epoch=50, epsilon=epsilon, delta=spec.delta, steps=STEPS)
    return network_spending(spec, setup=Setup(train_size=RECORDS, guarantee=facts), spent=spent_at(row))


@pytest.mark.parametrize(("sigma", "one", "five"), [(1.0, 7.16, 18.6), (2.0, 2.45, 6.10), (4.0, 1.06, 2.59)])
def test_five_networks_on_the_same_records(sigma: float, one: float, five: float) -> None:
    """The figures of the specification: n = 5,232, q = 128/n, 2,044 steps, delta 1e-5."""
    taken = Steps(sigma, 128 / RECORDS, 2044)
    assert composed_epsilon([taken], delta=1e-5) == pytest.approx(one, abs=0.006)
    assert composed_epsilon([taken] * 5, delta=1e-5) == pytest.approx(five, abs=0.006)


def test_recorded_networks_compose_by_their_steps() -> None:
    each = composed_epsilon([Steps(1.0, 128 / RECORDS, STEPS)], delta=1e-5)
    one = network(epsilon=each)
    assert one is not None
    joint = compose("x", [one] * 5)
    assert joint.epsilon == composed_epsilon([Steps(1.0, 128 / RECORDS, 5 * STEPS)], delta=1e-5)
    assert each < joint.epsilon < 5 * each
    for words in ("gets all 5", "δ = 1e-5", "one image added or removed", "Poisson subsampling", "PLD accountant"):
        assert words in joint.all_sentence
    assert compose("x", [one]).epsilon == pytest.approx(each)


@pytest.mark.parametrize("recorded", [True, False], ids=["more than its steps cost", "no steps"])
def test_an_epsilon_without_the_steps_for_it_is_added_to_what_the_others_compose_to(recorded: bool) -> None:
    counted, told = network(epsilon=1.0), network(epsilon=20.0, recorded=recorded)
    assert counted is not None
    assert told is not None
    joint = compose("x", [counted, told, counted, told])
    assert joint.epsilon == composed_epsilon([Steps(1.0, 128 / RECORDS, 2 * STEPS)], delta=1e-5) + 40
    assert joint.delta == pytest.approx(3e-5)
    assert "δ = 3e-5" in joint.statement
    assert "ε and δ of 2 added up" in joint.statement
    assert joint.largest == 20


def test_a_second_accountant_that_says_more_is_believed_of_all_together_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = question([Steps(1.0, 128 / RECORDS, STEPS)], delta=1e-5)
    monkeypatch.setattr(second_accountant, "_answers", {asked: 9.0})
    one = network(epsilon=1.0)
    assert one is not None
    assert compose("x", [one, one]).epsilon == 18


def test_where_one_is_not_known_no_epsilon_is_told_and_none_of_the_others_in_its_place() -> None:
    known = network(epsilon=1.0)
    assert known is not None
    joint = compose("x", [known], unknown=1)
    assert (joint.networks, joint.epsilon, joint.established) == (2, math.inf, False)
    assert "ε =" not in joint.all_sentence
    assert "1 of 2 has no record" in joint.ever_sentence
    assert compose("x", [], lost=2).epsilon == math.inf
    damaged = replace(spent_at(EpochRow(epoch=1, epsilon=1.0, steps=5, delta=1e-5)), bond="damaged")
    assert network_spending(RECORDED, setup=Setup(train_size=RECORDS), spent=damaged) is None
    assert network_spending(RECORDED, setup=Setup(train_size=RECORDS), spent=None) is None


def test_a_network_that_took_no_step_adds_nothing() -> None:
    begun = network_spending(RECORDED, setup=Setup(train_size=RECORDS), spent=Spent(epochs=0, step=0, steps=0))
    known = network(epsilon=1.0)
    assert begun is not None
    assert known is not None
    assert compose("x", [begun, known]).epsilon == compose("x", [known]).epsilon
    assert compose("x", [begun]).epsilon == 0


def test_of_other_contents_and_preparations_never_less_is_counted_than_each_image_gives_away() -> None:
    """640 images, then one more, then half of them at another size: an image in some is told less than one in all."""
    spendings = [
        planned_spending(PRIVATE, train_size=640),
        planned_spending(PRIVATE, train_size=641),
        planned_spending(PRIVATE.changed(image_size=32, crop_size=28), train_size=320),
    ]
    joint = compose("x", spendings)
    stretches = [(2.0, 64 / n, 4 * round(n / 64)) for n in (640, 641, 320)]
    assert joint.epsilon == pytest.approx(reference(stretches, 1e-5), rel=0.005)
    for there in ([0, 1], [1], [0, 2]):
        assert compose("x", [spendings[number] for number in there]).epsilon < joint.epsilon


def test_an_empty_image_among_drawn_ones_costs_what_its_removal_costs() -> None:
    """Why neighbours of a deck may be those of Poisson sampling, too: the same two distributions of the noised sum."""
    mixed = composed(PRIVATE, PRIVATE.changed(sampling="full_batch", noise_multiplier=10.0))
    assert mixed.adjacency == "zero-out"
    assert mixed.epsilon == pytest.approx(reference([(2.0, 0.1, 40), (10.0, 1.0, 4)], 1e-5), rel=0.005)


def test_networks_that_protect_patients_and_such_that_protect_images_are_told_apart() -> None:
    """For an image of a patient with several, a step that draws patients is no step more or less."""
    of_patients = PRIVATE.changed(unit="patient")
    images, patients = planned_spending(PRIVATE, train_size=TRAIN), planned_spending(of_patients, train_size=400)
    both = compose("synthetic_chest", [images, images, patients])
    assert math.isinf(both.epsilon)
    assert not both.established
    assert both.networks == 3
    alone = compose("synthetic_chest", [images, images]), compose("synthetic_chest", [patients])
    assert both.by_unit == alone
    assert "the 2 that protect images: ε = " in both.statement
    assert "the one that protects patients: ε = " in both.statement
    assert alone[1].statement in both.statement
    assert "one patient with all images and labels added or removed" in alone[1].statement
    assert both.ever_sentence.startswith("All 3 DP-SGD networks together")
    lost = compose("synthetic_chest", [images, patients], lost=1)
    assert lost.statement.startswith("not known")


def test_for_a_patient_both_kinds_are_added_where_the_largest_number_of_images_is_known() -> None:
    images = planned_spending(PRIVATE.changed(unit="image"), train_size=TRAIN)
    patients = planned_spending(PRIVATE.changed(unit="patient"), train_size=400)
    both = compose("synthetic_chest", [images, patients], largest_patient=5)
    of_images = composed_epsilon(images.stretches, delta=1e-5, images_per_patient=5)
    assert both.epsilon == pytest.approx(of_images + patients.epsilon)
    assert both.delta == pytest.approx(2e-5)
    assert both.established
    assert "one patient with all images and labels added or removed" in both.statement
    assert "networks that protect images are counted for 5 of one patient" in both.statement
    # At a δ that is given, which both share.
    given = compose("synthetic_chest", [images, patients], largest_patient=5, delta=2e-5)
    assert given.epsilon == pytest.approx(both.epsilon)
    alone = compose("synthetic_chest", [images, images], largest_patient=5, delta=1e-5, unit="patient")
    assert alone.epsilon == pytest.approx(composed_epsilon([*images.stretches] * 2, delta=1e-5, images_per_patient=5))
    assert not compose("synthetic_chest", [images, patients], largest_patient=101).established
    told = replace(images, beyond=3.0)
    assert not compose("synthetic_chest", [told, patients], largest_patient=5).established
    assert not compose("synthetic_chest", [images, patients], largest_patient=5, unit="image").established


@pytest.mark.parametrize("delta", [1e-6, 1e-5, 1e-4])
def test_at_a_given_delta_the_same_steps_cost_what_they_cost_there(delta: float) -> None:
    spending = planned_spending(PRIVATE.changed(unit="image"), train_size=TRAIN)
    together = compose("synthetic_chest", [spending] * 2, delta=delta)
    assert together.epsilon == pytest.approx(composed_epsilon([*spending.stretches] * 2, delta=delta))
    told = compose("synthetic_chest", [spending, replace(spending, beyond=1.0)], delta=delta)
    left = delta - spending.delta
    expected = 1.0 + composed_epsilon(spending.stretches, delta=left) if left > 0 else math.inf
    assert told.epsilon == pytest.approx(expected)


def test_patients_that_no_loop_recorded_are_not_taken_for_granted() -> None:
    spec, spent = PRIVATE.changed(unit="patient"), Spent(epochs=1, step=0, steps=10, epsilon=1.0, delta=1e-5)
    assert network_spending(spec, setup=Setup(train_size=640, patients=400), spent=spent) is None
    facts = replace(planned_facts(spec, train_size=400), noise_multiplier=2.0)
    found = network_spending(spec, setup=Setup(train_size=640, patients=400, guarantee=facts), spent=spent)
    assert found is not None
    assert found.mechanism.unit == "patient"
    assert found.mechanism.sample_rate == 64 / 400
