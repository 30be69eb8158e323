"""A live run: a worker waits before it is launched, and its curve is followed, or played again, epoch by epoch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.runs import service, spare
from medpriv_core.runs.directory import RunDirectory
from pages.parts.runs import replay
from tests.pages.recorded_runs import OpenPage, add_run, put_in_state
from tests.pages.test_runs_dashboard import chart

EPOCHS = 5


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of the replay: ``now`` in seconds, set by the test."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(replay, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def ended_run(open_page: OpenPage, home: DataHome) -> AppTest:
    add_run(home, "r1", epochs=EPOCHS)
    put_in_state(home, "r1", "finished")
    return open_page("runs", run="r1")


def drawn_epochs(page: AppTest) -> list[int]:
    """Those of the curve of the test images."""
    (curve,) = [trace for trace in chart(page)["data"] if trace.get("name") == "test"]
    return [int(epoch) for epoch, _ in curve["customdata"]]


def slider(page: AppTest) -> Any:
    (found,) = [one for one in page.slider if one.label == "Epoch"]
    return found


def axes(page: AppTest) -> list[Any]:
    layout = chart(page)["layout"]
    return [layout["xaxis"]["range"], layout["yaxis"]["range"]]


def test_a_finished_curve_is_played_at_two_epochs_a_second_within_axes_that_stand_still(
    open_page: OpenPage, home: DataHome, clock: SimpleNamespace
) -> None:
    page = ended_run(open_page, home)
    whole, far = drawn_epochs(page), axes(page)
    assert whole == list(range(1, EPOCHS + 1))
    page.button(key="replay").click().run()
    seen = []
    for _ in range(EPOCHS):
        seen.append(drawn_epochs(page)[-1])
        assert axes(page) == far
        clock.now += 0.5
        page.run()
    assert seen == whole
    # At its end it stands still and can be played again.
    assert drawn_epochs(page) == whole
    page.button(key="replay_play").click().run()
    assert drawn_epochs(page) == [1]
    page.button(key="replay_close").click().run()
    assert drawn_epochs(page) == whole
    assert page.button(key="replay")


def test_it_can_be_paused_and_stepped_through(open_page: OpenPage, home: DataHome, clock: SimpleNamespace) -> None:
    page = ended_run(open_page, home)
    page.button(key="replay").click().run()
    clock.now += 1.0
    page.run()
    page.button(key="replay_pause").click().run()
    clock.now += 60.0
    assert drawn_epochs(page.run()) == [1, 2, 3]
    assert drawn_epochs(page.button(key="replay_next").click().run()) == [1, 2, 3, 4]
    assert drawn_epochs(page.button(key="replay_previous").click().run()) == [1, 2, 3]
    assert drawn_epochs(slider(page).set_value(EPOCHS).run())[-1] == EPOCHS
    assert page.button(key="replay_next").disabled
    assert drawn_epochs(slider(page).set_value(1).run()) == [1]
    assert page.button(key="replay_previous").disabled
    page.button(key="replay_play").click().run()
    clock.now += 0.5
    assert drawn_epochs(page.run()) == [1, 2]


def test_what_a_tab_says_late_of_an_earlier_slider_is_no_choice(
    open_page: OpenPage, home: DataHome, clock: SimpleNamespace
) -> None:
    page = ended_run(open_page, home)
    page.button(key="replay").click().run()
    page.button(key="replay_pause").click().run()
    old = slider(page)
    page.button(key="replay_next").click().run()
    assert slider(page).key != old.key  # so that its value cannot be taken for this one's
    page.button(key="replay_play").click().run()
    assert not [one for one in page.slider if one.label == "Epoch"]


def test_where_many_look_epochs_are_passed_over_and_the_pace_holds(
    open_page: OpenPage, home: DataHome, clock: SimpleNamespace
) -> None:
    page = ended_run(open_page, home)
    page.button(key="replay").click().run()
    clock.now += 2.0
    assert drawn_epochs(page.run())[-1] == 5


def test_another_run_is_drawn_whole(open_page: OpenPage, home: DataHome, clock: SimpleNamespace) -> None:
    add_run(home, "r2", epochs=EPOCHS)
    put_in_state(home, "r2", "finished")
    page = ended_run(open_page, home)
    page.button(key="replay").click().run()
    page.query_params["run"] = "r2"
    assert drawn_epochs(page.run()) == list(range(1, EPOCHS + 1))


def test_a_run_launched_at_a_pace_is_followed_from_its_first_epoch_on(
    open_page: OpenPage, home: DataHome, clock: SimpleNamespace
) -> None:
    page = open_page("train")
    page.selectbox(key="train_weights").set_value("none").run()
    page.toggle(key="train_pace").set_value(True).run()
    page.button(key="launch").click().run()
    (run,) = service.list_runs(home)
    assert page.session_state["runs_replay"].ids == (run.id,)


def test_a_run_that_trains_is_followed_and_waited_for(
    open_page: OpenPage, home: DataHome, clock: SimpleNamespace
) -> None:
    directory = add_run(home, "r1", epochs=EPOCHS)
    rows = directory.read_epochs()
    metrics = directory.path / "metrics.jsonl"
    metrics.unlink()
    put_in_state(home, "r1", "running")
    page = open_page("runs", run="r1")
    page.session_state["runs_replay"] = replay.Replay(("r1",), 0, 0.0, playing=True)
    page.run()
    clock.now += 60.0
    page.run()  # nothing is there yet
    directory.append_epochs(rows[:2])
    assert drawn_epochs(page.run()) == [1]
    clock.now += 0.5
    assert drawn_epochs(page.run()) == [1, 2]
    clock.now += 60.0
    page.run()
    directory.append_epochs(rows[2:])
    # Half a second after it is there, and not all at once.
    assert drawn_epochs(page.run()) == [1, 2]
    clock.now += 0.5
    assert drawn_epochs(page.run()) == [1, 2, 3]
    assert RunDirectory(home.runs / "r1").path == directory.path


def test_a_worker_is_made_ready_while_the_page_is_used(open_page: OpenPage, home: DataHome) -> None:
    spare._said_at.clear()
    open_page("explore")
    assert not spare.is_wished(home)
    open_page("train")
    assert spare.is_wished(home)
