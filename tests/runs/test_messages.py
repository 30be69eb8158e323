"""Messages on a pipe arrive as they were sent, and never half."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from medpriv_core.runs.messages import read_message, write_message

ARRAYS: list[Any] = [
    np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
    np.array([[0.25, -1.5]], dtype=np.float32),
    np.arange(12).reshape(3, 4).T,  # not contiguous
    np.empty((0, 5), dtype=np.float32),
]


def test_messages_arrive_one_after_the_other() -> None:
    stream = io.BytesIO()
    write_message(stream, {"run": "β"}, ARRAYS)
    write_message(stream, {"next": [1, None]})
    stream.seek(0)
    header, arrays = read_message(stream)
    assert header == {"run": "β"}
    for got, sent in zip(arrays, ARRAYS, strict=True):
        assert got.dtype == sent.dtype
        assert np.array_equal(got, sent)
        assert got.shape == sent.shape
    assert read_message(stream) == ({"next": [1, None]}, [])
    with pytest.raises(EOFError):
        read_message(stream)


@pytest.mark.parametrize("kept", [0, 2, 4, 20, -1])
def test_a_message_cut_short_is_the_end(kept: int) -> None:
    stream = io.BytesIO()
    write_message(stream, {"a": 1}, ARRAYS)
    with pytest.raises(EOFError):
        read_message(io.BytesIO(stream.getvalue()[:kept]))


def test_arrays_of_objects_are_refused() -> None:
    stream = io.BytesIO()
    write_message(stream, {}, [np.zeros(2)])
    disguised = stream.getvalue().replace(b'"<f8"', b'"|O8"')
    assert disguised != stream.getvalue()
    with pytest.raises(ValueError, match="OBJECT"):
        read_message(io.BytesIO(disguised))
