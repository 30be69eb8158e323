"""Gradient inversion of real chest X-rays: exact without noise, and past the bound with nothing but a filter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medpriv_core.attacks.inversion_panels import invert
from medpriv_core.datasets.registry import add_dataset, open_dataset
from medpriv_core.datasets.viewing import make_gallery
from medpriv_core.home import DataHome

pytestmark = pytest.mark.real_data
IMAGES = (9, 700, 2000, 4000, 5000)


def test_a_common_filter_passes_the_bound_without_prior_knowledge(home: DataHome, shared_data: Path) -> None:
    add_dataset(home, "chest_xray", shared_data / "chest_xray")
    dataset = open_dataset(home, "chest_xray")
    gained = []
    for index in IMAGES:
        gallery = make_gallery(dataset, index, size=64)
        found = invert(gallery.pictures, gallery.place, noise_multiplier=0.0094)
        assert found.bound is not None
        assert found.panel("single_clipped").psnr_db > 100
        assert found.panel("best_estimate").unclamped_db == pytest.approx(found.bound.psnr_db, abs=0.5)
        gained.append(found.panel("denoised").psnr_db - found.bound.psnr_db)
        if index == IMAGES[0]:
            assert found.bound.psnr_db == pytest.approx(10.5, abs=0.1)
            assert found.panel("denoised").psnr_db == pytest.approx(21.8, abs=0.3)
    assert np.median(gained) > 8
