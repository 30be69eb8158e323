"""Figures of a run by group: only of the images it was tested on, and beside the same run without privacy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medpriv_core.errors import RunError
from medpriv_core.evaluation.predictions import FILE_NAME
from medpriv_core.home import DataHome
from medpriv_core.results.group_figures import group_tables
from medpriv_core.runs import service
from medpriv_core.spec import RunSpec
from tests.results.grouped import PLAIN, PRIVATE, add_grouped, add_run


@pytest.fixture
def grouped(home: DataHome, tmp_path: Path) -> DataHome:
    add_grouped(home, tmp_path / "set")
    return home


def tables_of(home: DataHome, run_id: str):  # type: ignore[no-untyped-def]
    return group_tables(home, service.load_run(home, run_id), service.list_runs(home))


def test_each_column_has_a_table_with_patients_drawn(grouped: DataHome) -> None:
    add_run(grouped, "r1", PLAIN)
    (machines,) = tables_of(grouped, "r1")  # every patient has two images: no column of groups
    assert machines.column == "machine"
    # Of 4 patients at "=old<b>", and of 8 at "us" whose figures would give theirs away.
    assert [(line.group, line.images, line.patients) for line in machines.lines] == [("ct", 48, 24), ("xr", 48, 24)]
    assert "2 groups are left out: figures of fewer than 10 patients" in machines.why_left_out
    assert machines.intervals == "95% intervals by bootstrap over patients"
    assert machines.rows()[0]["images"] == "48"
    assert machines.rows()[0]["accuracy"].endswith(")")
    assert (machines.other, machines.cost_rows()) == (None, [])
    told = json.dumps(machines.to_dict())
    assert "old" not in told
    assert "us" not in {group["group"] for group in json.loads(told)["groups"]}


def test_what_privacy_costs_is_told_beside_the_same_run_without_it(grouped: DataHome) -> None:
    add_run(grouped, "alike", PLAIN, better=0.9)
    add_run(grouped, "longer", PLAIN.changed(epochs=9), better=0.9)
    add_run(grouped, "private", PRIVATE, better=0.2)
    table = tables_of(grouped, "private")[0]
    assert table.other == "name of alike"
    assert all(line.less["accuracy"].value < 0 for line in table.lines)
    assert all(row["accuracy"].startswith("\N{MINUS SIGN}") for row in table.cost_rows())
    assert tables_of(grouped, "alike")[0].other is None


def test_other_images_than_those_it_was_tested_on_give_no_groups(grouped: DataHome) -> None:
    add_run(grouped, "elsewhere", PLAIN, content="of other images")
    with pytest.raises(RunError, match="are not those that run elsewhere was tested on"):
        tables_of(grouped, "elsewhere")


def test_where_nothing_is_known_it_says_why(grouped: DataHome) -> None:
    add_run(grouped, "r1", PLAIN)
    (grouped.runs / "r1" / FILE_NAME).unlink()
    with pytest.raises(RunError, match="kept no predictions"):
        tables_of(grouped, "r1")
    add_run(grouped, "drawn", RunSpec(dataset="synthetic_chest", weights="none", epochs=3))
    with pytest.raises(RunError, match="Nothing is known of groups in the images of "):
        tables_of(grouped, "drawn")
