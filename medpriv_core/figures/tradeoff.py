"""The most that an attacker finds, for each share of false alarms: the trade-off curve as a chart and as a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.privacy.curve import EVERYTHING, GaussianCurve
from medpriv_core.privacy.relaxed import relaxed_hits
from medpriv_core.privacy.risk_subject import RiskSubject
from medpriv_core.privacy.tradeoff import FALSE_ALARM_RATES

SMALLEST_RATE = 1e-4
TOLD = tuple(map(float, FALSE_ALARM_RATES))
# Above it a label has no room over the curve.
CROWDED = 0.5
_TABLE = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5)
WHAT_IT_DOES_NOT_SAY = (
    "What this does not say: the curve is of the best attacker there is, who knows every other record and all "
    "settings. Real attackers find less, and that they do is no proof. It says nothing of what the network itself "
    "teaches about patients who were not in the training set."
)


@dataclass(frozen=True)
class CurveRow:
    """One line of the table; shares from 0 to 1.

    false_alarms  also the probability κ with which the record would be picked out by chance
    hits          the most that are found; also the most with which it is picked out
    gained        what the attacker has gained at most
    relaxed       the same of an attacker who does not know the record; None where that is not known
    """

    false_alarms: float
    hits: float
    gained: float
    relaxed: float | None


def curve_rows(subject: RiskSubject) -> list[CurveRow]:
    """The numbers of the curve at rates that people ask for."""
    hits = subject.curve.hits(_TABLE)
    relaxed = _relaxed(subject, np.array(_TABLE))
    return [
        CurveRow(rate, float(found), float(found) - rate, None if relaxed is None else float(relaxed[place]))
        for place, (rate, found) in enumerate(zip(_TABLE, hits, strict=True))
    ]


def tradeoff_figure(subject: RiskSubject, *, log: bool) -> go.Figure:
    """The curve with the rates that are told, what one number μ would say, a relaxed attacker, and guessing.

    ``log``: both axes logarithmic, from one false alarm in 10,000 on.
    """
    rates = np.geomspace(SMALLEST_RATE, 1.0, 400) if log else np.linspace(0.0, 1.0, 401)
    style = METHOD_STYLES["dp_sgd" if subject.asked == "membership" else "local_dp"]
    figure = go.Figure()
    _line(figure, rates, rates, name="guessing", colour=REFERENCE_COLOUR, dash="dash", width=2)
    if (relaxed := _relaxed(subject, rates)) is not None:
        _line(figure, rates, relaxed, name="who does not know the record", colour=style.colour, dash="dot", width=2)
    mu = subject.risk.mu
    if mu is not None and not isinstance(subject.curve, GaussianCurve):
        fitted = GaussianCurve(mu).hits(rates)
        _line(figure, rates, fitted, name=f"one number, μ = {mu:.3g}", colour=REFERENCE_COLOUR, dash="dot", width=2)
    # The bound by a point is steep: where a line begins and ends matters more than that the rates are even.
    _line(figure, rates, subject.curve.hits(rates), name="at most", colour=style.colour, dash="solid", width=3)
    told = [float(hits) for hits in subject.curve.hits(TOLD)]
    figure.add_scatter(
        x=list(TOLD),
        y=told,
        mode="markers+text",
        name="0.1%, 1%, 5%",
        text=[f"{hits:.1%}" for hits in told],
        textposition=["bottom center" if hits > CROWDED else "top left" if log else "bottom right" for hits in told],
        marker={"color": style.colour, "symbol": style.marker, "size": 10},
        hovertemplate="%{y:.2%} found for %{x:.1%} false alarms<extra></extra>",
        cliponaxis=False,
    )
    axis = {"type": "log", "range": [np.log10(SMALLEST_RATE), 0.05]} if log else {"range": [-0.02, 1.03]}
    ticks = {"tickvals": [1e-4, 1e-3, 1e-2, 0.1, 1], "ticktext": ["0.01%", "0.1%", "1%", "10%", "100%"]} if log else {}
    plain = {} if log else {"tickformat": ".0%"}
    figure.update_layout(
        height=345,
        margin={"l": 10, "r": 10, "t": 55, "b": 10},
        legend={"orientation": "h", "y": 1.03, "x": 0, "yanchor": "bottom"},
        xaxis={"title": "false alarms, or right by chance (κ)", **axis, **ticks, **plain},
        yaxis={"title": "found, at most", **axis, **ticks, **plain},
    )
    return figure


def tradeoff_alt(subject: RiskSubject) -> str:
    """The curve in words, for those who cannot see it."""
    told = ", ".join(f"{hits:.2%} for {rate:.1%}" for rate, hits in zip(TOLD, subject.curve.hits(TOLD), strict=True))
    return f"Share found at most against share of false alarms: {told}; {subject.statement}."


def _relaxed(subject: RiskSubject, rates: np.ndarray) -> np.ndarray | None:
    """Of plain Gaussian noise in several dimensions; in one there is nothing to know but the sign."""
    psi, dimensions = subject.sensitivity_index, subject.dimensions
    if psi is None or dimensions is None or subject.curve is EVERYTHING:
        return None
    return relaxed_hits(rates, mu=psi, dimensions=dimensions)


def _line(
    figure: go.Figure, rates: np.ndarray, hits: np.ndarray, *, name: str, colour: str, dash: str, width: int
) -> None:
    figure.add_scatter(
        x=rates,
        y=hits,
        mode="lines",
        name=name,
        line={"color": colour, "dash": dash, "width": width},
        hovertemplate=f"%{{y:.2%}} for %{{x:.2%}} false alarms<extra>{name}</extra>",
    )
