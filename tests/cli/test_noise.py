"""``noise``: pictures of every kind in, arrays and pictures out."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core.cli.output import ProgressBar
from medpriv_core.errors import ImageError
from medpriv_core.mechanisms import sources
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.pictures.frames import plan_frames
from tests.cli.bad_files import BAD_PICTURES
from tests.cli.conftest import Command, Refusal

HEIGHT, WIDTH = 40, 60


def _grey(level: int | None = None) -> np.ndarray:
    if level is not None:
        return np.full((HEIGHT, WIDTH), level, dtype=np.uint8)
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


def _colour() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A grey picture."""
    file = tmp_path / "picture.png"
    Image.fromarray(_grey()).save(file)
    return file


def test_json_and_the_array(medpriv: Command, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    answer = medpriv("noise", picture, "--beta", "2", "--seed", "0", "--output", out, "--no-clamp", "--json")
    assert (answer.code, answer.err) == (0, "")
    facts = answer.json
    noised = np.load(out)
    assert noised.dtype == np.float32
    assert list(noised.shape) == facts["shape"] == [HEIGHT, WIDTH]
    assert (facts["beta"], facts["clamped"], facts["output"]) == (2, False, str(out))
    assert facts["unit_epsilon"] == 0.5
    assert facts["epsilon_image_pure"] == HEIGHT * WIDTH / 2
    assert 0 < facts["epsilon_image"] < facts["epsilon_image_pure"]
    assert facts["saturated_share"] == np.mean((noised <= 0) | (noised >= 1))


# The published check values for 28 x 28 pixels at delta 1e-5.
@pytest.mark.parametrize(("beta", "pure", "expected"), [(1, 784, 382.30), (2, 392, 136.20), (4, 196, 50.13)])
def test_epsilon_of_a_whole_picture(medpriv: Command, tmp_path: Path, beta: int, pure: float, expected: float) -> None:
    Image.fromarray(_grey()[:28, :28]).save(tmp_path / "in.png")
    facts = medpriv("noise", tmp_path / "in.png", "--beta", beta, "--output", tmp_path / "o.npy", "--json").json
    assert (facts["unit_epsilon"], facts["epsilon_image_pure"]) == (1 / beta, pure)
    assert facts["epsilon_image"] == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("beta", [1, 2, 4])
def test_the_share_of_black_and_white_follows_the_laplace_law(medpriv: Command, tmp_path: Path, beta: int) -> None:
    Image.fromarray(np.full((300, 300), 127, dtype=np.uint8)).save(tmp_path / "flat.png")
    out = tmp_path / "o.npy"
    facts = medpriv("noise", tmp_path / "flat.png", "--beta", beta, "--seed", "5", "--output", out, "--json").json
    assert facts["saturated_share"] == pytest.approx(math.exp(-1 / (2 * beta)), abs=0.01)
    clamped = np.load(out)
    assert (clamped.min(), clamped.max()) == (0, 1)


def test_clamping_is_all_that_no_clamp_changes(medpriv: Command, picture: Path, tmp_path: Path) -> None:
    raw, clamped = tmp_path / "raw.npy", tmp_path / "clamped.npy"
    medpriv("noise", picture, "--beta", "1", "--seed", "7", "--output", raw, "--no-clamp")
    medpriv("noise", picture, "--beta", "1", "--seed", "7", "--output", clamped)
    assert np.load(raw).min() < 0 < 1 < np.load(raw).max()
    np.testing.assert_array_equal(np.clip(np.load(raw), 0, 1), np.load(clamped))


def test_a_png_holds_the_clamped_picture(medpriv: Command, picture: Path, tmp_path: Path) -> None:
    medpriv("noise", picture, "--beta", "1", "--seed", "7", "--output", tmp_path / "o.png")
    medpriv("noise", picture, "--beta", "1", "--seed", "7", "--output", tmp_path / "o.npy")
    with Image.open(tmp_path / "o.png") as written:
        assert written.mode == "L"
        np.testing.assert_allclose(np.asarray(written) / 255, np.load(tmp_path / "o.npy"), atol=0.5 / 255 + 1e-6)


def test_a_seed_repeats_the_noise_and_none_does_not(medpriv: Command, picture: Path, tmp_path: Path) -> None:
    arrays = []
    for number, seed in enumerate((["--seed", "3"], ["--seed", "3"], ["--seed", "4"], [], [])):
        out = tmp_path / f"{number}.npy"
        assert medpriv("noise", picture, "--beta", "1", *seed, "--output", out).code == 0
        arrays.append(np.load(out))
    np.testing.assert_array_equal(arrays[0], arrays[1])
    assert all((arrays[0] != other).any() for other in arrays[2:])
    assert (arrays[3] != arrays[4]).any()


def test_one_draw_for_the_picture_is_one_shift_and_has_no_epsilon(
    medpriv: Command, picture: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.npy"
    arguments = [
        "noise",
        picture,
        "--beta",
        "1",
        "--mechanism",
        "laplace_per_image",
        "--seed",
        "0",
        "--output",
        out,
        "--no-clamp",
    ]
    facts = medpriv(*arguments, "--json").json
    assert (facts["unit_epsilon"], facts["epsilon_image_pure"], facts["epsilon_image"]) == (None, None, None)
    assert "∞" in medpriv(*arguments).out
    shift = np.load(out) - _grey() / 255
    assert np.ptp(shift) < 1e-5
    assert abs(shift).min() > 0.01


def _sixteen_bit() -> Image.Image:
    return Image.fromarray(_grey().astype(np.uint16) * 257)


def _palette() -> Image.Image:
    paletted = Image.fromarray(_grey() // 4).convert("P")
    paletted.putpalette([value for level in range(256) for value in (level, 255 - level, 0)])
    return paletted


def _cmyk() -> Image.Image:
    cmyk = np.zeros((HEIGHT, WIDTH, 4), dtype=np.uint8)
    cmyk[..., 0] = 255  # cyan ink, nothing else
    return Image.fromarray(cmyk, "CMYK")


def _transparent() -> Image.Image:
    image = Image.fromarray(_colour()).convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.array([0, 255], dtype=np.uint8), (HEIGHT, WIDTH // 2))))
    return image


def _black_where_clear() -> np.ndarray:
    colour = _colour()
    colour[:, ::2] = 0
    return colour


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("grey.png", Image.fromarray(_grey()), _grey()),
        ("colour.png", Image.fromarray(_colour()), _colour()),
        ("grey as colour.png", Image.fromarray(_grey()).convert("RGB"), np.stack([_grey()] * 3, axis=2)),
        ("16 bit.png", _sixteen_bit(), _grey()),
        ("palette.png", _palette(), np.stack([_grey() // 4, 255 - _grey() // 4, 0 * _grey()], axis=2)),
        ("ink.tiff", _cmyk(), np.broadcast_to(np.array([0, 255, 255]), (HEIGHT, WIDTH, 3))),
        ("alpha.png", _transparent(), _black_where_clear()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_kind_of_picture_is_converted(
    medpriv: Command, tmp_path: Path, name: str, image: Image.Image, expected: np.ndarray
) -> None:
    image.save(tmp_path / name)
    out = tmp_path / "o.npy"
    answer = medpriv("noise", tmp_path / name, "--beta", "0.001", "--seed", "0", "--output", out, "--no-clamp")
    assert (answer.code, answer.err) == (0, "")
    # Noise this small lets the picture be seen behind it.
    np.testing.assert_allclose(np.load(out), expected / 255, atol=0.02)


def test_plain_output_names_file_and_epsilons(medpriv: Command, picture: Path, tmp_path: Path) -> None:
    answer = medpriv("noise", picture, "--beta", "2", "--output", tmp_path / "o.png")
    assert f"Wrote {tmp_path / 'o.png'} (a demonstration" in answer.out
    assert "One pixel: ε = 0.5 (δ = 0; two images that differ in one pixel" in answer.out
    assert "(δ = 1e-5; for any two images; noise drawn once; saddle-point accountant" in answer.out
    assert "with certainty (δ = 0): ε = 1,200." in answer.out


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism_says_what_it_guarantees(
    medpriv: Command, picture: Path, tmp_path: Path, mechanism: str
) -> None:
    out = tmp_path / "o.npy"
    facts = medpriv("noise", picture, "--mechanism", mechanism, "--beta", "2", "--output", out, "--json").json
    guarantee = picture_noise(mechanism, beta=2.0).guarantee((HEIGHT, WIDTH, 1))
    finite = mechanism != "laplace_per_image"
    assert facts["mechanism"] == mechanism
    assert facts["noise"] == ("release" if mechanism == "discrete_laplace" else "demonstration")
    assert facts["epsilon_image"] == (guarantee.epsilon_image if finite else None)
    assert facts["unit_epsilon"] == (guarantee.unit_epsilon if finite else None)
    assert (facts["unit"], facts["unit_delta"]) == (guarantee.unit, guarantee.unit_delta)
    assert (facts["accountant"], facts["adjacency"]) == (guarantee.accountant, "any two images")
    assert np.load(out).shape == (HEIGHT, WIDTH)


def test_noise_by_the_epsilon_it_shall_have(medpriv: Command, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.npy"
    facts = medpriv("noise", picture, "--image-epsilon", "8", "--delta", "1e-6", "--output", out, "--json").json
    assert 7.96 <= facts["epsilon_image"] <= 8
    again = medpriv("noise", picture, "--beta", facts["beta"], "--delta", "1e-6", "--output", out, "--json").json
    assert again["epsilon_image"] == facts["epsilon_image"]


def test_dp_pix_writes_cells(medpriv: Command, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.npy"
    cells = ["--mechanism", "dp_pix", "--block", "20", "--changed-pixels", "4"]
    facts = medpriv("noise", picture, *cells, "--beta", "2", "--output", out, "--json").json
    assert (facts["block"], facts["changed_pixels"], facts["unit"]) == (20, 4, "up to 4 pixels")
    assert np.unique(np.load(out)).size <= (HEIGHT // 20) * (WIDTH // 20)


@pytest.mark.parametrize("beta", ["0", "-1", "nan", "inf", "1e9"])
def test_impossible_noise_is_refused(refused: Refusal, picture: Path, tmp_path: Path, beta: str) -> None:
    sentence = refused("noise", picture, "--beta", beta, "--output", tmp_path / "o.npy", "--json")
    assert sentence.startswith("beta must be between 0.001 and 10000, but is ")
    assert not (tmp_path / "o.npy").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "One of the arguments --beta --image-epsilon is required"),
        (["--beta", "1", "--image-epsilon", "1"], "--image-epsilon: not allowed with argument --beta"),
        (["--beta", "1", "--mechanism", "blur"], "invalid choice: 'blur'"),
        (["--beta", "1", "--mechanism", "discrete_laplace", "--seed", "1"], "discrete_laplace takes no seed"),
        (
            ["--beta", "1", "--block", "4"],
            "block belongs to dp_pix, but the mechanism is laplace_per_pixel; leave it out",
        ),
        (["--beta", "1", "--mechanism", "dp_pix", "--block", "0"], "block must be between 1 and 512"),
        (["--beta", "1", "--mechanism", "dp_pix", "--block", "41"], "choose a block of at most 40"),
        (["--image-epsilon", "0"], "must be above 0 and finite, but is 0"),
        (["--image-epsilon", "1e-9"], "needs more noise than beta 10000"),
        (["--image-epsilon", "8", "--mechanism", "laplace_per_image"], "no finite epsilon, whatever beta is"),
    ],
)
def test_contradicting_mechanisms_are_refused(
    refused: Refusal, picture: Path, options: list[str], sentence: str
) -> None:
    out = picture.with_name("o.npy")
    assert sentence in refused("noise", picture, *options, "--output", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--output", "o.jpg"], "must end in .npy or .png, but is o.jpg"),
        (["--output", "o.png", "--no-clamp"], "leave out --no-clamp or write a .npy"),
        (["--output", "o.npy", "--seed", "-1"], "seed must not be negative"),
        (["--output", "o.npy", "--delta", "2"], "delta must be between"),
        (["--output", "picture.png"], "is the image itself; give another name"),
        (["--output", "nowhere/o.npy"], "nowhere/o.npy cannot be written (No such file or directory)"),
        (["--output", "picture.png/o.npy"], "picture.png/o.npy cannot be written (Not a directory)"),
        (["--output", "folder.npy"], "folder.npy cannot be written (Is a directory)"),
        (["--output", "/proc/o.npy"], "/proc/o.npy cannot be written"),
    ],
)
def test_impossible_outputs_are_refused(
    refused: Refusal,
    picture: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(picture.parent)
    Path("folder.npy").mkdir()
    before = picture.read_bytes()
    assert sentence in refused("noise", picture, "--beta", "1", *options)
    assert picture.read_bytes() == before
    assert sorted(os.listdir()) == ["folder.npy", "picture.png"]


def test_a_full_disk_leaves_the_older_file(
    refused: Refusal, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "o.npy"
    out.write_bytes(b"older")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert "cannot be written (No space left on device)" in refused("noise", picture, "--beta", "1", "--output", out)
    assert out.read_bytes() == b"older"
    assert sorted(os.listdir(tmp_path)) == ["o.npy", "picture.png"]


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_files_that_are_no_pictures_are_refused(refused: Refusal, tmp_path: Path, name: str) -> None:
    make, sentence = BAD_PICTURES[name]
    (tmp_path / name).write_bytes(make())
    assert sentence in refused("noise", tmp_path / name, "--beta", "1", "--output", tmp_path / "o.npy", "--json")
    assert os.listdir(tmp_path) == [name]


def test_a_picture_that_is_not_there_is_refused(refused: Refusal, tmp_path: Path) -> None:
    said = refused("noise", tmp_path / "gone.png", "--beta", "1", "--output", tmp_path / "o.npy")
    assert said == "The image gone.png does not exist. Check its name and place."


def test_what_was_left_out_of_a_picture_is_said_beside_the_json(medpriv: Command, tmp_path: Path) -> None:
    frames = [Image.fromarray(_grey()), Image.fromarray(255 - _grey())]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    # In quotes, as it was copied from elsewhere.
    answer = medpriv("noise", f"'{tmp_path / 'moving.gif'}'", "--beta", "1", "--output", tmp_path / "o.npy", "--json")
    note = "This file holds 2 images, one after the other; the first is read."
    assert answer.json["notes"] == [note]
    assert answer.err == f"Note: {note}\n"


def test_a_folder_in_place_of_a_picture_is_called_one(refused: Refusal, tmp_path: Path) -> None:
    said = refused("noise", tmp_path, "--beta", "1", "--output", tmp_path / "o.npy")
    assert said == f"The image {tmp_path.name} is a folder and not a file. Give the file itself."


def test_a_picture_too_small_for_the_page_is_too_small_here(refused: Refusal, tmp_path: Path) -> None:
    with pytest.raises(ImageError) as on_page:
        plan_frames(15, 3, frames=1, bytes_per_pixel=1)
    Image.new("L", (15, 3)).save(tmp_path / "small.png")
    said = refused("noise", tmp_path / "small.png", "--beta", "1", "--output", tmp_path / "o.npy")
    assert said == str(on_page.value)


def test_exact_noise_for_a_large_picture_tells_how_far_it_is_and_can_be_stopped(
    medpriv: Command, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PIECE", 100)
    out = tmp_path / "o.png"
    exact = ("noise", picture, "--beta", "2", "--mechanism", "discrete_laplace", "--output", out)
    assert "Drawing exact noise" in medpriv(*exact).err
    out.unlink()

    def interrupt(self: ProgressBar, phase: str, done: int, total: int) -> None:
        raise KeyboardInterrupt  # as Ctrl-C between two pieces

    monkeypatch.setattr(ProgressBar, "__call__", interrupt)
    stopped = medpriv(*exact)
    assert (stopped.code, stopped.out, stopped.err) == (130, "", "")
    assert not out.exists()
