"""What the noised copies that the runs of a grid read give away together.

Under Local-DP an image is noised once for each size and kind and amount of noise, and all runs with these settings read
that one copy, so seeds cost nothing. Different β are different copies: for one pixel 1/1 + 1/2 + 1/4 = 1.75. (DP-SGD
networks are another matter: ``medpriv_core.privacy.composition``.)

>>> from medpriv_core.mechanisms.additive import LaplacePerPixel
>>> noises = tuple(LaplacePerPixel(beta) for beta in (1.0, 2.0, 4.0))
>>> copies = NoisedCopies("chest_xray", image_size=64, channels=1, noises=noises, delta=1e-5)
>>> copies.epsilon_unit, copies.epsilon_image
(1.75, 7168.0)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.spec import RunSpec


@dataclass(frozen=True)
class NoisedCopies:
    """The noised copies of each picture of a dataset at one size, for whoever sees them all.

    noises  of the copies, each drawn once
    delta   of each copy with noise that has an epsilon at some delta only; with certainty where there is none
    """

    dataset: str
    image_size: int
    channels: int
    noises: tuple[PictureNoise, ...]
    delta: float

    @property
    def epsilon_unit(self) -> float:
        """At ``delta_together``, for two pictures that differ in one pixel (in colour: one colour value)."""
        return math.fsum(each.unit_epsilon for each in self._guarantees)

    @property
    def epsilon_image(self) -> float:
        """At ``delta_together``, for any two pictures. Epsilons and deltas of independent releases add up."""
        return math.fsum(_surest(each) for each in self._guarantees)

    @property
    def delta_together(self) -> float:
        """The deltas of all copies together."""
        return math.fsum(each.unit_delta for each in self._guarantees)

    @property
    def statement(self) -> str:
        """Epsilons with all they depend on."""
        hidden = [noise for noise, each in zip(self.noises, self._guarantees, strict=True) if each.accountant != "none"]
        others = [noise for noise in self.noises if noise not in hidden]
        parts = []
        if hidden:
            unit = "one pixel" if self.channels == 1 else "one colour value (red, green or blue of a pixel)"
            those = replace(self, noises=tuple(hidden))
            delta = format_delta(those.delta_together)
            parts.append(
                f"{_named(hidden)}: ε = {format_epsilon(those.epsilon_unit)} (δ = {delta}; two images that differ in "
                f"{unit}, at most by black against white), and ε = {format_epsilon(those.epsilon_image)} (δ = {delta}) "
                "for any two images."
            )
        if others:
            parts.append(
                f"{_named(others)}: no finite ε, because it hides no difference between pixels"
                f"{'; so none holds for all copies together' if hidden else ''}."
            )
        return " ".join(parts)

    @property
    def _guarantees(self) -> list[ImageGuarantee]:
        shape = (self.image_size, self.image_size, self.channels)
        return [noise.guarantee(shape, delta=self.delta) for noise in self.noises]


def _surest(guarantee: ImageGuarantee) -> float:
    """The epsilon that holds with certainty, or else the one at its delta."""
    return guarantee.epsilon_image if guarantee.unit_delta else guarantee.epsilon_image_pure


def _named(noises: Sequence[PictureNoise]) -> str:
    """Kinds of noise with their amounts: "Noise for each pixel with β = 1, 2"."""
    amounts: dict[str, list[str]] = {}
    for noise in noises:
        amounts.setdefault(noise.in_words, []).append(f"{noise.beta:.12g}")
    text = "; ".join(f"{words} with β = {', '.join(betas)}" for words, betas in amounts.items())
    return f"{text[:1].upper()}{text[1:]}"


def compose_local_dp(specs: Iterable[RunSpec]) -> tuple[NoisedCopies, ...]:
    """The noised copies that these runs read, one entry for each dataset and image size."""
    runs: dict[tuple[str, int], list[RunSpec]] = {}
    for spec in specs:
        if spec.method == "local_dp":
            runs.setdefault((spec.dataset, spec.image_size), []).append(spec)
    return tuple(
        NoisedCopies(
            dataset,
            image_size,
            dataset_info(dataset).channels,
            noises=tuple(
                sorted({spec.picture_noise for spec in these}, key=lambda noise: (noise.in_words, noise.beta))
            ),
            delta=min(spec.delta for spec in these),
        )
        for (dataset, image_size), these in runs.items()
    )
