"""One figure of each kind that the app draws, for tests of their export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from medpriv_core.attacks.enough import Tried
from medpriv_core.attacks.first_look import FirstLook
from medpriv_core.attacks.membership_report import figures_of
from medpriv_core.attacks.reidentification import CurvePoint, SuccessRate
from medpriv_core.evaluation.calibration import reliability_bins
from medpriv_core.evaluation.confusion import confusion_matrix
from medpriv_core.evaluation.metrics import Scores
from medpriv_core.evaluation.multiplicity import abstention_curve, compare_seeds
from medpriv_core.evaluation.thresholds import at_threshold, roc_curve
from medpriv_core.figures.calibration import reliability_figure
from medpriv_core.figures.confusion import confusion_figure
from medpriv_core.figures.corridor import corridor_figure
from medpriv_core.figures.curves import RunCurves
from medpriv_core.figures.dashboard import View, dashboard_figure
from medpriv_core.figures.deployments import deployments_figure
from medpriv_core.figures.enough import amounts_figure
from medpriv_core.figures.epochs import epochs_figure
from medpriv_core.figures.frontier import frontier_figure
from medpriv_core.figures.histogram import histogram_figure
from medpriv_core.figures.identification import identification_figure
from medpriv_core.figures.mechanisms import mechanisms_figure
from medpriv_core.figures.membership import membership_figure
from medpriv_core.figures.multiplicity import abstention_figure, consensus_figure
from medpriv_core.figures.roc import roc_figure
from medpriv_core.figures.tradeoff import tradeoff_figure
from medpriv_core.mechanisms.additive import LaplacePerPixel
from medpriv_core.privacy.curve import GaussianCurve
from medpriv_core.privacy.reconstruction import corridor
from medpriv_core.privacy.risk_subject import subject_of_images
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.membership import MembershipReport
from medpriv_core.records.setup import Setup
from medpriv_core.results.authors import read_authors
from medpriv_core.results.groups import Group, group_results
from medpriv_core.results.labels import labelled
from medpriv_core.spec import METHODS
from tests.attacks.test_membership import gaussian_answers, whole_report

NOTHING = np.zeros((2, 2, 1), np.uint8)
GUARANTEE = LaplacePerPixel(1.0).guarantee((8, 8, 1))
LABELS = np.arange(60) % 2
VALUES = np.clip(0.5 * LABELS + np.linspace(0, 0.5, 60), 0.01, 0.99)
PROBABILITIES = np.stack([1 - VALUES, VALUES], axis=1).astype(np.float32)
ROWS = [
    EpochRow(
        epoch=epoch,
        train=Scores(accuracy=0.9 - 0.4 / epoch),
        test=Scores(accuracy=0.8 - 0.2 / epoch),
        elapsed_s=2.0 * epoch,
    )
    for epoch in range(1, 31)
]
SETUP = Setup(majority_rate=0.6, classes=("a", "b"))


def groups() -> list[Group]:
    """The authors' chest X-ray runs, as the compare page shows them."""
    return labelled(group_results(result for result in read_authors() if result.dataset == "chest_xray"))


def dashboard(view: View) -> go.Figure:
    """Four runs, two of one method, whose names try to be mark-up."""
    methods = (*METHODS, "dp_sgd")
    names = ("plain", "_hidden", "$x^2$", "<b>a & b</b>")
    runs = [
        RunCurves(str(place), name, method, "chest", 30, ROWS, setup=SETUP)
        for place, (method, name) in enumerate(zip(methods, names, strict=True))
    ]
    return dashboard_figure(runs, view)


def amounts() -> go.Figure:
    looks = {beta: FirstLook(0.9 / beta, NOTHING, "Spectrum filter", 1 / beta) for beta in (1.0, 4.0, 16.0)}
    return amounts_figure(
        [Tried(beta, look, GUARANTEE, 100, SuccessRate(round(100 / beta), 100, 0.01)) for beta, look in looks.items()]
    )


def rebuilt() -> go.Figure:
    curve = corridor([1e-3, 1e-2, 0.1, 1.0, 10.0], size=4096, norm=32.0, delta=1e-5)
    return corridor_figure(curve, curve[3])


def identification() -> go.Figure:
    """Two sizes of picture at three amounts of noise, and a visitor's own amount."""
    points = [
        CurvePoint(beta=beta, shape=(size, size), success=SuccessRate(found=8, draws=20, chance=0.1))
        for beta in (0.5, 1.0, 4.0)
        for size in (32, 64)
    ]
    return identification_figure(points, replace(points[0], beta=0.1))


def calls() -> np.ndarray:
    """What five networks say of 60 images."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (5, 60))


def roc() -> go.Figure:
    """Of a network that is mostly right."""
    chosen = at_threshold(VALUES, LABELS, threshold=0.5)
    return roc_figure(roc_curve(VALUES, LABELS), chosen, positive="ill", method="none")


def attacked() -> go.Figure:
    """A membership attack under a limit."""
    figures = figures_of(
        gaussian_answers(1.0, records=400, references=16),
        ceiling=GaussianCurve(1.5),
        delta=1e-5,
        first_images=np.arange(400),
        rng=np.random.default_rng(0),
    )
    return membership_figure(MembershipReport.from_dict(whole_report(figures)))


SAMPLES: dict[str, Callable[[], go.Figure]] = {
    "dashboard_figure": lambda: dashboard(View()),
    "epochs_figure": lambda: epochs_figure(groups(), majority_rate=0.625),
    "mechanisms_figure": lambda: mechanisms_figure(groups(), protocol="last_epoch", majority_rate=0.625),
    "frontier_figure": lambda: frontier_figure(groups(), "test_accuracy"),
    "histogram_figure": lambda: histogram_figure(np.full((8, 8), 90, np.uint8), np.zeros((8, 8), np.uint8)),
    "amounts_figure": amounts,
    "identification_figure": identification,
    "corridor_figure": rebuilt,
    "confusion_figure": lambda: confusion_figure(
        confusion_matrix(PROBABILITIES.argmax(1), LABELS, classes=2), ["healthy", "ill"]
    ),
    "reliability_figure": lambda: reliability_figure(
        reliability_bins(PROBABILITIES, LABELS), classes=2, method="dp_sgd"
    ),
    "abstention_figure": lambda: abstention_figure(abstention_curve(calls(), LABELS), networks=5, method="none"),
    "consensus_figure": lambda: consensus_figure(compare_seeds(calls()), method="local_dp"),
    "roc_figure": roc,
    "membership_figure": attacked,
    "tradeoff_figure": lambda: tradeoff_figure(subject_of_images(GUARANTEE, asked="pixel"), log=True),
    "deployments_figure": lambda: deployments_figure(7.2),
}
