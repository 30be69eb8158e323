"""Damaged and older files of a run: refused, noticed, or without any effect on what it says."""

from __future__ import annotations

import math
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.checksums import Opened, read_sealed
from medpriv_core.datasets.registry import content_of
from medpriv_core.errors import DataHomeError, MedprivError, RunError
from medpriv_core.evaluation.predictions import read_predictions
from medpriv_core.home import DataHome, data_home
from medpriv_core.jobs import folder as folder_module
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs import epoch_log, service
from medpriv_core.runs.diagnosis import trained_run
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.on_images import all_runs, epsilon_on_images
from medpriv_core.runs.spent_record import with_bond
from medpriv_core.runs.store import RunStore
from medpriv_core.training.worker import run_worker
from tests.runs.damage import mutations, put
from tests.small_data import NAME, add_small_dataset
from tests.trained_runs import TINY, train_run

SPEC = TINY.changed(method="dp_sgd", noise_multiplier=1.5, delta=1e-3)
RUN = "20260102-030405-abcdabcd"
FILES = ("spec.json", "setup.json", "spent.json", "metrics.jsonl", "outcome.json", "checkpoint.pt", "predictions.npz")


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a private run of four epochs, and beside it the run's folder as it was after two."""
    folder = tmp_path_factory.mktemp("damage")
    home = data_home(folder / "home")
    add_small_dataset(home, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "ensure_runner", lambda home: None)
        train_run(home, RUN, SPEC)
        shutil.copytree(home.runs / RUN, folder / "older")
        service.extend(home, RUN, epochs=4)
        store = RunStore(home)
        assert store.claim_next()
        assert run_worker(home.runs / RUN, home) == 0
        store.end(RUN, "finished", None)
    return folder


@pytest.fixture
def home(homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataHome:
    """A copy of that home, to be damaged."""
    shutil.copytree(homes / "home", tmp_path / "home")
    monkeypatch.setenv("MEDPRIV_HOME", str(tmp_path / "home"))
    return data_home(tmp_path / "home")


@dataclass(frozen=True)
class Seen:
    """What pages and commands say of the run; complaints are sentences or lights."""

    epsilon: float | None
    last: EpochRow
    rows: list[EpochRow]
    asked: object
    longer: object
    predictions: object
    complaints: tuple[str, ...]


def look(home: DataHome) -> Seen:
    """As a process would that has not looked before."""
    epoch_log._logs.clear()
    run, directory = service.load_run(home, RUN), RunDirectory(home.runs / RUN)
    complaints = [run.message] if run.message else []
    spent = with_bond(run.spent, directory)
    verdict = None
    if run.spec is not None:
        verdict = run_verdict(run.spec, setup=run.setup, spent=spent)
        lights = [check for check in check_run(run.spec, setup=run.setup, spent=spent) if check.name == "Accounting"]
        complaints += [light.sentence for light in lights if light.state != "green"]
    found: list[Any] = []

    def try_it(action: Callable[[], object]) -> None:
        try:
            found.append(action())
        except MedprivError as error:
            found.append(None)
            complaints.append(str(error))

    try_it(lambda: trained_run(home, RUN))
    try_it(lambda: service.extension(home, RUN, epochs=6).epsilon_after)
    try_it(lambda: _last_predictions(directory, run.last))
    epsilon = verdict.epsilon if verdict is not None else None
    asked, longer, predictions = found
    return Seen(epsilon, run.last, run.epochs, asked, longer, predictions, tuple(complaints))


def _last_predictions(directory: RunDirectory, last: EpochRow) -> object:
    predictions = read_predictions(directory.path / "predictions.npz")
    if predictions is None or predictions.epoch != last.epoch:
        raise RunError("There are no predictions of the last epoch.")
    return [predictions.labels.tolist(), predictions.test.tolist()]


def passed(before: Seen, after: Seen) -> str | None:
    """What went unnoticed; None where nothing did."""
    assert all(sentence.endswith(".") for sentence in after.complaints)
    if after.epsilon is not None and before.epsilon is not None and after.epsilon < before.epsilon * (1 - 1e-9):
        return f"ε = {after.epsilon} instead of {before.epsilon}"
    same = (after.epsilon, after.rows, after.asked, after.longer, after.predictions) == (
        before.epsilon,
        before.rows,
        before.asked,
        before.longer,
        before.predictions,
    )
    return None if same or after.complaints else f"{after} instead of {before}"


def damaged(home: DataHome, name: str, seed: int, *, bytes_: int) -> Iterator[bytes]:
    """The file with one damage after the other, whole again in the end."""
    file = home.runs / RUN / name
    whole = file.read_bytes()
    for content in mutations(whole, random.Random(seed), bytes_=bytes_):
        put(file, content)
        yield content
    put(file, whole)


def test_a_sound_run_is_not_complained_of(home: DataHome) -> None:
    seen = look(home)
    assert seen.complaints == ()
    assert None not in (seen.epsilon, seen.asked, seen.longer, seen.predictions)


@pytest.mark.parametrize("name", FILES)
def test_no_damaged_byte_of_a_run_passes(name: str, home: DataHome) -> None:
    before = look(home)
    for content in damaged(home, name, seed=FILES.index(name), bytes_=60):
        assert passed(before, look(home)) is None, content
    assert passed(before, look(home)) is None
    assert look(home).complaints == ()


def test_this_test_finds_what_passes_without_checksums(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def unchecked(path: Path) -> Opened:
        found = read_sealed(path)
        return Opened(found.values, "sealed") if found.values is not None else found

    before, file = look(home), home.runs / RUN / "outcome.json"
    whole = file.read_bytes()
    put(file, re.sub(rb'("test_accuracy": )[\d.]+', rb"\g<1>0.125", whole))
    assert passed(before, look(home)) is None
    monkeypatch.setattr(folder_module, "read_sealed", unchecked)
    assert passed(before, look(home)) is not None


@pytest.mark.parametrize("name", ["checkpoint.pt", "metrics.jsonl", "spent.json", "outcome.json", "predictions.npz"])
def test_an_older_file_in_the_place_of_one_is_noticed(name: str, home: DataHome, homes: Path) -> None:
    before = look(home)
    put(home.runs / RUN / name, (homes / "older" / name).read_bytes())
    after = look(home)
    assert passed(before, after) is None
    assert after.complaints


@pytest.mark.parametrize("name", ["spec.json", "setup.json"])
def test_older_settings_or_facts_do_not_lower_epsilon(name: str, home: DataHome, homes: Path) -> None:
    before = look(home)
    put(home.runs / RUN / name, (homes / "older" / name).read_bytes())
    assert passed(before, look(home)) is None


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["checkpoint.pt"], "is not the one that its record was written for"),
        (["spent.json"], "is not the one that its record was written for"),
        (["checkpoint.pt", "spent.json"], "they are of epoch 2, and more was shown"),
        (["checkpoint.pt", "spent.json", "metrics.jsonl"], "they are of epoch 2, and more was shown"),
        (list(FILES), "the journal of its images names another checkpoint as the last one"),
    ],
)
def test_a_run_does_not_go_on_from_older_files(names: list[str], why: str, home: DataHome, homes: Path) -> None:
    for name in names:
        put(home.runs / RUN / name, (homes / "older" / name).read_bytes())
    with pytest.raises(RunError, match=f"{why}.*start a new run"):
        service.extend(home, RUN, epochs=6)
    # Nor does a worker that was started all the same.
    directory, kept = RunDirectory(home.runs / RUN), (home.runs / RUN / "checkpoint.pt").read_bytes()
    directory.clear_outcome()
    directory.change_spec(SPEC.changed(epochs=6))
    assert run_worker(directory.path, home) == 2
    outcome = directory.read_outcome()
    assert outcome is not None
    assert "start a new run" in outcome.message
    assert directory.checkpoint.read_bytes() == kept


def test_one_byte_of_the_ledger_is_enough(home: DataHome) -> None:
    """As it was tried: the steps of the ledger, 16, become 1."""
    file = home.runs / RUN / "checkpoint.pt"
    content = file.read_bytes()
    place = content.index(b"ledger")
    steps = content.index(b"steps", place)
    at = content.index(b"K\x10", steps) + 1  # pickle's one-byte number
    put(file, content[:at] + b"\x01" + content[at + 1 :])
    with pytest.raises(RunError, match="is damaged, or another one was put in its place"):
        service.extend(home, RUN, epochs=6)


def test_a_checkpoint_of_an_earlier_version_is_looked_at_by_its_own_sums(home: DataHome) -> None:
    directory = RunDirectory(home.runs / RUN)
    (directory.path / "spent.json").unlink()
    (directory.path / "setup.json").unlink()
    shutil.rmtree(home.spent)
    directory.clear_outcome()
    directory.change_spec(SPEC.changed(epochs=6))
    content = directory.checkpoint.read_bytes()
    place = content.index(b"ledger")
    at = content.index(b"K\x10", content.index(b"steps", place)) + 1
    put(directory.checkpoint, content[:at] + b"\x01" + content[at + 1 :])
    assert run_worker(directory.path, home) == 2
    outcome = directory.read_outcome()
    assert outcome is not None
    assert "is damaged, so this run cannot go on" in outcome.message


def test_a_gone_or_damaged_record_is_written_anew_from_a_sound_checkpoint(home: DataHome) -> None:
    before = look(home)
    directory = RunDirectory(home.runs / RUN)
    (directory.path / "spent.json").unlink()
    after = look(home)
    assert after.epsilon is None
    assert any("damaged or gone" in sentence for sentence in after.complaints)
    directory.clear_outcome()
    assert run_worker(directory.path, home) == 0
    assert "It is written anew from the checkpoint" in directory.log_tail() or look(home).epsilon == before.epsilon
    assert look(home).epsilon == before.epsilon


def test_a_damaged_line_comes_back_from_the_checkpoint(home: DataHome) -> None:
    before = look(home)
    file = home.runs / RUN / "metrics.jsonl"
    put(file, file.read_bytes().replace(b'"epoch": 2', b'"epoch": 7', 1))
    (complaint,) = look(home).complaints
    assert "Figures of epoch 2 are missing" in complaint
    directory = RunDirectory(home.runs / RUN)
    directory.clear_outcome()
    assert run_worker(directory.path, home) == 0
    assert look(home).rows == before.rows


def journal(home: DataHome) -> Path:
    return home.spent / f"{content_of(home, NAME)}.jsonl"


def together(home: DataHome) -> float:
    found = epsilon_on_images(home, NAME, all_runs(home))
    assert found is not None
    return found.epsilon


def test_damage_to_the_journal_of_a_run_that_is_there_changes_nothing(home: DataHome) -> None:
    before, whole = together(home), journal(home).read_bytes()
    for content in mutations(whole, random.Random(5), bytes_=60):
        put(journal(home), content)
        assert together(home) >= before


def test_no_damaged_byte_of_the_journal_gives_back_what_a_purged_run_has_spent(home: DataHome) -> None:
    before = together(home)
    service.delete(home, RUN)
    service.purge(home, RUN)
    whole = journal(home).read_bytes()
    for content in mutations(whole, random.Random(6), bytes_=200, cuts=0):
        put(journal(home), content)
        if content:
            assert together(home) >= before, content
    put(journal(home), whole.replace(b"segments", b"segmentz"))
    assert together(home) == math.inf
    found = epsilon_on_images(home, NAME, [])
    assert found is not None
    assert "cannot be read. Put that file back from a copy." in found.ever_sentence


def test_a_line_that_a_crash_tore_is_passed_over(home: DataHome) -> None:
    before, whole = together(home), journal(home).read_bytes()
    service.delete(home, RUN)
    service.purge(home, RUN)
    put(journal(home), whole + whole[:70])
    assert together(home) == before
    train_run(home, "20260102-030405-00000001", SPEC)  # another run writes on
    assert b" torn\n" in journal(home).read_bytes()
    assert together(home) < math.inf


def test_a_full_disk_refuses_in_a_sentence_and_changes_nothing(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DataHomeError("The disk is full.")

    monkeypatch.setattr("medpriv_core.training.session.confirm", refuse)
    directory = RunDirectory(home.runs / RUN)
    directory.clear_outcome()
    directory.change_spec(SPEC.changed(epochs=5))
    assert run_worker(directory.path, home) == 2
    assert RunDirectory(home.runs / RUN).read_epochs()[-1].epoch in (4, 5)
    monkeypatch.undo()
    directory.clear_outcome()
    assert run_worker(directory.path, home) == 0
