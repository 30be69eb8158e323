"""What the noised copies that the runs of a grid read give away together.

Under Local-DP an image is noised once for each size, β and kind of draw, and all runs with these settings read that one
copy, so seeds cost nothing. Different β are different copies: for one pixel 1/1 + 1/2 + 1/4 = 1.75. (DP-SGD networks
are another matter: ``medpriv_core.privacy.composition``.)

>>> copies = LocalDpTogether("chest_xray", image_size=64, channels=1, betas=(1.0, 2.0, 4.0), shifted_betas=())
>>> copies.epsilon_unit, copies.epsilon_image
(1.75, 7168.0)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.spec import RunSpec


@dataclass(frozen=True)
class LocalDpTogether:
    """The noised copies of each picture of a dataset at one size, for whoever sees them all.

    betas          of the copies with noise for every pixel, each drawn once
    shifted_betas  of those with one random number for the whole picture, for which no epsilon holds
    """

    dataset: str
    image_size: int
    channels: int
    betas: tuple[float, ...]
    shifted_betas: tuple[float, ...]

    @property
    def epsilon_unit(self) -> float:
        """With certainty, for two pictures that differ in one pixel (in colour: one colour value)."""
        return math.inf if self.shifted_betas else self._epsilon_of_betas

    @property
    def epsilon_image(self) -> float:
        """With certainty, for any two pictures."""
        return self._values * self.epsilon_unit

    @property
    def statement(self) -> str:
        """Epsilons with all they depend on."""
        parts = []
        if self.betas:
            unit = "one pixel" if self.channels == 1 else "one colour value (red, green or blue of a pixel)"
            epsilon, pure = self._epsilon_of_betas, self._values * self._epsilon_of_betas
            parts.append(
                f"Noise for every pixel with {_betas(self.betas)}: ε = {format_epsilon(epsilon)} (δ = 0; two pictures "
                f"that differ in {unit}, at most by black against white), and ε = {format_epsilon(pure)} (δ = 0) for "
                "any two pictures."
            )
        if self.shifted_betas:
            parts.append(
                f"One number for the picture with {_betas(self.shifted_betas)}: no finite ε, because it hides no "
                f"difference between pixels{'; so none holds for all copies together' if self.betas else ''}."
            )
        return " ".join(parts)

    @property
    def _values(self) -> int:
        return self.image_size**2 * self.channels

    @property
    def _epsilon_of_betas(self) -> float:
        return math.fsum(1 / beta for beta in self.betas)


def compose_local_dp(specs: Iterable[RunSpec]) -> tuple[LocalDpTogether, ...]:
    """The noised copies that these runs read, one entry for each dataset and image size."""
    copies: dict[tuple[str, int], dict[str, set[float]]] = {}
    for spec in specs:
        if spec.method == "local_dp":
            draws = copies.setdefault((spec.dataset, spec.image_size), {"per_pixel": set(), "per_image": set()})
            draws[spec.noise_draw].add(spec.beta)
    return tuple(
        LocalDpTogether(
            dataset,
            image_size,
            dataset_info(dataset).channels,
            betas=tuple(sorted(draws["per_pixel"])),
            shifted_betas=tuple(sorted(draws["per_image"])),
        )
        for (dataset, image_size), draws in copies.items()
    )


def _betas(betas: Sequence[float]) -> str:
    return "β = " + ", ".join(f"{beta:g}" for beta in betas)
