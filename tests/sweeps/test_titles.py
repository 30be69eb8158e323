"""What a sweep is called: by the dataset's title, never by its internal name."""

from __future__ import annotations

import pytest

from medpriv_core.datasets.registry import dataset_names
from medpriv_core.sweeps.service import LONGEST_TITLE
from medpriv_core.sweeps.titles import grid_title, paper_title, shown_title


@pytest.mark.parametrize("dataset", dataset_names())
def test_titles_have_no_internal_name_and_are_short_enough(dataset: str) -> None:
    for title in (paper_title(dataset, "head"), paper_title(dataset, "all"), grid_title(dataset)):
        assert "_" not in title
        assert len(title) <= LONGEST_TITLE
        assert shown_title(title) == title


def test_titles_of_earlier_versions_are_shown_with_the_title_of_the_dataset() -> None:
    assert shown_title("Paper · synthetic_chest · last layer") == "Paper · Synthetic chest radiographs · last layer"
    assert shown_title("Grid · synthetic_chest") == "Grid · Synthetic chest radiographs"
    for own in ("synthetic_chest", "my · synthetic_chest", "Paper", "Paper · no_such · last layer", ""):
        assert shown_title(own) == own
