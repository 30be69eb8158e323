"""Epsilon in words: never a bare number, always with what it depends on.

>>> dp_sgd_statement(epsilon=7.1597, delta=1e-5)
'ε = 7.16 (δ = 1e-05; one image added or removed; Poisson sampling; PLD accountant)'
>>> format_epsilon(24993.4), format_epsilon(0.1462), format_epsilon(float("inf"))
('24,994', '0.147', '∞')
"""

from __future__ import annotations

import math


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


def dp_sgd_statement(*, epsilon: float, delta: float) -> str:
    """The full form for a DP-SGD run accounted by ``medpriv_core.privacy.dp_sgd``."""
    return (
        f"ε = {format_epsilon(epsilon)} (δ = {delta:.12g}; one image added or removed; "
        "Poisson sampling; PLD accountant)"
    )
