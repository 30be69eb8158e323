"""Noise on pictures: one frozen record of a mechanism with its parameters, which says everything about itself.

The explore page, the command ``noise``, runs under Local-DP and stored noised copies all hold a ``PictureNoise``. What
it draws, which ε holds, its formula and its words are its own, so nobody else asks which mechanism it is.

A mechanism takes a picture and gives back a noised one, not yet clamped. Whoever gets the noised picture also knows the
mechanism, so the mean of its clamped values over a flat area is public too: inverting that curve is the second half of
every attack by averaging.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.laplace import finite_pixels, to_bytes, to_unit
from medpriv_core.mechanisms.sources import NoiseSource, SeededNoise
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.progress import ProgressCallback, no_progress
from medpriv_core.spec import SETTINGS, check_bound


@dataclass(frozen=True)
class Parameter:
    """A whole number that a mechanism needs besides beta: ``low`` to ``high``.

    default  its usual value
    label    above its control
    options  that a page offers
    help     what it does, in a sentence
    """

    default: int
    label: str
    low: int
    high: int
    options: tuple[int, ...]
    help: str


def parameter(default: int, *, label: str, low: int, high: int, options: tuple[int, ...], help: str) -> Any:
    """A field of a mechanism that is a parameter of its own, with all that forms and checks need of it."""
    return field(default=default, metadata={"parameter": Parameter(default, label, low, high, options, help)})


def run_parameter(name: str, *, options: tuple[int, ...]) -> Any:
    """A parameter that is a setting of runs as well, and described there (``spec.SETTINGS``)."""
    known = SETTINGS[name]
    assert known.bounds is not None
    low, high = map(int, known.bounds)
    return parameter(known.default, label=known.label, low=low, high=high, options=options, help=known.help)


@dataclass(frozen=True)
class PictureNoise(ABC):
    """Noise of one kind and strength. Raises ``SettingError`` for a parameter outside its bounds.

    beta  amount of noise, in units of the range from black to white; what it is for this mechanism, ``beta_term`` says

    A mechanism is a subclass that says, as class variables:

    name             in files, links and options
    title            on screen
    short            within a sentence or the name of a run, after "β 2"
    formula          in one line of plain text, for x in [0, 1]
    explanation      one sentence in a clinician's words
    beta_term        the field's term for beta
    drawn            what is drawn for what: "noise for each pixel"
    fit_for_release  whether ``release`` is exact and from a cryptographic generator; else it only demonstrates
    no_finding       why no epsilon of a finding is told, where ``finding_epsilon`` tells none
    """

    name: ClassVar[str]
    title: ClassVar[str]
    short: ClassVar[str]
    formula: ClassVar[str]
    explanation: ClassVar[str]
    beta_term: ClassVar[str]
    drawn: ClassVar[str]
    fit_for_release: ClassVar[bool] = False
    no_finding: ClassVar[str] = "This noise measures the size of a finding in another way."

    beta: float

    def __post_init__(self) -> None:
        check_bound("beta", self.beta)
        object.__setattr__(self, "beta", float(self.beta))
        for name, known in self.parameters().items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise SettingError(f"[{name}] must be a whole number, but is {value!r}.")
            if not known.low <= value <= known.high:
                raise SettingError(f"[{name}] must be between {known.low} and {known.high}, but is {value}.")

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The parameters that it needs besides beta, by name."""
        return {one.name: one.metadata["parameter"] for one in cls._own_fields()}

    @classmethod
    def _own_fields(cls) -> list[Field[Any]]:
        return [one for one in fields(cls) if "parameter" in one.metadata]

    def check_shape(self, shape: Shape) -> None:  # noqa: B027  # most can noise any picture
        """Check that a picture of ``shape`` (height, width, channels) is large enough for it.

        Raises:
            SettingError: The picture is too small.
        """

    def changed(self, **values: float) -> Self:
        """The same mechanism with some parameters replaced (validated again)."""
        return replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """Its name as ``mechanism`` and all parameters, ready for JSON."""
        return {"mechanism": self.name, **asdict(self)}

    @property
    def in_words(self) -> str:
        """What is drawn for what, with the parameters of its own."""
        own = ", ".join(f"{one.name.replace('_', ' ')} {getattr(self, one.name)}" for one in self._own_fields())
        return f"{self.drawn} ({own})" if own else self.drawn

    @property
    def stored_as(self) -> str:
        """Mechanism and all parameters but beta, as names of stored copies and keys of their noise have it."""
        return "-".join([self.name, *(f"{one.name}_{getattr(self, one.name)}" for one in self._own_fields())])

    # What it draws

    @abstractmethod
    def noised(self, pixels: np.ndarray, source: NoiseSource) -> np.ndarray:
        """A picture with noise, not clamped.

        Args:
            pixels: Float array (h, w, channels) in [0, 1].
            source: Where the random numbers come from.

        Returns:
            float64 array of the same shape.

        Raises:
            SettingError: The picture is too small for the mechanism.
            MissingExtraError: The source draws with OpenDP, which is not installed.
        """

    def release(
        self, picture_unit: np.ndarray, rng: np.random.Generator, *, progress: ProgressCallback = no_progress
    ) -> np.ndarray:
        """A picture with noise, not clamped; whether it may be given away, ``fit_for_release`` says.

        Args:
            picture_unit: Float array (h, w, channels). Values outside [0, 1] are limited to it before the noise.
            rng: Generator of the random numbers. A mechanism that is fit for release does not use it, but the operating
                system's.
            progress: Called while exact noise for a large picture is drawn, which takes a minute; what it raises stops
                that.

        Returns:
            float32 array of the same shape.

        Raises:
            SettingError: The picture has no pixels, has values that are not finite, or is too small for the mechanism.
            MissingExtraError: The mechanism draws with OpenDP, which is not installed.
        """
        return self.noised(finite_pixels(picture_unit), SeededNoise(rng, progress)).astype(np.float32)

    def noised_levels(self, picture: np.ndarray, source: NoiseSource) -> np.ndarray:
        """A picture with noise, clamped and rounded to the 256 grey levels (post-processing).

        Args:
            picture: uint8 array (h, w, channels).
            source: Where the random numbers come from.

        Returns:
            uint8 array of the same shape.

        Raises:
            SettingError: The picture is too small for the mechanism.
            MissingExtraError: The source draws with OpenDP, which is not installed.
        """
        return to_bytes(self.noised(to_unit(picture), source))

    # What is known of it

    @abstractmethod
    def clamped_mean(self, levels: np.ndarray) -> np.ndarray | None:
        """Mean of the clamped release over a flat area, for each of several grey levels.

        Args:
            levels: Float array of any shape, in [0, 1].

        Returns:
            float64 array of the same shape, which rises with the level. None where neighbouring values share their
            noise, so that a mean over them tells nothing.
        """

    def clamped_variance(self, levels: np.ndarray) -> np.ndarray | None:
        """Variance of the clamped release over a flat area, for each of several grey levels.

        A mechanism that does not say it exactly has the smaller of two bounds: clamping brings values together, and
        values in [0, 1] of mean m vary by m (1 - m) at most (Bhatia and Davis 2000).

        Args:
            levels: Float array of any shape, in [0, 1].

        Returns:
            float64 array of the same shape. None where neighbouring values share their noise, as in ``clamped_mean``.
        """
        means = self.clamped_mean(levels)
        return None if means is None else np.minimum(self.noise_deviation**2, means * (1 - means))

    @property
    @abstractmethod
    def noise_deviation(self) -> float:
        """Standard deviation of one released value before clamping."""

    @abstractmethod
    def log_likelihoods(self, releases: np.ndarray, gallery_unit: np.ndarray) -> np.ndarray:
        """How likely each picture of a gallery is the origin of each release.

        Args:
            releases: Float array (D, h, w, channels), not clamped; for other than Gaussian noise it may be.
            gallery_unit: float32 array (N, h, w, channels) in [0, 1].

        Returns:
            Logarithms of likelihoods, float64 array (D, N); minus infinity is impossible. Constants that all pictures
            of the gallery share are left out, because they change no order.

        Raises:
            SettingError: The pictures are too small for the mechanism.
        """

    def independent_values(self, clamped: np.ndarray) -> tuple[np.ndarray, int]:
        """The values of a release that have noise of their own.

        Args:
            clamped: Float array (h, w, channels).

        Returns:
            The values, (h', w', channels), and how many pixels wide each is in the picture.

        Raises:
            SettingError: The picture is too small for the mechanism.
        """
        return clamped, 1

    # What it guarantees

    @abstractmethod
    def guarantee(self, shape: Shape, *, delta: float = DEFAULT_DELTA, copies: int = 1) -> ImageGuarantee:
        """The ε of one unit and of the whole picture, for all its noised copies together.

        Args:
            shape: Height, width and channels of the picture. In colour the unit is one colour value, of which a pixel
                has three.
            delta: The chance with which an ε may fail, from 1e-12 to 0.1.
            copies: Independent releases of the picture, from 1 to 10,000.

        Returns:
            Every ε with what it depends on; infinite where none holds.

        Raises:
            SettingError: A number is outside its bounds, or the picture has no pixels or is too small for the
                mechanism.
        """

    def finding_epsilon(self, *, area_pixels: float, contrast: float, channels: int = 1) -> float | None:  # noqa: ARG002
        """The ε to which a finding is hidden: for two pictures alike but for it, with certainty (δ = 0).

        Args:
            area_pixels: Size of the finding, in pixels.
            contrast: By how much each of these differs, as a share of the range from black to white: above 0, at most
                1.
            channels: Colours in which it differs: 1 or 3.

        Returns:
            The ε, or None where the noise measures distance in another way.
        """
        return None

    def finding_statement(self, *, area_pixels: float, contrast: float, channels: int = 1) -> str:
        """What the noise says about a finding, or why it says nothing.

        Args:
            area_pixels: Size of the finding, in pixels; above 0 and finite.
            contrast: By how much each of these differs, as a share of the range from black to white: above 0, at most
                1.
            channels: Colours in which it differs: 1 or 3.

        Returns:
            One sentence.

        Raises:
            SettingError: The area or the contrast is out of range.
        """
        if not 0 < area_pixels < math.inf:
            raise SettingError(f"The area must be above 0 pixels, but is {area_pixels}.")
        if not 0 < contrast <= 1:
            raise SettingError(f"The contrast must be above 0 and at most 1 (from black to white), but is {contrast}.")
        epsilon = self.finding_epsilon(area_pixels=area_pixels, contrast=contrast, channels=channels)
        if epsilon is None:
            return self.no_finding
        colours = f" × {channels} colours" if channels > 1 else ""
        return (
            f"A finding of {area_pixels:,.10g} pixels and contrast {contrast:g} is hidden to "
            f"ε = {format_epsilon(epsilon)} (δ = 0; two images that are alike but for it; area × contrast{colours} "
            "/ β)."
        )
