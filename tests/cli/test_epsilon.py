"""``epsilon``: the check values, the promised fields, and sizes that cannot be."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import scipy

from tests.cli.conftest import Command, Refusal

CHEST = ["--dataset-size", "5218", "--batch-size", "128", "--epochs", "50"]
FIELDS = {
    *("epsilon", "delta", "unit", "accountant", "sampling", "adjacency", "sample_rate", "steps", "noise_multiplier"),
    *("epsilon_rdp", "epsilon_second", "epsilon_claimed", "sensitivity", "tpr_at_fpr", "advantage", "mu", "meaning"),
}


def test_json_has_the_promised_fields(medpriv: Command) -> None:
    answer = medpriv("epsilon", *CHEST, "--noise-multiplier", "5.002", "--delta", "1e-4", "--json")
    assert (answer.code, answer.err) == (0, "")
    plan = answer.json
    assert set(plan) == FIELDS
    assert (plan["accountant"], plan["sampling"], plan["adjacency"]) == ("pld", "poisson", "add-remove")
    assert (plan["delta"], plan["noise_multiplier"]) == (1e-4, 5.002)
    assert plan["sample_rate"] == 128 / 5218
    assert plan["steps"] == 50 * 41
    assert plan["epsilon"] < plan["epsilon_rdp"]
    assert plan["epsilon_second"] == pytest.approx(plan["epsilon"], rel=0.005)
    assert plan["epsilon_second"] != plan["epsilon"]  # it is another program's
    assert (plan["epsilon_claimed"], plan["sensitivity"]) == (plan["epsilon"], 1)


# By another implementation with a finer grid, at 2,044 steps instead of 50 * 41, which costs 0.15 % of epsilon.
@pytest.mark.parametrize(
    ("noise", "expected", "rdp"), [(1, 7.159, 7.818), (2, 2.451, 2.669), (4, 1.064, 1.164)], ids=str
)
def test_the_papers_chest_training_at_its_literal_noise(
    medpriv: Command, noise: int, expected: float, rdp: float
) -> None:
    sizes = ["--dataset-size", "5232", "--batch-size", "128", "--epochs", "50"]
    epsilon = medpriv("epsilon", *sizes, "--noise-multiplier", noise, "--json").json["epsilon"]
    assert expected <= epsilon <= expected * 1.006
    assert epsilon < rdp  # the classic, looser bound


@pytest.mark.parametrize(
    ("size", "noise", "expected"),
    [
        (5218, 5.002, 0.687),
        (5218, 9.7, 0.322),
        (5218, 19.55, 0.146),
        (2929, 6.6, 0.693),
        (2929, 12.95, 0.322),
        (2929, 26.1, 0.146),
    ],
)
def test_what_holds_for_the_noise_of_the_authors_code(
    medpriv: Command, size: int, noise: float, expected: float
) -> None:
    sizes = ["--dataset-size", size, "--batch-size", "128", "--epochs", "50", "--delta", "1e-4"]
    plan = medpriv("epsilon", *sizes, "--noise-multiplier", noise, "--json").json
    assert plan["epsilon"] == pytest.approx(expected, rel=0.01)


def test_a_target_gives_noise_that_reaches_it(medpriv: Command) -> None:
    solved = medpriv("epsilon", *CHEST, "--target-epsilon", "1", "--json").json
    assert set(solved) == FIELDS
    assert 0.995 < solved["epsilon"] <= 1
    again = medpriv("epsilon", *CHEST, "--noise-multiplier", solved["noise_multiplier"], "--json").json
    assert again["epsilon"] == solved["epsilon"]


def test_plain_output_says_what_epsilon_depends_on(medpriv: Command) -> None:
    answer = medpriv("epsilon", *CHEST, "--noise-multiplier", "5.002", "--delta", "1e-3")
    assert "δ = 0.001; one image added or removed; Poisson subsampling; PLD" in answer.out
    assert "noise multiplier 5.002, sampling rate 0.0245305, 2050 steps" in answer.out
    assert re.search(r"Another program says ε = 0\.\d+ for the same steps, which confirms ε = 0\.\d+\.", answer.out)
    assert "too weak to call a guarantee" in answer.out
    sound = medpriv("epsilon", *CHEST, "--noise-multiplier", "5.002", "--delta", "1e-4")
    assert "too weak" not in sound.out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--microbatch-size", "4"], {"epsilon": 1.571, "sample_rate": 128 / 5218, "steps": 2050, "sensitivity": 2}),
        (["--sampling", "shuffled"], {"epsilon": 5.77, "sample_rate": 1, "steps": 50, "sensitivity": 1}),
        (["--sampling", "shuffled", "--microbatch-size", "4"], {"epsilon": 13.9, "steps": 50, "sensitivity": 2}),
        (["--sampling", "full_batch"], {"epsilon": 5.77, "sample_rate": 1, "steps": 50, "sensitivity": 1}),
    ],
    ids=str,
)
def test_what_holds_when_sampling_and_clipping_are_others(
    medpriv: Command, options: list[str], expected: dict[str, Any]
) -> None:
    plan = medpriv("epsilon", *CHEST, "--noise-multiplier", "5.002", "--delta", "1e-4", *options, "--json").json
    assert {name: plan[name] for name in expected} == pytest.approx(expected, rel=0.01)
    assert plan["epsilon"] < plan["epsilon_rdp"]


def test_shuffled_batches_are_told_with_their_own_neighbours(medpriv: Command) -> None:
    options = [*CHEST, "--noise-multiplier", "5.002", "--delta", "1e-4", "--sampling", "shuffled"]
    answer = medpriv("epsilon", *options, "--microbatch-size", "4")
    assert "one image replaced by an empty one; shuffled batches, nothing counted for sampling; exact" in answer.out
    assert "50 steps counted, one an epoch" in answer.out
    assert "two clipping norms" in answer.out
    assert medpriv("epsilon", *options, "--json").json["adjacency"] == "zero-out"


@pytest.mark.parametrize(("target", "told"), [(0.999, "2"), (3, "5.4"), (7.99, "25.4")])
def test_what_an_epsilon_of_full_batches_means(medpriv: Command, target: float, told: str) -> None:
    options = [*CHEST, "--target-epsilon", target, "--sampling", "full_batch"]
    plan = medpriv("epsilon", *options, "--json").json
    assert set(plan["tpr_at_fpr"]) == {"0.001", "0.01", "0.05"}
    assert "while wrongly naming 1 of 100" in plan["meaning"]
    assert plan["mu"] == pytest.approx(plan["steps"] ** 0.5 / plan["noise_multiplier"])
    assert plan["tpr_at_fpr"]["0.01"] == pytest.approx(scipy.stats.norm.cdf(plan["mu"] + scipy.stats.norm.ppf(0.01)))
    assert plan["advantage"] == pytest.approx(2 * scipy.stats.norm.cdf(plan["mu"] / 2) - 1)
    assert f"finds at most {told} of 100 images that were in the training set" in medpriv("epsilon", *options).out


def test_what_holds_when_an_image_is_clipped_with_others_is_told_of_that(medpriv: Command) -> None:
    options = [*CHEST, "--noise-multiplier", "5.002", "--delta", "1e-4", "--sampling", "shuffled"]
    plan = medpriv("epsilon", *options, "--microbatch-size", "4", "--json").json
    assert plan["mu"] == pytest.approx(2 * 50**0.5 / 5.002)
    plan = medpriv("epsilon", *options, "--adjacency", "replace-one", "--json").json
    assert plan["mu"] == pytest.approx(2 * 50**0.5 / 5.002)


def test_replacing_an_image_is_another_adjacency(medpriv: Command) -> None:
    sizes = ["--dataset-size", "5232", "--batch-size", "128", "--epochs", "50", "--adjacency", "replace-one"]
    plan = medpriv("epsilon", *sizes, "--noise-multiplier", "2", "--json").json
    assert (plan["adjacency"], plan["epsilon"]) == ("replace-one", pytest.approx(4.932, rel=0.01))
    solved = medpriv("epsilon", *sizes, "--target-epsilon", "1", "--json").json
    assert 0.99 < solved["epsilon"] <= 1
    assert "one image replaced by any other" in medpriv("epsilon", *sizes, "--noise-multiplier", "2").out


def test_a_patient_as_the_record(medpriv: Command) -> None:
    options = (
        "--dataset-size",
        3654,
        "--batch-size",
        128,
        "--epochs",
        50,
        "--noise-multiplier",
        2,
        "--unit",
        "patient",
    )
    plan = medpriv("epsilon", *options, "--json").json
    assert (plan["unit"], plan["epsilon"]) == ("patient", pytest.approx(3.04, abs=0.005))
    assert "one patient with all images and labels added or removed" in medpriv("epsilon", *options).out
    refused = medpriv("epsilon", *options, "--images-per-patient", 3)
    assert refused.code == 2
    assert "ε holds however many images a patient has" in refused.err


def test_a_patient_with_several_images(medpriv: Command) -> None:
    sizes = ["--dataset-size", "5232", "--batch-size", "128", "--epochs", "50", "--images-per-patient", "2"]
    plan = medpriv("epsilon", *sizes, "--noise-multiplier", "4", "--json").json
    assert set(plan) == FIELDS | {"epsilon_patient", "images_per_patient"}
    assert plan["images_per_patient"] == 2
    assert plan["epsilon_patient"] == pytest.approx(2.30, rel=0.01)
    words = medpriv("epsilon", *sizes, "--noise-multiplier", "4").out
    assert "a patient with 2 images: ε = 2.3" in words
    assert "all 2 images of a patient added or removed" in words


def test_no_finite_epsilon_is_null(medpriv: Command) -> None:
    hopeless = ["--dataset-size", "10", "--batch-size", "10", "--epochs", "1000", "--noise-multiplier", "0.3"]
    plan = medpriv("epsilon", *hopeless, "--json").json
    assert (plan["epsilon"], plan["mu"], plan["advantage"], plan["tpr_at_fpr"]["0.001"]) == (None, None, 1, 1)
    words = medpriv("epsilon", *hopeless).out
    assert "ε = ∞" in words
    assert "Nothing is promised" in words


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"--batch-size": "6000"}, "batch_size must be between 1 and the 5218 training records, but is 6000."),
        ({"--batch-size": "0"}, "batch_size must be between 1 and 65536, but is 0."),
        ({"--dataset-size": "0"}, "dataset_size must be between 1 and 1000000000, but is 0."),
        ({"--dataset-size": "-3"}, "dataset_size must be between"),
        ({"--epochs": "0"}, "epochs must be between 1 and 1000"),
        ({"--epochs": "9" * 400}, "epochs must be between 1 and 1000"),
        ({"--dataset-size": "9" * 9}, "epsilon is computed for up to 1,000,000"),
        ({"--dataset-size": "9" * 400}, "dataset_size must be between"),
        ({"--delta": "0"}, "delta must be between"),
        ({"--delta": "nan"}, "delta must be between"),
        ({"--noise-multiplier": "0"}, "noise_multiplier must be between 0.3 and 1000"),
        ({"--noise-multiplier": "nan"}, "noise_multiplier must be between 0.3 and 10000, but is nan."),
        ({"--microbatch-size": "0"}, "microbatch_size must be between 1 and 1024, but is 0."),
        ({"--images-per-patient": "0"}, "images_per_patient must be between 1 and 100, but is 0."),
        ({"--images-per-patient": "101"}, "images_per_patient must be between 1 and 100, but is 101."),
        ({"--images-per-patient": "2", "--adjacency": "replace-one"}, "leave one of them out"),
        ({"--noise-multiplier": "-1"}, "noise_multiplier must be between 0.3 and 1000"),
    ],
)
def test_sizes_that_cannot_be_are_refused(refused: Refusal, changed: dict[str, str], sentence: str) -> None:
    options = dict(zip(CHEST[::2], CHEST[1::2], strict=True)) | {"--noise-multiplier": "5.002"} | changed
    assert sentence in refused("epsilon", "--json", *(word for option in options.items() for word in option))


@pytest.mark.parametrize("target", ["0", "nan", "1e9"])
def test_targets_that_cannot_be_are_refused(refused: Refusal, target: str) -> None:
    assert "target_epsilon must be between" in refused("epsilon", *CHEST, "--target-epsilon", target)


def test_more_epochs_cost_more_and_more_noise_costs_less(medpriv: Command) -> None:
    def epsilon(epochs: int, noise: float) -> float:
        sizes = ["--dataset-size", "5218", "--batch-size", "128", "--epochs", epochs]
        return float(medpriv("epsilon", *sizes, "--noise-multiplier", noise, "--json").json["epsilon"])

    assert 0 < epsilon(5, 4) < epsilon(5, 2) < epsilon(10, 2) < math.inf
