"""What is known of how a picture is like the images that a run learned from, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medpriv_core.datasets.likeness import measure
from medpriv_core.datasets.registry import content_of
from medpriv_core.home import DataHome
from medpriv_core.pictures.reading import AS_USUAL
from medpriv_core.runs.diagnosis import TrainedRun
from medpriv_core.runs.likeness import NOT_HERE, Likeness, likeness, likenesses, training_measures
from tests.datasets.test_likeness import smooth

STRANGE = np.full((64, 64, 1), 250, np.uint8)


@pytest.fixture
def run(home: DataHome) -> TrainedRun:
    return TrainedRun(
        id="r",
        title="A run",
        verdict=None,
        test_accuracy=0.5,
        image_size=64,
        channels=1,
        reading=AS_USUAL,
        dataset="synthetic_chest",
        content=content_of(home, "synthetic_chest"),
        method="none",
    )


def test_known_where_the_images_are_those_that_it_learned_from(home: DataHome, run: TrainedRun) -> None:
    (found,) = likenesses(home, run, [STRANGE])
    assert found.known
    assert found.sentence.startswith("This image is unlike the training images")


@pytest.mark.parametrize("content", [None, "0" * 32])
def test_of_an_imported_run_and_of_other_images_under_the_name_nothing_is_known(
    home: DataHome, run: TrainedRun, content: str | None
) -> None:
    other = replace(run, content=content)
    assert training_measures(home, other) is None
    assert likenesses(home, other, [STRANGE]) == [Likeness(known=False, sentence=NOT_HERE)]


def test_under_local_dp_and_of_few_images_nothing_is_known_and_nothing_said(home: DataHome, run: TrainedRun) -> None:
    assert likenesses(home, replace(run, method="local_dp"), [STRANGE]) == [Likeness(known=False, sentence="")]
    assert likeness(run, measure(smooth(1, count=99)), STRANGE) == Likeness(known=False, sentence="")
