"""Networks as safetensors files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.preprocessing import normalisation
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.spent_record import checkpoint_digest
from medpriv_core.spec import RunSpec
from medpriv_core.training.checkpoint import Checkpoint, load_checkpoint, pack_checkpoint
from medpriv_core.training.frozen_rest import fingerprint_below
from medpriv_core.training.model import build_model
from medpriv_core.training.released_weights import release_weights
from medpriv_core.training.weights import load_weights

SPEC = RunSpec(dataset="synthetic_chest", weights="none", epochs=3)
LAYER = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.0, -1.0])}


def put_checkpoint(path: Path, trained: dict[str, Tensor], spec: RunSpec = SPEC, **values: object) -> RunDirectory:
    directory = RunDirectory(path)
    directory.create(spec)
    directory.write_setup(Setup.from_dict({"classes": ["healthy", "ill"]}))
    content = {"backbone": "abc", "optimizer": {}, "settings": {}, "dataset": "key", "position": {"epochs_done": 3}}
    checkpoint = Checkpoint(trained=trained, **content | values)  # type: ignore[arg-type]
    directory.checkpoint.write_bytes(pack_checkpoint(checkpoint))
    return directory


def released(directory: RunDirectory, path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    release_weights(directory, path, home=DataHome(path.parent / "home"))
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def test_the_last_layer_is_named_as_in_torchvisions_network(tmp_path: Path) -> None:
    tensors, facts = released(put_checkpoint(tmp_path / "run", LAYER), tmp_path / "out.safetensors")

    assert {name: value.tolist() for name, value in tensors.items()} == {
        "fc.weight": LAYER["weight"].tolist(),
        "fc.bias": LAYER["bias"].tolist(),
    }
    assert json.loads(facts["classes"]) == ["healthy", "ill"]
    assert json.loads(facts["settings"])["trainable"] == "head"
    assert (facts["frozen_rest_sha256"], facts["epochs"]) == ("abc", "3")


def test_a_whole_network_keeps_its_names_and_loses_its_memory_layout(tmp_path: Path) -> None:
    kernel = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
    spec = SPEC.changed(trainable="all")
    shared = {"conv1.weight": kernel, "again": kernel}

    tensors, _ = released(put_checkpoint(tmp_path / "run", shared, spec), tmp_path / "out.safetensors")

    assert set(tensors) == set(shared)
    assert torch.equal(tensors["conv1.weight"], kernel)


@pytest.mark.parametrize(("count", "expected"), [(0, 0.0), (5, 9.0)])
def test_an_average_is_released_once_it_has_begun(tmp_path: Path, count: int, expected: float) -> None:
    average = {"count": count, "network": {"weight": torch.full((1, 1), 9.0)}}

    directory = put_checkpoint(tmp_path / "run", {"weight": torch.zeros(1, 1)}, average=average)

    assert released(directory, tmp_path / "out.safetensors")[0]["fc.weight"].item() == expected


def test_a_run_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create(SPEC)

    with pytest.raises(RunError, match="no network"):
        release_weights(directory, tmp_path / "out.safetensors", home=DataHome(tmp_path))


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_the_header_says_how_images_are_brought_in_and_what_normalises(tmp_path: Path, trainable: str) -> None:
    spec = SPEC.changed(norm="group_norm", trainable=trainable, crop_size=56, standardise=trainable == "head")

    _, facts = released(put_checkpoint(tmp_path / "run", LAYER, spec), tmp_path / "out.safetensors")

    steps = json.loads(facts["preprocessing"])
    assert json.loads(facts["normalisation"]) == {"kind": "group_norm", "groups": 32, "eps": 1e-5}
    assert (steps["mean"], steps["standard_deviation"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert (steps["resize"]["size"], steps["crop"]["size"]) == ([64, 64], [56, 56])
    assert "BICUBIC" in steps["resize"]["filter"]
    assert "Rec. 601" in steps["colours"]
    assert steps["standardise_features"] is (trainable == "head")


def test_the_normalisation_of_the_header_is_that_of_the_network() -> None:
    for name in ("group_norm", "frozen_batch_norm", "batch_norm"):
        network = build_model(classes=2, norm=name, state_dict=None, seed=0)
        facts = normalisation(name)
        for layer in network.norms():
            assert (layer.EPS if hasattr(layer, "EPS") else layer.eps) == facts["eps"]
            assert getattr(layer, "num_groups", None) == facts.get("groups")


@pytest.mark.usefixtures("published_width")
@pytest.mark.parametrize(("weights", "whole"), [("none", True), ("own", True), ("imagenet", False)])
def test_a_last_layer_takes_the_frozen_rest_along_where_nobody_else_has_it(
    tmp_path: Path, weights: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.pth"
    torch.save(build_model(classes=9, norm="batch_norm", state_dict=None, seed=5).state_dict(), file)
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(file))
    spec = SPEC.changed(weights=str(file) if weights == "own" else weights)
    state_dict = None if weights == "none" else load_weights(str(file), home=DataHome(tmp_path)).state_dict
    network = build_model(classes=2, norm=spec.norm, state_dict=state_dict, seed=spec.seed)
    directory = put_checkpoint(tmp_path / "run", LAYER, spec, backbone=fingerprint_below(network))

    tensors, facts = released(directory, tmp_path / "out.safetensors")

    assert facts["holds"] == ("whole_network" if whole else "last_layer")
    assert ("conv1.weight" in tensors) == whole
    if whole:
        assert torch.equal(tensors["layer4.1.bn2.running_var"], network.layer4[1].bn2.running_var)  # type: ignore[index]
    assert not any("momentum" in name or "optimizer" in name for name in tensors)


def test_a_rest_that_is_gone_leaves_the_last_layer_with_its_fingerprint(tmp_path: Path) -> None:
    directory = put_checkpoint(tmp_path / "run", LAYER, SPEC.changed(weights=str(tmp_path / "gone.pth")))

    tensors, facts = released(directory, tmp_path / "out.safetensors")

    assert set(tensors) == {"fc.weight", "fc.bias"}
    assert (facts["holds"], facts["frozen_rest_sha256"]) == ("last_layer", "abc")


def test_a_pipe_in_the_place_of_the_checkpoint_is_not_waited_for(tmp_path: Path) -> None:
    directory = put_checkpoint(tmp_path / "run", LAYER)
    directory.checkpoint.unlink()
    os.mkfifo(directory.checkpoint)
    with pytest.raises(RunError, match="is damaged"):
        load_checkpoint(directory.checkpoint)
    assert checkpoint_digest(directory) is None
