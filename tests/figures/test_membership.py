"""The curves of a membership attack: logarithmic axes, the limit where there is one, and no share of 0 drawn."""

from __future__ import annotations

import numpy as np

from medpriv_core.attacks.membership_report import figures_of
from medpriv_core.figures.membership import membership_alt, membership_figure
from medpriv_core.privacy.curve import GaussianCurve
from medpriv_core.records.membership import MembershipReport
from tests.attacks.test_membership import gaussian_answers, whole_report


def test_the_limit_is_drawn_where_there_is_one() -> None:
    figures = figures_of(
        gaussian_answers(1.0, records=400, references=16),
        ceiling=GaussianCurve(1.5),
        delta=1e-5,
        first_images=np.arange(400),
        rng=np.random.default_rng(0),
    )
    report = MembershipReport.from_dict(whole_report(figures))
    unlimited = MembershipReport.from_dict(whole_report(figures) | {"epsilon": None})
    figure = membership_figure(report)
    names = [trace.name for trace in figure.data]

    assert "the guarantee allows" in names
    assert "the guarantee allows" not in [trace.name for trace in membership_figure(unlimited).data]
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert all(value is None or value > 0 for trace in figure.data for value in trace.y)
    assert "RMIA" in membership_alt(report)
