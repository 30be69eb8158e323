"""The noise on the images of a run under Local-DP, from the settings of its specification.

A specification holds flat settings: the mechanism as ``noise_draw``, its amount as ``beta``, and what some mechanism
needs besides. The two kinds of Laplace noise are called per_pixel and per_image there, as version 0.1.0
wrote them; every other mechanism has its own name.

``spec.py`` stands on this module, so the catalog, which takes half a second to load, is imported where it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from medpriv_core.errors import SettingError
from medpriv_core.setting import Choice, setting

if TYPE_CHECKING:
    from medpriv_core.mechanisms.picture_noise import PictureNoise
    from medpriv_core.spec import RunSpec

_LAPLACE = "laplace_"  # left out in specifications
USUAL = "per_pixel"  # the paper's
# Settings that some mechanism needs besides beta, with their usual values.
OWN_PARAMETERS = {"block": 8, "changed_pixels": 16}


class NoiseChoices(Mapping[str, Choice]):
    """What each mechanism is called in forms and names, by its name in a specification."""

    def __getitem__(self, name: str) -> Choice:
        kind = kinds_of_noise()[name]
        return Choice(kind.title, kind.short)

    def __iter__(self) -> Iterator[str]:
        return iter(kinds_of_noise())

    def __len__(self) -> int:
        return len(kinds_of_noise())


def kinds_of_noise() -> dict[str, type[PictureNoise]]:
    """All mechanisms by their names in a specification."""
    from medpriv_core.mechanisms.catalog import MECHANISMS

    return {name.removeprefix(_LAPLACE): kind for name, kind in MECHANISMS.items()}


def takes(noise_draw: str, parameter: str) -> bool:
    """Whether a mechanism has a parameter of this name.

    Args:
        noise_draw: The mechanism by its name in a specification: "per_pixel", "dp_pix", ...
        parameter: Name of the parameter: "block", "changed_pixels".

    Returns:
        Whether it has; False also for a mechanism that is not known.
    """
    kind = None if noise_draw == USUAL else kinds_of_noise().get(noise_draw)  # the usual one has none
    return kind is not None and parameter in kind.parameters()


def noise_draw_setting() -> Any:
    """The setting that says which kind of noise a run has."""
    return setting(
        USUAL,
        "Kind of noise",
        "**Laplace per pixel** is what the paper's text means, **Laplace per image** what its published code did: one "
        "random number for the whole image, for which no finite ε holds. Noise per pixel, or per cell of a mosaic, "
        "has an ε for the whole image: that of all its values together.",
        choices=NoiseChoices(),
        closed=True,
        methods=("local_dp",),
    )


def block_setting() -> Any:
    """The setting for the side of a cell of DP-Pix, in pixels."""
    return setting(
        OWN_PARAMETERS["block"],
        "Cell side (pixels)",
        "The image is cut into square cells, and each shows its mean.",
        bounds=(1, 512),
        methods=("local_dp",),
        when=lambda settings: takes(settings["noise_draw"], "block"),
    )


def changed_pixels_setting() -> Any:
    """The setting for how many changed pixels DP-Pix hides for an epsilon of 1/beta."""
    return setting(
        OWN_PARAMETERS["changed_pixels"],
        "Hides changes of up to … pixels (m)",
        "For ε = 1/β, two images count as neighbours if they differ in at most this many pixels.",
        bounds=(1, 1 << 20),
        methods=("local_dp",),
        when=lambda settings: takes(settings["noise_draw"], "changed_pixels"),
    )


def noise_of_run(spec: RunSpec) -> PictureNoise:
    """The noise on the images of a run under Local-DP.

    Args:
        spec: The specification of the run.

    Returns:
        The mechanism with its parameters.

    Raises:
        SettingError: The method of the run puts no noise on its images.
    """
    if spec.method != "local_dp" or spec.beta is None:
        raise SettingError(f"A run whose [method] is {spec.method} has no noise on its images.")
    kind = kinds_of_noise()[spec.noise_draw]
    return kind(spec.beta, **{name: getattr(spec, name) for name in kind.parameters() if hasattr(spec, name)})


def unusual_noise(noise_draw: str | None) -> str:
    """What to write after a beta: nothing for the paper's noise, which no label names.

    >>> unusual_noise("per_pixel"), unusual_noise("per_image"), unusual_noise("dp_pix")
    ('', ' per image', ' DP-Pix')
    """
    return "" if noise_draw in (None, USUAL) else f" {kinds_of_noise()[noise_draw].short}"


def place_among_noises(noise_draw: str | None) -> int:
    """Its place in the order of the catalog, by which results are sorted."""
    return list(kinds_of_noise()).index(noise_draw) if noise_draw not in (None, USUAL) else 0
