"""Attacks on membership, where the best possible one is known, and the counts that an alarm rests on."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from medpriv_core.attacks.membership import ATTACKS, SCORES, References, lira, rescaled, separations
from medpriv_core.attacks.membership_report import Answers, figures_of
from medpriv_core.attacks.membership_roc import (
    Attacked,
    area,
    clopper_pearson,
    counts_found,
    epsilon_at_least,
    found_by,
    hits_at,
    refutes,
    roc,
    roc_rates,
)
from medpriv_core.errors import SettingError
from medpriv_core.privacy.curve import EVERYTHING, GaussianCurve
from medpriv_core.records.membership import MembershipReport
from medpriv_core.strict_json import Unreadable


def gaussian_answers(
    mu: float, *, records: int = 4000, references: int = 64, targets: int = 4, seed: int = 0
) -> Answers:
    """φ of each record is normal around its own mean, which membership moves by ``mu`` standard deviations."""
    rng = np.random.default_rng(seed)
    means, spreads = rng.normal(0, 5, records), rng.uniform(0.5, 2, records)
    inside = rng.permuted(np.arange(records)[None].repeat(references + targets, 0), axis=1) < records // 2
    values = means + spreads * (rng.normal(size=inside.shape) + mu * inside)
    return Answers(values[:targets], inside[:targets], References(values[targets:], inside[targets:]))


def attacked(answers: Answers, attack: str = "lira") -> list[Attacked]:
    score = SCORES[attack]  # type: ignore[index]
    return [Attacked(score(t, answers.references), m) for t, m in zip(answers.targets, answers.members, strict=True)]


def test_the_number_of_an_answer_is_the_log_odds_of_the_true_class() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(0, 3, (50, 4)), rng.integers(0, 4, 50)
    p = scipy.special.softmax(logits, axis=1)[np.arange(50), labels]

    np.testing.assert_allclose(rescaled(logits, labels), np.log(p) - np.log1p(-p), rtol=1e-9)
    assert rescaled(np.array([[900.0, 0.0]]), np.array([0])).tolist() == [36.0]


@pytest.mark.parametrize("mu", [0.5, 1.0, 2.0])
def test_lira_reaches_the_best_possible_curve_with_many_references(mu: float) -> None:
    targets = attacked(gaussian_answers(mu, records=8000, references=256, targets=4))
    rates = np.array([0.01, 0.05, 0.2])
    hits = np.mean([hits_at(target, rates) for target in targets], axis=0)
    best = scipy.stats.norm.cdf(mu + scipy.stats.norm.ppf(rates))  # Neyman and Pearson, for two Gaussians

    assert (hits <= best + 0.02).all()
    assert (hits >= 0.75 * best - 0.005).all()
    assert np.mean([area(target) for target in targets]) == pytest.approx(scipy.stats.norm.cdf(mu / 2**0.5), abs=0.015)


def test_lira_is_the_likelihood_ratio_where_the_spreads_are_known() -> None:
    answers = gaussian_answers(1.0, records=300, references=2000, targets=1)
    inside = answers.references.inside
    expected = []
    for record in range(300):
        with_it = answers.references.values[inside[:, record], record]
        without = answers.references.values[~inside[:, record], record]
        value = answers.targets[0, record]
        expected.append(
            scipy.stats.norm.logpdf(value, with_it.mean(), with_it.std())
            - scipy.stats.norm.logpdf(value, without.mean(), without.std())
        )

    np.testing.assert_allclose(lira(answers.targets[0], answers.references), expected, atol=0.25)


@pytest.mark.parametrize("attack", ATTACKS)
def test_networks_that_learned_nothing_of_their_members_give_nothing_away(attack: str) -> None:
    targets = attacked(gaussian_answers(0.0), attack)

    assert np.mean([hits_at(target, 0.01) for target in targets]) == pytest.approx(0.01, abs=0.006)
    assert np.mean([area(target) for target in targets]) == pytest.approx(0.5, abs=0.015)


def test_what_no_reference_knows_is_not_told() -> None:
    values = np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 0.0]])
    inside = np.array([[True, True], [True, False], [True, True]])

    assert lira(np.array([9.0, 9.0]), References(values, inside))[0] == 0
    assert separations(References(values, inside))[0] == 0


def test_hits_are_never_counted_at_more_false_alarms_than_asked() -> None:
    target = Attacked(np.array([4.0, 3.0, 2.0, 1.0, 3.0]), np.array([True, True, False, False, False]))

    assert hits_at(target, [0.0, 0.3, 0.34, 1.0]).tolist() == [0.5, 0.5, 1.0, 1.0]
    assert found_by(target, 0.0).tolist() == [True, False, False, False, False]
    assert area(target) == pytest.approx((3 + 2.5) / 6)  # of each pair, a tie counts half


def test_the_band_holds_the_curve_and_narrows_with_more_targets() -> None:
    rng = np.random.default_rng(3)
    few, many = (roc(attacked(gaussian_answers(1.0, targets=n)), rates=np.array([0.01, 0.1]), rng=rng) for n in (1, 16))

    assert (few.low <= few.hits).all()
    assert (few.hits <= few.high).all()
    assert ((many.high - many.low) < (few.high - few.low)).all()


def test_clopper_pearson_is_that_of_scipy() -> None:
    for successes, trials in ((0, 20), (3, 40), (40, 40), (500, 5000)):
        ours = clopper_pearson(successes, trials)
        theirs = scipy.stats.binomtest(successes, trials).proportion_ci(method="exact")
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_true_ceiling_is_not_refuted_and_a_false_one_is() -> None:
    found = counts_found(attacked(gaussian_answers(1.0, targets=8, references=128)), tries=1)

    assert refutes(found, GaussianCurve(1.0)) is None
    assert refutes(found, EVERYTHING) is None
    assert refutes(found, GaussianCurve(0.3)) is not None


def test_a_true_ceiling_is_refuted_rarely() -> None:
    # The best attack there is, so the ceiling is reached.
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(100):
        members = rng.permutation(1000) < 500
        found = counts_found([Attacked(rng.normal(size=1000) + 0.7 * members, members)], tries=1)
        alarms += refutes(found, GaussianCurve(0.7)) is not None

    assert alarms <= 5


def test_the_bound_on_epsilon_stays_below_what_is_true() -> None:
    # Randomised response tells membership apart with just e^ε to 1.
    epsilon, rng = 1.5, np.random.default_rng(6)
    members = rng.permutation(40_000) < 20_000
    truth = rng.random(40_000) < np.exp(epsilon) / (1 + np.exp(epsilon))
    scores = np.where(members == truth, 1.0, 0.0) + 1e-3 * rng.random(40_000)
    bound = epsilon_at_least(counts_found([Attacked(scores, members)], tries=1), delta=1e-5)

    assert 1.3 < bound <= epsilon


@pytest.fixture(scope="module")
def figures() -> dict[str, object]:
    answers = gaussian_answers(2.0, records=2400)
    return figures_of(
        answers, ceiling=GaussianCurve(0.5), delta=1e-5, first_images=np.arange(2400), rng=np.random.default_rng(0)
    )


def whole_report(figures: dict[str, object]) -> dict[str, object]:
    return figures | {
        "unit": "image",
        "records": 2400,
        "half": 1200,
        "targets": 4,
        "references": 64,
        "wanted": 68,
        "failed": [],
        "stopped": False,
        "content": "abc",
        "network": {"method": "dp_sgd", "epochs": 2, "batch_size": 8, "steps": 300, "noise_multiplier": 2.0},
        "epsilon": 1.99,
        "delta": 1e-5,
        "seconds": 3.0,
    }


def test_a_report_is_read_as_it_was_written(figures: dict[str, object]) -> None:
    report = MembershipReport.from_dict(whole_report(figures))

    assert MembershipReport.from_dict(report.to_file()).to_dict() == report.to_dict()
    assert report.alarm is not None  # more than the ceiling of μ = 0.5
    assert report.epsilon_at_least > 1.99
    found = sum(report.found_by.values())
    assert found > 0


@pytest.mark.parametrize(
    "changed", [{"rates": [0.1]}, {"records": -1}, {"attacks": {"lira": {}}}, {"unit": "file"}, {"ceiling": [2.0] * 61}]
)
def test_a_report_that_says_nothing_sound_is_refused(figures: dict[str, object], changed: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        MembershipReport.from_dict(whole_report(figures) | changed)


def test_hits_at_a_thousandth_are_refused_below_a_thousand_others() -> None:
    def told(records: int) -> list[object]:
        answers = gaussian_answers(1.0, records=records, targets=1, references=16)
        found = figures_of(
            answers, ceiling=EVERYTHING, delta=1e-5, first_images=np.arange(records), rng=np.random.default_rng(0)
        )
        return [row["hits"] for row in found["attacks"]["lira"]["told"]]

    assert told(1900)[0] is None
    assert told(1900)[1] is not None
    assert told(2000)[0] is not None
    assert 0.001 not in roc_rates(999)
    with pytest.raises(SettingError, match="50 members"):
        told(98)
