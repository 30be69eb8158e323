"""Charts as PNG and SVG: that every figure of the app can be exported, and shows there what it shows on screen."""

from __future__ import annotations

import importlib
import io
import pkgutil
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from medpriv_core import figures
from medpriv_core.exports.captions import describe_runs
from medpriv_core.exports.chart_styles import UnknownChart
from medpriv_core.exports.charts import HEIGHT, WIDTH, to_png, to_svg
from medpriv_core.figures.dashboard import View
from tests.exports.chart_samples import SAMPLES, dashboard
from tests.exports.runs import LOCAL, PLAIN, PRIVATE, made_run

BLUE = (0, 114, 178)


def pixels(png: bytes) -> np.ndarray:
    """uint8, shape (height, width, 3)"""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def share_of(colour: tuple[int, int, int], png: bytes) -> float:
    return float((np.abs(pixels(png).astype(int) - colour).sum(axis=2) < 12).mean())


def drawing_modules() -> list[ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(figures.__path__)]
    return [importlib.import_module(f"{figures.__name__}.{name}") for name in names]


def test_there_is_a_sample_of_every_figure_of_the_app() -> None:
    made = {
        name
        for module in drawing_modules()
        for name, value in vars(module).items()
        if name.endswith("_figure") and not name.startswith("_") and value.__module__ == module.__name__
    }

    assert made
    assert made == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_figure_of_the_app_can_be_exported(name: str) -> None:
    image = pixels(to_png(SAMPLES[name](), title="A title", caption=["ε = 1 (δ = 1e-5)"]))

    assert image.shape[1] == WIDTH
    assert image.shape[0] >= HEIGHT
    assert (image[:, -5:] == 255).all(), "something reaches over the edge"
    assert (image < 200).any(axis=2).mean() > 0.003, "hardly anything is drawn"


@pytest.mark.parametrize(
    "view",
    [View(smoothing=0.5, log_x=True, log_y=True), View(against="time"), View(hidden=frozenset("0"), highlighted="1")],
    ids=["smoothed and logarithmic", "against time", "one hidden"],
)
def test_the_dashboard_can_be_exported_however_it_is_looked_at(view: View) -> None:
    assert pixels(to_png(dashboard(view))).shape[1] == WIDTH


def test_a_hidden_trace_is_not_drawn() -> None:
    shown = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], line={"color": "#0072B2", "width": 8}))
    hidden = go.Figure(shown).update_traces(visible="legendonly")

    assert share_of(BLUE, to_png(shown)) > 0.002
    assert share_of(BLUE, to_png(hidden)) == 0


def test_bars_are_as_high_as_their_values_say() -> None:
    figure = go.Figure(go.Bar(x=["a", "b"], y=[1.0, 0.25], marker={"color": "#0072B2"}))
    image = np.abs(pixels(to_png(figure)).astype(int) - BLUE).sum(axis=2) < 12
    heights = image.sum(axis=0)
    first, second = heights[: WIDTH // 2].max(), heights[WIDTH // 2 :].max()

    assert second / first == pytest.approx(0.25, abs=0.01)


def test_bars_on_top_of_each_other_add_up() -> None:
    bars = [go.Bar(x=["a"], y=[height], marker={"color": "#0072B2"}) for height in (1.0, 3.0)]
    figure = go.Figure(bars).update_layout(barmode="stack", yaxis={"range": [0, 8]}, showlegend=False)
    image = np.abs(pixels(to_png(figure)).astype(int) - BLUE).sum(axis=2) < 12
    single = go.Figure(go.Bar(x=["a"], y=[4.0], marker={"color": "#0072B2"}))
    single.update_layout(yaxis={"range": [0, 8]})
    expected = np.abs(pixels(to_png(single)).astype(int) - BLUE).sum(axis=2) < 12

    assert abs(int(image.sum(axis=0).max()) - int(expected.sum(axis=0).max())) <= 3


def test_a_logarithmic_axis_puts_powers_of_ten_at_equal_distances() -> None:
    figure = go.Figure(
        go.Scatter(x=[1, 10, 1000], y=[1, 1, 1], mode="markers", marker={"size": 20, "color": "#0072B2"})
    )
    figure.update_layout(xaxis={"type": "log"})
    columns = np.flatnonzero((np.abs(pixels(to_png(figure)).astype(int) - BLUE).sum(axis=2) < 12).any(axis=0))
    first, middle, last = (group.mean() for group in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1))

    assert (last - middle) / (middle - first) == pytest.approx(2, abs=0.03)


def test_a_long_caption_is_never_shortened_but_makes_the_picture_higher() -> None:
    figure = go.Figure(go.Scatter(x=[1, 2], y=[1, 2]))
    caption = [f"Statement {number}: {'ε in full, with δ and adjacency, ' * 8}" for number in range(20)]

    assert pixels(to_png(figure, caption=caption)).shape[0] > pixels(to_png(figure)).shape[0] + 500


def test_the_title_of_the_figure_comes_before_the_one_given() -> None:
    figure = go.Figure(go.Scatter(x=[1, 2], y=[1, 2]))
    titled = go.Figure(figure).update_layout(title="Own")

    assert to_svg(titled, title="Given") == to_svg(figure, title="Own")
    assert to_svg(titled) != to_svg(figure)


def test_text_is_never_taken_for_mathematics_or_mark_up() -> None:
    # Unknown mathematics would raise, and an open tag would end the SVG.
    figure = go.Figure([go.Scatter(x=[1], y=[1], name=r"$\nothing{$ </svg> _a"), go.Scatter(x=[1], y=[1], name="_b")])

    svg = to_svg(figure, title=r"$\alpha$ \x", caption=["100 $ & <b>more</b> \x00"])

    assert svg.count(b"</svg>") == 1


def test_the_same_chart_gives_the_same_file_also_from_several_threads() -> None:
    figure = SAMPLES["dashboard_figure"]()

    with ThreadPoolExecutor(4) as threads:
        files = list(threads.map(lambda _: to_svg(figure), range(4)))

    assert len(set(files)) == 1
    assert b"<dc:date>" not in files[0]


@pytest.mark.parametrize(
    ("figure", "what"),
    [
        (go.Figure(go.Pie(values=[1])), "type 'pie'"),
        (go.Figure(go.Violin(y=[1, 2])), "type 'violin'"),
        (go.Figure(go.Scatter(x=[1], y=[1], marker={"symbol": "hourglass"}, mode="markers")), "marker"),
        (go.Figure(go.Scatter(x=[1], y=[1], line={"shape": "spline"})), "spline"),
        (go.Figure(go.Scatter(x=[1], y=[1], line={"dash": "5px"})), "dash"),
        (go.Figure(go.Scatter(x=[1], y=[1], fill="tonextx")), "filling"),
        (go.Figure(go.Scatter(x=[1], y=[1]), layout={"xaxis": {"type": "date"}}), "type 'date'"),
        (go.Figure(go.Scatter(x=[1], y=[1]), layout={"yaxis": {"tickformat": "%H"}}), "format '%H'"),
        (go.Figure(go.Scatter(x=[1], y=[1])).add_shape(type="circle", x0=0, x1=1, y0=0, y1=1), "circle"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_not_left_out(figure: go.Figure, what: str) -> None:
    with pytest.raises(UnknownChart, match=what):
        to_png(figure)


def test_the_caption_of_runs_has_every_epsilon_in_full_and_calls_synthetic_images_so() -> None:
    lines = describe_runs([made_run(spec) for spec in (PLAIN, LOCAL, PRIVATE)])

    assert "no ε holds" in lines[0]
    assert "any two images" in lines[1]
    assert all(word in lines[2] for word in ("ε = ", "δ = 1e-5", "one image added or removed", "Poisson", "PLD"))
    assert all("SYNTHETIC" in line for line in lines[:3])
    assert lines[3].startswith("Left out, because ε does not cover it")


def test_the_caption_of_many_runs_says_how_many_it_leaves_out() -> None:
    lines = describe_runs([made_run(PLAIN)] * 20)

    assert len(lines) == 13
    assert lines[-1].startswith("8 more runs")
