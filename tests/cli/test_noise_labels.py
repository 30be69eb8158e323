"""``noise``: what its files say of themselves, and that their shape tells nothing of the picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.privacy.statement import image_epsilon_statement, image_release_statement
from tests.cli.conftest import Command

HEIGHT, WIDTH = 40, 60
# Kinds of file, and the modes that they have by their header.
MODES = {
    ".png": ("L", "RGB", "LA", "RGBA", "P", "1"),
    ".tiff": ("L", "RGB", "LA", "RGBA", "P", "1", "CMYK"),
    ".bmp": ("L", "RGB", "P", "1"),
    ".webp": ("RGB", "RGBA"),
    ".gif": ("L", "P"),
    ".jpeg": ("L", "RGB", "CMYK"),
}
STORED = [(ending, mode) for ending, modes in MODES.items() for mode in modes]


def _grey() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


def _colour() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A grey picture."""
    file = tmp_path / "picture.png"
    Image.fromarray(_grey()).save(file)
    return file


def _texts(file: Path) -> dict[str, str]:
    with Image.open(file) as image:
        image.load()
        return dict(image.text)  # type: ignore[attr-defined]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_png_says_what_it_is_and_what_holds(medpriv: Command, picture: Path, tmp_path: Path, mechanism: str) -> None:
    out = tmp_path / "o.png"
    facts = medpriv("noise", picture, "--mechanism", mechanism, "--beta", "2", "--output", out, "--json").json
    told = _texts(out)
    guarantee = picture_noise(mechanism, beta=2.0).guarantee((HEIGHT, WIDTH, 1))

    assert facts["labelled"] is True
    assert told["Label"] == facts["noise"] == ("release" if mechanism == "discrete_laplace" else "demonstration")
    settings = json.loads(told["Settings"])
    assert (settings["mechanism"], settings["beta"], settings["delta"]) == (mechanism, 2, 1e-5)
    assert told["Privacy"] == image_release_statement(guarantee, (HEIGHT, WIDTH, 1))
    assert f"The image: {image_epsilon_statement(guarantee)}." in told["Privacy"]
    assert "Neighbours: any two images of 60 × 40 pixels in grey" in told["Privacy"]
    assert "picture.png" not in out.read_bytes().decode("latin-1")


def test_an_array_has_no_place_for_the_label_which_is_said(medpriv: Command, picture: Path, tmp_path: Path) -> None:
    arguments = ["noise", picture, "--mechanism", "discrete_laplace", "--beta", "2", "--output", tmp_path / "o.npy"]
    assert medpriv(*arguments, "--json").json["labelled"] is False
    assert "nothing in it says that it is a release: keep these words with it" in medpriv(*arguments).out


def _in_mode(pixels: np.ndarray, mode: str) -> Image.Image:
    """Pixels (h, w, 3) as a picture of a mode; with a palette that does not depend on them."""
    if mode == "P":
        image = Image.fromarray(pixels[:, :, 0]).convert("P")
        image.putpalette([value for level in range(256) for value in (level, 255 - level, 0)])
        return image
    image = Image.fromarray(pixels)
    return image.convert("L").convert(mode) if mode in ("L", "LA", "1") else image.convert(mode)


# What one level in one value must not change, nor any other picture: everything of a release but its pixels.
@pytest.mark.parametrize(("ending", "mode"), STORED)
def test_neighbours_give_releases_of_one_shape(medpriv: Command, tmp_path: Path, ending: str, mode: str) -> None:
    grey = np.stack([_grey()] * 3, axis=2)
    other = grey.copy()
    other[0, 0, 0] ^= 1
    released = set()
    for number, pixels in enumerate((grey, other, np.zeros_like(grey), np.full_like(grey, 255), _colour())):
        file, out = tmp_path / f"{number}{ending}", tmp_path / f"{number}-out.png"
        _in_mode(pixels, mode).save(file)
        arguments = ["noise", file, "--mechanism", "discrete_laplace", "--beta", "2", "--output", out, "--json"]
        facts = medpriv(*arguments).json
        with Image.open(out) as written:
            released.add((written.mode, written.size, tuple(facts["shape"]), tuple(sorted(_texts(out).items()))))
    assert len(released) == 1


@pytest.mark.parametrize(("mode", "shape"), [("grey", [HEIGHT, WIDTH]), ("colour", [HEIGHT, WIDTH, 3])])
@pytest.mark.parametrize("pixels", [_grey(), _colour()], ids=["grey", "colour"])
def test_the_mode_can_be_chosen(
    medpriv: Command, tmp_path: Path, pixels: np.ndarray, mode: str, shape: list[int]
) -> None:
    Image.fromarray(pixels).save(tmp_path / "in.png")
    arguments = ["noise", tmp_path / "in.png", "--mode", mode, "--beta", "0.001", "--output", tmp_path / "o.npy"]
    facts = medpriv(*arguments, "--json").json
    assert facts["shape"] == shape
    assert f"pixels in {mode}" in facts["neighbours"]
    expected = np.asarray(Image.fromarray(pixels).convert("L" if mode == "grey" else "RGB"))
    np.testing.assert_allclose(np.load(tmp_path / "o.npy"), expected / 255, atol=0.02)
