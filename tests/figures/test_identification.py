"""How often the patient is found: the amount of noise that was chosen is on the chart, wherever it lies."""

from __future__ import annotations

import math

import pytest

from medpriv_core.attacks.reidentification import CurvePoint, SuccessRate
from medpriv_core.exports.charts import to_svg
from medpriv_core.figures.identification import identification_figure

POINTS = [
    CurvePoint(beta=beta, shape=(32, 32), success=SuccessRate(found=8, draws=20, chance=0.1)) for beta in (1.0, 4.0)
]


@pytest.mark.parametrize("yours", [0.05, 2.0, 500.0])
def test_the_range_has_the_chosen_amount_and_all_that_was_tried(yours: float) -> None:
    figure = identification_figure(POINTS, yours=yours)

    low, high = (10**end for end in figure.layout.xaxis.range)
    assert low < min(yours, 1.0) <= max(yours, 4.0) < high
    (note,) = [note for note in figure.layout.annotations if "yours" in note.text]
    assert note.x == pytest.approx(math.log10(yours))
    assert note.text == f"yours: β = {yours:g}"
    assert to_svg(figure).startswith(b"<?xml")
