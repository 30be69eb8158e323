"""How often the patient is found: the amount of noise on screen is on the chart, and no label lies under its marks."""

from __future__ import annotations

import pytest

from medpriv_core.attacks.reidentification import CurvePoint, SuccessRate
from medpriv_core.figures.identification import identification_figure

POINTS = [CurvePoint(beta, (32, 32), SuccessRate(found, 100, 0.01)) for beta, found in ((1, 100), (4, 40), (256, 1))]


@pytest.mark.parametrize("beta", [0.05, 2.0, 1000.0])
def test_ones_own_amount_is_on_the_chart_wherever_it_lies(beta: float) -> None:
    yours = CurvePoint(beta, (64, 64), SuccessRate(97, 100, 0.01))
    figure = identification_figure(POINTS, yours)
    (mark,) = [trace for trace in figure.data if "yours" in (trace.name or "")]
    assert (list(mark.x), list(mark.y)) == ([beta], [0.97])
    # No range is set, so that the axis reaches to every mark.
    assert figure.layout.xaxis.range is None


def test_the_label_of_guessing_stands_where_everybody_is_found() -> None:
    (label,) = identification_figure(POINTS).layout.annotations
    assert label.text == "guessing: 1.0%"
    assert label.xanchor == "left"
