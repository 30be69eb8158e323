"""What was spent on images stays spent: it is read by content from a journal that purging does not shorten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.datasets.registry import content_of, list_datasets
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome
from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.privacy.steps import Steps, count_steps
from medpriv_core.records.outcome import Outcome
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.on_images import (
    all_runs,
    epsilon_on_images,
    networks_together,
    seeds_together,
    spent_by_others,
)
from medpriv_core.runs.spent_journal import enter, enter_runs, entry_of, read_entries
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunRow, RunStore
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, TRAIN_SIZE, rows_of, setup_of, spent_of

DATASET = "synthetic_chest"
STRETCH = (4.0, 0.1, 20)  # of PRIVATE after its two epochs


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def put(
    home: DataHome, run_id: str, spec: Any = PRIVATE, *, content: str | None = None, record: bool = True, **setup: Any
) -> None:
    """A finished run of this version, or one without record and content as the version before left it."""
    directory = RunDirectory(home.runs / run_id)
    directory.create(spec)
    known: dict[str, Any] = {"content": content_of(home, DATASET) if content is None else content} if record else {}
    directory.write_setup(replace(setup_of(spec), **known, **setup))
    rows = rows_of(spec, (0.7, 0.8))
    directory.append_epochs(rows)
    directory.write_outcome(Outcome("finished", None, rows[-1]))
    if record:
        write_record(directory, spent_of(spec, epochs=2))
    row = RunRow(run_id, run_id, "finished", "cpu", 0, False, None, 1.0, 1.0, 2.0, None, (), "", None)
    RunStore(home).insert([row])


def purge(home: DataHome, run_id: str) -> None:
    service.delete(home, run_id)
    service.purge(home, run_id)


def together_on(home: DataHome) -> Any:
    return epsilon_on_images(home, DATASET, all_runs(home))


def networks(count: int) -> float:
    sigma, rate, steps = STRETCH
    return composed_epsilon([Steps(sigma, rate, count * steps)], delta=PRIVATE.delta)


def test_the_made_runs_spend_what_is_expected(home: DataHome) -> None:
    spent = spent_of(PRIVATE, epochs=2)
    assert spent.segments is not None
    assert (4.0, spent.segments[0].sample_rate, spent.steps) == STRETCH


@pytest.mark.parametrize("record", [True, False], ids=["of this version", "of the version before"])
def test_purging_gives_nothing_back(record: bool, home: DataHome) -> None:
    entry = next(entry for entry in list_datasets(home) if entry.info.name == DATASET)
    counts: dict[str, Any] = {
        "train_class_counts": list(entry.train_counts),
        "test_class_counts": list(entry.test_counts),
    }
    put(home, "one", record=record, **counts)
    put(home, "two", record=record, **counts)
    for gone in (None, "one", "two"):
        if gone is not None:
            purge(home, gone)
        together = together_on(home)
        assert together is not None
        assert (together.networks, together.epsilon) == (2, networks(2))
    assert "removed ones included: ε = " in together.ever_sentence
    others = spent_by_others(home, DATASET, [], records=lambda _spec: TRAIN_SIZE, but=())
    assert (len(others.spendings), others.unknown) == (2, 0)


def test_a_run_folder_that_is_removed_by_hand_stays_spent_once_it_was_looked_at(home: DataHome) -> None:
    put(home, "one")
    assert together_on(home) is not None
    for file in (home.runs / "one").iterdir():
        file.unlink()
    together = together_on(home)
    assert together is not None
    assert together.epsilon == networks(1)


def test_it_is_read_by_content_and_not_by_name(home: DataHome) -> None:
    put(home, "these")
    put(home, "others", content="0123abcd")
    assert together_on(home).epsilon == networks(1)
    purge(home, "others")
    assert together_on(home).epsilon == networks(1)
    assert list(read_entries(home, DATASET, "0123abcd")) == ["others"]


def test_where_it_is_not_known_on_which_images_the_name_decides(home: DataHome) -> None:
    put(home, "old", record=False, train_class_counts=[1, 2], test_class_counts=[3, 4])
    purge(home, "old")
    assert [file.name for file in home.spent.iterdir()] == ["unknown-synthetic_chest.jsonl"]
    assert together_on(home).epsilon == networks(1)


def test_later_lines_of_a_run_only_raise_what_it_spent(home: DataHome) -> None:
    put(home, "one")
    (run,) = service.list_runs(home)
    entry, content = entry_of(run), content_of(home, DATASET)
    assert entry is not None
    less = replace(entry, segments=(entry.segments[0]._replace(count=3),))
    more = replace(entry, segments=(entry.segments[0]._replace(count=300),))
    for step, expected in ((entry, 20), (less, 20), (more, 300), (less, 300)):
        enter(home, content, [step])
        (found,) = read_entries(home, DATASET, content).values()
        assert count_steps(found.segments) == expected


def test_a_torn_or_foreign_line_takes_no_other_with_it(home: DataHome) -> None:
    put(home, "one")
    put(home, "two")
    runs, content = service.list_runs(home), content_of(home, DATASET)
    file = home.spent / f"{content}.jsonl"
    enter_runs(home, runs[:1])
    whole = file.read_bytes()
    file.write_bytes(whole + b"[]\n{}\nnull\n\xff\xfe\n" + whole[:60])
    enter_runs(home, runs)
    assert set(read_entries(home, DATASET, content)) == {"one", "two"}


@pytest.mark.parametrize("put_there", [Path.mkdir, os.mkfifo])
def test_a_journal_that_is_no_file_is_said_and_not_waited_for(
    put_there: Callable[[Path], None], home: DataHome
) -> None:
    put(home, "one")
    enter_runs(home, service.list_runs(home))
    (file,) = home.spent.iterdir()
    file.unlink()
    put_there(file)
    with pytest.raises(DataHomeError, match="Put it back from a copy"):
        together_on(home)


def test_nothing_but_what_was_spent_is_in_it(home: DataHome) -> None:
    put(home, "one")
    enter_runs(home, service.list_runs(home))
    (file,) = home.spent.iterdir()
    assert set(json.loads(file.read_text())) == {"run", "mechanism", "segments", "delta", "checksum"}


def test_an_infinite_sensitivity_comes_back(home: DataHome) -> None:
    put(home, "one")
    directory = RunDirectory(home.runs / "one")
    setup = directory.read_setup()
    guarantee = replace(setup.guarantee, mixing_layers=("layer1.0.bn1",))
    directory.write_setup(replace(setup, guarantee=guarantee))
    purge(home, "one")
    assert together_on(home).epsilon == float("inf")


def test_runs_without_privacy_and_imported_ones_are_not_entered(home: DataHome) -> None:
    put(home, "plain", PLAIN)
    put(home, "imported")
    (home.runs / "imported" / "imported.json").write_text("{}")
    for run_id in ("plain", "imported"):
        purge(home, run_id)
    assert together_on(home) is None


def test_a_content_key_that_leads_out_of_the_folder_is_not_followed(home: DataHome, tmp_path: Path) -> None:
    put(home, "one", content="../../outside")
    purge(home, "one")
    assert not list(tmp_path.glob("**/outside*"))
    assert together_on(home) is not None


def test_a_damaged_table_of_runs_hides_nothing_that_was_entered(home: DataHome) -> None:
    put(home, "one")
    assert together_on(home).epsilon == networks(1)
    home.database.write_bytes(b"spoilt" * 200)
    assert together_on(home).epsilon == networks(1)


def test_a_network_that_took_no_step_is_none(home: DataHome) -> None:
    put(home, "one")
    write_record(RunDirectory(home.runs / "one"), spent_of(PRIVATE, epochs=0))
    (home.runs / "one" / "metrics.jsonl").unlink()
    (home.runs / "one" / "outcome.json").unlink()
    assert together_on(home) is None
    purge(home, "one")
    assert together_on(home) is None


def said_of(home: DataHome, *run_ids: str) -> str:
    return " ".join(networks_together(DATASET, [run for run in service.list_runs(home) if run.id in run_ids]))


def test_networks_that_are_handed_on_together_cost_what_their_steps_cost(home: DataHome) -> None:
    for run_id in ("a", "b", "c"):
        put(home, run_id)
    put(home, "plain", spec=PLAIN)
    assert said_of(home, "a", "plain") == ""
    said = said_of(home, "a", "b", "plain")
    assert "Anyone who gets all 2 DP-SGD networks" in said
    assert f"ε = {format_epsilon(networks(2))} (δ = 1e-5; one image added or removed; Poisson subsampling;" in said
    assert f"has ε = {format_epsilon(networks(1))} by itself" in said
    assert f"ε = {format_epsilon(networks(3))} (" in said_of(home, "a", "b", "c")


def test_where_one_of_them_did_not_record_all_that_it_spent_no_epsilon_is_said(home: DataHome) -> None:
    put(home, "a")
    put(home, "b")
    (home.runs / "b" / "spent.json").write_text("{}")  # of this version, and lost
    said = said_of(home, "a", "b")
    assert "1 of 2 has no record of all that was spent" in said
    assert "ε =" not in said


def test_a_run_of_an_earlier_version_that_told_its_epsilon_alone_is_added_up(home: DataHome) -> None:
    put(home, "a")
    put(home, "b", guarantee=None, record=False)
    assert f"ε = {format_epsilon(2 * networks(1))} (δ = 2e-5; one image added or removed" in said_of(home, "a", "b")
    together = together_on(home)
    assert (together.networks, together.epsilon) == (2, pytest.approx(2 * networks(1)))


def test_imported_networks_count_as_trained_on_the_same_images(home: DataHome) -> None:
    for run_id in ("a", "b", "c"):
        put(home, run_id)
    RunDirectory(home.runs / "c").import_mark.write_text("{}")
    said = said_of(home, "a", "b", "c")
    assert f"ε = {format_epsilon(networks(3))} (" in said
    assert "1 imported one counts as trained on the same images, with what its sender says was spent" in said
    assert together_on(home).epsilon == networks(2)  # trained here


def test_seeds_of_each_method_are_spoken_of_by_the_same_rules(home: DataHome) -> None:
    for run_id in ("a", "b"):
        put(home, run_id)
    runs = service.list_runs(home)
    assert f"ε = {format_epsilon(networks(2))} (" in seeds_together(runs)
    plain, local = ([replace(run, spec=spec) for run in runs] for spec in (PLAIN, LOCAL))
    assert "no ε holds" in seeds_together(plain)
    assert "no more than one" in seeds_together(local)
