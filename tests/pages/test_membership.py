"""The tab that attacks a run: its offer, its progress, what it found, and its alarm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from medpriv_core.attacks.membership_report import figures_of
from medpriv_core.checksums import write_sealed
from medpriv_core.home import DataHome
from medpriv_core.jobs.folder import Ending
from medpriv_core.jobs.job import JobStatus, job_at
from medpriv_core.privacy.curve import Curve, GaussianCurve
from medpriv_core.private_files import make_folder
from medpriv_core.records.setup import Setup
from medpriv_core.runs import attacked
from tests.attacks.test_membership import gaussian_answers, whole_report
from tests.pages.conftest import texts
from tests.pages.recorded_runs import OpenPage, add_run, put_in_state


def record_attack(home: DataHome, *, ceiling: Curve, **changed: Any) -> None:
    """An attack on the run that has ended, with its result."""
    figures = figures_of(
        gaussian_answers(2.0, records=2400),
        ceiling=ceiling,
        delta=1e-5,
        first_images=np.arange(2400),
        rng=np.random.default_rng(0),
    )
    job = job_at(home, attacked.KIND, "r1")
    make_folder(job.path)
    write_sealed(job.path / job.ORDER, {"kind": attacked.KIND, "settings": {"seed": 3}, "start": "x"})
    job.end(Ending("finished", 0), {"targets": 4, "references": 64})
    write_sealed(job.path / attacked.REPORT, whole_report(figures) | {"version": 1} | changed)


@pytest.fixture
def attack_tab(open_page: OpenPage, home: DataHome) -> Callable[[], Any]:
    directory = add_run(home)
    directory.write_setup(Setup(train_size=640, train_class_counts=(320, 320)))
    directory.checkpoint.write_bytes(b"")
    put_in_state(home, "r1", "finished")

    def opened() -> Any:
        page = open_page("risk", of="run", run="r1", about_risk="membership")
        assert not page.exception
        return page

    return opened


def test_it_offers_an_attack_and_says_how_long_it_takes(
    attack_tab: Callable[[], Any], home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(attacked, "start_attack", lambda _home, run, **numbers: started.append({"run": run} | numbers))
    page = attack_tab()
    assert "random half" in texts(page)
    assert "for 72 networks" in texts(page)
    page.segmented_control(key="membership_references").set_value(16).run()
    page.button(key="membership_start").click().run()

    assert started == [{"run": "r1", "references": 16, "targets": 8, "seed": 0}]


def test_it_says_why_a_run_cannot_be_attacked(attack_tab: Callable[[], Any], home: DataHome) -> None:
    (home.runs / "r1" / "checkpoint.pt").unlink()
    page = attack_tab()

    assert "has no checkpoint" in " ".join(info.value for info in page.info)
    assert not [button for button in page.button if button.key == "membership_start"]


def test_while_it_is_under_way_it_can_be_stopped(
    attack_tab: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []
    running = JobStatus("running", phase="Training networks", done=5, total=10, seconds_left=60)
    monkeypatch.setattr(attacked, "attack_status", lambda *_: running)
    monkeypatch.setattr(attacked, "stop_attack", lambda _home, run: stopped.append(run))
    page = attack_tab()
    assert "You can leave this page" in texts(page)
    page.button(key="membership_stop").click().run()

    assert stopped == ["r1"]


def test_what_was_found_stands_under_its_limit(attack_tab: Callable[[], Any], home: DataHome) -> None:
    record_attack(home, ceiling=GaussianCurve(2.5), alarm=None)
    page = attack_tab()

    assert "the guarantee allows at most" in texts(page)
    assert "What this does not say" in texts(page)
    assert not page.error
    assert len(page.get("plotly_chart")) == 2  # and that of the guarantee
    assert page.button(key="membership_start").label == "Attack again"
    assert attacked.next_seed(home, "r1") == 4


def test_more_than_the_guarantee_allows_raises_the_alarm(attack_tab: Callable[[], Any], home: DataHome) -> None:
    record_attack(home, ceiling=GaussianCurve(0.3))
    page = attack_tab()
    said = " ".join(error.value for error in page.error)

    assert "gives away more than its guarantee allows" in said
    assert "Do not release this network" in said


def test_an_attack_that_failed_says_so_above_the_earlier_one(attack_tab: Callable[[], Any], home: DataHome) -> None:
    record_attack(home, ceiling=GaussianCurve(2.5), failed=["It *diverged*."], stopped=True)
    job_at(home, attacked.KIND, "r1").end(Ending("failed", 2, "The disk is full."), {})
    page = attack_tab()

    assert next(error.value for error in page.error) == "The disk is full."
    assert "of an earlier attack" in texts(page)
    assert r"It \*diverged\*" in texts(page)
    assert "was stopped" in texts(page)
