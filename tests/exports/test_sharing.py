"""What exports of private runs hold: the same bytes, whatever was computed from the training images without noise."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.cli.runs import describe
from medpriv_core.evaluation.metrics import Scores
from medpriv_core.exports.captions import describe_runs
from medpriv_core.exports.charts import to_svg
from medpriv_core.exports.comparison_table import export_rows, group_rows, to_csv
from medpriv_core.exports.run_archive import export_run, export_runs
from medpriv_core.exports.run_tables import epochs_csv, runs_csv
from medpriv_core.exports.tensorboard import event_file
from medpriv_core.figures.comparison import figure_3, figure_4, frontier
from medpriv_core.figures.curves import curves_of
from medpriv_core.figures.dashboard import View, dashboard_figure, shared_dashboard
from medpriv_core.home import DataHome
from medpriv_core.privacy.coverage import HEADING, HEADING_INCLUDED, INCLUDED, NAMES_LEFT_OUT, SHORT
from medpriv_core.records.outcome import Outcome
from medpriv_core.results.groups import group_results
from medpriv_core.results.labels import labelled
from medpriv_core.results.own_runs import read_own_runs
from medpriv_core.runs import service
from medpriv_core.runs.spent_record import write_record
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from tests.exports.runs import LOCAL, PLAIN, PRIVATE, RUN_ID, put_run, read, spent_of

Artefacts = dict[str, bytes | str]


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def run_with_figures(home: DataHome, spec: RunSpec, shift: float) -> None:
    """A run with every figure that is computed from training images; ``shift`` changes these and nothing else."""
    directory = put_run(
        home, spec, train_class_counts=(270 + round(100 * shift), 370 - round(100 * shift)), content=f"{shift}"
    )
    rows = [
        replace(
            row,
            train=Scores(accuracy=0.5 + shift, loss=0.6931471 + shift),
            images_per_s=1234.5678 + shift,
            elapsed_s=(1 + shift) * row.epoch,
            finished_at=f"2026-01-02T03:04:{round(100 * shift):02}+00:00",
        )
        for row in directory.read_epochs()
    ]
    (directory.path / "metrics.jsonl").unlink()
    directory.append_epochs(rows)
    directory.write_outcome(Outcome("finished", None, rows[-1], 0))
    # The checkpoint holds these figures too, so its digest is another one.
    digest = hashlib.sha256(str(shift).encode()).hexdigest()
    write_record(directory, replace(spent_of(spec, epochs=len(rows)), checkpoint=digest))
    with RunStore(home).changing(RUN_ID) as change:
        change.put(started_at=1_767_323_046.0 + shift, ended_at=1_767_323_099.0 + shift)


def artefacts(home: DataHome, *, charts: bool = False, **options: Any) -> Iterator[tuple[str, bytes | str]]:
    """What can be taken away of the run in ``home``, by name; charts of the pages too, which take a second each."""
    run = read(home)
    yield from unpacked(export_run(home, RUN_ID, **options))
    yield from unpacked(unpacked_one(export_runs(home, [RUN_ID], **options)))
    yield "table of runs", runs_csv([run], **options)
    yield "table of epochs", epochs_csv([run], **options)
    yield "events", event_file(run, **options)
    yield "runs show --json", json.dumps(describe(run, **options))
    if not charts:
        return
    for view in (View(), View(measure="loss"), View(against="time")):
        figure = shared_dashboard([curves_of(run)], view)
        yield f"chart {view}", to_svg(figure, title="Chart", caption=describe_runs([run]))
    groups = labelled(group_results(read_own_runs(home)))
    drawn = [figure_3(groups), frontier(groups, "test_accuracy")]
    drawn += [figure_4(groups, protocol=how) for how in ("last_epoch", "best_on_test")]
    for chart in drawn:
        yield chart.name, to_svg(chart.figure, title=chart.name, caption=chart.caption)
    yield "comparison", to_csv(group_rows(groups, "last_epoch")) + to_csv(export_rows(groups, "best_on_test"))


def unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def unpacked_one(content: bytes) -> bytes:
    ((_, inner),) = unpacked(content)
    return inner


def both(tmp_path: Path, spec: RunSpec, **options: Any) -> tuple[Artefacts, Artefacts]:
    """What can be taken away of two runs that differ only in figures of the training images."""
    found = []
    for number, shift in enumerate((0.0, 0.17)):
        home = DataHome(tmp_path / str(number))
        run_with_figures(home, spec, shift)
        found.append(dict(artefacts(home, **options)))
    return found[0], found[1]


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artefacts, Artefacts]:
    """All that can be taken away of two private runs that differ only in figures of the training images."""
    return both(tmp_path_factory.mktemp("private"), PRIVATE, charts=True)


def test_exports_of_a_private_run_do_not_depend_on_what_epsilon_does_not_cover(
    private: tuple[Artefacts, Artefacts],
) -> None:
    first, second = private

    assert len(first) > 15
    assert [name for name in first if first[name] != second[name]] == []


@pytest.mark.parametrize("spec", [PLAIN, LOCAL])
def test_of_other_runs_everything_is_exported(tmp_path: Path, spec: RunSpec) -> None:
    first, second = both(tmp_path, spec)

    changed = {name for name in first if first[name] != second[name]}
    assert {"metrics.jsonl", "setup.json", "table of epochs", "events", "runs show --json", "accuracy.svg"} <= changed
    assert not any(SHORT.encode() in as_bytes(content) for content in first.values())


def test_when_asked_for_they_are_there_with_a_warning(tmp_path: Path) -> None:
    first, second = both(tmp_path, PRIVATE, with_training_figures=True)

    changed = {name for name in first if first[name] != second[name]}
    assert {"metrics.jsonl", "setup.json", "outcome.json", "about.json", "table of runs", "table of epochs"} <= changed
    assert {"events", "runs show --json", "accuracy.svg"} <= changed
    for name in ("guarantee.txt", "model_card.md", "table of runs", "table of epochs", "events"):
        assert INCLUDED.encode() in as_bytes(first[name]), name
    for name in ("guarantee.txt", "model_card.md", "events"):
        assert HEADING_INCLUDED.encode() in as_bytes(first[name]), name
        assert HEADING.encode() not in as_bytes(first[name]), name
    assert json.loads(first["about.json"])["left_out"] == []


def test_every_artefact_says_what_is_left_out(private: tuple[Artefacts, Artefacts]) -> None:
    first, _ = private

    for name in ("guarantee.txt", "model_card.md", "events"):
        assert HEADING.encode() in as_bytes(first[name]), name
    for name in ("table of runs", "table of epochs"):
        assert SHORT in str(first[name]), name
    for name in ("about.json", "runs show --json"):
        assert json.loads(first[name])["left_out"] == list(NAMES_LEFT_OUT), name


def test_the_chart_on_the_screen_has_the_curve_that_the_exported_one_has_not(home: DataHome) -> None:
    run_with_figures(home, PRIVATE, 0.0)
    curves = [curves_of(read(home))]

    on_screen, exported = dashboard_figure(curves, View(measure="loss")), shared_dashboard(curves, View(measure="loss"))

    assert len(on_screen.data) > len(exported.data)
    assert SHORT in describe_runs([read(home)])


def as_bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
