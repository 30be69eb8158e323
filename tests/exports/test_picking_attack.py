"""The attack for which exports of private runs leave the training loss out, carried out.

The attacker has the network as it was released after one epoch, and knows all training images but one, which is among
many candidates: that is the attacker whom differential privacy speaks of. The training loss of the next epoch, which a
full batch computes at exactly these weights, is the mean over all training images. What the known ones leave over is
the loss of the missing one, to full precision, and the candidate with that loss is picked. Epsilon is 0.5, at which no
guess by the weights alone can be much better than chance.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.exports.run_archive import export_run
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.store import RunStore
from tests.small_data import NAME, add_small_dataset
from tests.trained_runs import TINY, train_run

CANDIDATES, TRIALS, TRAIN_SIZE = 128, 40, 80
SPEC = TINY.changed(
    epochs=1, method="dp_sgd", sampling="full_batch", target_epsilon=0.5, delta=1e-3, learning_rate=1.0, image_size=28
)


class Attacker:
    """Who holds the network released after the first epoch, the known images, and the candidates for each trial."""

    def __init__(self, home: DataHome, run_id: str) -> None:
        from medpriv_core.runs.directory import RunDirectory
        from medpriv_core.training.predictor import load_predictor

        network = load_predictor(RunDirectory(home.runs / run_id), home=home)
        train = prepare_dataset(home, NAME, image_size=28).train
        rng = np.random.default_rng(5)
        strangers = rng.integers(0, 120, (CANDIDATES, 28, 28, 1), dtype=np.uint8)
        labels = np.arange(CANDIDATES) % 2
        strangers[labels == 1, 8:20, 8:20] += 100
        self.losses = self._losses(network, train.images, train.labels)
        self.strangers = self._losses(network, strangers, labels)

    @staticmethod
    def _losses(network: Any, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        shares = network.probabilities(list(images)).astype(np.float64)
        losses: np.ndarray = -np.log(shares[np.arange(len(labels)), labels])
        return losses

    def hits(self, next_row: Mapping[str, Any]) -> int:
        """In how many trials the missing image is picked among the candidates, by a row of the next epoch."""
        return sum(self._pick(member, next_row) == 0 for member in range(TRIALS))

    def _pick(self, member: int, next_row: Mapping[str, Any]) -> int:
        candidates = np.append(self.losses[member], self.strangers)[:CANDIDATES]  # the true one is number 0
        if "train_loss" in next_row:
            missing = next_row["train_loss"] * TRAIN_SIZE - (self.losses.sum() - self.losses[member])
            return int(np.abs(candidates - missing).argmin())
        return int(candidates.argmin())  # a network is surest of what it has learned


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Attacker, DataHome, str]:
    """A run of one epoch whose network was released, and that went on for another epoch."""
    from medpriv_core.training.worker import run_worker

    folder, run_id = tmp_path_factory.mktemp("attack"), "20260102-030405-abcd"
    home = DataHome(folder / "home")
    add_small_dataset(home, folder, train=TRAIN_SIZE, test=20)
    directory = train_run(home, run_id, SPEC)
    attacker = Attacker(home, run_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "ensure_runner", lambda home: None)
        service.extend(home, run_id, epochs=2)
    assert RunStore(home).claim_next()
    assert run_worker(directory.path, home) == 0
    RunStore(home).end(run_id, "finished", None)
    directory.checkpoint.unlink()  # the network is in the attacker's hands, and an export without it takes no time
    return attacker, home, run_id


def exported_row(home: DataHome, run_id: str, **options: Any) -> dict[str, Any]:
    """The second epoch as the export has it."""
    with zipfile.ZipFile(io.BytesIO(export_run(home, run_id, **options))) as archive:
        row: dict[str, Any] = json.loads(archive.read("metrics.jsonl").splitlines()[1])
    return row


def test_by_the_exact_training_loss_of_the_next_epoch_the_missing_image_is_found(
    attacked: tuple[Attacker, DataHome, str],
) -> None:
    attacker, home, run_id = attacked

    assert attacker.hits(exported_row(home, run_id, with_training_figures=True)) > TRIALS / 2


def test_by_what_an_export_holds_it_is_not(attacked: tuple[Attacker, DataHome, str], tmp_path: Path) -> None:
    attacker, home, run_id = attacked

    # Of losses in no order, nine of forty are below those of all 127 strangers once in 300,000 times.
    assert attacker.hits(exported_row(home, run_id)) <= 8


def test_no_figure_of_an_export_comes_near_the_training_loss(attacked: tuple[Attacker, DataHome, str]) -> None:
    _, home, run_id = attacked
    secret = exported_row(home, run_id, with_training_figures=True)["train_loss"]

    figures = [value for value in exported_row(home, run_id).values() if isinstance(value, float)]

    assert figures
    assert all(abs(value - secret) > 1e-6 for value in figures)
