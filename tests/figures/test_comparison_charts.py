"""A chart of a comparison says below itself whose runs it shows, what learned in them, and what holds."""

from __future__ import annotations

from medpriv_core.figures.comparison import figure_3, figure_4, frontier
from medpriv_core.results.authors import read_authors
from medpriv_core.results.groups import group_results
from medpriv_core.results.labels import labelled
from tests.results.chosen_results import PLAIN, PRIVATE, result

GROUPS = labelled(group_results([result(PLAIN, run_id="a"), result(PRIVATE, run_id="b", auroc=None), *read_authors()]))
OWN = [group for group in GROUPS if group.first.source == "mine"]


def test_the_caption_says_whose_runs_these_are_and_each_epsilon_in_full() -> None:
    first, *holds = figure_3(OWN).caption

    assert first == "My runs; what learned: the last layer, 64 pixels"
    assert len(holds) == 2
    assert "DP-SGD σ = 4" in holds[0]
    assert "Poisson subsampling" in holds[0]
    assert "training accuracy of DP-SGD runs is left out" in holds[1]


def test_figure_4_has_a_panel_a_dataset_with_the_chosen_one_on_top() -> None:
    chart = figure_4(GROUPS, first="chest_xray", protocol="last_epoch")

    titles = [note.text for note in chart.figure.layout.annotations]
    assert titles == ["Chest X-rays, pneumonia", "APTOS 2019, diabetic retinopathy", "Synthetic chest radiographs"]
    assert len(chart.groups) == len(GROUPS)
    assert chart.caption[0].startswith("The authors' logs; My runs; what learned: ")


def test_the_frontier_leaves_out_what_has_not_measured() -> None:
    assert [group.label for group in frontier(OWN, "test_auroc").groups] == ["No privacy"]
    assert frontier(OWN, "test_auroc").name == "Privacy and AUROC: Synthetic chest radiographs"
