"""A toy dataset and a run in a fresh directory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medpriv_core.datasets.base import DatasetInfo, PreparedDataset, PreparedSplit
from medpriv_core.home import DataHome
from medpriv_core.jobs.process import Reporter
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.spec import Norm, RunSpec
from medpriv_core.training import frozen_rest, loop, predictor, session
from medpriv_core.training.data import TrainingData
from medpriv_core.training.model import Network, build_model
from medpriv_core.training.session import Session, open_session

SIZE = 32


# What goes on around a network is the same for one of an eighth of its channels, which takes a fiftieth of the time.
WIDTH = 8
FEATURES = 8 * WIDTH
small_network = partial(build_model, width=WIDTH)


_drawn: dict[tuple[object, ...], Network] = {}


# Not for the whole session: tests of other folders that the same process runs later have networks as they are.
@pytest.fixture(scope="module", autouse=True)
def small_networks() -> Iterator[None]:
    """Random networks are narrow here, and one of one seed is drawn once."""

    def draw(
        *, classes: int, norm: Norm, architecture: str, state_dict: Mapping[str, torch.Tensor] | None, seed: int
    ) -> Network:
        assert architecture == "resnet18"
        if state_dict is not None:
            return build_model(classes=classes, norm=norm, state_dict=state_dict, seed=seed)
        known = (classes, norm, seed)
        if known not in _drawn:
            _drawn[known] = small_network(classes=classes, norm=norm, state_dict=None, seed=seed)
        return copy.deepcopy(_drawn[known])

    with pytest.MonkeyPatch.context() as patch:
        for module in (session, frozen_rest, predictor):
            patch.setattr(module, "build_model", draw)
        yield


@pytest.fixture
def published_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks as wide as those of a file of weights are."""
    for module in (session, frozen_rest, predictor):
        monkeypatch.setattr(module, "build_model", build_model)


@pytest.fixture(autouse=True)
def same_start() -> None:
    """A network that a test does not fill itself begins alike, whichever tests were there before."""
    torch.manual_seed(0)


def toy_split(n: int, rng: np.random.Generator, size: int = SIZE) -> PreparedSplit:
    """Grey noise; class 1 is brighter, so a network learns it at once."""
    labels = np.arange(n, dtype=np.int64) % 2
    images = rng.integers(0, 120, (n, size, size, 1)) + 100 * labels[:, None, None, None]
    return PreparedSplit(images.astype(np.uint8), labels)


@pytest.fixture
def toy(tmp_path: Path) -> PreparedDataset:
    """40 training and 12 test images of two classes."""
    rng = np.random.default_rng(0)
    info = DatasetInfo("toy", "Toy images", ("dark", "bright"), 1, True, "Drawn by a test.")
    return PreparedDataset(info, "toy-key", SIZE, tmp_path / "toy", toy_split(40, rng), toy_split(12, rng))


@pytest.fixture
def noised_toy(toy: PreparedDataset) -> PreparedDataset:
    """Stands in for the stored Local-DP copy: other images of the same labels."""
    rng = np.random.default_rng(1)

    def noise(split: PreparedSplit) -> PreparedSplit:
        return PreparedSplit(rng.integers(0, 256, split.images.shape, dtype=np.uint8), split.labels)

    return PreparedDataset(toy.info, toy.key, SIZE, toy.folder / "noised", noise(toy.train), noise(toy.test))


def toy_spec(**settings: Any) -> RunSpec:
    """A short run without pretrained weights on the toy dataset."""
    defaults: dict[str, Any] = {"image_size": SIZE, "weights": "none", "epochs": 2, "batch_size": 8, "device": "cpu"}
    return RunSpec(dataset="toy", **(defaults | settings))


class Run:
    """A run directory with its data, trained in this process."""

    def __init__(self, path: Path, home: DataHome, data: TrainingData) -> None:
        self.directory = RunDirectory(path)
        self._home, self._data = home, data

    def train(self, spec: RunSpec, *, should_stop: Callable[[], bool] = lambda: False) -> Session:
        """Start the run, or go on from its checkpoint."""
        session, go = self.open(spec, should_stop=should_stop)
        go()
        return session

    def open(
        self, spec: RunSpec, *, should_stop: Callable[[], bool] = lambda: False
    ) -> tuple[Session, Callable[[], None]]:
        """The session before its next step, and what trains it to its end."""
        self.directory.create(spec)
        report = Reporter(self.directory, should_stop=should_stop)
        session = open_session(spec, self._data, self.directory, home=self._home, progress=report)
        return session, lambda: loop.train(session, self.directory, report=report)


@pytest.fixture
def new_run(tmp_path: Path, home: DataHome, toy: PreparedDataset) -> Callable[..., Run]:
    """Makes runs in directories of their own, on the toy dataset unless told otherwise."""
    count = 0

    def make(noised: PreparedDataset | None = None, clean: PreparedDataset = toy) -> Run:
        nonlocal count
        count += 1
        return Run(tmp_path / f"run-{count}", home, TrainingData(clean, noised))

    return make


class StopAfter:
    """Says "stop" from the given question on."""

    def __init__(self, questions: int) -> None:
        self._left = questions

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0
