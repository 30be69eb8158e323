"""The record of what a network has spent, as it is read from a file."""

from __future__ import annotations

from typing import Any

import pytest

from medpriv_core.privacy.spent import spent_by, spent_from_dict
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.subsampled_gaussian import mechanism_of_loop

WRITTEN = spent_by(
    mechanism_of_loop(train_size=100, batch_size=10),
    [Steps(1.0, 0.1, 13)],
    delta=1e-5,
    epochs=1,
    step=3,
    checkpoint="0" * 64,
)


def test_a_record_is_read_as_it_was_written() -> None:
    assert spent_from_dict(WRITTEN.to_dict()) == WRITTEN


@pytest.mark.parametrize(
    "wrong",
    [
        {"delta": 0},  # no accountant has an ε for it
        {"delta": 1},
        {"delta": None},
        {"epsilon": -1.0},
        {"epochs": -1},
        {"step": 11},
        {"steps": 12},
        {"adjacency": "none"},
        {"checkpoint": 0},
    ],
)
def test_no_other_record_is_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whoever reads the file says that it is damaged
        spent_from_dict(WRITTEN.to_dict() | wrong)
