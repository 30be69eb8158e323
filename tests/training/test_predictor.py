"""A finished run's network, put together again from its files, against the network that was trained."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from medpriv_core import weights_source
from medpriv_core.datasets.base import DatasetInfo, PreparedDataset
from medpriv_core.errors import RunError, WeightsError
from medpriv_core.home import DataHome
from medpriv_core.training import weights
from medpriv_core.training.evaluation import evaluate
from medpriv_core.training.model import build_model
from medpriv_core.training.predictor import Predictor, load_predictor
from medpriv_core.training.released_weights import release_weights
from medpriv_core.training.session import Session
from medpriv_core.weights_source import IMAGENET_FILE, WEIGHTS_VARIABLE
from tests.training.conftest import SIZE, Run, toy_spec, toy_split

DP = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3}
GREY, COLOUR = "pneumoniamnist", "retinamnist"


def train(run: Run, *, dataset: str = GREY, **settings: object) -> Session:
    """One epoch of four steps."""
    return run.train(toy_spec(**({"epochs": 1, "batch_size": 10} | settings)).changed(dataset=dataset))


def load(run: Run, home: DataHome) -> Predictor:
    return load_predictor(run.directory, home=home)


@pytest.fixture
def coloured(tmp_path: Path) -> PreparedDataset:
    """Noise in three colours, whose five grades differ in nothing."""
    info = DatasetInfo(COLOUR, "Toy photographs", ("0", "1", "2", "3", "4"), 3, True, "Drawn by a test.", ordered=True)
    rng = np.random.default_rng(2)

    def split(count: int) -> Any:
        grey = toy_split(count, rng)
        images = rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
        return type(grey)(images, np.arange(count, dtype=np.int64) % 5)

    return PreparedDataset(info, "coloured-key", SIZE, tmp_path / "coloured", split(40), split(15))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"features": "layer3", "standardise": True},
        {"features": "layer3_grid", "standardise": True, "head_bias": False, "average_last": 0.5, **DP},
        {"norm": "group_norm", "crop_size": 24},
        {"augment": True, "crop_size": 24},
        {"trainable": "norms", "average_last": 1.0},
        {"trainable": "norms", "norm": "group_norm", **DP},
        {"trainable": "all", **DP},
        {"trainable": "all", "norm": "batch_norm", "average_last": 0.5, "crop_size": 24},
    ],
    ids=lambda settings: " ".join(f"{name}={value}" for name, value in settings.items()) or "head",
)
def test_of_the_runs_own_test_images_it_says_what_was_recorded(
    settings: Any, new_run: Callable[..., Run], home: DataHome, toy: PreparedDataset
) -> None:
    run = new_run()
    session = train(run, **settings)
    probabilities = load(run, home).probabilities(list(toy.test.images))
    recorded = run.directory.read_epochs()[-1]
    assert probabilities.shape == (12, 2)
    assert (probabilities.argmax(1) == toy.test.labels).mean() == recorded.test.accuracy
    right = probabilities[np.arange(12), toy.test.labels].astype(np.float64)
    assert -np.log(right).mean() == pytest.approx(recorded.test.loss, rel=1e-5)
    trained = evaluate(session.result, session.tests["test"], batch_size=12, mixed=None, check=lambda: None)
    assert np.allclose(probabilities, trained.probabilities, rtol=1e-5, atol=1e-7)
    assert np.ptp(probabilities, axis=0).min() > 0  # it tells pictures apart at all


def test_a_network_of_colours_and_grades(
    new_run: Callable[..., Run], home: DataHome, coloured: PreparedDataset
) -> None:
    run = new_run(clean=coloured)
    train(run, dataset=COLOUR, trainable="all", norm="group_norm")
    predictor = load(run, home)
    probabilities = predictor.probabilities(list(coloured.test.images))
    assert predictor.classes == ("0", "1", "2", "3", "4")
    assert (probabilities.argmax(1) == coloured.test.labels).mean() == run.directory.read_epochs()[-1].test.accuracy
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-6)


def test_under_local_dp_pictures_are_taken_as_they_are(
    new_run: Callable[..., Run], home: DataHome, toy: PreparedDataset, noised_toy: PreparedDataset
) -> None:
    run = new_run(noised_toy)
    train(run, trainable="all", method="local_dp", beta=1.0)
    predictor, recorded = load(run, home), run.directory.read_epochs()[-1]
    for dataset, told in ((toy, recorded.test), (noised_toy, recorded.test_noised)):
        probabilities = predictor.probabilities(list(dataset.test.images))
        right = probabilities[np.arange(12), dataset.test.labels].astype(np.float64)
        assert (probabilities.argmax(1) == dataset.test.labels).mean() == told.accuracy
        assert -np.log(right).mean() == pytest.approx(told.loss, rel=1e-5)
    assert recorded.test.loss != pytest.approx(recorded.test_noised.loss, rel=1e-3)


def test_pictures_of_any_size_are_squashed_as_the_datasets_are(new_run: Callable[..., Run], home: DataHome) -> None:
    run = new_run()
    train(run)
    predictor = load(run, home)
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((90, 40, 1), (16, 200, 1), (32, 32, 1))]
    squares = [
        np.asarray(Image.fromarray(picture[:, :, 0]).resize((SIZE, SIZE), Image.Resampling.BICUBIC))[..., None]
        for picture in pictures
    ]
    together = predictor.probabilities(pictures)
    assert np.allclose(together, predictor.probabilities(squares), rtol=1e-5, atol=1e-7)
    alone = np.concatenate([predictor.probabilities([picture]) for picture in pictures])
    assert np.allclose(together, alone, rtol=1e-4, atol=1e-6)
    assert not np.allclose(together[0], together[1], atol=1e-6)


def test_a_network_of_grey_pictures_sees_the_luma_of_a_coloured_one(
    new_run: Callable[..., Run], home: DataHome
) -> None:
    run = new_run()
    train(run)
    predictor = load(run, home)
    colours = np.random.default_rng(4).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    # Rec. 601 in Pillow's fixed point, rounded to whole grey levels.
    luma = (colours.astype(np.int64) @ np.array([19595, 38470, 7471]) + 0x8000) >> 16
    of_grey = predictor.probabilities([luma.astype(np.uint8)[..., None]])
    assert np.array_equal(predictor.probabilities([colours]), of_grey)


def test_a_network_of_coloured_pictures_sees_a_grey_one_in_each_colour(
    new_run: Callable[..., Run], home: DataHome, coloured: PreparedDataset
) -> None:
    run = new_run(clean=coloured)
    train(run, dataset=COLOUR)
    predictor = load(run, home)
    grey = np.random.default_rng(5).integers(0, 256, (SIZE, SIZE, 1), dtype=np.uint8)
    assert np.array_equal(predictor.probabilities([grey]), predictor.probabilities([grey.repeat(3, axis=2)]))


def test_many_pictures_go_through_a_few_at_a_time(
    new_run: Callable[..., Run], home: DataHome, toy: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    train(run)
    predictor = load(run, home)
    expected = predictor.probabilities(list(toy.test.images))
    monkeypatch.setattr("medpriv_core.training.predictor.forward_batch_size", lambda **_: 5)
    assert np.allclose(predictor.probabilities(list(toy.test.images)), expected, rtol=1e-4, atol=1e-6)
    assert predictor.probabilities([]).shape == (0, 2)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def replace_by_text(file: Path) -> None:
    file.write_text("no network")


def of_another_network(file: Path) -> None:
    values = torch.load(file, weights_only=True)
    values["trained"] = {"weight": torch.zeros(3, 7)}
    torch.save(values, file)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, r"The network of run run-1 cannot be read: its checkpoint.pt is damaged."),
        (replace_by_text, r"The network of run run-1 cannot be read: its checkpoint.pt is damaged."),
        (of_another_network, r"The checkpoint of run run-1 is not the one that its record was written for"),
    ],
)
def test_a_damaged_checkpoint_is_said(damage: Any, said: Any, new_run: Callable[..., Run], home: DataHome) -> None:
    run = new_run()
    train(run)
    damage(run.directory.checkpoint)
    with pytest.raises(RunError, match=said):
        load(run, home)


def test_missing_files_are_said(new_run: Callable[..., Run], home: DataHome) -> None:
    run = new_run()
    train(run)
    setup = run.directory.path / "setup.json"
    setup.unlink()
    with pytest.raises(RunError, match=r"setup.json of run run-1 is missing"):
        load(run, home)
    run.directory.checkpoint.unlink()
    with pytest.raises(RunError, match=r"The network of run run-1 has been removed"):
        load(run, home)
    (run.directory.path / "spec.json").unlink()
    with pytest.raises(RunError, match=r"spec.json"):
        load(run, home)


@pytest.fixture
def pretrained(tmp_path: Path, published_width: None) -> Path:
    """A state dict that torchvision's ResNet-18 could have saved."""
    network = build_model(classes=1000, norm="batch_norm", state_dict=None, seed=7)
    file = tmp_path / "pretrained.pth"
    torch.save(network.state_dict(), file)
    return file


def test_a_last_layer_needs_the_weights_that_it_was_trained_on(
    new_run: Callable[..., Run], home: DataHome, toy: PreparedDataset, pretrained: Path
) -> None:
    run = new_run()
    train(run, weights=str(pretrained))
    probabilities = load(run, home).probabilities(list(toy.test.images))
    assert (probabilities.argmax(1) == toy.test.labels).mean() == run.directory.read_epochs()[-1].test.accuracy

    values = torch.load(pretrained, weights_only=True)
    values["layer1.0.conv1.weight"][0] += 1
    torch.save(values, pretrained)
    with pytest.raises(WeightsError, match=r"not those that run run-1 began with"):
        load(run, home)
    pretrained.unlink()
    with pytest.raises(WeightsError, match=r"are no longer at .*pretrained.pth; bring the file back"):
        load(run, home)


def test_a_whole_network_needs_no_other_file(
    new_run: Callable[..., Run], home: DataHome, toy: PreparedDataset, pretrained: Path
) -> None:
    run = new_run()
    train(run, weights=str(pretrained), trainable="norms")
    pretrained.unlink()
    probabilities = load(run, home).probabilities(list(toy.test.images))
    right = torch.from_numpy(probabilities).log()
    loss = F.nll_loss(right, torch.from_numpy(toy.test.labels)).item()
    assert loss == pytest.approx(run.directory.read_epochs()[-1].test.loss, rel=1e-5)


def test_deleted_imagenet_weights_are_said_and_not_downloaded(
    new_run: Callable[..., Run], home: DataHome, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setattr(weights, "download", lambda *_, **__: pytest.fail("a download was started"))
    home.weights.mkdir(parents=True)
    kept = home.weights / IMAGENET_FILE
    monkeypatch.setattr(weights_source, "IMAGENET_SHA256", sha256(pretrained.read_bytes()).hexdigest())
    pretrained.rename(kept)
    run = new_run()
    train(run, weights="imagenet")
    assert load(run, home).classes == ("dark", "bright")
    kept.unlink()
    with pytest.raises(WeightsError, match=rf"are no longer at .*{IMAGENET_FILE}"):
        load(run, home)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(kept))
    with pytest.raises(WeightsError, match=rf"are no longer at .*{IMAGENET_FILE}"):
        load(run, home)


def imported(run: Run, home: DataHome) -> None:
    """Leave of the run what an import has of it: its network as it was exported, and no checkpoint."""
    release_weights(run.directory, run.directory.released, home=home)
    run.directory.checkpoint.unlink()
    run.directory.import_mark.write_text("{}")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"features": "layer3_grid", "standardise": True, "head_bias": False, "average_last": 0.5, **DP},
        {"norm": "group_norm", "crop_size": 24},
        {"trainable": "norms", "norm": "group_norm", **DP},
        {"trainable": "all", **DP},
        {"trainable": "all", "norm": "batch_norm"},
    ],
    ids=lambda settings: " ".join(f"{name}={value}" for name, value in settings.items()) or "head",
)
def test_an_imported_network_says_what_it_said_where_it_was_trained(
    settings: Any, new_run: Callable[..., Run], home: DataHome, toy: PreparedDataset
) -> None:
    run = new_run()
    train(run, **settings)
    there = load(run, home).probabilities(list(toy.test.images))
    imported(run, home)
    assert np.array_equal(load(run, home).probabilities(list(toy.test.images)), there)


def test_an_imported_last_layer_finds_the_public_weights_of_this_machine(
    new_run: Callable[..., Run],
    home: DataHome,
    toy: PreparedDataset,
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("medpriv_core.training.released_weights.is_public", lambda _: True)
    run = new_run()
    train(run, weights=str(pretrained))
    there = load(run, home).probabilities(list(toy.test.images))
    imported(run, home)
    # An import keeps the name of the file alone.
    run.directory.change_spec(run.directory.read_spec().changed(weights="pretrained.pth"))
    with pytest.raises(WeightsError, match=r"are no longer at pretrained.pth; bring the file back"):
        load(run, home)
    here = tmp_path / "here.pth"
    pretrained.rename(here)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(here))
    assert np.array_equal(load(run, home).probabilities(list(toy.test.images)), there)


def test_an_import_without_a_network_is_not_called_deleted(new_run: Callable[..., Run], home: DataHome) -> None:
    run = new_run()
    train(run)
    imported(run, home)
    run.directory.released.write_bytes(b"half")
    with pytest.raises(RunError, match=r"its model.safetensors is damaged"):
        load(run, home)
    run.directory.released.unlink()
    with pytest.raises(RunError, match=r"was imported without its network"):
        load(run, home)
