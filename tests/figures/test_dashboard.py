"""Several runs on one chart."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go

from medpriv_core.figures import keys
from medpriv_core.figures.curves import RunCurves
from medpriv_core.figures.dashboard import DASHES, MARKERS, View, dashboard_figure
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.records.epoch import read_figures
from medpriv_core.records.setup import Setup
from medpriv_core.spec import Method

TEST_ONLY = View(parts=("test",), marks=False)


def run(
    name: str, method: Method = "none", *, epochs: int = 5, dataset: str = "Chests", majority: float = 0.6
) -> RunCurves:
    rows = [
        {
            "epoch": epoch,
            "elapsed_s": 100.0 * epoch,
            "train_accuracy": min(1.0, 0.5 + epoch / 100),
            "test_accuracy": max(0.0, 0.9 - abs(epoch - 3) / 10),
            "epsilon": 0.1 * epoch,
        }
        for epoch in range(1, epochs + 1)
    ]
    setup = Setup(majority_rate=majority)
    return RunCurves(
        name, name, method, dataset, epochs, list(map(read_figures, rows)), setup, terms="δ = 1e-5; Poisson"
    )


def named(figure: go.Figure) -> dict[str, go.Scatter]:
    """The curves by their names, without what only explains stars and rings."""
    shown = [trace for trace in figure.data if trace.showlegend is not False and trace.legendrank != keys.RANK]
    return {trace.name: trace for trace in shown}


def test_methods_have_their_colour_and_runs_of_one_method_differ_in_dash_and_marker() -> None:
    runs = [run(f"r{number}", "dp_sgd") for number in range(len(DASHES) * len(MARKERS))] + [run("plain")]
    traces = named(dashboard_figure(runs, TEST_ONLY))
    assert traces["plain"].line.color == METHOD_STYLES["none"].colour
    alike = [traces[item.id] for item in runs[:-1]]
    assert {trace.line.color for trace in alike} == {METHOD_STYLES["dp_sgd"].colour}
    assert len({(trace.line.dash, trace.marker.symbol) for trace in alike}) == len(alike)


def test_one_run_shows_training_dashed_and_test_solid() -> None:
    traces = named(dashboard_figure([run("r")], View()))
    assert list(traces) == ["training", "test"]
    assert (traces["training"].line.dash, traces["test"].line.dash) == ("dash", "solid")
    assert str(traces["training"].marker.symbol).endswith("-open")


def test_smoothing_draws_the_measured_values_faint_and_says_so() -> None:
    figure = dashboard_figure([run("r")], View(parts=("test",), smoothing=0.5, marks=False))
    measured, smooth = figure.data
    assert list(measured.y) == [row.test.accuracy for row in run("r").epochs]
    assert measured.opacity < smooth.opacity
    assert list(smooth.y) != list(measured.y)
    assert "smoothed by 0.5" in figure.layout.yaxis.title.text
    assert smooth.customdata[2][1] == "90.0%"  # what the box on the curve says is what was measured


def test_epsilon_is_never_drawn_smaller_than_it_is() -> None:
    figure = dashboard_figure([run("r")], View(measure="epsilon", smoothing=0.9, marks=False))
    (curve,) = figure.data
    assert list(curve.y) == [row.epsilon for row in run("r").epochs]
    assert "smoothed" not in figure.layout.yaxis.title.text


def test_the_line_to_beat_has_its_words_beside_it_on_a_logarithmic_axis_too() -> None:
    figure = dashboard_figure([run("r", majority=0.1)], View(log_y=True))
    assert figure.layout.shapes[0].y0 == 0.1
    assert figure.layout.annotations[0].y == -1


def test_best_and_last_epoch_are_marked_on_the_curve() -> None:
    _, marks, *explained = dashboard_figure([run("r")], View(parts=("test",))).data
    assert {trace.marker.symbol: trace.name for trace in explained} == {
        "star": "best epoch on the test images",
        "circle-open": "last epoch",
    }
    assert list(marks.x) == [3, 5]
    assert list(marks.marker.symbol) == ["star", "circle-open"]


def test_hidden_runs_stay_in_the_legend_and_the_highlighted_one_stands_out() -> None:
    runs = [run("a"), run("b"), run("c")]
    view = View(parts=("test",), marks=False, hidden=frozenset({"b"}), highlighted="a")
    figure = dashboard_figure(runs, view)
    traces = named(figure)
    assert traces["b"].visible == "legendonly"
    assert figure.data[-1].name == "a"
    assert traces["a"].opacity == 1 > traces["c"].opacity
    assert sorted(traces.values(), key=lambda trace: trace.legendrank)[0].name == "a"


def test_each_dataset_has_its_line_to_beat() -> None:
    figure = dashboard_figure([run("a"), run("b"), run("c", dataset="Eyes", majority=0.3)], TEST_ONLY)
    texts = [note.text for note in figure.layout.annotations]
    assert texts == ["always the most frequent class: 60.0% (Chests)", "always the most frequent class: 30.0% (Eyes)"]


def test_runs_without_the_figure_do_not_stretch_its_axes_nor_change_how_others_look() -> None:
    runs = [run("a", "dp_sgd"), run("b", "dp_sgd", epochs=50), run("c", "dp_sgd")]
    runs[1] = replace(runs[1], terms=None)
    figure = dashboard_figure(runs, View(measure="epsilon", marks=False))
    assert list(figure.layout.xaxis.range) == [0.5, 5.5]
    accuracy = named(dashboard_figure(runs, TEST_ONLY))
    assert [trace.marker.symbol for trace in figure.data] == [accuracy[name].marker.symbol for name in ("a", "c")]


def test_time_is_in_minutes_once_it_is_long() -> None:
    long = dashboard_figure([run("a")], View(against="time", parts=("test",), marks=False))
    assert list(long.data[0].x) == [100 * epoch / 60 for epoch in range(1, 6)]
    assert long.layout.xaxis.title.text == "minutes of training"
    short = dashboard_figure([run("a", epochs=1)], View(against="time", parts=("test",), marks=False))
    assert short.layout.xaxis.title.text == "seconds of training"


def test_axes_can_be_logarithmic_and_else_span_the_whole_run() -> None:
    figure = dashboard_figure([run("a")], View(log_x=True, log_y=True))
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    assert list(dashboard_figure([run("a", epochs=2), run("b")], TEST_ONLY).layout.xaxis.range) == [0.5, 5.5]


def test_a_long_run_keeps_its_first_epochs_where_the_axis_is_logarithmic() -> None:
    long = run("a", epochs=1000)
    assert list(dashboard_figure([long], TEST_ONLY).data[0].x[:2]) == [1, 4]
    assert list(dashboard_figure([long], replace(TEST_ONLY, log_x=True)).data[0].x[:4]) == [1, 2, 3, 4]


def test_epsilon_is_one_curve_a_run_and_says_what_it_depends_on() -> None:
    figure = dashboard_figure(
        [run("a", "dp_sgd"), run("b", "dp_sgd")], View(measure="epsilon", parts=("test",), marks=False)
    )
    assert [trace.name for trace in figure.data] == ["a", "b"]
    assert figure.data[0].customdata[4][1] == "ε = 0.5 (δ = 1e-5; Poisson)"


def test_equal_epochs_draw_an_equal_chart() -> None:
    assert dashboard_figure([run("a"), run("b")], View()) == dashboard_figure([run("a"), run("b")], View())
