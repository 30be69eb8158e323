"""``compare``: what privacy costs on a dataset, by the finished runs; the compare page without a browser."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from medpriv_core.cli.output import complain, print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import RunError, SettingError
from medpriv_core.exports.comparison_table import group_rows, to_csv
from medpriv_core.home import data_home
from medpriv_core.records.epoch import COMPARED
from medpriv_core.results.cost import CostReport, report_cost, usual_measure
from medpriv_core.results.groups import Group
from medpriv_core.results.labels import learned_in
from medpriv_core.results.result import SOURCE_TITLES, SOURCES, Protocol
from medpriv_core.results.selection import (
    Notebooks,
    compare_results,
    gather_results,
    of_notebooks,
    own_ids,
    trained_in,
    usual_trained,
    with_tags,
)
from medpriv_core.runs import service
from medpriv_core.runs.on_images import networks_together
from medpriv_core.spec import METHODS, Trainable

VIEWS = ("figure-3", "figure-4", "frontier")


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("compare", help="what privacy costs on a dataset, by the finished runs")
    parser.add_argument("dataset", metavar="DATASET", help="as shown by: datasets list")
    parser.add_argument(
        "--source", nargs="+", choices=SOURCES, default=list(SOURCES), help="whose runs; default: all that there are"
    )
    parser.add_argument(
        "--trainable",
        nargs="+",
        choices=get_args(Trainable),
        help="what learned, the authors' runs apart; default: what did in your own runs, else the last layer (head)",
    )
    parser.add_argument("--method", nargs="+", choices=METHODS, default=list(METHODS), help="default: all")
    parser.add_argument("--tag", nargs="+", default=[], help="of your own runs those with one of these tags")
    parser.add_argument(
        "--notebooks",
        choices=get_args(Notebooks),
        default="paper",
        help="of the authors: those behind the paper (3, 4; the default), their repetition (5), or both",
    )
    parser.add_argument("--column", choices=list(COMPARED), help="default: of grades test_kappa, else test_accuracy")
    parser.add_argument(
        "--protocol",
        choices=get_args(Protocol),
        default="last_epoch",
        help="which epoch counts: the last one, or the best on the test images, the paper's optimistic protocol",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table, a line a group, with all measures")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="write a chart; its name ends in .png or .svg")
    parser.add_argument("--view", choices=VIEWS, help="which chart --figure writes; default: frontier")
    add_json_option(parser)
    parser.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> None:
    _check_figure(options)
    info = dataset_info(options.dataset)
    groups, hidden = _choose(options)
    options.column = options.column or usual_measure(groups, ordered=info.ordered)
    if all(group.estimate(options.column, options.protocol) is None for group in groups):
        raise SettingError(
            f"None of these runs has measured {COMPARED[options.column].metric.word}; take another --column."
        )
    report = report_cost(groups, options.column, dataset=info.title, protocol=options.protocol)
    rows = group_rows(groups, options.protocol)
    shown = own_ids(groups)
    runs = [run for run in service.list_runs(data_home()) if run.id in shown] if shown else []
    together = networks_together(options.dataset, runs)
    if options.csv:
        options.csv.write_bytes(to_csv(rows).encode())
    if options.figure:
        _write_figure(groups, options)
    if options.json:
        facts = {"dataset": options.dataset, "sentence": _plain(report.sentence), "footnotes": report.footnotes}
        print_json(facts | {"groups": rows, "together": together})
        return
    say(*_in_words(groups, report, options.column, options.protocol), *together)
    if any(found and found.kind == "none" for found in (group.estimate(options.column) for group in groups)):
        say("A figure without an interval is of one run whose predictions on the test images are not kept here.")
    if hidden:
        say(f"Not shown: runs in which other layers learned; to see them add: --trainable {' '.join(hidden)}")
    for file in filter(None, (options.csv, options.figure)):
        say(f"Written: {file}")


def _choose(options: argparse.Namespace) -> tuple[list[Group], list[Trainable]]:
    """The labelled groups that were asked for, and what learned in those that the default leaves out."""
    there = gather_results(data_home())
    for complaint in there.complaints:
        complain(complaint)
    kept = dict(there.results)
    kept["authors"] = of_notebooks(kept["authors"], options.notebooks)
    kept["mine"] = with_tags(kept["mine"], options.tag)
    results = [
        result
        for source in SOURCES
        if source in options.source
        for result in kept[source]
        if result.dataset == options.dataset and result.method in options.method
    ]
    usual = options.trainable or usual_trained(results, options.dataset)
    groups, _ = compare_results(results, options.dataset, trained=usual)
    if not groups:
        raise RunError(f"No finished run on {options.dataset} is like that; choose less narrowly, or train one.")
    hidden = [] if options.trainable else [name for name in trained_in(results, options.dataset) if name not in usual]
    return groups, hidden


def _check_figure(options: argparse.Namespace) -> None:
    """Before anything is computed."""
    if options.figure and options.figure.suffix.lower() not in (".png", ".svg"):
        raise SettingError(f"The name of a chart ends in .png or .svg, but {options.figure.name} does not.")
    if options.view and not options.figure:
        raise SettingError("--view says which chart is written; name the file with --figure.")
    if options.figure and options.view in (None, "frontier") and options.protocol != "last_epoch":
        raise SettingError("The frontier counts the last epoch; take --view figure-4 with this protocol.")


def _write_figure(groups: Sequence[Group], options: argparse.Namespace) -> None:
    # Half a second of libraries that nothing else here needs.
    from medpriv_core.exports.charts import to_png, to_svg
    from medpriv_core.figures.comparison import figure_3, figure_4, frontier

    if options.view == "figure-3":
        chart = figure_3(groups)
    elif options.view == "figure-4":
        chart = figure_4(groups, protocol=options.protocol)
    else:
        chart = frontier(groups, options.column)
    draw = to_svg if options.figure.suffix.lower() == ".svg" else to_png
    options.figure.write_bytes(draw(chart.figure, title=chart.name, caption=chart.caption))


def _in_words(groups: Sequence[Group], report: CostReport, column: str, protocol: Protocol) -> list[str]:
    lines = [_plain(report.sentence), *(f"  - {footnote}" for footnote in report.footnotes), ""]
    width = max(len(group.label) for group in groups)
    for group in groups:
        found = group.estimate(column, protocol)
        figure = "not measured"
        if found is not None:
            figure = COMPARED[column].metric.format(found.mean)
            if protocol == "last_epoch":
                low, high = (COMPARED[column].metric.format(end) for end in (found.low, found.high))
                figure += f"  ({found.words})" if found.kind == "none" else f"  {low} to {high}  ({found.words})"
        lines.append(f"{group.label:{width}}  {figure}")
        about = [SOURCE_TITLES[group.first.source], learned_in(group.results), group.first.guarantee.statement]
        lines.append(f"    {'; '.join(filter(None, about))}")
    return lines


def _plain(markdown: str) -> str:
    return markdown.replace("**", "")
