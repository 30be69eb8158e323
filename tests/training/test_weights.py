from __future__ import annotations

import os
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from medpriv_core import weights_source
from medpriv_core.errors import DownloadError, WeightsError
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.spec import RunSpec
from medpriv_core.training import weights
from medpriv_core.training.model import build_model
from medpriv_core.training.weights import fingerprint, load_weights, read_state_dict
from medpriv_core.weights_file import look_into


@pytest.fixture(scope="module")
def state_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from torchvision.models import resnet18

    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet18().state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)


def test_the_constants_are_torchvisions() -> None:
    from torchvision.models import ResNet18_Weights

    url = ResNet18_Weights.IMAGENET1K_V1.url
    assert url == weights_source.IMAGENET_URL
    assert url.rsplit("/", 1)[1] == weights_source.IMAGENET_FILE
    published = weights_source.IMAGENET_FILE.removesuffix(".pth").rpartition("-")[2]
    assert weights_source.IMAGENET_SHA256.startswith(published)
    assert len(weights_source.IMAGENET_SHA256) == 64


def test_a_path_is_loaded_and_named(state_file: Path, home: DataHome) -> None:
    loaded = load_weights(str(state_file), home=home)
    assert state_file.name in loaded.sentence
    assert fingerprint(loaded.state_dict) == fingerprint(read_state_dict(state_file))


def test_none_is_said_plainly(home: DataHome) -> None:
    loaded = load_weights("none", home=home)
    assert loaded.state_dict is None
    assert "random" in loaded.sentence


def test_imagenet_prefers_the_variable_then_the_cache_then_a_download(
    state_file: Path, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models import ResNet18_Weights

    asked = []
    monkeypatch.setattr(weights_source, "IMAGENET_SHA256", sha256(state_file.read_bytes()).hexdigest())

    def download(url: Any, target: Any, *, checksum: Any, progress: Any, timeout_s: Any, most_bytes: Any) -> None:
        asked.append((url, checksum))
        target.parent.mkdir(parents=True)
        target.write_bytes(state_file.read_bytes())

    monkeypatch.setattr(weights, "download", download)
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(state_file))
    assert weights_source.weights_status(home).state == "local"
    assert "MEDPRIV_WEIGHTS" in load_weights("imagenet", home=home).sentence
    assert asked == []

    monkeypatch.delenv("MEDPRIV_WEIGHTS")
    assert weights_source.weights_status(home).state == "to_download"
    load_weights("imagenet", home=home)
    assert asked == [(ResNet18_Weights.IMAGENET1K_V1.url, f"sha256:{weights.IMAGENET_SHA256}")]

    assert weights_source.weights_status(home).state == "cached"
    load_weights("imagenet", home=home)
    assert len(asked) == 1


def test_a_downloaded_file_of_which_a_byte_was_changed_is_refused_when_it_is_used(
    state_file: Path, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = state_file.read_bytes()
    monkeypatch.setattr(weights_source, "IMAGENET_SHA256", sha256(content).hexdigest())
    kept = home.weights / weights_source.IMAGENET_FILE
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    load_weights("imagenet", home=home)
    # In the middle of the numbers, which torch reads without a complaint.
    place = len(content) // 2
    kept.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    read_state_dict(kept)
    for choice in ("imagenet", str(kept)):
        with pytest.raises(WeightsError, match=r"changed or damaged since it was downloaded\. Remove it"):
            load_weights(choice, home=home)
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(kept))
    with pytest.raises(WeightsError, match="not what torchvision publishes"):
        load_weights("imagenet", home=home)


def test_a_failed_download_is_an_error_and_never_random_weights(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*args: Any, **kwargs: Any) -> None:
        raise DownloadError("The server does not answer.")

    monkeypatch.setattr(weights, "download", download)
    with pytest.raises(DownloadError, match=r"does not answer.*MEDPRIV_WEIGHTS"):
        load_weights("imagenet", home=home)


def test_a_missing_local_file_is_an_error(home: DataHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(tmp_path / "gone.pth"))
    assert "does not exist" in weights_source.weights_status(home).sentence
    with pytest.raises(WeightsError, match=r"no weights file at .*gone\.pth"):
        load_weights("imagenet", home=home)


class _RunsCode:
    def __reduce__(self) -> Any:
        return os.mkdir, ("the-code-has-run",)


def test_pickled_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": _RunsCode()}, "evil.pth")
    with pytest.raises(WeightsError, match="program code"):
        read_state_dict(Path("evil.pth"))
    assert not Path("the-code-has-run").exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "network.pth")
    with pytest.raises(WeightsError, match="state_dict"):
        read_state_dict(tmp_path / "network.pth")


def _truncated(path: Path, state_file: Path) -> None:
    path.write_bytes(state_file.read_bytes()[:1_000_000])


def _text(path: Path, state_file: Path) -> None:
    path.write_text("these are no weights")


def _empty(path: Path, state_file: Path) -> None:
    path.write_bytes(b"")


def _other_zip(path: Path, state_file: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no weights either")


@pytest.mark.parametrize("write", [_truncated, _text, _empty, _other_zip])
def test_a_damaged_or_foreign_file_is_refused(write: Any, tmp_path: Path, state_file: Path) -> None:
    write(tmp_path / "weights.pth", state_file)
    with pytest.raises(WeightsError, match="damaged or not a PyTorch file"):
        read_state_dict(tmp_path / "weights.pth")


def _without(name: Any) -> Any:
    return lambda state: state.pop(name)


def _put(name: Any, value: Any) -> Any:
    return lambda state: state.__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without("layer2.0.conv1.weight"), "layer2.0.conv1.weight is missing"),
        (_put("layer2.0.conv9.weight", torch.zeros(1)), "also has layer2.0.conv9.weight"),
        (_put("conv1.weight", torch.zeros(64, 3, 3, 3)), r"conv1.weight has the shape \(64, 3, 3, 3\)"),
        (_put("bn1.running_var", torch.full((64,), float("nan"))), "bn1.running_var holds something else than finite"),
        (lambda state: state.clear(), "does not hold tensors by name"),
        (lambda state: [state.pop(name) for name in list(state) if not name.startswith("fc.")], "only a last layer"),
    ],
)
def test_another_networks_state_dict_is_refused_with_the_reason(
    change: Any, reason: Any, tmp_path: Path, state_file: Path
) -> None:
    state = torch.load(state_file, weights_only=True)
    change(state)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=reason):
        read_state_dict(tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("name", "words"),
    [("resnet34", "this is a ResNet-34"), ("resnet50", "this is a ResNet-50"), ("vgg11", "this is a VGG")],
)
def test_other_networks_are_named(name: Any, words: Any, tmp_path: Path) -> None:
    from torchvision import models

    with torch.device("meta"):
        network = models.get_model(name)
    # Names and shapes are enough to tell.
    torch.save(
        {name: torch.zeros(()).expand(value.shape) for name, value in network.state_dict().items()}, tmp_path / "o.pth"
    )
    with pytest.raises(WeightsError, match=words):
        read_state_dict(tmp_path / "o.pth")


def _numbered(state: Any) -> Any:
    places = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    return {
        f"0.{places[name.split('.')[0]]}.{name.split('.', 1)[1]}": v for name, v in state.items() if name[:2] != "fc"
    }


def _under(prefix: Any) -> Any:
    return lambda state: {f"{prefix}{name}": value for name, value in state.items()}


WRAPPED = {
    **{prefix: _under(prefix) for prefix in ("module.", "_module.", "backbone.", "encoder.", "model.", "network.")},
    "module.encoder_q.": _under("module.encoder_q."),
    "resnet. with a head of its own": lambda state: (
        _under("resnet.")(state) | {"classifier.weight": torch.zeros(3, 512)}
    ),
    "state_dict": lambda state: {"epoch": 3, "state_dict": _under("module.")(state), "optimizer": {"state": {}}},
    "model_state_dict": lambda state: {"model_state_dict": state, "loss": 0.5},
    "model beside ema": lambda state: {"ema": {name: v + 1 for name, v in state.items()}, "model": state},
    "net": lambda state: {"net": state},
    "lightning": lambda state: {
        "pytorch-lightning_version": "2.0",
        "state_dict": _under("net.backbone.")(state) | {"criterion.weight": torch.ones(2)},
        "optimizer_states": [{"state": {0: {"momentum_buffer": torch.zeros(3)}}}],
        "hyper_parameters": {"lr": 0.1},
    },
    "sequential": _numbered,
    "no counters": lambda state: {name: v for name, v in state.items() if "num_batches" not in name},
    "no last layer": lambda state: {name: v for name, v in state.items() if not name.startswith("fc.")},
    "head in parts": lambda state: {
        **{name: v for name, v in state.items() if not name.startswith("fc.")},
        "fc.0.weight": torch.zeros(9, 512),
    },
    "half": lambda state: {name: v.half() if v.is_floating_point() else v for name, v in state.items()},
    "parameters": lambda state: {name: torch.nn.Parameter(v, v.is_floating_point()) for name, v in state.items()},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_files_as_people_have_them_are_understood_at_launch_and_in_the_run(
    wrap: Any, tmp_path: Path, state_file: Path
) -> None:
    state = torch.load(state_file, weights_only=True)
    torch.save(wrap(state), tmp_path / "w.pth")

    look_into(tmp_path / "w.pth")
    found = read_state_dict(tmp_path / "w.pth")

    assert torch.allclose(found["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"], atol=1e-2)
    assert not any(name.startswith("fc.") for name in found)


def test_safetensors_and_files_of_old_pytorch_are_read(tmp_path: Path, state_file: Path) -> None:
    state = torch.load(state_file, weights_only=True)
    save_file({f"backbone.{name}": value for name, value in state.items()}, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)

    for name in ("w.safetensors", "old.pth"):
        look_into(tmp_path / name)
        assert torch.equal(read_state_dict(tmp_path / name)["bn1.weight"], state["bn1.weight"])


def test_two_networks_in_one_file_are_not_guessed_at(tmp_path: Path, state_file: Path) -> None:
    state = torch.load(state_file, weights_only=True)
    torch.save(_under("student.")(state) | _under("teacher.")(state), tmp_path / "two.pth")
    with pytest.raises(WeightsError, match=r"several ResNets, under 'student\.', 'teacher\.'"):
        look_into(tmp_path / "two.pth")


def test_torchscript_and_whole_networks_are_refused_by_what_they_are(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:  # as torch.jit.save lays it out
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl", "version"):
            archive.writestr(f"script/{name}", b"3")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(WeightsError, match="TorchScript"):
        look_into(tmp_path / "script.pt")
    with pytest.raises(WeightsError, match=r"program code besides numbers \(torch\.nn\.modules\.linear\.Linear\)"):
        look_into(tmp_path / "whole.pth")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x89HDF", "HDF5"),
    ],
)
def test_what_is_no_weights_file_is_told_by_what_it_is(content: Any, words: Any, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=words):
        look_into(tmp_path / "w.pth")


def test_looking_into_a_file_runs_no_code_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": _RunsCode()}, "evil.pth")
    with pytest.raises(WeightsError, match=r"posix\.mkdir|nt\.mkdir"):
        look_into(Path("evil.pth"))
    assert not Path("the-code-has-run").exists()


def test_a_network_with_group_norm_serves_group_norm_whole_and_nothing_else(tmp_path: Path, home: DataHome) -> None:
    trained = build_model(classes=2, norm="group_norm", state_dict=None, seed=1)
    torch.nn.init.uniform_(trained.bn1.weight)  # type: ignore[arg-type]
    save_file({name: v.contiguous() for name, v in trained.state_dict().items()}, tmp_path / "gn.safetensors")

    loaded = load_weights(str(tmp_path / "gn.safetensors"), home=home, norm="group_norm")
    again = build_model(classes=3, norm="group_norm", state_dict=loaded.state_dict, seed=2)

    assert torch.equal(again.bn1.weight, trained.bn1.weight)  # type: ignore[arg-type]
    for refuse in (
        lambda: load_weights(str(tmp_path / "gn.safetensors"), home=home, norm="frozen_batch_norm"),
        lambda: weights_source.check_weights(str(tmp_path / "gn.safetensors"), norm="batch_norm", home=home),
    ):
        with pytest.raises(WeightsError, match="with GroupNorm"):
            refuse()


def test_a_file_that_will_not_do_is_refused_before_the_run_is_queued(
    tmp_path: Path, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models import resnet50

    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in resnet50().state_dict().items()}
    torch.save({name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match="this is a ResNet-50"):
        service.submit(home, RunSpec(dataset="synthetic_chest", weights=str(tmp_path / "w.pth")))
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(tmp_path / "w.pth"))
    with pytest.raises(WeightsError, match="this is a ResNet-50"):
        service.submit(home, RunSpec(dataset="synthetic_chest"))
    assert service.list_runs(home) == []


def test_another_number_of_classes_and_half_precision_are_fine(tmp_path: Path) -> None:
    from torchvision.models import resnet18

    torch.save(resnet18(num_classes=7).half().state_dict(), tmp_path / "seven.pth")
    assert read_state_dict(tmp_path / "seven.pth")["conv1.weight"].dtype == torch.float32
