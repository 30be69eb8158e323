"""The curves of a membership attack on logarithmic axes, under the limit of the guarantee."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from medpriv_core.attacks.membership import ATTACKS
from medpriv_core.attacks.membership_words import title_of
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.records.membership import MembershipReport

CEILING_COLOUR = "#CC79A7"
_LOOKS = tuple(zip(METHOD_STYLES.values(), ("solid", "dash", "dot"), strict=True))
_TICKS = {
    "tickvals": [1e-4, 1e-3, 1e-2, 0.1, 1],
    "ticktext": ["0.01%", "0.1%", "1%", "10%", "100%"],
}


def membership_figure(report: MembershipReport) -> go.Figure:
    """Hits against false alarms of each attack, LiRA with its 95 % band, the limit, and guessing."""
    figure = go.Figure()
    rates = list(report.rates)
    lowest = rates[0] / 2
    (first, _), *_ = _LOOKS
    figure.add_scatter(
        x=[*rates, *rates[::-1]],
        y=[max(value, lowest) for value in (*report.attacks["lira"]["high"], *report.attacks["lira"]["low"][::-1])],
        mode="lines",
        fill="toself",
        fillcolor=first.colour,
        opacity=0.2,
        line={"width": 0},
        name=f"95% interval of {title_of('lira')}",
        hoverinfo="skip",
    )
    _line(figure, rates, rates, name="guessing", colour=REFERENCE_COLOUR, dash="dash", width=2)
    for attack, (style, dash) in zip(ATTACKS, _LOOKS, strict=True):
        # A logarithmic axis has no place for a share of 0.
        hits = [value or None for value in report.attacks[attack]["hits"]]
        _line(figure, rates, hits, name=title_of(attack), colour=style.colour, dash=dash, width=2)
    if report.epsilon is not None:
        ceiling = list(report.ceiling)
        _line(figure, rates, ceiling, name="the guarantee allows", colour=CEILING_COLOUR, dash="solid", width=3)
    axis = {"type": "log", "range": [math.log10(lowest), 0.05], **_TICKS}
    figure.update_layout(
        height=400,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        legend={"orientation": "h", "y": 1.15, "x": 0},
        xaxis={"title": "false alarms (others named)", **axis},
        yaxis={"title": "found (members named)", **axis},
    )
    return figure


def membership_alt(report: MembershipReport) -> str:
    """The chart in words, for those who cannot see it."""
    told = []
    for attack in ATTACKS:
        hits = [
            f"{row['hits']:.2%} at {row['rate']:.1%} false alarms"
            for row in report.attacks[attack]["told"]
            if row["hits"] is not None
        ]
        told.append(f"{title_of(attack)}: {', '.join(hits)}")
    return f"Found: {'; '.join(told)}."


def _line(
    figure: go.Figure,
    rates: list[float],
    hits: list[float] | list[float | None],
    *,
    name: str,
    colour: str,
    dash: str,
    width: int,
) -> None:
    figure.add_scatter(
        x=rates,
        y=hits,
        mode="lines",
        name=name,
        line={"color": colour, "dash": dash, "width": width},
        hovertemplate=f"%{{y:.2%}} found at %{{x:.2%}} false alarms<extra>{name}</extra>",
    )
