"""The paper's grid: no privacy, noise on the images with β = 1, 2, 4, and noise on the gradients "with β = 1, 2, 4".

For DP-SGD the paper's β is a label. Its text reads as if the noise multiplier were β; the authors' published notebooks
ran others, for each dataset its own, found for claims of ε = 1, 0.5 and 0.25. Both can be chosen here, and both are
trained so that an ε holds: Poisson sampling, each image's gradient clipped by itself, frozen BatchNorm.

>>> grid = paper_grid("chest_xray", train_size=5216)
>>> [run.spec.noise_multiplier for run in grid.expand().runs if run.spec.method == "dp_sgd"]
[5.002, 9.7, 19.55]

Two ways to train. *Head*: the last layer alone on what the frozen network says of 224-pixel images, with the settings
of the preset *sound DP* (``recipes.py``) but for three: the paper's batches and epochs, because full batches would
change what a noise multiplier means; no variants of the images, because each kind of image noise would need its own;
and no class weights, which were chosen for networks that see clean images. The learning rate is scaled down so that
rate times steps is that of the recipe. *All*: every layer, by the paper's text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import SettingError
from medpriv_core.presets import PRESETS, authors_noise
from medpriv_core.privacy.dp_sgd import steps_per_epoch
from medpriv_core.privacy.plan import plan_dp_sgd
from medpriv_core.recipes import recipe_for
from medpriv_core.spec import SETTINGS, check_bound, in_short
from medpriv_core.sweeps.grid import Axis, Cell, Grid, vary

PAPER_BETAS = (1, 2, 4)
# What the text means, and what the published code did.
PAPER_DRAWS = ("per_pixel", "per_image")
Multiplier = Literal["authors", "text"]
MULTIPLIERS: tuple[Multiplier, ...] = get_args(Multiplier)
PaperTrainable = Literal["head", "all"]
PAPER_TRAINABLE: tuple[PaperTrainable, ...] = get_args(PaperTrainable)

BATCH_SIZE = 128
EPOCHS = 50
DELTA = 1e-5
# The paper's 256 pixels take hours for each run on two cores.
FULL_IMAGE_SIZE = 64


def paper_grid(
    dataset: str,
    *,
    train_size: int,
    seeds: int = 1,
    noise_draws: Sequence[str] = PAPER_DRAWS,
    trainable: PaperTrainable = "head",
    image_size: int | None = None,
    epochs: int = EPOCHS,
    noise_multipliers: Multiplier = "authors",
    weights: str = "imagenet",
    device: str = "auto",
) -> Grid:
    """The grid for a dataset with ``train_size`` training images, with seeds 0, 1, … (the outer axis).

    noise_draws        kinds of noise on the images: each three cells
    trainable          head | all
    image_size         side in pixels; None: 224 for the head, 64 for all layers (of which the network sees 7/8)
    noise_multipliers  of DP-SGD: as the authors ran them, or text (σ = β)

    Raises ``SettingError`` for impossible values, ``DatasetError`` for an unknown dataset.
    """
    if seeds < 1:
        raise SettingError(f"A grid needs at least one seed, but was asked for {seeds}.")
    check_bound("epochs", epochs)
    if not noise_draws:
        raise SettingError(
            f"Choose at least one kind of noise for Local-DP: {', '.join(SETTINGS['noise_draw'].options)}."
        )
    ordered = dataset_info(dataset).ordered
    batch_size = min(BATCH_SIZE, train_size)
    base: dict[str, Any] = {"dataset": dataset, "weights": weights, "device": device}
    if trainable == "head":
        base |= _head_settings(dataset, ordered=ordered)
    else:
        paper = PRESETS["paper"].settings
        base |= {name: value for name, value in paper.items() if name not in ("method", "beta")}
        base["image_size"] = FULL_IMAGE_SIZE
    if image_size is not None:
        base["image_size"] = image_size
    if trainable == "all":
        base["crop_size"] = base["image_size"] * 7 // 8
    base |= {"epochs": epochs, "batch_size": batch_size}

    def learning(epsilon: float) -> dict[str, Any]:
        if trainable == "all":
            return {}
        return _head_learning(
            dataset, ordered=ordered, epsilon=epsilon, train_size=train_size, batch_size=batch_size, epochs=epochs
        )

    cells = [Cell("no privacy", learning(math.inf))]
    for draw in noise_draws:
        for beta in PAPER_BETAS:
            noise = {"method": "local_dp", "beta": float(beta), "noise_draw": draw}
            cells.append(Cell(f"Local-DP β {beta} {in_short('noise_draw', draw)}", noise | learning(math.inf)))
    for beta, sigma in _noise_multipliers(noise_multipliers, ordered=ordered).items():
        plan = plan_dp_sgd(
            train_size=train_size, batch_size=batch_size, epochs=epochs, delta=DELTA, noise_multiplier=sigma
        )
        # As the authors did, who counted images.
        noise = {"method": "dp_sgd", "noise_multiplier": sigma, "delta": DELTA, "unit": "image"}
        cells.append(Cell(f"DP-SGD β {beta} (σ {sigma:g})", noise | learning(plan.epsilon)))
    return Grid(base, (vary("seed", range(seeds)), Axis("method", tuple(cells))))


def _noise_multipliers(choice: Multiplier, *, ordered: bool) -> dict[int, float]:
    if choice == "authors":
        return authors_noise(ordered=ordered)
    return {beta: float(beta) for beta in PAPER_BETAS}


def _head_settings(dataset: str, *, ordered: bool) -> dict[str, Any]:
    """What the recipe sets alike at every epsilon, without its full batches."""
    recipe = recipe_for(dataset, ordered=ordered).settings(math.inf)
    names = ("image_size", "features", "standardise", "head_bias", "max_grad_norm", "momentum", "average_last")
    return {name: recipe[name] for name in names if name in recipe}


def _head_learning(
    dataset: str, *, ordered: bool, epsilon: float, train_size: int, batch_size: int, epochs: int
) -> dict[str, Any]:
    """The recipe's learning rate for this epsilon, spread over the steps of these batches."""
    recipe = recipe_for(dataset, ordered=ordered).settings(epsilon)
    steps = epochs * steps_per_epoch(batch_size=batch_size, train_size=train_size)
    # A rate above the recipe's own was never tried, and diverges at some point.
    rate = recipe["learning_rate"] * min(1.0, recipe["epochs"] / steps)
    return {"learning_rate": float(f"{rate:.3g}")}
