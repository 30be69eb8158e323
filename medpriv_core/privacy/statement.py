"""Epsilon in words: never a bare number, always with what it depends on.

>>> dp_sgd_statement(epsilon=7.1597, delta=1e-5)
'ε = 7.16 (δ = 1e-5; one image added or removed; Poisson sampling; PLD accountant)'
>>> format_epsilon(24993.4), format_epsilon(0.1462), format_epsilon(float("inf"))
('24,994', '0.147', '∞')
"""

from __future__ import annotations

import math

from medpriv_core.privacy.image_epsilon import ImageGuarantee

# A convention, not a theorem: at 10 the bound already lets an attacker who is right 1 time in 10,000
# by guessing be right nearly always (odds grow by up to e^10 = 22,026).
STRONG_EPSILON = 10


def format_epsilon(epsilon: float) -> str:
    """Three significant digits, or whole numbers from 100 on; always rounded up, never down."""
    if math.isinf(epsilon):
        return "∞"
    if epsilon >= 100:
        return f"{math.ceil(round(epsilon, 6)):,}"
    if epsilon == 0:
        return "0"
    digits = 2 - math.floor(math.log10(epsilon))
    # The inner rounding keeps 0.5 from becoming 0.501 through a last bit.
    return f"{math.ceil(round(epsilon * 10**digits, 6)) / 10**digits:.{max(digits, 0)}f}".rstrip("0").rstrip(".")


def format_delta(delta: float) -> str:
    """The shortest exact form, as people write it: "1e-5", "0.001"."""
    mantissa, _, exponent = f"{delta:.12g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def dp_sgd_statement(*, epsilon: float, delta: float) -> str:
    """The full form for a DP-SGD run accounted by ``medpriv_core.privacy.dp_sgd``."""
    return (
        f"ε = {format_epsilon(epsilon)} (δ = {format_delta(delta)}; one image added or removed; "
        "Poisson sampling; PLD accountant)"
    )


def image_statement(
    guarantee: ImageGuarantee, *, beta: float, blank_share: float, blurred_correlation: float | None
) -> str:
    """What a noised image gives away, in a sentence or two for a person who is no expert.

    ``blank_share`` is the probability that the per-image draw turns the picture black or white;
    ``blurred_correlation`` was measured on the picture shown (None where that has no meaning).
    """
    if math.isinf(guarantee.epsilon_image):
        return (
            f"One random number shifts the brightness of the whole picture. At β = {beta:g} that turns "
            f"{blank_share:.0%} of all pictures completely black or white; the others show everything. So no finite "
            "ε holds for what the picture shows, whatever β is."
        )
    epsilon = f"ε = {format_epsilon(guarantee.epsilon_image)} (δ = {format_delta(guarantee.delta)})"
    undone = ""
    if blurred_correlation is not None and blurred_correlation >= 0.3:
        undone = (
            f" Blurring alone brings back a picture that still agrees with the original (correlation "
            f"{blurred_correlation:.2f})."
        )
    if guarantee.epsilon_image > STRONG_EPSILON:
        return (
            f"At β = {beta:g} one pixel is well hidden (ε = {format_epsilon(guarantee.epsilon_pixel)}), but the "
            f"picture is not: its {guarantee.values:,} values together have {epsilon}, and protection usually means "
            f"ε below {STRONG_EPSILON}.{undone}"
        )
    return (
        f"At β = {beta:g} the whole picture has {epsilon}. That is protection in the usual sense, and little of the "
        f"picture is left for anybody, a doctor included.{undone}"
    )
