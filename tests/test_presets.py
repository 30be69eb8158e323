"""Every preset is a run that can be made, and says what it is said to be."""

from __future__ import annotations

import pytest

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.presets import PRESETS, authors_noise, preset_settings
from medpriv_core.privacy.dp_sgd import DpSgdAccount
from medpriv_core.spec import RunSpec


@pytest.mark.parametrize("dataset", ["chest_xray", "aptos2019", "synthetic_fundus"])
@pytest.mark.parametrize("name", list(PRESETS))
def test_its_settings_make_a_specification(name: str, dataset: str):
    settings = preset_settings(name, dataset=dataset, ordered=dataset != "chest_xray")
    assert RunSpec(dataset=dataset, **settings).dataset == dataset


def test_sound_dp_clips_each_image_and_reaches_its_epsilon():
    spec = RunSpec(dataset="chest_xray", **preset_settings("sound", dataset="chest_xray", ordered=False))
    assert (spec.method, spec.engine, spec.microbatch_size, spec.target_epsilon) == ("dp_sgd", "one_pass", 1, 3.0)
    assert spec.sampling_scheme != "shuffled"


@pytest.mark.parametrize(
    ("dataset", "train_size", "beta", "epsilon"),
    [
        # Recomputed by hand with the accountant's own library: what the assumed mechanism has, 50 epochs at delta 1e-4.
        ("chest_xray", 5218, 1, 0.687),
        ("chest_xray", 5218, 2, 0.322),
        ("chest_xray", 5218, 4, 0.146),
        ("aptos2019", 2929, 1, 0.693),
        ("aptos2019", 2929, 2, 0.322),
        ("aptos2019", 2929, 4, 0.146),
    ],
)
def test_the_authors_noise_is_that_of_their_notebooks(dataset: str, train_size: int, beta: int, epsilon: float):
    ordered = dataset_info(dataset).ordered
    settings = preset_settings("authors", dataset=dataset, ordered=ordered, paper_beta=beta)
    assert settings["noise_multiplier"] == authors_noise(ordered=ordered)[beta]
    account = DpSgdAccount(settings["noise_multiplier"], settings["batch_size"] / train_size, settings["delta"])
    steps = round(settings["epochs"] * train_size / settings["batch_size"])
    assert account.epsilon(steps) == pytest.approx(epsilon, rel=0.02)


@pytest.mark.parametrize(
    ("dataset", "noise"),
    [
        ("chest_xray", [5.002, 9.7, 19.55]),
        ("pneumoniamnist", [5.002, 9.7, 19.55]),
        ("aptos2019", [6.6, 12.95, 26.1]),
        ("idrid", [6.6, 12.95, 26.1]),
        ("retinamnist", [6.6, 12.95, 26.1]),
        ("synthetic_fundus", [6.6, 12.95, 26.1]),
    ],
)
def test_graded_images_of_the_eye_take_the_authors_noise_for_aptos(dataset: str, noise: list[float]):
    ordered = dataset_info(dataset).ordered
    assert [
        preset_settings("authors", dataset=dataset, ordered=ordered, paper_beta=beta)["noise_multiplier"]
        for beta in (1, 2, 4)
    ] == noise
