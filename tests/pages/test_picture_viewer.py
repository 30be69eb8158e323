"""The page's part of the picture viewer: what is sent to the browser, and what is refused."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.parts.picture_viewer import ViewerPanel, encode_png, picture_viewer


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype=np.uint8)


def panel(title: str, height: int = 8, width: int = 8) -> ViewerPanel:
    return ViewerPanel(title, encode_png(noise(height, width, 1)), alt=f"Image {title}")


@pytest.mark.parametrize("shape", [(1, 1, 1), (17, 5, 1), (16, 1024, 3), (300, 257, 3)])
def test_another_reader_sees_the_same_pixels(shape: tuple[int, int, int]) -> None:
    pixels = noise(*shape)
    with Image.open(io.BytesIO(encode_png(pixels))) as read:
        read.verify()
    with Image.open(io.BytesIO(encode_png(pixels))) as read:
        assert read.format == "PNG"
        assert read.mode == ("RGB" if shape[2] == 3 else "L")
        np.testing.assert_array_equal(np.asarray(read).reshape(shape), pixels)


def test_a_panel_knows_the_size_of_any_png() -> None:
    file = io.BytesIO()
    Image.new("RGB", (33, 21)).save(file, "PNG", optimize=True)
    assert ViewerPanel("made elsewhere", file.getvalue(), alt="black").size == (33, 21)


def viewer_page() -> None:
    import numpy as np

    from pages.parts.picture_viewer import ViewerPanel, encode_png, picture_viewer

    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
    picture_viewer(
        [
            ViewerPanel("Original", encode_png(pixels), alt="A ramp", lines=("ε: none",)),
            ViewerPanel("Inverted", encode_png(255 - pixels), alt="A ramp, inverted", note="In full"),
        ],
        key="viewer",
        mode="wipe",
        height=300,
    )


def test_the_browser_gets_words_and_pictures_in_one_message() -> None:
    page = AppTest.from_function(viewer_page).run()
    assert not page.exception
    (element,) = page.get("bidi_component")
    message = element.proto.bytes
    end = 4 + int.from_bytes(message[:4], "big")
    header = json.loads(message[4:end])
    assert {name: header[name] for name in ("key", "mode", "max_height", "width", "height")} == {
        "key": "viewer",
        "mode": "wipe",
        "max_height": 300,
        "width": 6,
        "height": 4,
    }
    assert [said["title"] for said in header["panels"]] == ["Original", "Inverted"]
    assert header["panels"][0]["lines"] == ["ε: none"]
    assert header["panels"][1]["note"] == "In full"
    files = []
    for said in header["panels"]:
        files.append(message[end : end + said["bytes"]])
        end += said["bytes"]
    assert end == len(message)
    first, second = (np.asarray(Image.open(io.BytesIO(file))) for file in files)
    assert first.shape == (4, 6)
    np.testing.assert_array_equal(second, 255 - first)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        picture_viewer([], key="viewer")
    with pytest.raises(ValueError, match="at least 2"):
        picture_viewer([panel("alone")], key="viewer", mode="wipe")


def test_pictures_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        picture_viewer([panel("a"), panel("b", width=9)], key="viewer")


def test_what_is_no_png_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'scan' is not a PNG"):
        picture_viewer([ViewerPanel("scan", b"\xff\xd8\xff\xe0 a JPEG", alt="")], key="viewer")
