"""``attack invert``: what is printed, as text and JSON, and the panels as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medpriv_core.datasets.registry import open_dataset
from medpriv_core.datasets.viewing import make_gallery
from medpriv_core.home import DataHome
from medpriv_core.privacy.reconstruction import ReconstructionBound
from tests.cli.conftest import Command, Refusal

NAMES = ("original", "no_dp", "clipped", "noised", "best_estimate", "denoised")


def test_the_attack_succeeds_without_noise_and_fails_with_it(medpriv: Command, home: DataHome) -> None:
    facts = medpriv("attack", "invert", "--dataset", "synthetic_chest", "--image", 3, "--json").json
    assert list(facts["panels"])[:6] == list(NAMES)
    assert all(facts["panels"][name]["exact"] for name in ("no_dp", "clipped", "single_clipped"))
    assert facts["panels"]["no_dp"]["psnr_db"] is None  # JSON has no infinite number
    for name in ("noised", "best_estimate", "denoised", "single_noised"):
        assert facts["panels"][name]["psnr_db"] < facts["floor"]["psnr_db"]
    gallery = make_gallery(open_dataset(home, "synthetic_chest"), 2, size=64)
    pixels = gallery.pictures[gallery.place] / 255
    bound = ReconstructionBound(1.0, pixels.size, float(np.linalg.norm(pixels)))
    assert facts["bound_psnr_db"] == pytest.approx(bound.psnr_db, abs=1e-3)
    assert facts["panels"]["best_estimate"]["unclamped_psnr_db"] == pytest.approx(bound.psnr_db, abs=0.5)
    assert facts["epsilon_of_one_full_batch_step"] == pytest.approx(4.37718, abs=1e-4)
    assert (facts["batch_size"], facts["floor"]["images"], facts["notes"], facts["files"]) == (8, 99, [], [])


def test_text_begins_with_the_finding_and_ends_with_what_it_does_not_say(medpriv: Command, home: DataHome) -> None:
    answer = medpriv("attack", "invert", "--dataset", "synthetic_chest")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].startswith("Clipping alone hides nothing")
    assert "does not come back" in lines[0]
    assert lines[-1].startswith("What this does not say")
    assert "ε = 4.38 (δ = 1e-5; one image added or removed" in answer.out


def test_a_dataset_of_one_image_and_no_noise(medpriv: Command, home: DataHome) -> None:
    answer = medpriv("attack", "invert", "--dataset", "retina_photo", "--noise-multiplier", 0)
    assert "There is no noise here, so there is no ε either." in answer.out
    assert "the batch has 1" in answer.out
    assert "no average of others" in answer.out
    facts = medpriv("attack", "invert", "--dataset", "retina_photo", "--noise-multiplier", 0, "--json").json
    assert facts["floor"] is facts["epsilon_of_one_full_batch_step"] is None


@pytest.mark.parametrize("folder", [True, False])
def test_panels_as_files(medpriv: Command, home: DataHome, tmp_path: Path, folder: bool) -> None:
    place = tmp_path if folder else tmp_path / "mine"
    facts = medpriv("attack", "invert", "--dataset", "synthetic_chest", "--output", place, "--json").json
    begin = "" if folder else "mine-"
    assert facts["files"] == [str(tmp_path / f"{begin}{name}.png") for name in (*NAMES, "floor")]
    original, clipped, noised = (
        np.asarray(Image.open(tmp_path / f"{begin}{name}.png")) for name in NAMES[:4] if name != "no_dp"
    )
    assert original.shape == (64, 64)
    assert np.array_equal(original, clipped)
    assert not np.array_equal(original, noised)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--image", 0), "image must be 1 to 640"),
        (("--image", 641), "image must be 1 to 640"),
        (("--noise-multiplier", -1), "noise_multiplier must be 0 to"),
        (("--noise-multiplier", "nan"), "noise_multiplier must be 0 to"),
        (("--clipping-norm", 0), "clipping_norm must be above 0"),
        (("--batch-size", 0), "batch_size must be 1 to"),
        (("--seed", -1), "seed must not be negative"),
        (("--dataset", "none"), "There is no dataset 'none'"),
        (("--output", "/nowhere/at/all"), "cannot be written"),
    ],
)
def test_refusals(refused: Refusal, home: DataHome, options: tuple[object, ...], expected: str) -> None:
    assert expected in refused("attack", "invert", "--dataset", "synthetic_chest", *options)
