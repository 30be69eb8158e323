"""A RunSpec that exists is one that can run."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.additive import LaplacePerImage, LaplacePerPixel
from medpriv_core.mechanisms.dp_pix import DpPix
from medpriv_core.mechanisms.in_runs import kinds_of_noise
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.spec import BOUNDS, RunSpec

LOCAL: dict[str, Any] = {"dataset": "d", "method": "local_dp", "beta": 2.0}
DP_SGD: dict[str, Any] = {"dataset": "d", "method": "dp_sgd", "noise_multiplier": 1.0}


def test_survives_json() -> None:
    spec = RunSpec(dataset="d", method="dp_sgd", target_epsilon=3, crop_size=56)
    assert RunSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_class_weights_survive_json_as_a_tuple() -> None:
    spec = RunSpec(dataset="d", class_weights=(1, 2.5))
    assert RunSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert spec.class_weights == (1.0, 2.5)


def test_private_runs_draw_poisson_batches_and_others_shuffle_unless_told_otherwise() -> None:
    assert RunSpec(**DP_SGD).sampling_scheme == "poisson"
    assert RunSpec(dataset="d").sampling_scheme == "shuffled"
    assert RunSpec(dataset="d", sampling="full_batch").sampling_scheme == "full_batch"


def test_a_full_batch_needs_no_batch_size_that_fits() -> None:
    RunSpec(dataset="d", sampling="full_batch").check_dataset_size(10)
    with pytest.raises(SettingError, match="larger than the training set"):
        RunSpec(dataset="d").check_dataset_size(10)


def test_whole_numbers_are_taken_for_real_ones() -> None:
    beta = RunSpec(dataset="d", method="local_dp", beta=2).beta
    assert isinstance(beta, float)


@pytest.mark.parametrize("beta", [0.0, -1.0, math.nan, math.inf, 1e9])
def test_impossible_betas_are_refused_with_their_bounds(beta: float) -> None:
    with pytest.raises(SettingError, match=r"beta must be between 0\.001 and 10000"):
        RunSpec(dataset="d", method="local_dp", beta=beta)


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_every_bound_holds_on_both_sides(name: str) -> None:
    low, high = BOUNDS[name]
    base: dict[str, Any] = {"dataset": "d"}
    if name == "beta":
        base["method"] = "local_dp"
    if name in ("noise_multiplier", "target_epsilon"):
        base["method"] = "dp_sgd"
    for value in (low - 1, high + 1):
        value = int(value) if isinstance(getattr(RunSpec(dataset="d"), name), int) else value
        with pytest.raises(SettingError, match=f"{name} must be"):
            RunSpec(**(base | {name: value}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": ""}, "dataset is empty"),
        ({"dataset": "d", "image_size": 0}, "image_size must be between 16"),
        ({"dataset": "d", "image_size": 64, "crop_size": 65}, "must not be larger than image_size"),
        ({"dataset": "d", "method": "magic"}, "must be one of none, local_dp, dp_sgd"),
        ({"dataset": "d", "method": "local_dp"}, "needs beta"),
        ({"dataset": "d", "beta": 1.0}, "beta belongs to Local-DP"),
        ({**LOCAL, "noise_draw": "magic"}, "noise_draw must be one of per_pixel, per_image, gaussian"),
        ({**LOCAL, "noise_draw": ["dp_pix"]}, "noise_draw must be one of"),
        ({**LOCAL, "block": 4}, "block belongs to dp_pix, but noise_draw is per_pixel; leave it out"),
        ({"dataset": "d", "changed_pixels": 4}, "changed_pixels belongs to dp_pix"),
        ({**LOCAL, "noise_draw": "dp_pix", "block": 65}, "choose a block of at most 64"),
        ({**LOCAL, "noise_draw": "dp_pix", "changed_pixels": 0}, "changed_pixels must be between 1"),
        ({"dataset": "d", "method": "dp_sgd"}, "either noise_multiplier or target_epsilon"),
        ({**DP_SGD, "target_epsilon": 1.0}, "one of them, not both"),
        ({"dataset": "d", "noise_multiplier": 1.0}, "belong to DP-SGD"),
        ({"dataset": "d", "sampling": "poisson"}, "Poisson subsampling belongs to DP-SGD"),
        ({"dataset": "d", "engine": "opacus"}, "engine opacus belongs to DP-SGD"),
        ({"dataset": "d", "noise_generator": "secure"}, "noise_generator secure belongs to DP-SGD"),
        ({**DP_SGD, "microbatch_size": 4}, "doubles what one image can change"),
        ({**DP_SGD, "norm": "batch_norm", "trainable": "all"}, "no guarantee would hold"),
        ({"dataset": "d", "norm": "batch_norm"}, "needs trainable set to all"),
        ({"dataset": "d", "class_weights": (1.0,)}, "one number above 0"),
        ({"dataset": "d", "class_weights": (1.0, 0.0)}, "one number above 0"),
        ({"dataset": "d", "class_weights": (1.0, math.nan)}, "one number above 0"),
        ({"dataset": "d", "class_weights": "1,3"}, "one number above 0"),
        ({**DP_SGD, "engine": "opacus", "class_weights": (1.0, 2.0)}, "cannot weigh clipped gradients"),
        ({"dataset": "d", "trainable": "all", "features": "layer3"}, "the last layer alone learns"),
        ({"dataset": "d", "augment": True, "standardise": True}, "the last layer alone learns"),
        ({"dataset": "d", "trainable": "norms", "augmentation_multiplicity": 2}, "the last layer alone learns"),
        ({**DP_SGD, "noise_multiplier": 0.0}, "noise_multiplier must be between 0.3"),
        ({**DP_SGD, "max_grad_norm": math.inf}, "max_grad_norm must be between"),
        ({"dataset": "d", "epochs": 2.5}, "epochs must be a int"),
        ({"dataset": "d", "epochs": True}, "epochs must be a int"),
        ({"dataset": "d", "epochs": None}, "epochs is missing"),
        ({"dataset": "d", "device": "tpu"}, "device must be auto"),
        ({"dataset": "d", "weights": ""}, "weights is empty"),
    ],
)
def test_impossible_settings_say_what_is_wrong(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        RunSpec(**settings)


def test_unknown_and_missing_names_are_refused() -> None:
    with pytest.raises(SettingError, match="Unknown setting sigma"):
        RunSpec.from_dict({"dataset": "d", "sigma": 1})
    with pytest.raises(SettingError, match="names no dataset"):
        RunSpec.from_dict({})
    with pytest.raises(SettingError, match="JSON object"):
        RunSpec.from_dict([1])  # type: ignore[arg-type]


def test_a_batch_larger_than_the_dataset_is_refused() -> None:
    spec = RunSpec(dataset="d", batch_size=64)
    spec.check_dataset_size(64)
    with pytest.raises(SettingError, match=r"batch_size \(64\) is larger than the training set \(63 images\)"):
        spec.check_dataset_size(63)


def test_a_dataset_without_training_images_is_refused() -> None:
    for spec in (RunSpec(dataset="d"), RunSpec(**DP_SGD, sampling="full_batch")):
        with pytest.raises(SettingError, match="no training records"):
            spec.check_dataset_size(0)


def test_delta_of_one_over_n_is_refused() -> None:
    spec = RunSpec(**DP_SGD, delta=1e-3)
    spec.check_dataset_size(999)
    with pytest.raises(SettingError, match="must be below 1/n"):
        spec.check_dataset_size(1000)


def test_changing_validates_again() -> None:
    with pytest.raises(SettingError, match="epochs must be between"):
        RunSpec(dataset="d").changed(epochs=0)


def test_settings_and_their_values_can_be_said_in_other_words() -> None:
    with pytest.raises(SettingError) as caught:
        RunSpec(**DP_SGD, norm="batch_norm", trainable="all")
    assert "Set norm to frozen_batch_norm or group_norm" in str(caught.value)
    said = caught.value.worded(lambda setting, value: f"<{setting}>" if value is None else f"<{setting} {value}>")
    assert "Set <norm> to <norm frozen_batch_norm> or <norm group_norm>" in said


@pytest.mark.parametrize(
    ("written", "noise"),
    [
        ({}, LaplacePerPixel(2.0)),
        ({"noise_draw": "per_pixel"}, LaplacePerPixel(2.0)),
        ({"noise_draw": "per_image"}, LaplacePerImage(2.0)),
    ],
)
def test_files_of_before_mean_the_noise_that_they_meant(written: dict[str, Any], noise: PictureNoise) -> None:
    spec = RunSpec.from_dict(LOCAL | written)
    assert spec.picture_noise == noise
    assert spec == RunSpec.from_dict(spec.to_dict())


@pytest.mark.parametrize("name", kinds_of_noise())
def test_every_mechanism_of_the_catalog_is_a_noise_of_runs(name: str) -> None:
    noise = RunSpec(**LOCAL, noise_draw=name).picture_noise
    assert type(noise) is kinds_of_noise()[name]
    assert noise.beta == 2.0
    assert len({RunSpec(**LOCAL, noise_draw=one).canonical() for one in kinds_of_noise()}) == len(kinds_of_noise())


def test_parameters_of_a_noise_are_those_of_the_mechanism() -> None:
    spec = RunSpec(**LOCAL, noise_draw="dp_pix", block=5, changed_pixels=9)
    assert spec.picture_noise == DpPix(2.0, block=5, changed_pixels=9)
    assert spec.changed(block=4).canonical() != spec.canonical()
    with pytest.raises(SettingError, match="has no noise on its images"):
        _ = RunSpec(dataset="d").picture_noise
