"""The charts of a comparison, ready to be shown or taken away: the figure, its name, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.figures.epochs import epochs_alt, epochs_figure
from medpriv_core.figures.frontier import frontier_alt, frontier_figure
from medpriv_core.figures.mechanisms import mechanisms_alt, mechanisms_figure
from medpriv_core.privacy.coverage import is_withheld
from medpriv_core.records.epoch import COMPARED
from medpriv_core.results.groups import Group
from medpriv_core.results.labels import learned_in
from medpriv_core.results.result import PROTOCOL_TITLES, SOURCE_TITLES, Protocol

NO_TRAINING_ACCURACY = (
    "The training accuracy of DP-SGD runs is left out, because it is computed from the training images without noise "
    "and ε does not cover it."
)


@dataclass(frozen=True)
class Chart:
    """A chart of labelled groups.

    name     what it shows: the title of an export, and its file's name
    alt      the chart in words
    caption  whose runs these are, what learned in them, and each epsilon in full: a statement a line
    groups   those that are drawn
    """

    figure: go.Figure
    name: str
    alt: str
    caption: list[str]
    groups: list[Group]


def figure_3(groups: Sequence[Group]) -> Chart:
    """Accuracy against epoch, of groups of one dataset."""
    return Chart(
        epochs_figure(groups, majority_rate=_majority_rate(groups)),
        f"Figure 3, accuracy against epoch: {_title(groups)}",
        epochs_alt(groups),
        _caption(groups),
        list(groups),
    )


def figure_4(groups: Sequence[Group], *, protocol: Protocol) -> Chart:
    """Accuracy by mechanism, of groups of one dataset."""
    title = _title(groups)
    return Chart(
        mechanisms_figure(groups, protocol=protocol, majority_rate=_majority_rate(groups), title=title),
        f"Figure 4, accuracy by mechanism, {PROTOCOL_TITLES[protocol].lower()}: {title}",
        mechanisms_alt(groups, protocol=protocol, title=title),
        _caption(groups),
        list(groups),
    )


def frontier(groups: Sequence[Group], column: str) -> Chart:
    """A measure against epsilon, of those groups of one dataset that have measured ``column`` (of ``COMPARED``)."""
    shown = [group for group in groups if group.estimate(column) is not None]
    return Chart(
        frontier_figure(shown, column),
        f"Privacy and {COMPARED[column].metric.word}: {_title(groups)}",
        frontier_alt(shown, column),
        _caption(shown),
        shown,
    )


def _caption(groups: Sequence[Group]) -> list[str]:
    whose = [title for source, title in SOURCE_TITLES.items() if any(group.first.source == source for group in groups)]
    learned = learned_in(result for group in groups for result in group.results)
    # Of the reference set's public images nothing is left out.
    own = [group.first for group in groups if group.first.source == "mine"]
    withheld = any(is_withheld(result.spec) for result in own)
    return [
        "; ".join([*whose, f"what learned: {learned}"] if learned else whose),
        *_what_holds(groups),
        *([NO_TRAINING_ACCURACY] if withheld else []),
    ]


def _title(groups: Sequence[Group]) -> str:
    return dataset_info(groups[0].first.dataset).title


def _majority_rate(groups: Sequence[Group]) -> float | None:
    return next((group.first.majority_rate for group in groups if group.first.majority_rate), None)


def _what_holds(groups: Sequence[Group]) -> list[str]:
    """Each epsilon of a chart in full, once for all groups that have the same: what stands below it when exported."""
    labels: dict[str, list[str]] = {}
    for group in groups:
        if group.first.method != "none":
            labels.setdefault(group.first.guarantee.statement, []).append(group.title)
    return [f"{'; '.join(names)}: {statement}" for statement, names in labels.items()]
