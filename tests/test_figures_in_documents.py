"""One figure, one source: what the documents say of the shipped runs is what the shipped runs say.

The tables of ``docs/results.md`` and ``docs/utility.md`` and the README's rows are computed here from
``medpriv_core/results/data/reference/``; a figure that comes from a benchmark and stands in two documents must be the
same in both.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.reference import FIGURES, table
from medpriv_core.results.groups import Group, group_results
from medpriv_core.results.reference import FOLDER, read_reference
from medpriv_core.results.result import Result

PROJECT = Path(__file__).resolve().parents[1]
UTILITY = ("test_accuracy", "test_balanced_accuracy", "test_auroc", "test_kappa")


def document(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


@functools.cache
def shipped(dataset: str) -> tuple[Result, ...]:
    return read_reference(FOLDER / f"{dataset}.json.gz").results


def groups(dataset: str, trainable: str = "head", sampling: str | None = None) -> list[Group]:
    found = group_results(result for result in shipped(dataset) if result.trainable == trainable)
    return [group for group in found if sampling is None or group.first.spec.sampling_scheme == sampling]


def rows_below(text: str, heading: str) -> list[str]:
    """The lines of the first table after ``heading``."""
    lines = text[text.index(heading) :].splitlines()
    begin = next(place for place, line in enumerate(lines) if line.startswith("|"))
    end = next((place for place, line in enumerate(lines[begin:], begin) if not line.startswith("|")), len(lines))
    return lines[begin:end]


@pytest.mark.parametrize(
    ("heading", "dataset", "trainable"),
    [
        ("### Chest X-rays, last layer", "chest_xray", "head"),
        ("### Chest X-rays, all layers", "chest_xray", "all"),
        ("### IDRiD, last layer", "idrid", "head"),
        ("### IDRiD, all layers", "idrid", "all"),
    ],
)
def test_the_tables_of_results_are_those_of_the_shipped_runs(heading: str, dataset: str, trainable: str) -> None:
    alike = [result for result in shipped(dataset) if result.trainable == trainable]

    assert rows_below(document("docs/results.md"), heading) == table(alike)


def said(group: Group, column: str) -> str:
    """Mean, with the t-interval over seeds where they differ."""
    found = group.estimate(column)
    assert found is not None
    return f"{found.mean:.3f}" + (f" ({found.low:.3f} to {found.high:.3f})" if found.kind == "seeds" else "")


def sound(dataset: str) -> list[Group]:
    """Sound DP: without privacy, and by falling epsilon."""
    return sorted(groups(dataset, sampling="full_batch"), key=lambda group: -group.epsilon)


@pytest.mark.parametrize(("heading", "dataset"), [("## The table", "chest_xray"), ("Fundus photographs", "idrid")])
def test_the_tables_of_utility_are_those_of_the_shipped_runs(heading: str, dataset: str) -> None:
    rows = rows_below(document("docs/utility.md"), heading)[2:]
    columns = [column for column in UTILITY if shipped(dataset)[0].figure(column) is not None]

    assert len(rows) == len(sound(dataset)) == 4
    for row, group in zip(rows, sound(dataset), strict=True):
        assert [cell.strip() for cell in row.strip("|").split("|")][1:] == [said(group, name) for name in columns]


def test_the_readme_s_figures_of_sound_dp_are_those_of_the_shipped_runs() -> None:
    plain, *_, strict = sound("chest_xray")
    row = next(line for line in document("README.md").splitlines() if line.startswith("| sound DP on the chest X-rays"))

    accuracy, balanced, auroc = (said(strict, column) for column in UTILITY[:3])
    assert f"test accuracy {accuracy}, balanced {balanced}, AUROC {auroc}" in row
    assert f"without privacy {', '.join(said(plain, column) for column in UTILITY[:3])}" in row


@pytest.mark.parametrize(("begin", "trainable"), [("| the paper's grid", "head"), ("| the same for all layers", "all")])
def test_the_readme_s_rows_of_the_grid_are_those_of_the_shipped_runs(begin: str, trainable: str) -> None:
    row = next(line for line in document("README.md").splitlines() if line.startswith(begin))
    found = groups("chest_xray", trainable)

    def one(**settings: object) -> Group:
        (group,) = (
            each for each in found if all(getattr(each.first.spec, name) == value for name, value in settings.items())
        )
        return group

    four = [
        one(method="none", sampling_scheme="shuffled"),
        one(method="local_dp", beta=1.0, noise_draw="per_pixel"),
        one(method="local_dp", beta=1.0, noise_draw="per_image"),
        one(method="dp_sgd", noise_multiplier=5.002),
    ]
    for column, before in (("test_accuracy", "| "), ("test_auroc", "AUROC ")):
        assert before + "; ".join(f"{each.estimate(column).mean:.3f}" for each in four) in row


def means(results: Sequence[Result]) -> set[str]:
    """Every mean of a group, of the last epoch and of the best one, as the documents write it."""
    protocols = ("last_epoch", "best_on_test")
    found = (
        group.estimate(column, protocol)  # type: ignore[arg-type]
        for group in group_results(results)
        for column in FIGURES
        for protocol in protocols
    )
    return {f"{each.mean:.3f}" for each in found if each is not None}


def test_the_prose_of_results_cites_figures_that_the_shipped_runs_have() -> None:
    text = document("docs/results.md")
    prose = text[text.index("## What agrees with the paper") :]
    cited = set(re.findall(r"(?<![\d.σε= ] )\b0\.\d{3}\b", re.sub(r"ε = [\d., ]+(?:and [\d.]+)?", "", prose)))
    known = means(shipped("chest_xray")) | means(shipped("idrid"))

    assert len(cited) > 15
    assert cited <= known


def test_what_a_private_step_costs_is_the_same_in_both_documents() -> None:
    row = next(line for line in document("README.md").splitlines() if line.startswith("| a step of DP-SGD"))
    table_ = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in rows_below(document("docs/dp-sgd.md"), "### What it costs")
    ]
    time, beside = (
        next(place for place, title in enumerate(table_[0]) if title.startswith(word))
        for word in ("time", "images/s, ×")
    )
    one_pass = {cells[1]: cells for cells in table_ if cells[0] == "one_pass"}

    for pixels in ("64", "128"):
        assert f"{one_pass[pixels][time]} ×" in row
        assert one_pass[pixels][beside] in row


def test_the_time_of_the_attacks_is_the_same_in_both_documents() -> None:
    row = next(line for line in document("README.md").splitlines() if line.startswith("| 14 attempts to undo"))
    grey, colour = re.findall(r"([\d.]+) s", row)

    assert f"take {grey} s of processor time in grey and {colour} s in colour" in document("docs/visual-privacy.md")
