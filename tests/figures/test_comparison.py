"""The charts of the compare page: the numbers they were given, told apart without colour, and fit to be taken away."""

from __future__ import annotations

import itertools
import math

import plotly.graph_objects as go
import pytest

from medpriv_core.exports.charts import to_svg
from medpriv_core.figures.epochs import epochs_alt, epochs_figure
from medpriv_core.figures.frontier import ceiling_of, floor_of, frontier_alt, frontier_figure
from medpriv_core.figures.mechanisms import mechanisms_alt, mechanisms_figure
from medpriv_core.figures.styles import styles_of
from medpriv_core.palette import METHOD_STYLES, REFERENCE_COLOUR
from medpriv_core.results.authors import read_authors
from medpriv_core.results.groups import Group, group_results
from medpriv_core.results.labels import labelled
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, SHIFTED, result

CHEST = [run for run in read_authors() if run.dataset == "chest_xray" and run.version == 4]


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    """No privacy (two seeds), Local-DP of three strengths and per image, DP-SGD of two, and the authors' runs."""
    specs = [LOCAL.changed(beta=1.0), LOCAL, LOCAL.changed(beta=4.0), SHIFTED, PRIVATE]
    specs.append(PRIVATE.changed(noise_multiplier=8.0))
    runs = [result(PLAIN, (0.7, 0.90), auroc=0.95, run_id="n0")]
    runs.append(result(PLAIN.changed(seed=1), (0.7, 0.92), auroc=0.97, run_id="n1"))
    runs += [result(spec, (0.6, 0.7), auroc=0.8, run_id=f"p{number}") for number, spec in enumerate(specs)]
    return labelled(group_results([*runs, *CHEST]))


def traces(figure: go.Figure, label: str) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.name and trace.name.endswith(label)]


def test_groups_are_told_apart_without_colour(groups: list[Group]) -> None:
    styles = styles_of(groups)
    own = [(style.dash, style.shape) for group, style in zip(groups, styles, strict=True) if group.own]

    assert len(set(own)) == len(own)


def test_side_by_side_all_layers_are_larger_and_have_the_dash_of_the_same_noise() -> None:
    specs = [PLAIN, LOCAL, LOCAL.changed(beta=4.0)]
    specs += [spec.changed(trainable="all", image_size=32) for spec in specs]
    groups = labelled(group_results([result(spec, run_id=str(number)) for number, spec in enumerate(specs)] + CHEST))

    styles = {group.label: style for group, style in zip(groups, styles_of(groups), strict=True)}

    last, deep = (styles[f"Local-DP β = 4, {what}"] for what in ("last layer, 64 pixels", "all layers, 32 pixels"))
    assert (last.shape, last.large, deep.shape, deep.large) == ("square", False, "square", True)
    assert last.dash == deep.dash != styles["Local-DP β = 2, last layer, 64 pixels"].dash


def test_own_runs_have_the_colours_of_their_methods_and_all_others_are_grey(groups: list[Group]) -> None:
    for group, style in zip(groups, styles_of(groups), strict=True):
        expected = METHOD_STYLES[group.first.method].colour if group.own else REFERENCE_COLOUR
        assert style.colour == expected


def test_one_number_a_picture_does_not_look_like_noise_for_each_pixel(groups: list[Group]) -> None:
    shapes = {
        group.first.noise_draw: style.shape
        for group, style in zip(groups, styles_of(groups), strict=True)
        if group.first.method == "local_dp" and group.first.source == "mine"
    }

    assert shapes["per_image"] != shapes["per_pixel"]


def test_figure_3_draws_the_mean_over_seeds_with_its_band(groups: list[Group]) -> None:
    figure = epochs_figure(groups, majority_rate=0.6)

    test, train = traces(figure, "No privacy")
    assert list(test.x) == [1, 2]
    assert list(test.y) == pytest.approx([0.7, 0.91])
    assert list(train.y) == pytest.approx([0.75, 0.96])
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    assert len(bands) == 2
    assert max(bands[0].y) == 1.0  # two seeds, t with one degree of freedom: cut off at 100 %


def test_figure_3_has_the_authors_behind_and_every_line_in_the_legend_once(groups: list[Group]) -> None:
    figure = epochs_figure(groups, majority_rate=None)
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]

    assert all(line.line.color == REFERENCE_COLOUR for line in lines[: len(CHEST)])
    assert [line.name for line in lines if line.showlegend].count(groups[0].label) == 1
    assert sum(bool(line.showlegend) for line in lines) == len(groups)
    assert list(traces(figure, "DP-SGD “β = 1”, σ = 5.002 (authors v4)")[0].y)[-1] == 0.786859


def test_figure_4_marks_test_and_training_apart_with_intervals_of_the_test_alone(groups: list[Group]) -> None:
    figure = mechanisms_figure(groups, protocol="last_epoch", majority_rate=0.6)
    filled, hollow = figure.data[0], figure.data[1]

    assert filled.x[0] == pytest.approx(0.91)
    assert hollow.x[0] == pytest.approx(0.96)
    assert not filled.marker.symbol.endswith("open")
    assert hollow.marker.symbol.endswith("open")
    assert filled.error_x.array is not None
    assert hollow.error_x.array is None
    assert figure.layout.shapes[0].x0 == 0.6


def test_figure_4_by_the_best_epoch_has_no_intervals() -> None:
    runs = labelled(group_results([result(PLAIN, (0.9, 0.8))]))

    figure = mechanisms_figure(runs, protocol="best_on_test")

    assert figure.data[0].x[0] == 0.9
    assert all(trace.error_x.array is None for trace in figure.data)


def test_the_frontier_stands_at_the_epsilon_that_holds(groups: list[Group]) -> None:
    figure = frontier_figure(groups, "test_auroc")

    for group in groups:
        found = traces(figure, group.label)
        if group.first.source == "authors":
            assert found == []  # they logged no AUROC
        elif math.isinf(group.epsilon):
            assert found[0].xaxis == "x2"
            assert 0 < found[0].x[0] < 1
        else:
            assert (found[0].xaxis, found[0].x[0]) == ("x", group.epsilon)
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.xaxis.range
    finite = [group.epsilon for group in groups if math.isfinite(group.epsilon)]
    assert 10**low < min(finite) <= max(finite) < 10**high


def test_the_frontier_names_the_run_and_all_of_its_guarantee_on_hover(groups: list[Group]) -> None:
    own = next(group for group in groups if group.first.id == "p4")
    (point,) = traces(frontier_figure(groups, "test_auroc"), own.label)

    said = point.hovertemplate.replace("<br>", " ")
    assert "p4" in said
    assert own.first.guarantee.statement in said


def test_the_frontier_without_any_finite_epsilon_says_so() -> None:
    figure = frontier_figure(labelled(group_results(CHEST)), "test_accuracy")

    assert any("no run on screen" in (note.text or "") for note in figure.layout.annotations)


def test_own_points_have_their_names_and_the_others_numbers(groups: list[Group]) -> None:
    figure = frontier_figure(groups, "test_accuracy")

    for group in groups:
        (point,) = traces(figure, group.label)
        word = point.text[0].strip("\u00a0")
        assert word.isdecimal() != group.own
        if group.own:
            assert word == (group.name or group.label)
        else:
            assert point.name.startswith(f"{word}  ")


def test_what_privacy_cost_own_runs_is_drawn_up_to_the_run_without_it() -> None:
    runs = [result(PLAIN, (0.7, 0.90), auroc=0.95, run_id="a"), result(PRIVATE, (0.6, 0.8), auroc=0.90, run_id="b")]
    groups = labelled(group_results([*runs, *CHEST]))

    for column, ends, said in (
        ("test_accuracy", (0.8, 0.9), "−10.0 points"),
        ("test_auroc", (0.90, 0.95), "−0.050"),
    ):
        (line,) = [trace for trace in frontier_figure(groups, column).data if trace.mode == "lines+text"]
        assert (line.y[0], line.y[-1]) == pytest.approx(ends)
        assert line.x[0] == next(group.epsilon for group in groups if group.own and group.first.method == "dp_sgd")
        assert line.text[1].strip("\u00a0") == said
    assert "privacy cost name of b: DP-SGD σ = 4, ε = 0.43 10.0 points" in frontier_alt(groups, "test_accuracy")


def test_no_line_of_costs_where_there_would_be_a_fence() -> None:
    runs = [PRIVATE.changed(noise_multiplier=4.0 + number) for number in range(5)]
    groups = labelled(group_results(result(spec, run_id=str(number)) for number, spec in enumerate([PLAIN, *runs])))

    assert not [trace for trace in frontier_figure(groups, "test_accuracy").data if trace.mode == "lines+text"]


def test_all_figures_and_lines_are_within_the_range(groups: list[Group]) -> None:
    figure = frontier_figure(groups, "test_accuracy")

    low, high = figure.layout.yaxis.range
    values = [shape.y0 for shape in figure.layout.shapes]
    values += [trace.y[0] for trace in figure.data if trace.y[0] is not None]
    assert low < min(values) <= max(values) < high


def test_figure_3_has_the_names_of_own_lines_at_their_ends_apart(groups: list[Group]) -> None:
    figure = epochs_figure(groups, majority_rate=0.6)

    names = [trace for trace in figure.data if trace.mode == "lines+text"]
    own = [group for group in groups if group.own]
    assert [trace.text[1] for trace in names] == [group.name or group.label for group in own]
    assert all(trace.x[0] == group.first.final.epoch for trace, group in zip(names, own, strict=True))
    assert all(trace.y[0] == group.course("test_accuracy")[-1][1].mean for trace, group in zip(names, own, strict=True))
    places = sorted(trace.y[1] for trace in names)
    assert all(after - before > 0.01 for before, after in itertools.pairwise(places))  # six of them end at 70 %


def test_the_axis_reaches_to_the_end_of_ones_own_run_without_privacy() -> None:
    runs = [result(PLAIN, (0.7,) * 30, run_id="a"), result(PRIVATE, run_id="b")]

    figure = epochs_figure(labelled(group_results(runs)), majority_rate=None)

    assert figure.layout.xaxis.range[1] > 30


def test_hollow_means_training_images_in_every_chart(groups: list[Group]) -> None:
    figures = [
        epochs_figure(groups, majority_rate=0.6),
        mechanisms_figure(groups, protocol="last_epoch"),
        frontier_figure(groups, "test_accuracy"),
    ]

    for figure in figures:
        for trace in figure.data:
            symbol = trace.marker.symbol if "markers" in (trace.mode or "") else None
            if symbol is None or trace.x[0] is None or symbol == "line-ns-open":
                continue
            training = trace.yaxis == "y2" or (trace.hovertemplate or "").startswith("training images")
            assert symbol.endswith("-open") == training


def test_floor_and_ceiling(groups: list[Group]) -> None:
    first = groups[0]

    assert floor_of(first, "test_auroc") == (0.5, "guessing")
    assert floor_of(first, "test_accuracy") == (0.6, "always the most frequent class")
    assert floor_of(first, "test_balanced_accuracy") == (0.5, "always the same class")
    ceiling = ceiling_of(groups, "test_auroc")
    assert ceiling is not None
    assert ceiling[0] == pytest.approx(0.96)


def test_the_words_for_those_who_cannot_see_them(groups: list[Group]) -> None:
    assert "No privacy: test 91.0%, training 96.0% after epoch 2" in epochs_alt(groups)
    assert "Chest. No privacy: 91.0%" in mechanisms_alt(groups, protocol="last_epoch", title="Chest").replace(
        "name of n0: ", ""
    )
    assert "No privacy: 0.960" in frontier_alt(groups, "test_auroc")


def test_each_chart_can_be_taken_away(groups: list[Group]) -> None:
    figures = [
        epochs_figure(groups, majority_rate=0.6),
        mechanisms_figure(groups, protocol="last_epoch", majority_rate=0.6),
        frontier_figure(groups, "test_accuracy"),
        frontier_figure(labelled(group_results(CHEST)), "test_accuracy"),
    ]

    for figure in figures:
        assert to_svg(figure, title="T").startswith(b"<?xml")
