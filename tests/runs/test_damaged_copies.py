"""One file of a data home is damaged: what is shown and refused then, and that the loop of faults would notice."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import damaged
from benchmarks.damaged import Damage, Shown, consequences
from benchmarks.fuzzing.homes import BINNED, OTHERS, VICTIM, make_home
from benchmarks.trial import looks
from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.runs import service

SEEDS = range(6)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DataHome:
    """Runs that nobody trained, made once."""
    home = DataHome(tmp_path_factory.mktemp("made") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "ensure_runner", lambda home: None)
        make_home(home, checkpoint=True)
    return home


@pytest.fixture
def copy(made: DataHome, home: DataHome, monkeypatch: pytest.MonkeyPatch) -> DataHome:
    """Their copy, to be damaged; no runner comes to it."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    shutil.copytree(made.root, home.root)
    return home


def what_was_shown(home: DataHome) -> tuple[Shown, dict[str, Any]]:
    runs = {run.id: run for deleted in (False, True) for run in service.list_runs(home, deleted=deleted)}
    victim = service.load_run(home, VICTIM)
    assert victim.spent is not None
    assert victim.spent.epsilon is not None
    shown = Shown(VICTIM, {row.epoch: row for row in victim.epochs}, (victim.spent.epsilon, victim.spent.steps))
    return shown, {run_id: looks(runs[run_id]) for run_id in (*OTHERS, BINNED)}


Damages = Callable[[DataHome, str, random.Random], Damage]


@pytest.mark.parametrize(
    "act", [damaged.damage_checkpoint, damaged.damage_json, damaged.replace_by_a_folder, damaged.lose_the_table]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_damaged_the_other_runs_stay_and_nothing_is_told_too_small(
    copy: DataHome, act: Damages, seed: int
) -> None:
    shown, others = what_was_shown(copy)
    damage = act(copy, VICTIM, random.Random(seed))

    assert consequences(copy, damage, shown, others, looks, go_on=False) == []


def changed_row(home: DataHome, patch: pytest.MonkeyPatch) -> None:
    """The list shows another run than it did."""
    real = service.list_runs
    patch.setattr(
        service,
        "list_runs",
        lambda home, *, deleted=False: [
            replace(run, epochs_done=99) if run.id == OTHERS[0] else run for run in real(home, deleted=deleted)
        ],
    )


def empty_bin(home: DataHome, patch: pytest.MonkeyPatch) -> None:
    service.purge(home, BINNED)


def smaller(home: DataHome, patch: pytest.MonkeyPatch) -> None:
    """What was spent is told too small."""
    run = service.load_run(home, VICTIM)
    assert run.spent is not None
    less = replace(run, spent=replace(run.spent, epsilon=0.1))
    patch.setattr(service, "load_run", lambda home, run_id: less)


def fewer(home: DataHome, patch: pytest.MonkeyPatch) -> None:
    """An epoch that was shown is gone."""
    run = service.load_run(home, VICTIM)
    patch.setattr(service, "load_run", lambda home, run_id: replace(run, epochs=run.epochs[:1]))


def never_gone(home: DataHome, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(service, "purge", lambda home, run_id: None)


def not_deleted(home: DataHome, patch: pytest.MonkeyPatch) -> None:
    def refuse(home: DataHome, run_id: str) -> None:
        raise RunError("It cannot be.")

    patch.setattr(service, "delete", refuse)


def lost(home: DataHome, patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(home.runs / VICTIM)
    home.database.unlink()


@pytest.mark.parametrize(
    ("breaking", "violation"),
    [
        (changed_row, f"{OTHERS[0]} was "),
        (empty_bin, f"{BINNED} was "),
        (smaller, "has spent (0.1"),
        (fewer, "Epoch 2 was shown and is None now"),
        (never_gone, "is still there after it was purged"),
        (not_deleted, "cannot be removed: It cannot be."),
        (lost, "is in no list"),
    ],
)
def test_what_does_not_hold_is_noticed(
    copy: DataHome, monkeypatch: pytest.MonkeyPatch, breaking: Callable[..., None], violation: str
) -> None:
    shown, others = what_was_shown(copy)
    breaking(copy, monkeypatch)

    wrong = consequences(copy, Damage("nothing"), shown, others, looks, go_on=False)

    assert any(sentence.startswith("After nothing: ") and violation in sentence for sentence in wrong)


@pytest.mark.parametrize(
    ("damage", "message", "violation"),
    [
        (Damage("x", refusing=True), None, "went on with it"),
        (Damage("x", arrays={Path("train_images.npy"): "0" * 64}), None, "It was trained on train_images.npy"),
        (Damage("x"), "The worker stopped on an internal error (KeyError).", "ended in an internal error"),
        (Damage("x"), None, None),
    ],
)
def test_going_on_with_what_is_damaged_is_noticed(
    copy: DataHome, monkeypatch: pytest.MonkeyPatch, damage: Damage, message: str | None, violation: str | None
) -> None:
    shown, others = what_was_shown(copy)
    run = service.load_run(copy, VICTIM)
    trained = replace(run, message=message, epochs=[*run.epochs, replace(run.epochs[-1], epoch=3)])
    monkeypatch.setattr(service, "resume", lambda home, run_id: None)
    monkeypatch.setattr(service, "load_run", lambda home, run_id: trained)

    wrong = consequences(copy, damage, shown, others, looks, go_on=True)

    assert bool(wrong) == (violation is not None)
    assert violation is None or violation in wrong[0]


def test_a_run_that_neither_goes_on_nor_says_why_is_noticed(copy: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, others = what_was_shown(copy)
    monkeypatch.setattr(damaged, "PATIENCE_S", 0.01)
    running = replace(service.load_run(copy, VICTIM), state="running")
    monkeypatch.setattr(service, "load_run", lambda home, run_id: running)

    (wrong, also) = consequences(copy, Damage("x"), shown, others, looks, go_on=True)

    assert "does not come to rest in the copy" in wrong
    assert "cannot be" in also
