"""What a trained network is shown to say of a picture of one's own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from medpriv_core.datasets.registry import add_dataset
from medpriv_core.home import DataHome
from medpriv_core.runs.prediction_process import PROCESS
from tests.datasets.test_likeness import add_smooth_images, smooth
from tests.pages.conftest import texts
from tests.pages.test_explore import upload
from tests.trained_runs import TINY, train_run

OpenPage = Callable[..., AppTest]


@pytest.fixture
def trained(home: DataHome, tmp_path: Path) -> Iterator[None]:
    """A network that knows smooth images alone."""
    add_smooth_images(home, tmp_path / "set", train=60, test=6)
    train_run(home, "plain", TINY.changed(dataset="chest_xray", image_size=64))
    yield
    PROCESS.close()


def png(picture: np.ndarray) -> bytes:
    kept = io.BytesIO()
    Image.fromarray(picture[:, :, 0]).save(kept, "PNG")
    return kept.getvalue()


@pytest.mark.usefixtures("trained")
def test_an_image_unlike_all_that_the_network_knows_is_told_to_be(open_page: OpenPage, home: DataHome) -> None:
    page = open_page("explore", question="diagnosis", size="64")
    upload(page, "own.png", png(smooth(7)[0]))
    assert not page.exception
    assert "the network says" in page.dataframe[0].value.columns
    assert "is unlike the training images" not in texts(page)
    page = open_page("explore", question="diagnosis", size="64")
    upload(page, "other.png", png(smooth(8, 0.4)[0]))
    assert "This image is unlike the training images: sharper" in texts(page)
    # Other images under the name: nothing can be said of those that it learned from.
    (home.root.parent / "set" / "train" / "NORMAL" / "0.png").unlink()
    add_dataset(home, "chest_xray", home.root.parent / "set")
    page.run()
    assert "are not here as they were" in texts(page)
