"""The shipped reference set: what is written can be read, and what is damaged is refused in a sentence."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reference import kept_runs
from medpriv_core.errors import RunError
from medpriv_core.results import reference
from medpriv_core.results.groups import group_results
from medpriv_core.results.reference import ReferenceRun, read_reference, read_references, write_reference
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, rows_of, setup_of

ABOUT = {
    "command": "python -m benchmarks.reference",
    "date": "2026-11-22",
    "machine": "two cores",
    "weights": "a file",
    "versions": {"medpriv": "0.1.0", "torch": "2.14.1"},
}


def run_of(spec: RunSpec, run_id: str) -> ReferenceRun:
    return ReferenceRun(run_id, f"name of {run_id}", spec, setup_of(spec), rows_of(spec, (0.7, 0.8), auroc=0.9))


RUNS = [run_of(PLAIN, "a"), run_of(LOCAL, "b"), run_of(PRIVATE, "c")]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "synthetic_chest.json.gz"
    write_reference(path, RUNS, about=ABOUT)
    return path


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads(gzip.decompress(path.read_bytes()))
    change(content)
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    return path


def test_what_is_written_is_read_again(written: Path) -> None:
    read = read_reference(written)

    assert read.about == ABOUT
    assert [result.id for result in read.results] == ["a", "b", "c"]
    assert all(result.source == "reference" for result in read.results)
    assert [result.spec for result in read.results] == [PLAIN, LOCAL, PRIVATE]
    assert list(read.results[2].epochs) == RUNS[2].epochs


def test_the_same_runs_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_reference(tmp_path / "again.json.gz", RUNS, about=ABOUT)

    assert (tmp_path / "again.json.gz").read_bytes() == written.read_bytes()


def test_no_files_are_a_normal_state(tmp_path: Path) -> None:
    assert read_references(tmp_path) == ((), ())
    assert read_references(tmp_path / "absent") == ((), ())


def test_a_damaged_file_is_named_and_does_not_hide_the_others(written: Path) -> None:
    (written.parent / "another.json.gz").write_bytes(b"broken")

    read = read_references(written.parent)

    assert [len(each.results) for each in read.sets] == [3]
    (complaint,) = read.complaints
    assert complaint.startswith("The reference file another.json.gz is damaged")


def test_a_file_is_read_anew_after_it_was_replaced(written: Path) -> None:
    before = read_references(written.parent).sets
    write_reference(written, RUNS[:1], about=ABOUT)

    after = read_references(written.parent).sets

    assert [len(each.results) for each in (*before, *after)] == [3, 1]


def test_an_epsilon_in_the_file_is_not_believed(written: Path) -> None:
    honest = read_reference(written).results[2].epsilon

    rewritten(written, lambda content: content["runs"][2]["epochs"][-1].update(epsilon=0.001))

    assert read_reference(written).results[2].epsilon == pytest.approx(honest)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda content: content.update(format=99), "format 99"),
        (lambda content: content["about"].pop("command"), "how it was made"),
        (lambda content: content["about"].update(versions="torch 2"), "how it was made"),
        (lambda content: content.update(runs=[]), "no runs"),
        (lambda content: content["runs"][0].pop("setup"), "a run without"),
        (lambda content: content["runs"][0].update(id="b"), "same id"),
        (lambda content: content["runs"][0].update(epochs=[]), "not in order"),
        (lambda content: content["runs"][0]["epochs"].reverse(), "not in order"),
        (lambda content: content["runs"][0]["epochs"][0].update(test_accuracy=1.5), "test_accuracy cannot be 1.5"),
        (
            lambda content: content["runs"][0]["epochs"][0].update(test_accuracy="high"),
            "test_accuracy cannot be such a text",
        ),
        (lambda content: content["runs"][0]["spec"].update(beta=2.0), "damaged run a"),
        (lambda content: content["runs"][0]["spec"].update(dataset="unheard_of"), "damaged run a"),
        (lambda content: content["runs"][2]["setup"]["guarantee"].update(noise_multiplier="much"), "damaged run c"),
    ],
)
def test_damage_is_named_in_a_sentence(
    written: Path, change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    rewritten(written, change)

    with pytest.raises(RunError, match=complaint):
        read_reference(written)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"{", mtime=0), gzip.compress(b"[]", mtime=0)])
def test_what_is_no_reference_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json.gz"
    path.write_bytes(content)

    with pytest.raises(RunError, match=r"x\.json\.gz"):
        read_reference(path)


def test_a_file_that_unpacks_to_more_than_any_of_ours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "MOST_BYTES", 1000)
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(b" " * 2000))

    with pytest.raises(RunError, match="larger"):
        read_reference(path)


def test_nothing_is_written_that_could_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json.gz"

    with pytest.raises(RunError, match="how it was made"):
        write_reference(path, RUNS, about={"command": "x"})
    with pytest.raises(RunError, match="same id"):
        write_reference(path, [*RUNS, RUNS[0]], about=ABOUT)

    assert not path.exists()


def test_the_shipped_files_are_in_order() -> None:
    read = read_references()

    assert read.complaints == ()
    assert all(shipped.results for shipped in read.sets)


def test_the_shipped_set_has_the_papers_grid_with_three_seeds_a_cell() -> None:
    for shipped in read_references().sets:
        groups = group_results(shipped.results)
        drawn = {(group.first.method, group.first.noise_draw, group.first.beta) for group in groups}
        assert {("local_dp", draw, beta) for draw in ("per_pixel", "per_image") for beta in (1.0, 2.0, 4.0)} <= drawn
        assert len({group.first.noise_multiplier for group in groups if group.first.method == "dp_sgd"}) >= 3
        assert {len(group.results) for group in groups} == {3}
        assert not any(result.synthetic for result in shipped.results)
    assert {shipped.results[0].dataset for shipped in read_references().sets} == {"chest_xray", "idrid"}


def test_runs_of_layers_that_are_not_made_again_are_kept_and_how_they_were_made_is_said(written: Path) -> None:
    before = ABOUT | {"date": "2026-11-22"}
    whole = run_of(PLAIN.changed(trainable="all"), "whole")
    write_reference(written, [*RUNS, whole], about=before)

    kept, made = kept_runs(written, [run_of(PLAIN, "new")])

    assert kept == [whole]
    assert made == "; runs that train all: python -m benchmarks.reference, 2026-11-22"
    assert kept_runs(written, [run_of(PLAIN, "new"), whole]) == ([], "")
    assert kept_runs(written.with_name("other.json.gz"), RUNS) == ([], "")
