import os
import zipfile
from pathlib import Path

import pytest
import torch
from torchvision.models import ResNet18_Weights, resnet18, resnet34

from medpriv_core import weights_source
from medpriv_core.errors import DownloadError, WeightsError
from medpriv_core.training import weights
from medpriv_core.training.weights import fingerprint, load_weights, read_state_dict


@pytest.fixture(scope="module")
def state_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet18().state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)


def test_the_constants_are_torchvisions():
    url = ResNet18_Weights.IMAGENET1K_V1.url
    assert url == weights_source.IMAGENET_URL
    assert url.rsplit("/", 1)[1] == weights_source.IMAGENET_FILE
    assert f"-{weights_source.IMAGENET_SHA256_PREFIX}." in weights_source.IMAGENET_FILE


def test_a_path_is_loaded_and_named(state_file, home):
    loaded = load_weights(str(state_file), home=home)
    assert state_file.name in loaded.sentence
    assert fingerprint(loaded.state_dict) == fingerprint(read_state_dict(state_file))


def test_none_is_said_plainly(home):
    loaded = load_weights("none", home=home)
    assert loaded.state_dict is None
    assert "random" in loaded.sentence


def test_imagenet_prefers_the_variable_then_the_cache_then_a_download(state_file, home, monkeypatch):
    asked = []

    def download(url, target, *, checksum, progress, timeout_s):
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
    assert asked == [(ResNet18_Weights.IMAGENET1K_V1.url, "sha256:f37072fd")]

    assert weights_source.weights_status(home).state == "cached"
    load_weights("imagenet", home=home)
    assert len(asked) == 1


def test_a_failed_download_is_an_error_and_never_random_weights(home, monkeypatch):
    def download(*args, **kwargs):
        raise DownloadError("The server does not answer.")

    monkeypatch.setattr(weights, "download", download)
    with pytest.raises(DownloadError, match=r"does not answer.*MEDPRIV_WEIGHTS"):
        load_weights("imagenet", home=home)


def test_a_missing_local_file_is_an_error(home, monkeypatch, tmp_path):
    monkeypatch.setenv("MEDPRIV_WEIGHTS", str(tmp_path / "gone.pth"))
    assert "does not exist" in weights_source.weights_status(home).sentence
    with pytest.raises(WeightsError, match=r"no weights file at .*gone\.pth"):
        load_weights("imagenet", home=home)


class _RunsCode:
    def __reduce__(self):
        return os.mkdir, ("the-code-has-run",)


def test_pickled_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": _RunsCode()}, "evil.pth")
    with pytest.raises(WeightsError, match="program code"):
        read_state_dict(Path("evil.pth"))
    assert not Path("the-code-has-run").exists()


def test_a_whole_pickled_network_is_refused(tmp_path):
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
def test_a_damaged_or_foreign_file_is_refused(write, tmp_path, state_file):
    write(tmp_path / "weights.pth", state_file)
    with pytest.raises(WeightsError, match="damaged or not a PyTorch file"):
        read_state_dict(tmp_path / "weights.pth")


def _without(name):
    return lambda state: state.pop(name)


def _put(name, value):
    return lambda state: state.__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without("layer2.0.conv1.weight"), "layer2.0.conv1.weight is missing"),
        (_put("layer2.0.conv9.weight", torch.zeros(1)), "also has layer2.0.conv9.weight"),
        (_put("conv1.weight", torch.zeros(64, 3, 3, 3)), r"conv1.weight has the shape \(64, 3, 3, 3\)"),
        (_put("bn1.running_var", torch.full((64,), float("nan"))), "bn1.running_var holds something else than finite"),
        (_put("epoch", 3), "does not hold tensors by name"),
    ],
)
def test_another_networks_state_dict_is_refused_with_the_reason(change, reason, tmp_path, state_file):
    state = torch.load(state_file, weights_only=True)
    change(state)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=reason):
        read_state_dict(tmp_path / "other.pth")


def test_a_resnet34_is_refused(tmp_path):
    torch.save(resnet34().state_dict(), tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"it also has layer1\.2"):
        read_state_dict(tmp_path / "other.pth")


def test_another_number_of_classes_and_half_precision_are_fine(tmp_path):
    torch.save(resnet18(num_classes=7).half().state_dict(), tmp_path / "seven.pth")
    assert read_state_dict(tmp_path / "seven.pth")["conv1.weight"].dtype == torch.float32
