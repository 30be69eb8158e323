"""What a model card says of the network beside it."""

from __future__ import annotations

import pytest

from medpriv_core.exports.model_card import Network, model_card
from medpriv_core.home import DataHome
from medpriv_core.privacy.coverage import coverage_in_words
from medpriv_core.spec import RunSpec
from tests.exports.runs import PLAIN, put_run, read


def card(home: DataHome, spec: RunSpec, network: Network | None) -> str:
    directory = put_run(home, spec, predictions=False)
    return model_card(read(home), spec, directory, coverage_in_words(spec), network=network)


@pytest.mark.parametrize(
    ("weights", "network", "said"),
    [
        ("none", "whole", ["frozen, random numbers that nobody has trained", "It holds the whole network"]),
        (
            "imagenet",
            "last_layer",
            ["as torchvision trained it", "ResNet18_Weights.IMAGENET1K_V1", "frozen_rest_sha256"],
        ),
        ("mine.pth", "last_layer", ["a weights file of the one who trained it", "only the one who trained this"]),
        ("mine.pth", None, ["is not in this archive"]),
    ],
)
def test_what_lies_below_the_last_layer_is_called_what_it_is(
    home: DataHome, weights: str, network: Network | None, said: list[str]
) -> None:
    text = card(home, PLAIN.changed(weights=weights), network)

    assert all(words in text for words in said)
    assert "frozen public network" not in text


def test_group_norm_is_named_with_its_groups_and_what_loads_it_wrongly(home: DataHome) -> None:
    text = card(home, PLAIN.changed(norm="group_norm", trainable="all"), "whole")

    assert "GroupNorm with 32 groups" in text
    assert "torch.nn.GroupNorm(32, channels)" in text
    assert "strict=False as another network" in text


def test_how_images_are_brought_in_is_told_to_the_last_step(home: DataHome) -> None:
    text = card(home, PLAIN.changed(crop_size=56, standardise=True, features="layer3"), "whole")

    for words in (
        "Rec. 601 luma",
        "64 x 64 pixels by the bicubic filter",
        "the middle 56 x 56",
        "divided by 255",
        "0.485, 0.456, 0.406",
        "0.229, 0.224, 0.225",
        "256 means of layer3",
        "scaled to length 1",
    ):
        assert words in text
