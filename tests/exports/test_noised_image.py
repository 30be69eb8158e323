"""The noised picture as a file: what it tells, and what it must not tell."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from medpriv_core.errors import SettingError
from medpriv_core.exports.explore_settings import OWN_PICTURE, ExploreSettings
from medpriv_core.exports.noised_image import COMMENTS, released_image
from medpriv_core.mechanisms.additive import LaplacePerPixel
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.mechanisms.discrete_laplace import DiscreteLaplace
from tests.exports.sheets import GUARANTEE, picture

DEMONSTRATION = ExploreSettings(
    dataset="chest_xray", class_name="Pneumonia", image=17, size=64, noise=LaplacePerPixel(2), seed=12345
)
EXACT = DiscreteLaplace(2)
UNFIT = [name for name, info in MECHANISMS.items() if not info.fit_for_release]


def chunks(png: bytes) -> list[tuple[str, bytes]]:
    """All chunks of a PNG as its standard lays them out: length, type, data, CRC-32."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    found, place = [], 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        data = png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length :][:4])[0] == zlib.crc32(kind + data)
        found.append((kind.decode(), data))
        place += length + 12
    return found


def texts(png: bytes) -> dict[str, str]:
    """The text chunks, tEXt (Latin-1) and iTXt (UTF-8), as the PNG standard defines them."""
    found = {}
    for kind, data in chunks(png):
        keyword, _, rest = data.partition(b"\0")
        if kind == "tEXt":
            found[keyword.decode("latin-1")] = rest.decode("latin-1")
        elif kind == "iTXt":
            assert rest[:2] == b"\0\0"  # not compressed
            found[keyword.decode("latin-1")] = rest[2:].split(b"\0", 2)[2].decode("utf-8")
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_the_pixels_are_those_of_the_picture(channels: int) -> None:
    pixels = picture(40, 50, channels)
    file = released_image(pixels, kind="demonstration", settings=DEMONSTRATION, guarantee=GUARANTEE)
    image = Image.open(io.BytesIO(file.png))

    assert image.mode == ("L" if channels == 1 else "RGB")
    assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_a_demonstration_tells_what_it_is_in_name_and_file() -> None:
    file = released_image(picture(), kind="demonstration", settings=DEMONSTRATION, guarantee=GUARANTEE)
    told = texts(file.png)

    assert file.file_name == "medpriv-demonstration-laplace_per_pixel-beta-2.png"
    assert told["Label"] == "demonstration"
    assert told["Privacy"] == GUARANTEE
    assert told["Comment"] == COMMENTS["demonstration"]
    assert ExploreSettings.from_json(told["Settings"]) == DEMONSTRATION


def test_there_are_no_chunks_that_could_hold_a_date_or_a_name() -> None:
    file = released_image(picture(), kind="demonstration", settings=DEMONSTRATION, guarantee=GUARANTEE)

    assert {kind for kind, _ in chunks(file.png)} == {"IHDR", "tEXt", "iTXt", "IDAT", "IEND"}
    assert set(texts(file.png)) == {"Label", "Comment", "Settings", "Privacy", "Software"}


def test_every_mechanism_makes_a_file_name_that_any_system_takes() -> None:
    for mechanism in MECHANISMS:
        for beta in (0.001, 0.5, 10_000):
            settings = replace(DEMONSTRATION, noise=picture_noise(mechanism, beta=beta))
            file = released_image(picture(), kind="demonstration", settings=settings, guarantee=GUARANTEE)
            assert re.fullmatch(r"medpriv-demonstration-[a-z_]+-beta-[0-9.]+\.png", file.file_name)


def test_exact_noise_alone_makes_a_release() -> None:
    assert set(MECHANISMS) - set(UNFIT) == {EXACT.name}


@pytest.mark.parametrize("mechanism", UNFIT)
def test_mechanisms_for_teaching_make_no_release(mechanism: str) -> None:
    with pytest.raises(SettingError, match="is for demonstrations"):
        released_image(
            picture(),
            kind="release",
            settings=replace(DEMONSTRATION, noise=picture_noise(mechanism, beta=2), seed=None),
            guarantee=GUARANTEE,
        )


def test_a_release_tells_its_mechanism_and_nothing_about_the_original() -> None:
    settings = replace(DEMONSTRATION, noise=EXACT, seed=None)
    file = released_image(picture(), kind="release", settings=settings, guarantee=GUARANTEE)
    told = texts(file.png)

    assert file.file_name == "medpriv-release-discrete_laplace-beta-2.png"
    assert told["Label"] == "release"
    assert json.loads(told["Settings"]) == {"mechanism": EXACT.name, "beta": 2.0, "delta": 1e-5, "copies": 1}
    assert not re.search("chest|pneumonia|17|seed", "".join(told.values()), re.IGNORECASE)


def test_noise_from_a_seed_makes_no_release() -> None:
    with pytest.raises(SettingError, match="known seed"):
        released_image(picture(), kind="release", settings=replace(DEMONSTRATION, noise=EXACT), guarantee=GUARANTEE)


def test_an_own_picture_is_called_just_that() -> None:
    settings = replace(DEMONSTRATION, dataset=OWN_PICTURE, class_name=None, image=None)
    file = released_image(picture(), kind="demonstration", settings=settings, guarantee=GUARANTEE)

    assert json.loads(texts(file.png)["Settings"])["dataset"] == "own picture"


def test_a_picture_needs_a_known_label_and_its_guarantee() -> None:
    with pytest.raises(SettingError, match="demonstration or a release"):
        released_image(picture(), kind="final", settings=DEMONSTRATION, guarantee=GUARANTEE)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="guarantee in words"):
        released_image(picture(), kind="demonstration", settings=DEMONSTRATION, guarantee=" ")
    with pytest.raises(SettingError, match="8-bit"):
        released_image(picture()[:, :, 0], kind="demonstration", settings=DEMONSTRATION, guarantee=GUARANTEE)
