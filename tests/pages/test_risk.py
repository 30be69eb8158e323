"""The risk page: every kind of question, its links, and input of which nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from medpriv_core.home import DataHome
from medpriv_core.spec import RunSpec
from tests.pages.conftest import texts
from tests.pages.recorded_runs import OpenPage, add_recorded_run, add_run, put_in_state

PRIVATE = RunSpec(dataset="synthetic_chest", weights="none", epochs=2, method="dp_sgd", noise_multiplier=2.0)


@pytest.fixture
def risk(open_page: OpenPage) -> OpenPage:
    def opened(**query: str) -> Any:
        page = open_page("risk", **query)
        assert not page.exception
        return page

    return opened


def test_it_opens_on_the_papers_training_with_its_odds(risk: OpenPage) -> None:
    page = risk()
    assert not page.error
    assert "Before, 1 of 100 images were in the training set" in texts(page)
    assert "at most 16 were" in texts(page)
    assert len(page.get("plotly_chart")) == 1
    page.select_slider(key="risk_prior").set_value(0.5).run()
    assert "Before, 50 of 100 images" in texts(page)
    assert "at most 95 were" in texts(page)


def test_a_link_opens_the_same_training_and_the_address_remembers_changes(risk: OpenPage) -> None:
    page = risk(of="training", sigma="1.777", n="5216", batch="64", epochs="10", unit="patient", about_risk="numbers")
    assert page.select_slider(key="risk_sigma").value == 1.777
    assert page.number_input(key="risk_n").value == 5216
    assert page.selectbox(key="risk_unit").value == "patient"
    assert "Its misfit (regret)" in texts(page)
    page.number_input(key="risk_batch").set_value(128).run()
    assert page.query_params["batch"] in ("128", ["128"])


def test_without_noise_it_says_that_nothing_is_limited(risk: OpenPage) -> None:
    page = risk(sigma="0")
    assert not page.error
    assert "nothing limits him" in texts(page)


def test_a_batch_larger_than_the_training_set_is_refused_in_the_words_of_the_form(risk: OpenPage) -> None:
    page = risk(batch="9000")
    assert [error.value for error in page.error] == [
        "**Batch size** must be between 1 and the 5232 training records, but is 9000."
    ]
    assert not page.get("plotly_chart")


def test_noised_images_by_link_and_of_one_pixel(risk: OpenPage) -> None:
    page = risk(of="images", mechanism="laplace_per_pixel", beta="104.3", size="28x28", about_risk="numbers")
    assert page.selectbox(key="risk_size").value == "28x28"
    whole = page.dataframe[0].value
    assert whole.iloc[2, 1] == "1.978%"
    page = risk(of="images", beta="1", size="300x200", about="pixel", about_risk="numbers")
    assert page.selectbox(key="risk_size").value == "300x200"
    assert page.dataframe[0].value.iloc[2, 1] == "2.718%"
    nothing = risk(of="images", mechanism="laplace_per_image", beta="2")
    assert "shifts the brightness of the whole image" in texts(nothing)


def test_a_size_that_is_none_is_not_taken_from_the_address(risk: OpenPage) -> None:
    for size in ("0x5", "5", "99999x99999", "ax5", "5x5x5"):
        assert risk(of="images", size=size).selectbox(key="risk_size").value == "224x224"


def test_a_run_and_several_runs(risk: OpenPage, home: DataHome) -> None:
    assert "No runs yet" in texts(risk(of="run"))
    for name in ("first", "second"):
        add_recorded_run(home, PRIVATE, name)
    one = risk(run="first", about_risk="numbers")
    assert one.segmented_control(key="risk_of").value == "run"
    both = risk(runs="first,second", about_risk="numbers")
    assert both.segmented_control(key="risk_of").value == "runs"

    def at_one_percent(page: Any) -> float:
        return float(page.dataframe[0].value.iloc[2, 1].rstrip("%"))

    assert at_one_percent(both) > at_one_percent(one) > 1
    every = both.radio(key="risk_which").set_value("all ever trained here").run()
    assert at_one_percent(every) == at_one_percent(both)
    given = every.radio(key="risk_which").set_value("all that were given away").run()
    assert "There is no such network" in texts(given)


def test_a_network_without_privacy_among_several_leaves_nothing(risk: OpenPage, home: DataHome) -> None:
    add_recorded_run(home, PRIVATE, "private")
    add_run(home, "plain")
    put_in_state(home, "plain", "finished")
    assert "nothing limits him" in texts(risk(runs="private,plain"))
    alone = risk(of="runs", runs="private")
    assert "Choose at least two runs" in texts(alone)


def test_a_run_in_progress_says_that_it_grows(risk: OpenPage, home: DataHome) -> None:
    add_run(home, "going", PRIVATE)
    put_in_state(home, "going", "running")
    assert "The run has not ended: this is what is spent until now, and it grows." in texts(risk(run="going"))


def test_an_epsilon_from_elsewhere_stands_among_published_ones(risk: OpenPage) -> None:
    page = risk(of="epsilon", epsilon="1000000000", about_risk="others")
    assert page.select_slider(key="risk_epsilon").value == 10**9
    assert "Units differ" in texts(page)
    assert len(page.dataframe[0].value) >= 8


def test_an_accepted_risk_gives_noise_and_opens_the_train_page_with_it(risk: OpenPage) -> None:
    page = risk(about_risk="accept")
    assert "σ = 1.777" in texts(page)
    page.button(key="risk_take").click().run()
    assert page.select_slider(key="risk_sigma").value == 1.777
    other = risk(of="epsilon", about_risk="accept")
    assert "Choose *A training* on the left" in other.info[0].value
