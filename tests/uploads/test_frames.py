"""How large frames are kept: bounded in all, never enlarged but to make pixels square."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from medpriv_core.errors import ImageError
from medpriv_core.pictures import frames
from medpriv_core.pictures.frames import MAX_HELD_BYTES, plan_frames, resized


@given(
    sides=st.lists(st.integers(256, 1024), min_size=2, max_size=2).map(lambda sides: sorted(sides, reverse=True)),
    frames=st.integers(1, 2000),
    bytes_per_pixel=st.integers(1, 3),
)
@example(sides=[1024, 768], frames=1, bytes_per_pixel=3)
@example(sides=[512, 512], frames=1024, bytes_per_pixel=1)  # as many as there may be
def test_all_frames_together_fit(sides: list[int], frames: int, bytes_per_pixel: int) -> None:
    width, height = sides
    if frames * 256 * 256 * height / width * bytes_per_pixel > MAX_HELD_BYTES:
        with pytest.raises(ImageError, match="Export a part"):
            plan_frames(width, height, frames=frames, bytes_per_pixel=bytes_per_pixel)
        return
    plan = plan_frames(width, height, frames=frames, bytes_per_pixel=bytes_per_pixel)
    assert frames * plan.size[0] * plan.size[1] * bytes_per_pixel <= MAX_HELD_BYTES
    assert plan.size[0] / plan.size[1] == pytest.approx(width / height, rel=0.01)
    assert bool(plan.notes) == (plan.size != (width, height))


def test_a_ct_of_128_slices_stays_as_it_is() -> None:
    assert plan_frames(512, 512, frames=128, bytes_per_pixel=2).size == (512, 512)


def test_tiny_pictures_and_endless_films_are_refused() -> None:
    with pytest.raises(ImageError, match="only 15 × 3 pixels"):
        plan_frames(15, 3, frames=1, bytes_per_pixel=1)
    with pytest.raises(ImageError, match="more than 2,000 frames, the most that are read"):
        plan_frames(64, 64, frames=2001, bytes_per_pixel=1)


def test_pixels_far_from_square_are_told() -> None:
    plan = plan_frames(512, 496, frames=1, bytes_per_pixel=1, pixel_aspect=0.1)
    assert plan.size == (512, 496)
    assert "far from square" in plan.notes[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_shrinking_keeps_type_and_range(dtype: type) -> None:
    values = np.zeros((64, 64), dtype)  # type: ignore[var-annotated]
    values[:, 32:] = 100
    small = resized(values, (16, 8))
    assert small.dtype == dtype
    assert small.shape == (8, 16)
    # Bicubic overshoots at an edge; nothing may leave the values that were there.
    assert (small.min(), small.max()) == (0, 100)
    assert small[:, :6].max() <= 1


@pytest.mark.parametrize("band_pixels", [1, 50_000, 2**21])
def test_shrinking_deep_values_in_bands_agrees_with_one_resize(
    band_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_BAND_PIXELS", band_pixels)
    # Sides that no block divides: what is cut off at the end may not shift the rest.
    values = np.add.outer(np.arange(403) * 20, np.arange(4003) * 10).astype(np.uint16)
    reference = np.asarray(Image.fromarray(values.astype(np.float32)).resize((500, 50), Image.Resampling.BICUBIC))

    small = resized(values, (500, 50)).astype(float)

    assert np.abs(small - reference)[3:-3, 3:-3].max() < 6
