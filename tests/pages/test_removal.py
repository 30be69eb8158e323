"""Removing runs for good on the page, on a full disk to make room; and a data home that is refused."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from tests.pages.conftest import texts
from tests.small_disk import Disk, disk, fill_home, listed  # noqa: F401 - a fixture
from tests.test_previous_version import DELETED, FINISHED

OpenPage = Callable[..., AppTest]


def test_the_bin_is_emptied_after_a_question(home: DataHome, open_page: OpenPage) -> None:
    fill_home(home)
    page = open_page("runs")
    page.session_state["runs_deleted"] = True
    page.run()
    page.multiselect(key="runs_restore").set_value([DELETED]).run()
    assert "This cannot be undone" in texts(page)
    page.button(key="purge").click().run()

    assert not page.exception
    assert listed(home, deleted=True) == set()
    assert not (home.runs / DELETED).exists()


def test_on_a_full_disk_runs_are_shown_and_the_largest_make_room(disk: Disk, open_page: OpenPage) -> None:  # noqa: F811
    before = listed(disk.home)
    disk.fill()
    page = open_page("runs")
    assert not page.exception
    assert "is full" in page.error[0].value
    room = page.multiselect(key="runs_make_room")
    assert len(room.options) == len(before)
    assert all(option.endswith(" MB") for option in room.options)
    room.set_value([FINISHED]).run()
    page.button(key="make_room").click().run()

    assert not page.exception
    assert "1 run removed for good" in texts(page)
    assert listed(disk.home) == before - {FINISHED}
    assert not page.error


def test_on_a_read_only_disk_runs_are_shown(disk: Disk, open_page: OpenPage) -> None:  # noqa: F811
    disk.make_read_only()
    page = open_page("runs")

    assert not page.exception
    assert [("its disk is read-only" in error.value) for error in page.error] == [True]
    assert len(page.dataframe[0].value) == 4


def test_a_home_that_is_refused_is_said_once_and_left_as_it_is(home: DataHome, open_page: OpenPage) -> None:
    fill_home(home)
    home.root.chmod(0o777)
    page = open_page("runs")

    assert not page.exception
    assert [("Other accounts can write to the data home" in error.value) for error in page.error] == [True]
    assert home.root.stat().st_mode & 0o777 == 0o777
