"""The pages where PyTorch is not installed: all is there to look at, and what needs it says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core import extras
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.spec import RunSpec

SENTENCE = "needs PyTorch and Opacus, which are not installed here"


@pytest.fixture
def open_without(
    open_page: Callable[..., AppTest], home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """Opens a page where one run waits in the queue, put there by an installation that can train."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    service.submit(home, RunSpec(dataset="synthetic_chest", weights="none"))
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    return open_page


@pytest.mark.parametrize(("name", "button"), [("train", "launch"), ("sweep", "sweep_launch")])
def test_what_cannot_be_launched_is_greyed_with_the_command_that_helps(
    open_without: Callable[..., AppTest], name: str, button: str
) -> None:
    page = open_without(name)
    (warning,) = page.warning
    assert SENTENCE in warning.value
    assert page.button(key=button).disabled
    assert not page.exception


def test_the_page_of_runs_says_what_the_queue_waits_for(open_without: Callable[..., AppTest], home: DataHome) -> None:
    page = open_without("runs")
    (warning,) = page.warning
    assert SENTENCE in warning.value
    (run,) = service.list_runs(home)
    assert run.state == "queued"


def test_a_stopped_run_is_not_resumed_and_the_page_says_why(
    open_without: Callable[..., AppTest], home: DataHome
) -> None:
    (run,) = service.list_runs(home)
    service.cancel(home, run.id)
    page = open_without("runs", run=run.id)
    page.button(key="resume").click().run()
    assert any(SENTENCE in str(element.value) for element in [*page.error, *page.markdown, *page.warning])
    assert service.load_run(home, run.id).state == "cancelled"
