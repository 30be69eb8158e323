"""Accuracy against epoch for several strengths of noise: Figure 3 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medpriv_core.figures import keys
from medpriv_core.figures.styles import GroupStyle, styles_of
from medpriv_core.palette import REFERENCE_COLOUR
from medpriv_core.results.groups import Estimate, Group
from medpriv_core.shown_text import for_chart

# column -> title of its panel, from top to bottom
PANELS = {"test_accuracy": "test images", "train_accuracy": "training images"}
MOST_MARKERS = 12
LINE_PX = 20  # of the legend
PANELS_PX = 560
LEGEND_RANK = 1000  # Plotly's usual one, from which ranks count


def epochs_figure(groups: Sequence[Group], *, majority_rate: float | None) -> go.Figure:
    """Accuracy against epoch, a panel for test and one for training images, a line for each labelled group.

    The line is the mean over the group's runs, with a band for its t-interval where there are several. The authors'
    runs lie behind the others in grey. ``majority_rate`` (0 to 1) is drawn into the panel of the test images. The axis
    ends with the longest private run: what goes on longer without privacy must not press the others together.
    """
    groups = [replace(group, label=for_chart(group.label)) for group in groups]
    # Of private runs alone nothing is known on training images: ε does not cover it.
    panels = {column: title for column, title in PANELS.items() if any(group.course(column) for group in groups)}
    panels = panels or {"test_accuracy": PANELS["test_accuracy"]}
    figure = make_subplots(
        rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.08, subplot_titles=list(panels.values())
    )
    drawn = sorted(zip(groups, styles_of(groups), strict=True), key=lambda pair: pair[0].first.source != "authors")
    for row, column in enumerate(panels, start=1):
        for group, style in drawn:
            course = group.course(column)
            if not course and row > 1:
                continue
            if any(estimate.kind == "seeds" for _, estimate in course):
                figure.add_trace(_band(course, group, style), row=row, col=1)
            rank = LEGEND_RANK + groups.index(group) + (len(groups) if group.first.source == "authors" else 0)
            figure.add_trace(_line(course, group, style, rank, in_legend=row == 1), row=row, col=1)
    if any(trace.fill for trace in figure.data):
        figure.add_trace(keys.interval_bands("of the mean over seeds"), row=1, col=1)
    if majority_rate is not None:
        figure.add_hline(
            y=majority_rate,
            row=1,
            col=1,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": f"always the most frequent class: {majority_rate:.1%}", "font": {"size": 12}},
            annotation_position="bottom right",
        )
    figure.update_yaxes(title="accuracy", tickformat=".0%")
    private = [group for group in groups if group.first.method != "none"] or groups
    last = max((group.first.final.epoch for group in private), default=1)
    figure.update_xaxes(range=[0, last + 1])
    figure.update_xaxes(title="epoch", row=len(panels), col=1)
    figure.update_layout(
        height=PANELS_PX + LINE_PX * len(groups),
        margin={"l": 10, "r": 10, "t": 54, "b": 10},
        # Below: on a narrow window it takes a line for each group, and must not push the panels about.
        legend={"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0, "tracegroupgap": 0},
        hovermode="closest",
    )
    return figure


def _line(
    course: list[tuple[int, Estimate]], group: Group, style: GroupStyle, rank: int, *, in_legend: bool
) -> go.Scatter:
    authors = group.first.source == "authors"
    return go.Scatter(
        x=[epoch for epoch, _ in course],
        y=[estimate.mean for _, estimate in course],
        customdata=[_range(estimate) for _, estimate in course],
        name=group.label,
        legendgroup=group.label,
        legendrank=rank,
        showlegend=in_legend,
        mode="lines+markers",
        opacity=style.opacity,
        line={"color": style.colour, "dash": style.dash, "width": 1.2 if authors else 2},
        marker={"symbol": style.marker, "size": 6 if authors else 8, "maxdisplayed": MOST_MARKERS},
        hovertemplate=f"epoch %{{x}}: %{{y:.1%}}%{{customdata}}<extra>{group.label}</extra>",
    )


def _band(course: list[tuple[int, Estimate]], group: Group, style: GroupStyle) -> go.Scatter:
    epochs = [epoch for epoch, _ in course]
    return go.Scatter(
        x=epochs + epochs[::-1],
        y=[estimate.high for _, estimate in course] + [estimate.low for _, estimate in reversed(course)],
        fill="toself",
        fillcolor=style.band,
        line={"width": 0},
        legendgroup=group.label,
        showlegend=False,
        hoverinfo="skip",
    )


def _range(estimate: Estimate) -> str:
    return f" ({estimate.low:.1%} to {estimate.high:.1%})" if estimate.kind == "seeds" else ""


def epochs_alt(groups: Sequence[Group]) -> str:
    """The chart in words: where each line ends."""
    ends = []
    for group in groups:
        test, train = (group.estimate(column) for column in PANELS)
        if test:
            training = f", training {train.mean:.1%}" if train else ""
            ends.append(f"{group.label}: test {test.mean:.1%}{training} after epoch {group.first.final.epoch}")
    return f"Accuracy against epoch. {'; '.join(ends)}."
