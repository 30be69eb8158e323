"""An imported run's epsilon must follow from the steps and the noise that the same files state."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.errors import RunError
from medpriv_core.exports.run_archive import export_run
from medpriv_core.home import DataHome
from medpriv_core.privacy.plan import plan_run
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs import service
from medpriv_core.runs.archive_epsilon import MOST_RECKONED, ROUNDING, check_epsilon
from medpriv_core.runs.imports import import_run
from tests.results.chosen_results import PRIVATE, TRAIN_SIZE, rows_of, setup_of, spent_of
from tests.runs.archives import RUN_ID, members, zipped

SHUFFLED = PRIVATE.changed(sampling="shuffled")
FULL = PRIVATE.changed(sampling="full_batch")


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def changed_rows(change: Mapping[str, Any], *, spec: Any = PRIVATE, only: int | None = None) -> dict[str, bytes]:
    """The files of a run with values changed in its rows, or in the row of one epoch, and in its outcome."""
    files = members(spec)
    rows = [json.loads(line) for line in files["metrics.jsonl"].splitlines()]
    rows = [row | change if only in (None, row["epoch"]) else row for row in rows]
    files["metrics.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if only is None:
        files["outcome.json"] = json.dumps(json.loads(files["outcome.json"]) | change).encode()
    return files


def changed_json(name: str, **values: Any) -> dict[str, bytes]:
    files = members()
    return files | {name: json.dumps(json.loads(files[name]) | values).encode()}


def refused(home: DataHome, files: Mapping[str, bytes], why: str) -> None:
    with pytest.raises(RunError, match=why):
        import_run(home, zipped(files))
    assert service.list_runs(home) == []


@pytest.mark.parametrize("spec", [PRIVATE, SHUFFLED, FULL], ids=["poisson", "shuffled", "full batch"])
def test_what_follows_is_imported(spec: Any, home: DataHome) -> None:
    assert import_run(home, zipped(members(spec))) == RUN_ID
    assert service.load_run(home, RUN_ID).last.epsilon == plan_run(spec, train_size=TRAIN_SIZE).epsilon


@pytest.mark.parametrize("spec", [PRIVATE, SHUFFLED, FULL], ids=["poisson", "shuffled", "full batch"])
def test_an_epsilon_that_was_written_over_is_refused(spec: Any, home: DataHome) -> None:
    refused(home, changed_rows({"epsilon": 0.001}, spec=spec), "does not follow from its own steps and noise")


@pytest.mark.parametrize("epoch", [1, 2])
def test_one_epoch_is_enough(epoch: int, home: DataHome) -> None:
    refused(home, changed_rows({"epsilon": 0.001}, only=epoch), r"does not follow.*metrics\.jsonl")


def test_the_record_and_the_outcome_count_too(home: DataHome) -> None:
    spent = spent_of(PRIVATE, epochs=2).to_dict()
    assert import_run(home, zipped(members() | {"spent.json": json.dumps(spent).encode()})) == RUN_ID
    elsewhere = DataHome(home.root / "elsewhere")
    refused(elsewhere, members() | {"spent.json": json.dumps(spent | {"epsilon": 0.1}).encode()}, r"spent\.json")
    refused(elsewhere, changed_json("outcome.json", epsilon=0.1), r"outcome\.json")


def test_rounding_to_three_digits_is_let_in_and_more_is_not(home: DataHome) -> None:
    epsilons = [row.epsilon for row in rows_of(PRIVATE, (0.7, 0.8))]
    rounded = changed_rows({"epsilon": float(f"{epsilons[1]:.3g}")}, only=2)
    assert import_run(home, zipped(rounded)) == RUN_ID
    less = changed_rows({"epsilon": epsilons[1] * (1 - 2 * ROUNDING)}, only=2)
    refused(DataHome(home.root / "elsewhere"), less, "does not follow")


def test_a_larger_epsilon_is_let_in_and_told(home: DataHome) -> None:
    """Accountants of other versions were less tight."""
    larger = plan_run(PRIVATE, train_size=TRAIN_SIZE).epsilon * 1.3
    assert import_run(home, zipped(changed_rows({"epsilon": larger}))) == RUN_ID
    run = service.load_run(home, RUN_ID)
    assert run.spent is not None
    assert run.spent.epsilon == larger


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (changed_rows({"steps": 1}), "fewer steps than its epochs have"),
        (changed_rows({"delta": 0.09}), "another δ"),
        (changed_json("spec.json", noise_multiplier=1.0), "another noise multiplier"),
        (changed_json("setup.json", noise_multiplier=40.0), "another noise multiplier"),
        (changed_json("setup.json", train_size=640_000), "in another way than its settings"),
        (changed_json("setup.json", train_size=3), r"setup\.json in this zip is damaged or was changed"),
        (changed_json("spec.json", batch_size=1), "in another way than its settings"),
    ],
)
def test_what_it_is_reckoned_from_must_agree(files: dict[str, bytes], why: str, home: DataHome) -> None:
    refused(home, files, why)


def test_a_loop_that_says_that_it_drew_hardly_anybody_is_not_believed(home: DataHome) -> None:
    setup = json.loads(members()["setup.json"])
    for change in ({"sample_rate": 1e-6}, {"steps_per_epoch": 1}, {"sampling": "full_batch", "sample_rate": 1.0}):
        files = changed_json("setup.json", guarantee=setup["guarantee"] | change)
        refused(home, files, "in another way than its settings say")


def test_patients_are_believed_only_as_the_loop_recorded_them(home: DataHome) -> None:
    setup = json.loads(members()["setup.json"])
    drawn = setup["guarantee"] | {"unit": "patient", "images_drawn": 1}
    spec = json.loads(members()["spec.json"]) | {"unit": "patient"}
    untold = {name: value for name, value in setup.items() if name != "guarantee"} | {"patients": 640}
    for changed, why in (
        ({"setup.json": setup | {"patients": 640}}, "in another way than its settings say"),  # drew images
        ({"setup.json": untold}, "whether its steps drew patients"),
        (
            {"setup.json": setup | {"patients": 10**6, "guarantee": drawn}},
            "more patients than",
        ),
        ({"setup.json": setup | {"patients": 320, "guarantee": drawn}}, "in another way"),
    ):
        files = members() | {"spec.json": json.dumps(spec).encode()}
        refused(home, files | {name: json.dumps(values).encode() for name, values in changed.items()}, why)


def test_an_epsilon_that_nobody_can_reckon_is_refused(home: DataHome) -> None:
    setup = json.loads(members()["setup.json"])
    without = {name: value for name, value in setup.items() if name != "train_size"}
    refused(home, members() | {"setup.json": json.dumps(without).encode()}, "the number of its training records")


def test_without_the_loops_own_facts_settings_and_size_are_enough(home: DataHome) -> None:
    setup = json.loads(members()["setup.json"])
    bare = {name: setup[name] for name in ("train_size", "noise_multiplier", "classes")}
    assert import_run(home, zipped(members() | {"setup.json": json.dumps(bare).encode()})) == RUN_ID
    lying = changed_rows({"epsilon": 0.001}) | {"setup.json": json.dumps(bare).encode()}
    refused(DataHome(home.root / "elsewhere"), lying, "does not follow")


def test_of_a_long_run_some_epochs_are_reckoned_and_none_may_fall() -> None:
    epochs = 3 * MOST_RECKONED
    spec = PRIVATE.changed(epochs=epochs)
    rows = rows_of(spec, [0.5] * epochs)
    check_epsilon(spec, setup_of(spec), None, epochs=rows, outcome=EpochRow())
    for place in (0, epochs // 2, epochs - 1):
        lying = [replace(row, epsilon=0.001) if number == place else row for number, row in enumerate(rows)]
        with pytest.raises(RunError, match="does not follow"):
            check_epsilon(spec, setup_of(spec), None, epochs=lying, outcome=EpochRow())


def test_an_unpacked_export_is_compared_with_what_was_exported(home: DataHome, tmp_path: Path) -> None:
    import_run(home, zipped(members()))
    (tmp_path / "run.zip").write_bytes(export_run(home, RUN_ID))
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        archive.extractall(folder)
    rows = folder / "metrics.jsonl"
    whole = rows.read_bytes()
    rows.write_bytes(whole.replace(b'"test_accuracy": 0.8', b'"test_accuracy": 0.9'))
    with pytest.raises(RunError, match=r"metrics\.jsonl in this zip is damaged or was changed"):
        import_run(DataHome(tmp_path / "elsewhere"), folder)
    rows.write_bytes(whole)
    labels = json.loads((folder / "labels.json").read_text()) | {"name": "Another name"}
    (folder / "labels.json").write_text(json.dumps(labels))
    assert import_run(DataHome(tmp_path / "elsewhere"), folder) == RUN_ID
