"""Trained runs asked about pictures, by way of the process that a page would use."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.errors import ImageError, RunError
from medpriv_core.home import DataHome, data_home
from medpriv_core.mechanisms.additive import LaplacePerPixel
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs.diagnosis import diagnose, runs_for_diagnosis, trained_run
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.prediction_process import PROCESS
from medpriv_core.runs.store import RunStore
from tests.small_data import NAME, add_small_dataset
from tests.trained_runs import TINY, train_run

ROOT = Path(__file__).resolve().parents[2]
DP = {"method": "dp_sgd", "noise_multiplier": 1.0, "delta": 1e-3, "sampling": "poisson"}
SPECS = {
    "plain": TINY,
    "noised": TINY.changed(method="local_dp", beta=0.5),
    "brightness": TINY.changed(method="local_dp", beta=2.0, noise_draw="per_image", trainable="norms", epochs=1),
    "private": TINY.changed(**DP),
    "unsound": TINY.changed(**(DP | {"sampling": "shuffled"})),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataHome]:
    """A home with a finished run of each method; the process that answers for them is gone at the end."""
    folder = tmp_path_factory.mktemp("diagnosis")
    home = data_home(folder / "home")
    add_small_dataset(home, folder)
    for run_id, spec in SPECS.items():
        train_run(home, run_id, spec)
    yield home
    PROCESS.close()


@pytest.fixture
def copied(trained: DataHome, tmp_path: Path) -> DataHome:
    """The same home, to be damaged."""
    shutil.copytree(trained.root, tmp_path / "home")
    return data_home(tmp_path / "home")


def last(home: DataHome, run_id: str) -> EpochRow:
    """The figures with which a run ended."""
    outcome = RunDirectory(home.runs / run_id).read_outcome()
    assert outcome is not None
    return outcome.last


@pytest.mark.parametrize("run_id", SPECS)
def test_of_the_test_images_as_many_are_right_as_was_recorded(trained: DataHome, run_id: Any) -> None:
    test = prepare_dataset(trained, NAME, image_size=28).test
    diagnosis = diagnose(trained, run_id, list(test.images))
    assert diagnosis.classes == ("Normal", "Pneumonia")
    assert diagnosis.probabilities.shape == (40, 2)
    assert diagnosis.probabilities.sum(1) == pytest.approx(1, abs=1e-6)
    right = (diagnosis.probabilities.argmax(1) == test.labels).mean()
    assert right == last(trained, run_id).test.accuracy == trained_run(trained, run_id).test_accuracy


def test_of_the_noised_test_images_too(trained: DataHome) -> None:
    clean = prepare_dataset(trained, NAME, image_size=28)
    noised = noised_dataset(trained, clean, LaplacePerPixel(0.5)).test
    probabilities = diagnose(trained, "noised", list(noised.images)).probabilities
    assert (probabilities.argmax(1) == noised.labels).mean() == last(trained, "noised").test_noised.accuracy


def test_the_pictures_of_a_page_may_have_any_size_and_leave_no_trace(trained: DataHome) -> None:
    def files() -> set[Path]:
        return {file for file in trained.root.rglob("*") if "sqlite3-" not in file.name}

    before = files()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((256, 200, 1), (1024, 16, 3), (20, 20, 1))]
    together = diagnose(trained, "plain", pictures).probabilities
    assert together.shape == (3, 2)
    assert np.allclose(together[1:2], diagnose(trained, "plain", pictures[1:2]).probabilities, rtol=1e-4)
    assert files() == before
    assert PROCESS.pid is not None


def test_ten_sessions_at_once_get_the_answers_of_their_own_runs(trained: DataHome) -> None:
    images = prepare_dataset(trained, NAME, image_size=28).test.images
    runs = ("plain", "noised", "private")  # one more than are kept
    questions = [(run_id, list(images[start : start + 3])) for run_id in runs for start in (0, 3, 6, 9)]
    expected = [diagnose(trained, run_id, pictures).probabilities for run_id, pictures in questions]
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda question: diagnose(trained, *question).probabilities, questions))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_the_finished_runs_of_a_dataset_are_offered_the_newest_first(trained: DataHome) -> None:
    assert [run.id for run in runs_for_diagnosis(trained, NAME)] == list(reversed(SPECS))
    assert runs_for_diagnosis(trained, "synthetic_chest") == []


def test_titles_say_method_strength_and_accuracy(trained: DataHome) -> None:
    titles = {run.id: run.title for run in runs_for_diagnosis(trained, NAME)}
    accuracy = {run_id: f"{100 * last(trained, run_id).test.accuracy:.1f}%" for run_id in SPECS}
    assert titles["plain"] == f"No privacy, last layer: {accuracy['plain']} of test images right"
    assert titles["noised"].startswith("Local-DP β = 0.5 (per pixel), last layer: ")
    assert titles["brightness"].startswith("Local-DP β = 2 (per image), last layer and norms: ")
    assert re.match(r"DP-SGD ε = [\d.]+ \(δ = 0\.001\), last layer: ", titles["private"])
    assert all(titles[run_id].endswith(f" {accuracy[run_id]} of test images right") for run_id in SPECS)


def test_the_epsilon_of_a_private_run_is_the_one_that_holds(trained: DataHome) -> None:
    verdicts = {run.id: run.verdict for run in runs_for_diagnosis(trained, NAME)}
    assert verdicts["plain"] is None
    assert verdicts["noised"] is None
    private, unsound = verdicts["private"], verdicts["unsound"]
    assert private.epsilon == pytest.approx(last(trained, "private").epsilon, rel=1e-6)
    assert "δ = 0.001; one image added or removed; Poisson subsampling; PLD accountant" in private.statement
    assert math.isfinite(unsound.epsilon)
    assert unsound.epsilon > private.epsilon  # nothing is counted for sampling
    assert unsound.claimed_epsilon is not None


def test_every_answer_says_what_its_percentages_do_not_mean(trained: DataHome) -> None:
    caveats = {run_id: diagnose(trained, run_id, []).caveat for run_id in ("plain", "noised", "private")}
    for run_id, caveat in caveats.items():
        assert "not the probability of a disease" in caveat
        assert f"right on {100 * last(trained, run_id).test.accuracy:.1f}% of the test images" in caveat
        assert "the most frequent class is right on 50.0%" in caveat
    for run_id in ("plain", "private"):
        assert caveats[run_id].endswith("so what it says of a noised or an undone one is still less reliable.")
    noised = 100 * last(trained, "noised").test_noised.accuracy
    assert f"28 pixels a side with Laplace noise per pixel, β = 0.5 (right on {noised:.1f}% of the" in caveats["noised"]


def test_an_imported_network_answers_as_it_did_and_says_where_it_comes_from(copied: DataHome) -> None:
    from medpriv_core.training.released_weights import release_weights

    pictures = [np.full((28, 28, 1), level, np.uint8) for level in (0, 120, 250)]
    there = diagnose(copied, "private", pictures)
    directory = RunDirectory(copied.runs / "private")
    release_weights(directory, directory.released, home=copied)
    directory.checkpoint.unlink()
    directory.import_mark.write_text("{}")

    here = diagnose(copied, "private", pictures)

    assert np.allclose(here.probabilities, there.probabilities, rtol=1e-5)
    assert here.caveat.endswith("these figures are what its sender says.")
    assert "private" in [run.id for run in runs_for_diagnosis(copied, NAME)]


def test_runs_that_cannot_answer_are_not_offered_and_say_why(copied: DataHome) -> None:
    store = RunStore(copied)
    RunDirectory(copied.runs / "waiting").create(TINY)
    store.add("waiting", name="waiting", slot="cpu")
    shutil.rmtree(copied.runs / "plain")
    (copied.runs / "noised" / "checkpoint.pt").unlink()
    (copied.runs / "brightness" / "outcome.json").unlink()
    (copied.runs / "private" / "spec.json").write_text("{")
    for run_id, sentence in {
        "waiting": "Run waiting is queued; only a finished run can be asked about an image",
        "plain": "The network of run plain has been removed",
        "noised": "The network of run noised has been removed",
        "brightness": "Files of run brightness are missing or damaged",
        "private": r"no readable spec\.json",
        "../../x": "There is no run ../../x",
    }.items():
        with pytest.raises(RunError, match=sentence):
            diagnose(copied, run_id, [])
        with pytest.raises(RunError, match=sentence):
            trained_run(copied, run_id)
    assert [run.id for run in runs_for_diagnosis(copied, NAME)] == ["unsound"]


def test_a_checkpoint_damaged_after_it_was_read_is_noticed(copied: DataHome) -> None:
    image = np.zeros((28, 28, 1), dtype=np.uint8)
    diagnose(copied, "plain", [image])
    file = copied.runs / "plain" / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(RunError, match=r"The network of run plain cannot be read: its checkpoint\.pt is damaged"):
        diagnose(copied, "plain", [image])
    assert len(diagnose(copied, "private", [image]).probabilities) == 1


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((28, 28, 1)),
        np.zeros((28, 28), dtype=np.uint8),
        np.zeros((28, 28, 2), dtype=np.uint8),
        np.zeros((0, 28, 1), dtype=np.uint8),
    ],
    ids=["floats", "no channels", "two channels", "empty"],
)
def test_what_is_no_picture_is_refused_before_anything_is_asked(home: DataHome, array: Any) -> None:
    with pytest.raises(ImageError, match="must have 8-bit pixels in grey or colour"):
        diagnose(home, "any", [np.zeros((28, 28, 1), dtype=np.uint8), array])


def test_without_runs_there_is_nothing_to_offer(home: DataHome) -> None:
    assert runs_for_diagnosis(home, NAME) == []
    with pytest.raises(RunError, match="There is no run 1"):
        diagnose(home, "1", [])
    assert not home.root.exists()


def test_the_app_itself_loads_no_torch() -> None:
    script = (
        "import sys\nfrom medpriv_core.home import data_home\nfrom medpriv_core.runs import diagnosis\n"
        f"diagnosis.runs_for_diagnosis(data_home('/nowhere'), {NAME!r})\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
