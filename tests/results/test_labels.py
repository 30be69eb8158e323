"""Labels: order, and telling apart what stands side by side."""

from __future__ import annotations

from medpriv_core.results.authors import read_authors
from medpriv_core.results.groups import group_results
from medpriv_core.results.labels import labelled, learned_in
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE, SHIFTED, result


def labels(*specs: RunSpec) -> list[str]:
    results = [result(spec, run_id=str(number)) for number, spec in enumerate(specs)]
    return [group.label for group in labelled(group_results(results))]


def test_groups_stand_from_no_noise_to_most() -> None:
    found = labels(PRIVATE.changed(noise_multiplier=8.0), LOCAL.changed(beta=4.0), SHIFTED, PRIVATE, LOCAL, PLAIN)

    assert found[:4] == ["No privacy", "Local-DP β = 2", "Local-DP β = 4", "Local-DP β = 2 per image"]
    assert found[4].startswith("DP-SGD σ = 4, ε = ")
    assert found[5].startswith("DP-SGD σ = 8, ε = ")


def test_runs_of_one_strength_are_told_apart_by_the_settings_in_which_they_differ() -> None:
    assert labels(PLAIN, PLAIN.changed(image_size=32)) == ["No privacy, 64 pixels", "No privacy, 32 pixels"]


def test_many_differences_are_numbered_and_kept_for_the_table() -> None:
    runs = [
        result(PLAIN.changed(learning_rate=rate, max_grad_norm=norm, class_weights=weights), run_id=f"{rate}{norm}")
        for rate, norm, weights in (
            (0.125, 0.125, (1.0, 0.125)),
            (0.125, 0.375, (1.0, 0.375)),
            (0.1, 0.375, (1.0, 0.125)),
        )
    ]
    groups = labelled(group_results(runs))

    assert [group.label for group in groups] == [f"No privacy, setting {number}" for number in (1, 2, 3)]
    assert groups[2].details == "max grad norm 0.375, learning rate 0.1, class weights 1 : 0.125"


def test_the_fewest_and_most_telling_settings_are_named_first() -> None:
    other = PLAIN.changed(learning_rate=0.1, epochs=3)

    assert labels(PLAIN, other) == ["No privacy, 2 epochs", "No privacy, 3 epochs"]


def test_what_is_trained_is_named_wherever_it_differs() -> None:
    found = labels(PLAIN, PLAIN.changed(trainable="all"), LOCAL)

    assert found == ["No privacy, last layer", "No privacy, all layers", "Local-DP β = 2, last layer"]


def test_what_is_trained_comes_with_the_size_of_the_pictures_where_that_differs_too() -> None:
    found = labels(PLAIN, PLAIN.changed(trainable="all", image_size=32), LOCAL)

    assert found == [
        "No privacy, last layer, 64 pixels",
        "No privacy, all layers, 32 pixels",
        "Local-DP β = 2, last layer, 64 pixels",
    ]


def test_what_learned_is_said_in_words() -> None:
    runs = [result(PLAIN), result(PLAIN.changed(trainable="all", image_size=32))]

    assert learned_in(runs[:1]) == "the last layer, 64 pixels"
    assert learned_in(runs) == "the last layer and all layers, 32 and 64 pixels"
    assert learned_in(read_authors()) == ""


def test_every_label_of_a_dataset_is_its_own() -> None:
    runs = [result(PLAIN, run_id="a"), result(PLAIN, source="reference", run_id="b"), *read_authors()]
    groups = labelled(group_results(runs))

    named = [(group.first.dataset, group.label) for group in groups]

    assert len(set(named)) == len(named) == 30


def test_the_authors_label_of_dp_sgd_is_in_quotes_beside_its_noise_multiplier() -> None:
    found = [group.label for group in labelled(group_results(read_authors()))]

    assert "DP-SGD “β = 1”, σ = 5.002 (authors v4)" in found
