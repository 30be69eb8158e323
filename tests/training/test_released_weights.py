"""Networks as safetensors files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from medpriv_core.errors import RunError
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.spec import RunSpec
from medpriv_core.training.checkpoint import Checkpoint, pack_checkpoint
from medpriv_core.training.released_weights import release_weights

SPEC = RunSpec(dataset="synthetic_chest", weights="none", epochs=3)
LAYER = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([1.0, -1.0])}


def put_checkpoint(path: Path, trained: dict[str, Tensor], spec: RunSpec = SPEC, **values: object) -> RunDirectory:
    directory = RunDirectory(path)
    directory.create(spec)
    directory.write_setup({"classes": ["healthy", "ill"]})
    content = {"backbone": "abc", "optimizer": {}, "settings": {}, "dataset": "key", "position": {"epochs_done": 3}}
    checkpoint = Checkpoint(trained=trained, **content | values)  # type: ignore[arg-type]
    directory.checkpoint.write_bytes(pack_checkpoint(checkpoint))
    return directory


def released(directory: RunDirectory, path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    release_weights(directory, path)
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
        release_weights(directory, tmp_path / "out.safetensors")
