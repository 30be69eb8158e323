"""Which runs are compared, and which part of them is looked at first."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpriv_core.home import DataHome
from medpriv_core.results import authors, reference, selection
from medpriv_core.results.authors import read_authors
from medpriv_core.results.selection import (
    compare_results,
    datasets_of,
    gather_results,
    of_notebooks,
    trained_in,
    usual_trained,
)
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, result
from tests.results.stored import store_run

CHEST = "synthetic_chest"
DEEP = PLAIN.changed(trainable="all", image_size=32)


def test_runs_of_all_sources_are_gathered_and_what_is_damaged_is_named(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_run(home, "a", PLAIN)
    store_run(home, "b", LOCAL)
    monkeypatch.setattr(reference.read_references, "__defaults__", (tmp_path,))
    there = gather_results(home, chosen=["b"])
    assert {source: len(results) for source, results in there.results.items()} == {
        "reference": 0,
        "authors": 28,
        "mine": 1,
    }
    assert there.complaints == ()

    (tmp_path / "idrid.json.gz").write_bytes(b"broken")
    monkeypatch.setattr(authors, "FILE", tmp_path / "gone.csv")
    there = gather_results(home)

    assert [len(there.results[source]) for source in ("authors", "mine")] == [0, 2]
    assert ["idrid" in there.complaints[0], "gone.csv" in there.complaints[1]] == [True, True]


def test_the_authors_notebooks_are_told_apart() -> None:
    runs = read_authors()

    assert {run.version for run in of_notebooks(runs, "paper")} == {3, 4}
    assert {run.version for run in of_notebooks(runs, "repetition")} == {5}
    assert of_notebooks(runs, "both") == list(runs)


def test_the_first_dataset_is_one_on_which_something_can_be_compared() -> None:
    alone, both = [result(PRIVATE)], [result(PRIVATE), result(PLAIN, run_id="b")]

    assert datasets_of(read_authors(), []) == ["chest_xray", "aptos2019"]
    assert datasets_of([*read_authors(), *alone], alone) == ["chest_xray", "aptos2019", CHEST]
    assert datasets_of([*read_authors(), *both], both) == [CHEST, "chest_xray", "aptos2019"]
    assert datasets_of(alone, alone) == [CHEST]
    newer = [*both, *(result(spec.changed(dataset="idrid")) for spec in (PRIVATE, PLAIN))]
    assert datasets_of(newer, newer) == ["idrid", CHEST]


def test_own_runs_say_what_is_looked_at_first_and_none_of_them_is_hidden() -> None:
    shipped = [result(PLAIN, source="reference"), result(DEEP, source="reference", run_id="deep")]

    assert trained_in([*shipped, *read_authors()], CHEST) == ["head", "all"]
    assert trained_in([*shipped, *read_authors()], "chest_xray") == []
    assert usual_trained(shipped, CHEST) == ["head"]
    assert usual_trained([*shipped, result(DEEP, run_id="mine")], CHEST) == ["all"]
    assert usual_trained([*shipped, result(DEEP, run_id="a"), result(PLAIN, run_id="b")], CHEST) == ["head", "all"]


def test_only_what_learned_as_chosen_is_compared() -> None:
    elsewhere = result(PLAIN.changed(dataset="synthetic_fundus", trainable="norms"), run_id="elsewhere")
    runs = [result(PLAIN, run_id="last"), result(DEEP, run_id="deep"), elsewhere, *read_authors()]

    groups, _ = compare_results(runs, CHEST, trained=["all"])

    kept = {group.first.id for group in groups}
    assert kept == {"deep", "elsewhere"} | {run.id for run in read_authors()}


def test_of_very_many_own_settings_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MOST_OWN_GROUPS", 2)
    runs = [result(LOCAL.changed(beta=1.0 + number), run_id=f"r{number}") for number in range(4)]

    groups, old = compare_results(runs, CHEST, trained=["head"])

    assert [group.label for group in groups] == ["Local-DP β = 3", "Local-DP β = 4"]
    assert old == 2
    assert compare_results(runs[:2], CHEST, trained=["head"])[1] == 0
