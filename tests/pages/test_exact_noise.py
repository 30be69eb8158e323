"""Exact noise for a large picture on the explore page: how far it is, and that it is drawn once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.mechanisms import sources
from pages.parts.explore import scene
from tests.pages.conftest import viewers
from tests.pages.test_explore import SMALL, OpenPage


def test_exact_noise_that_takes_long_tells_how_far_it_is_and_is_drawn_once(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    progress = DeltaGenerator.progress

    def listen(self: DeltaGenerator, value: float, text: str | None = None, **more: Any) -> Any:
        said.append(text or "")
        return progress(self, value, text, **more)

    monkeypatch.setattr(DeltaGenerator, "progress", listen)
    monkeypatch.setattr(sources, "PIECE", 2000)
    monkeypatch.setattr(scene, "QUICK_VALUES", 100)
    page = open_page("explore", mechanism="discrete_laplace", **SMALL)
    assert not page.exception
    assert any("Drawing exact noise: 2,000 of 4,096 values" in text and "left" in text for text in said)
    pixels = viewers(page)[0][1]["pixels"]
    assert not [button for button in page.button if button.key == "stop_exact"]  # it is there
    said.clear()
    page.run()
    assert not page.exception
    assert not any(said)
    assert np.array_equal(viewers(page)[0][1]["pixels"], pixels)
