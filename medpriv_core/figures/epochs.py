"""Accuracy against epoch for several strengths of noise: Figure 3 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medpriv_core.figures import keys
from medpriv_core.figures.placing import WORD_PX, Plot, around, spread
from medpriv_core.figures.styles import GroupStyle, name_at_point, styles_of
from medpriv_core.palette import REFERENCE_COLOUR
from medpriv_core.results.groups import Estimate, Group
from medpriv_core.shown_text import for_chart

# column -> title of its panel, from top to bottom
PANELS = {"test_accuracy": "test images", "train_accuracy": "training images"}
MOST_MARKERS = 12
LINE_PX = 13  # of the legend
PANELS_PX = 480
# Of the upper panel in a usual window, by which words are placed.
USUAL_WIDTH, USUAL_HEIGHT = 1150, {1: 360, 2: 165}
NAMES = 0.2  # share of the axis to the right of the last epoch, for the names of one's own lines
LEADER = 0.015  # share of the axis between the end of a line and its name
LEGEND_RANK = 1000  # Plotly's usual one, from which ranks count


@dataclass(frozen=True)
class _Drawn:
    """A group on the chart, at its place among all, with its course by column."""

    group: Group
    style: GroupStyle
    place: int
    courses: dict[str, list[tuple[int, Estimate]]]

    @property
    def title(self) -> str:
        """For the chart."""
        return for_chart(self.group.title)


def epochs_figure(groups: Sequence[Group], *, majority_rate: float | None) -> go.Figure:
    """Accuracy against epoch, a panel for test and one for training images, a line for each labelled group.

    The line is the mean over the group's runs, with a band for its t-interval where there are several. One's own runs
    lie before the others, with their names at the end of their lines. ``majority_rate`` (0 to 1) is drawn into the
    panel of the test images. The axis ends with the longest private run, or one's own: what of others goes on longer
    without privacy must not press the rest together.
    """
    drawn = [
        _Drawn(group, style, place, {column: group.course(column) for column in PANELS})
        for place, (group, style) in enumerate(zip(groups, styles_of(groups), strict=True))
    ]
    # Of private runs alone nothing is known on training images: ε does not cover it.
    panels = {column: title for column, title in PANELS.items() if any(each.courses[column] for each in drawn)}
    panels = panels or {"test_accuracy": PANELS["test_accuracy"]}
    figure = make_subplots(
        rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.1, subplot_titles=list(panels.values())
    )
    for row, column in enumerate(panels, start=1):
        traces = []
        for each in sorted(drawn, key=lambda each: (each.group.own, not _authors(each.group))):
            course = each.courses[column]
            if not course and row > 1:
                continue
            if any(estimate.kind == "seeds" for _, estimate in course):
                traces.append(_band(course, each))
            rank = LEGEND_RANK + each.place + (len(groups) if _authors(each.group) else 0)
            traces.append(_line(course, each, rank, training=row > 1))
        figure.add_traces(traces, rows=row, cols=1)
    if any(trace.fill for trace in figure.data):
        figure.add_trace(keys.interval_bands("of the mean over seeds"), row=1, col=1)
    if len(panels) > 1:
        figure.add_trace(keys.mark("training images", "circle-open"), row=1, col=1)
    leading = [group for group in groups if group.own or group.first.method != "none"] or groups
    last = max((group.first.final.epoch for group in leading), default=1)
    end = (last + 1) * (1 + NAMES * any(group.own for group in groups))
    _write_words(figure, drawn, end=end, height=USUAL_HEIGHT[len(panels)], majority_rate=majority_rate)
    figure.update_yaxes(title="accuracy", tickformat=".0%")
    figure.update_xaxes(range=[0, end])
    figure.update_xaxes(title="epoch", row=len(panels), col=1)
    figure.update_layout(
        height=PANELS_PX + LINE_PX * len(groups),
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        # Below: on a narrow window it takes a line for each group, and must not push the panels about.
        legend={"orientation": "h", "y": -0.14, "yanchor": "top", "x": 0, "tracegroupgap": 0},
        hovermode="closest",
    )
    return figure


def _authors(group: Group) -> bool:
    return group.first.source == "authors"


def _write_words(
    figure: go.Figure,
    drawn: Sequence[_Drawn],
    *,
    end: float,
    height: float,
    majority_rate: float | None,
) -> None:
    """Into the panel of the test images: names of one's own lines, and the line to compare with."""
    courses = [course for each in drawn if (course := each.courses["test_accuracy"])]
    values = [value for course in courses for _, found in course for value in (found.low, found.high)]
    values += [] if majority_rate is None else [majority_rate]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.06 * ((high - low) or 1.0)
    low, high = low - room, high + room
    figure.update_yaxes(range=[low, high], row=1, col=1)
    plot = Plot(USUAL_WIDTH, height)

    def upwards(value: float) -> float:
        return (value - low) / (high - low) * height

    plot.take(*(around(epoch / end * plot.width, upwards(found.mean), 4) for c in courses for epoch, found in c))
    named = [(each, course[-1]) for each in drawn if each.group.own and (course := each.courses["test_accuracy"])]
    places = spread([upwards(found.mean) for _, (_, found) in named], WORD_PX)
    for (each, (epoch, found)), place in zip(named, places, strict=True):
        words = name_at_point(each.group)
        plot.place(words, (epoch / end + LEADER) * plot.width, place, among=("middle right",))
        figure.add_trace(
            go.Scatter(
                x=[epoch, epoch + LEADER * end],
                y=[found.mean, low + place / height * (high - low)],
                mode="lines+text",
                text=["", for_chart(words)],
                textposition="middle right",
                line={"color": each.style.colour, "width": 1},
                showlegend=False,
                hoverinfo="skip",
                cliponaxis=False,
            ),
            row=1,
            col=1,
        )
    if majority_rate is not None:
        said = f"always the most frequent class: {majority_rate:.1%}"
        side, above = plot.beside_line(said, upwards(majority_rate))
        figure.add_hline(
            y=majority_rate,
            row=1,
            col=1,
            line={"color": REFERENCE_COLOUR, "dash": "longdashdot", "width": 1},
            annotation={"text": said, "font": {"size": 12}},
            annotation_position=f"{'top' if above else 'bottom'} {side}",
        )


def _line(course: list[tuple[int, Estimate]], each: _Drawn, rank: int, *, training: bool) -> go.Scatter:
    authors, style, title = _authors(each.group), each.style, each.title
    return go.Scatter(
        x=[epoch for epoch, _ in course],
        y=[estimate.mean for _, estimate in course],
        customdata=[_range(estimate) for _, estimate in course],
        name=title,
        legendgroup=str(each.place),
        legendrank=rank,
        showlegend=not training,
        mode="lines+markers",
        opacity=style.opacity,
        line={"color": style.colour, "dash": style.dash, "width": 1.2 if authors else 3.5 if style.large else 2},
        marker={
            "symbol": f"{style.shape}-open" if training else style.shape,
            "size": 6 if authors else 10 if style.large else 8,
            "maxdisplayed": MOST_MARKERS,
        },
        hovertemplate=f"epoch %{{x}}: %{{y:.1%}}%{{customdata}}<extra>{title}</extra>",
    )


def _band(course: list[tuple[int, Estimate]], each: _Drawn) -> go.Scatter:
    epochs = [epoch for epoch, _ in course]
    return go.Scatter(
        x=epochs + epochs[::-1],
        y=[estimate.high for _, estimate in course] + [estimate.low for _, estimate in reversed(course)],
        fill="toself",
        fillcolor=each.style.band,
        line={"width": 0},
        legendgroup=str(each.place),
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
            ends.append(f"{group.title}: test {test.mean:.1%}{training} after epoch {group.first.final.epoch}")
    return f"Accuracy against epoch. {'; '.join(ends)}."
