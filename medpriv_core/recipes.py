"""What the preset *sound DP* trains by: the recipe that gave the best networks at an honest epsilon.

How it was found, and what it gives, is in ``docs/utility.md``. Nothing in it is counted on the training images when it
runs: class weights are constants, every image is standardised by itself, and its variants follow from its own content.

>>> recipe_for("chest_xray", ordered=False).settings(1.0)["epochs"]
50
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from medpriv_core.spec import RunSpec
from medpriv_core.unit import UnitChoice


@dataclass(frozen=True)
class Stage:
    """What depends on epsilon: with less noise a longer training pays, and sharper weights of the classes."""

    up_to: float  # the largest epsilon that it is for
    epochs: int
    learning_rate: float
    class_weights: tuple[float, ...] | None = None
    multiplicity: int = 1  # the image and its variants


@dataclass(frozen=True)
class Recipe:
    """Settings of a RunSpec, some of which depend on epsilon."""

    base: dict[str, Any]
    stages: tuple[Stage, ...]

    def settings(self, epsilon: float) -> dict[str, Any]:
        """All settings at this epsilon (delta 1e-5); infinite means without privacy, and otherwise the same."""
        stage = next(stage for stage in self.stages if epsilon <= stage.up_to)
        settings = {
            **COMMON,
            **self.base,
            "epochs": stage.epochs,
            "learning_rate": stage.learning_rate,
            "class_weights": stage.class_weights,
            "augmentation_multiplicity": stage.multiplicity,
        }
        if math.isfinite(epsilon):
            settings |= {"method": "dp_sgd", "target_epsilon": epsilon}
        return settings


COMMON: dict[str, Any] = {
    "image_size": 224,
    "standardise": True,
    "sampling": "full_batch",
    "momentum": 0.9,
    "average_last": 0.5,
}

# Tried at epsilon 1, 3, 8 and without privacy; between these, the nearer one by ratio.
UP_TO = (math.sqrt(1 * 3), math.sqrt(3 * 8), 30.0, math.inf)

# Kermany et al. publish 1,341 normal and 3,875 pneumonia images for training.
NORMAL_PER_PNEUMONIA = 1341 / 3875


def _pneumonia_share(share: float) -> tuple[float, float]:
    """Class weights that give pneumonia this share of the whole loss."""
    return 1.0, round(share / (1 - share) * NORMAL_PER_PNEUMONIA, 3)


_GRID = {"features": "layer3_grid", "head_bias": False, "max_grad_norm": 0.35}
_CHEST = (
    Stage(UP_TO[0], 50, 9.0, _pneumonia_share(0.48), 3),
    Stage(UP_TO[1], 75, 12.0, _pneumonia_share(0.42), 3),
    # With the third variant, a broad one: a longer training would otherwise rely more on the machine of its images.
    Stage(UP_TO[2], 100, 20.0, _pneumonia_share(0.35), 4),
    Stage(UP_TO[3], 200, 40.0, _pneumonia_share(0.20), 4),
)

CHEST = Recipe(_GRID, _CHEST)
# With patients as records: 3,654 instead of 5,216, so more noise for each; the broad variant pays from ε = 1 on then.
CHEST_PATIENTS = Recipe(
    _GRID,
    (
        replace(_CHEST[0], multiplicity=4, class_weights=_pneumonia_share(0.52)),
        replace(_CHEST[1], multiplicity=4, class_weights=_pneumonia_share(0.46)),
        *_CHEST[2:],
    ),
)
TWO_CLASSES = Recipe(_GRID, tuple(replace(stage, class_weights=None) for stage in _CHEST))
# Without noise a rate above 2 (1 + momentum) / L swings instead of settling, and L, the largest curvature, is at most 1
# for features of length 1 and a constant term, whatever the photographs: half the squared length (Boehning 1992).
GRADES_FREE_RATE = 3.5
GRADES = Recipe(
    {"features": "layer3"},
    tuple(Stage(*stage) for stage in zip(UP_TO, (50, 50, 50, 300), (2.0, 3.0, 5.0, GRADES_FREE_RATE), strict=True)),
)

# All that one recipe sets and another one leaves at its default.
RECIPE_SETTINGS = tuple(dict.fromkeys(name for each in (CHEST, GRADES) for name in each.settings(math.inf)))


def recipe_for(dataset: str, *, ordered: bool, unit: UnitChoice = "image") -> Recipe:
    """The recipe for a dataset by its name, whether its classes are grades, and what a record is.

    Tuned on chest X-rays, for images and for patients as records ("auto" are patients there), and on IDRiD.
    """
    if dataset == "chest_xray":
        return CHEST if unit == "image" else CHEST_PATIENTS
    return GRADES if ordered else TWO_CLASSES


def tuned_here(spec: RunSpec) -> bool:
    """Whether a run goes by a recipe that was searched for on its own dataset, whose test images were looked at.

    Epochs, rates and weights of classes may have been changed afterwards; what the search found is still in it.
    """
    recipe = {"chest_xray": CHEST, "idrid": GRADES}.get(spec.dataset)
    settings = COMMON | (recipe.base if recipe else {})
    return recipe is not None and all(
        getattr(spec, name) == value for name, value in settings.items() if name not in ("image_size", "sampling")
    )
