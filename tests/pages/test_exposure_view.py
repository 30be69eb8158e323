"""A hundred people as dots on the pages where ε stands large: what is told to the browser, and when."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from medpriv_core.privacy.exposure import ALARMS
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import of_hundred
from medpriv_core.spec import RunSpec
from pages.parts import exposure_view
from tests.pages.recorded_runs import TRAIN_SIZE, add_recorded_run, add_run, open_tab, put_in_state

OpenPage = Callable[..., AppTest]
SPEC = RunSpec(
    dataset="synthetic_chest", weights="none", epochs=2, method="dp_sgd", target_epsilon=3.0, noise_multiplier=None
)


def told(page: AppTest) -> list[dict[str, Any]]:
    """What the browser gets of each hundred people on the page."""
    found = [element.proto.json for element in page.get("bidi_component") if element.proto.json]
    return [data for text in found if isinstance(data := json.loads(text), dict) and "stops" in data]


def own(data: dict[str, Any]) -> dict[str, Any]:
    (stop,) = [stop for stop in data["stops"] if stop["own"]]
    return dict(stop)


def test_the_train_page_shows_what_is_planned_small(open_page: OpenPage) -> None:
    page = open_page("train")
    assert told(page) == []
    page.segmented_control(key="train_method").set_value("dp_sgd").run()
    (data,) = told(page)
    assert data["small"]
    assert own(data)["label"] == "3"
    assert own(data)["says"]["0.01"] in [
        f"Of 100 patients whose image was used, at most {number} are found, while 1 of 100 others is falsely accused."
        for number in own(data)["found"].values()
    ]
    assert "δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant" in data["basis"]
    # Where the slider stands otherwise is computed when somebody reaches for it.
    assert [stop["label"] for stop in data["stops"] if stop["found"]] == ["3"]


def test_a_run_shows_what_its_own_steps_give_away(open_page: OpenPage, home: DataHome) -> None:
    add_recorded_run(home, SPEC)
    (data,) = told(open_tab(open_page("runs"), "Guarantee"))
    plan = plan_run(SPEC, train_size=TRAIN_SIZE)
    assert own(data)["found"] == {rate: of_hundred(plan.risk.tpr_at_fpr[rate]) for rate in ALARMS}
    assert not data["small"]
    assert "no attacker does better on these steps" in data["basis"]
    assert [stop["label"] for stop in data["stops"] if stop["named"]] == ["0.5", "1", own(data)["label"], "8"]


def test_reaching_for_the_slider_brings_all_of_it(
    open_page: OpenPage, home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposure_view, "_reached_for", lambda key: True)
    add_recorded_run(home, SPEC)
    (data,) = told(open_tab(open_page("runs"), "Guarantee"))
    figures = [float(stop["found"]["0.05"]) for stop in data["stops"]]
    assert len(figures) == 21
    assert figures == sorted(figures)
    assert all(stop["says"]["0.01"] for stop in data["stops"])


def test_a_run_without_known_steps_and_noised_pictures_say_that_less_is_known(
    open_page: OpenPage, home: DataHome
) -> None:
    old = add_run(home, spec=SPEC.changed(target_epsilon=None, noise_multiplier=1.0))
    put_in_state(home, old.path.name, "finished")
    (data,) = told(open_tab(open_page("runs"), "Guarantee"))
    assert "by ε and δ alone" in data["basis"]
    assert all(stop["found"] for stop in data["stops"])

    noised = add_run(home, "r2", RunSpec(dataset="synthetic_chest", weights="none", method="local_dp", beta=1.0))
    put_in_state(home, noised.path.name, "finished")
    (data,) = told(open_tab(open_page("runs", run="r2"), "Guarantee"))
    assert own(data)["says"]["0.05"] == (
        "Of 100 noised images of one patient, all may be recognised, while 5 of 100 of another are taken for one."
    )
    assert data["stops"][-1]["own"]  # far beyond what the slider offers


def test_no_privacy_has_no_people(open_page: OpenPage, home: DataHome) -> None:
    add_run(home)
    put_in_state(home, "r1", "finished")
    assert told(open_tab(open_page("runs"), "Guarantee")) == []


def test_compare_begins_with_the_epsilon_that_it_speaks_of(open_page: OpenPage) -> None:
    page = open_page("compare")
    chooser = page.selectbox(key="compare_meaning_chest_xray")
    (data,) = told(page)
    assert 0.9 < float(own(data)["label"]) <= 1
    chooser.select_index(len(chooser.options) - 1).run()  # Local-DP, in order of ε
    (data,) = told(page)
    assert "noised images" in own(data)["says"]["0.01"]


def test_an_epsilon_of_which_nothing_holds_is_said(open_page: OpenPage) -> None:
    page = open_page("train")
    page.button(key="preset_authors").click().run()
    (data,) = told(page)
    assert own(data)["label"] == "∞"
    assert own(data)["says"]["0.01"].startswith("No ε holds: all")
    assert own(data)["found"]["0.01"] == "100"
