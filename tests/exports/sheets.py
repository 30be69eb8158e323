"""Pictures and sheets that the tests of exports share."""

from __future__ import annotations

import numpy as np

from medpriv_core.exports.sheet import Cell, Row, Sheet

FOOTER = "Laplace noise of scale β = 2 · ε for any two images · a drawing by a program, no patient"
GUARANTEE = "ε = 559 (δ = 1e-5; for any two images; noise drawn once; PLD accountant)"


def picture(height: int = 64, width: int = 64, channels: int = 1, *, seed: int = 0) -> np.ndarray:
    """A picture of noise, in which every pixel tells where it came from."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def sheet_of(
    *rows: Row, title: str = "What does the noise hide?", guarantee: str = GUARANTEE, footer: str = FOOTER
) -> Sheet:
    return Sheet(
        title=title,
        footer=footer,
        rows=rows or (Row((Cell(picture(), ("β = 2", "ε of one pixel: 0.5")),)),),
        settings="Laplace noise of scale β = 2 on every pixel, 64 × 64 pixels",
        guarantee=guarantee,
        source="A drawing by a program, no patient",
    )
