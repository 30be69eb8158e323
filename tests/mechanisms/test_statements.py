"""A noised picture's epsilon in words, for every mechanism."""

from __future__ import annotations

import pytest

from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.catalog import own_parameters, picture_noise
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import (
    image_epsilon_statement,
    image_unit_statement,
)


def guarantee(name: str, *, beta: float = 1.0, channels: int = 1, copies: int = 1) -> ImageGuarantee:
    noise = picture_noise(name, beta=beta, **own_parameters(name, {"block": 4}))
    return noise.guarantee((28, 28, channels), copies=copies)


def test_the_full_form_carries_everything_that_epsilon_depends_on() -> None:
    assert image_epsilon_statement(guarantee("laplace_per_pixel")) == (
        "ε = 383 (δ = 1e-5; for any two images; noise drawn once; saddle-point accountant, at most 0.5% too high)"
    )
    assert image_epsilon_statement(guarantee("gaussian", beta=28.0, copies=4)) == (
        "ε = 10 (δ = 1e-5; for any two images; 4 noised copies together; exact Gaussian accountant)"
    )
    assert image_epsilon_statement(guarantee("laplace_per_image")) == (
        "ε = ∞ (for any two images; noise drawn once; one random number for all pixels hides no difference between "
        "them)"
    )


@pytest.mark.parametrize(
    ("name", "channels", "expected"),
    [
        (
            "laplace_per_pixel",
            1,
            "ε = 1 (δ = 0; two images that differ in one pixel, at most by black against white)",
        ),
        (
            "gaussian",
            3,
            "ε = 4.38 (δ = 1e-5; two images that differ in one colour value (red, green or blue of a pixel), at most "
            "by black against white)",
        ),
        (
            "dp_pix",
            1,
            "ε = 1 (δ = 0; two images that differ in up to 16 pixels, at most by black against white)",
        ),
        ("laplace_per_image", 1, "ε = ∞ (two images that differ in one pixel, at most by black against white)"),
    ],
)
def test_the_unit_says_how_neighbours_differ(name: str, channels: int, expected: str) -> None:
    assert image_unit_statement(guarantee(name, channels=channels)) == expected


def test_a_finding_is_hidden_to_an_epsilon_or_it_is_said_why_not() -> None:
    def statement(name: str, channels: int = 1) -> str:
        noise = picture_noise(name, beta=4.0)
        return noise.finding_statement(area_pixels=1000, contrast=0.3, channels=channels)

    assert statement("laplace_per_pixel") == (
        "A finding of 1,000 pixels and contrast 0.3 is hidden to ε = 75 (δ = 0; two images that are alike but for "
        "it; area × contrast / β)."
    )
    assert "ε = 225 (δ = 0; two images that are alike but for it; area × contrast × 3 colours / β)" in statement(
        "discrete_laplace", 3
    )
    for name in ("laplace_per_image", "gaussian", "dp_pix"):
        assert "hidden to ε" not in statement(name)
        assert statement(name).endswith(".")
    with pytest.raises(SettingError, match="contrast must be"):
        picture_noise("gaussian", beta=1.0).finding_statement(area_pixels=10, contrast=2.0)
