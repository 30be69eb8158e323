"""What the processes of a run tell each other: written, read again, of earlier versions, of newer ones, and damaged."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest

from medpriv_core.checksums import write_sealed
from medpriv_core.errors import NewerRunError, RunError
from medpriv_core.evaluation.metrics import METRICS, Scores
from medpriv_core.home import DataHome
from medpriv_core.pictures.reading import Reading
from medpriv_core.privacy.facts import planned_facts
from medpriv_core.records.epoch import COLUMNS, COMPARED, EpochRow, read_figures, read_row
from medpriv_core.records.kinds import hints_of, reader_of
from medpriv_core.records.outcome import Outcome
from medpriv_core.records.setup import Setup
from medpriv_core.runs import service
from medpriv_core.runs.imports import import_run
from medpriv_core.strict_json import Unreadable
from tests.results.chosen_results import PRIVATE, TRAIN_SIZE
from tests.results.stored import store_run
from tests.runs.archives import changed, members, zipped

SCORES = Scores(accuracy=0.8, loss=0.4, balanced_accuracy=0.7, auroc=0.9, kappa=0.5, calibration_error=0.1)
ROW = EpochRow(
    epoch=3,
    train=Scores(accuracy=0.9, loss=0.3),
    test=replace(SCORES, class_recall=(0.5, None), class_precision=(1.0, 0.0)),
    test_noised=SCORES,
    epsilon=1.5,
    delta=1e-5,
    steps=30,
    images_per_s=100.0,
    elapsed_s=2.5,
    finished_at="2026-01-02T03:04:05+00:00",
    others={"of_a_later_version": 3},
)
SETUP = Setup(
    content="0123abcd",
    train_size=640,
    test_size=160,
    classes=("Normal", "Pneumonia"),
    train_class_counts=(320, 320),
    test_class_counts=(80, 80),
    majority_rate=0.5,
    image_size=64,
    input_size=64,
    steps_per_epoch=10,
    sample_rate=0.1,
    noise_multiplier=4.0,
    parameters=1026,
    device="cpu",
    precision="float32",
    weights="From a file.",
    weights_doubt="They do not look trained.",
    resumed_from_epoch=2,
    medpriv_version="0.2.0",
    torch_version="2.0",
    opacus_version="1.5",
    patients=600,
    largest_patient_images=3,
    patients_counted=True,
    guarantee=replace(planned_facts(PRIVATE, train_size=TRAIN_SIZE), measured={"noise": {"holds": True, "off": 0.1}}),
    reading=Reading(fit="crop", frames="middle"),
    second_accountant={"epsilon": 1.4, "delta": 1e-5, "stretches": [[4.0, 0.1, 20]]},
)
OUTCOMES = (Outcome("finished", None, ROW, 0), Outcome("failed", "The disk is full.", exit_code=2))


def through_a_file(values: dict[str, Any]) -> Any:
    return json.loads(json.dumps(values, allow_nan=False))


def test_each_record_comes_back_from_its_file_as_it_was() -> None:
    assert all(getattr(SETUP, one.name) != one.default for one in fields(Setup)), "every field is tried"
    assert Setup.from_dict(through_a_file(SETUP.to_file())) == SETUP
    assert read_row(through_a_file(ROW.to_file())) == ROW
    assert [Outcome.from_dict(through_a_file(each.to_file())) for each in OUTCOMES] == list(OUTCOMES)


def test_what_was_not_recorded_is_none_and_not_written() -> None:
    assert (Setup.from_dict({}), read_figures({})) == (Setup(), EpochRow())
    assert (Setup().to_dict(), EpochRow().to_dict()) == ({}, {})
    # As worker of earlier versions wrote them.
    old = Setup.from_dict({"train_size": 640, "noise_multiplier": None, "patients": None, "guarantee": None})
    assert (old.noise_multiplier, old.patients, old.patients_counted, old.guarantee) == (
        None,
        None,
        True,
        Setup().guarantee,
    )
    assert through_a_file(old.to_dict())["patients"] is None
    assert not Setup.from_dict({"train_size": 640}).patients_counted
    assert read_row({"epoch": 1, "test_accuracy": 0.5, "test_auroc": None}).test == Scores(accuracy=0.5)


def test_that_no_epsilon_holds_is_not_that_there_is_none() -> None:
    none, infinite = read_row({"epoch": 1}), read_row({"epoch": 1, "epsilon": None, "delta": 1e-5})

    assert (none.epsilon, infinite.epsilon) == (None, math.inf)
    assert through_a_file(infinite.to_dict())["epsilon"] is None
    assert "epsilon" not in none.to_dict()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"train_size": 0}, "train_size"),
        ({"train_size": True}, "train_size"),
        ({"majority_rate": 1.5}, "majority_rate"),
        ({"classes": ["a", 3]}, "classes"),
        ({"classes": [""]}, "classes"),
        ({"device": ["cpu"]}, "device"),
        ({"guarantee": {"sampling": "sometimes"}}, "sampling"),
        ({"guarantee": {"noise_multiplier": -1}}, "noise_multiplier"),
        ({"guarantee": {"earlier_segments": [{"steps": "many"}]}}, "earlier_segments"),
        ({"version": "1"}, "version"),
    ],
)
def test_a_value_of_another_kind_is_named(values: dict[str, Any], name: str) -> None:
    with pytest.raises(Unreadable, match=f"{name} cannot be"):
        Setup.from_dict(values)


def test_every_metric_has_its_bounds_in_a_file() -> None:
    for column in COLUMNS.values():
        bounds = column.metric.bounds
        assert bounds is not None
        for outside in (math.nextafter(bounds.high, math.inf), math.nextafter(bounds.low, -math.inf)):
            with pytest.raises(Unreadable, match=f"{column.name} cannot be"):
                read_row({"epoch": 1, column.name: outside})
        assert column.of(read_row({"epoch": 1, column.name: bounds.high})) == bounds.high


def test_every_metric_can_be_read_and_those_of_the_list_can_be_compared() -> None:
    assert all(reader_of(hints_of(Scores)[name]) for name in METRICS)
    assert list(COMPARED) == ["test_accuracy", "test_balanced_accuracy", "test_auroc", "test_kappa"]


def test_a_run_of_a_newer_version_is_refused_with_a_sentence_and_never_written_over(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    directory = store_run(home, "r", PRIVATE, state="failed")
    write_sealed(directory.path / "setup.json", directory.read_setup().to_dict() | {"version": 2})
    write_sealed(directory.path / "outcome.json", {"state": "lost", "version": 2})
    with open(directory.path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "test_accuracy": "by then in words", "version": 2}\n')
    before = (directory.path / "setup.json").read_bytes()

    run, outcome = service.load_run(home, "r"), directory.read_outcome()

    assert outcome is not None
    for said in (run.message, outcome.message):
        assert "was written by a newer version of medpriv. Update medpriv" in (said or "")
    assert "An epoch of this run was written by a newer version" in (run.message or "")
    assert [row.epoch for row in run.epochs] == [1, 2]
    for act in (directory.read_setup, lambda: service.resume(home, "r")):
        with pytest.raises(NewerRunError, match="Update medpriv"):
            act()
    assert (directory.path / "setup.json").read_bytes() == before


@pytest.mark.parametrize("name", ["setup.json", "outcome.json", "metrics.jsonl"])
def test_an_import_from_a_newer_version_says_so(home: DataHome, name: str) -> None:
    content = changed(name, version=2) if name != "metrics.jsonl" else None
    if content is None:
        rows = [json.loads(line) | {"version": 2} for line in members()[name].splitlines()]
        content = zipped(members() | {name: "".join(json.dumps(row) + "\n" for row in rows).encode()})

    with pytest.raises(RunError, match=r"made by a newer version of medpriv\. Update medpriv"):
        import_run(home, content)
