"""Charts and runs to take away, and runs to bring in, on a page of their own."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.exports import charts
from medpriv_core.home import DataHome
from medpriv_core.progress import ProgressCallback
from medpriv_core.runs import service
from pages.parts import take_away_runs
from pages.parts.charts import file_name_of
from tests.exports.runs import PLAIN, put_run
from tests.runs.archives import RUN_ID, members, zipped


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def chart_page() -> None:
    import plotly.graph_objects as go

    from pages.parts.charts import draw_chart

    figure = go.Figure(go.Scatter(x=[1, 2], y=[0.5, 0.75]))
    draw_chart(figure, key="chart", name="Accuracy, DP-SGD ε = 1", alt="It rises.", caption=["ε = 1 (δ = 1e-5)"])


def runs_page() -> None:
    from medpriv_core.home import data_home
    from medpriv_core.runs import service
    from pages.parts.take_away_runs import draw_import, draw_take_away

    draw_take_away(service.list_runs(data_home()))
    draw_import()


def open_page(script: Callable[[], None]) -> AppTest:
    page = AppTest.from_function(script, default_timeout=60).run()
    assert not page.exception
    return page


def labels(page: AppTest) -> list[str]:
    """Of what is made aside, and of what is made at the click."""
    made = [button.label for button in page.button if (button.key or "").endswith("_make")]
    return made + [button.label for button in page.get("download_button")]


def test_a_chart_has_its_downloads_and_nothing_is_drawn_before_a_click(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(charts, "_draw", lambda *_: drawn.append("drawn"))

    page = open_page(chart_page)

    assert labels(page) == ["PNG", "SVG"]
    assert drawn == []


def test_files_are_named_after_what_they_show() -> None:
    assert file_name_of("Accuracy, DP-SGD ε = 1") == "medpriv-accuracy-dp-sgd-epsilon-1"
    assert file_name_of("../../etc/passwd") == "medpriv-etc-passwd"
    assert len(file_name_of("x" * 500)) < 100


def test_without_runs_there_is_nothing_to_take_but_something_to_bring(home: DataHome) -> None:
    page = open_page(runs_page)

    assert labels(page) == []
    assert [element.label for element in page.get("file_uploader")] == ["Zips of runs, as medpriv exports them"]


def test_one_run_or_several_can_be_taken(home: DataHome) -> None:
    put_run(home, predictions=False)
    one = labels(open_page(runs_page))
    put_run(home, run_id="20260102-030405-eeee", predictions=False)
    two = labels(open_page(runs_page))

    assert one == ["Zip", "Table of runs", "Table of epochs", "TensorBoard"]
    assert two == ["Zip of 2 runs", "Table of runs", "Table of epochs", "TensorBoard of 2 runs"]


def test_a_zip_of_runs_is_made_once_for_the_same_files(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = put_run(home, predictions=False)
    put_run(home, run_id="20260102-030405-eeee", predictions=False)
    page = open_page(runs_page)
    page.button(key="take_away_zip_make").click().run()
    page.session_state["take_away_zip"].wait()
    page.run()
    content = page.session_state["take_away_zip"].content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.namelist()) == 2
    assert page.get("download_button")[0].label == "Zip of 2 runs"
    assert "take_away_zip" in page.run().session_state

    (directory.path / "spec.json").touch()

    assert "take_away_zip" not in page.run().session_state
    assert page.button(key="take_away_zip_make").label == "Zip of 2 runs"


def test_a_zip_on_its_way_says_how_far_it_is_and_can_be_stopped(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(home, predictions=False)
    told, goes_on = threading.Event(), threading.Event()

    def slow(*_: object, progress: ProgressCallback, **__: object) -> bytes:
        progress("Drawing charts and packing runs", 3, 14)
        told.set()
        assert goes_on.wait(60)
        progress("Drawing charts and packing runs", 4, 14)
        return b"zip"

    monkeypatch.setattr(take_away_runs, "export_run", slow)
    page = open_page(runs_page)
    page.button(key="take_away_zip_make").click().run()
    assert told.wait(60)
    page.run()
    assert "packing runs (4 of 14)" in page.get("progress")[0].proto.text
    making = page.session_state["take_away_zip"]
    page.button(key="take_away_zip_stop").click().run()
    goes_on.set()
    making.wait()
    page.run()

    assert making.content is None
    assert page.button(key="take_away_zip_make").label == "Zip"
    assert not page.error


def test_too_many_runs_for_a_zip_are_told_before_the_click(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_away_runs, "MOST_ZIPPED", 1)
    put_run(home, predictions=False)
    assert not open_page(runs_page).button(key="take_away_zip_make").disabled
    put_run(home, run_id="20260102-030405-eeee", predictions=False)

    page = open_page(runs_page)

    assert page.button(key="take_away_zip_make").disabled
    assert "at most 1 runs" in page.caption[1].value


def test_a_run_that_waits_is_in_the_tables_only(home: DataHome) -> None:
    service.submit(home, PLAIN)

    page = open_page(runs_page)

    assert labels(page) == ["Table of runs", "Table of epochs"]
    assert "have not ended" in page.caption[1].value


def test_an_uploaded_run_joins_the_list_and_a_foreign_file_is_refused(home: DataHome) -> None:
    page = open_page(runs_page)

    page.file_uploader[0].set_value([("good.zip", zipped(members()), "application/zip"), ("bad.zip", b"x", "")])
    page.button(key="import_runs_button").click()
    page.run()

    assert "Pilot" in page.success[0].value
    assert "bad.zip" in page.error[0].value
    assert [run.id for run in service.list_runs(home)] == [RUN_ID]
