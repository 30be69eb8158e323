"""What every mechanism that noises a picture can do, and what it can say of itself.

A mechanism takes a picture in [0, 1] and gives back a noised one, not yet clamped. Whoever gets the noised picture
also knows the mechanism, so the mean of its clamped values over a flat area is public too: inverting that curve is the
second half of every attack by averaging.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.privacy.image_epsilon import ImageGuarantee, MechanismName, mechanism_guarantee
from medpriv_core.spec import check_bound

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Mechanism(ABC):
    """Noise of one kind and strength. Raises ``SettingError`` for a beta outside its bounds.

    beta  amount of noise, in units of the range from black to white; what it is for each mechanism, ``catalog`` says
    """

    name: ClassVar[MechanismName]
    beta: float

    def __post_init__(self) -> None:
        check_bound("beta", self.beta)

    @abstractmethod
    def release(self, picture_unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``picture_unit`` (float, shape (h, w, c), in [0, 1]) with noise: float32, same shape, not clamped.

        Raises ``SettingError`` for a picture without pixels, or with values that are not finite.
        """

    @abstractmethod
    def clamped_mean(self, levels: np.ndarray) -> np.ndarray | None:
        """Mean of the clamped release over a flat area of each of ``levels`` (in [0, 1]); None where it has no use."""

    @property
    @abstractmethod
    def noise_deviation(self) -> float:
        """Standard deviation of one released value before clamping."""

    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        """What holds for ``copies`` independent releases of one picture of ``shape`` (h, w, c)."""
        return mechanism_guarantee(self.name, beta=self.beta, shape=shape, delta=delta, copies=copies)
